import { decode } from "./utf8.js";

/** The strings of a column. */
export function texts(column) {
  const bytes = column.bytes instanceof Uint8Array ? column.bytes : new Uint8Array(column.bytes);
  const whole = decode(bytes);
  const found = [];
  let start = 0;
  // Where all is ASCII, bytes and characters have the same places, and one decoding serves all.
  const ascii = whole.length === bytes.length;
  for (const end of column.ends) {
    found.push(ascii ? whole.slice(start, end) : decode(bytes.subarray(start, end)));
    start = end;
  }
  return found;
}

/** The strings of events, each made when it is asked for. */
class Fields {
  constructor(column) {
    this.bytes = column.bytes instanceof Uint8Array ? column.bytes : new Uint8Array(column.bytes);
    this.ends = column.ends;
  }

  text(at) {
    return decode(this.bytes.subarray(at > 0 ? this.ends[at - 1] : 0, this.ends[at]));
  }
}

/** One event. Times are nanoseconds since the Unix epoch, as BigInt. */
class Event {
  #fields;
  #data;

  constructor(row, timestamp, fields, values, verdict) {
    this.row = row;
    this.timestamp = timestamp;
    /** What stands at the plugin's `places`, in their order; undefined where nothing does. */
    this.values = values;
    this.#fields = fields;
    this.verdict = verdict;
  }

  /** Its id, a UUID. */
  get id() {
    return this.#fields.text(5 * this.row);
  }

  /** Its type, such as `COMMAND_RECEIVED`. */
  get eventType() {
    return this.#fields.text(5 * this.row + 1);
  }

  /** Who recorded it. */
  get source() {
    return this.#fields.text(5 * this.row + 2);
  }

  /** `data` as JSON: an object. */
  get dataJson() {
    return this.#fields.text(5 * this.row + 3);
  }

  /** The other top-level fields as JSON: an object. */
  get extraJson() {
    return this.#fields.text(5 * this.row + 4);
  }

  /** The event's `data`, parsed when it is first asked for. */
  get data() {
    return (this.#data ??= JSON.parse(this.dataJson));
  }

  /** The event's other top-level fields. */
  get extra() {
    return JSON.parse(this.extraJson);
  }

  /** Refuses the event (validators only). */
  reject(code, path, message) {
    this.verdict.issue(this.row, true, code, path, message);
  }

  /** Accepts the event and warns the caller (validators only). */
  warn(code, path, message) {
    this.verdict.issue(this.row, false, code, path, message);
  }

  /** Stores the event with this `data` (validators only). */
  replaceData(data) {
    this.verdict.rewrite(this.row, { dataJson: JSON.stringify(data) });
  }

  /** Stores the event with these other top-level fields (validators only). */
  replaceExtra(extra) {
    this.verdict.rewrite(this.row, { extraJson: JSON.stringify(extra) });
  }
}

/** The events of a batch, with what was found in them. */
export function events(batch, values, verdict) {
  const fields = new Fields(batch.fields);
  return Array.from(batch.timestamps, (timestamp, row) => new Event(row, timestamp, fields, values?.[row], verdict));
}

/** One series of a batch of samples. */
class Series {
  constructor(number, metric, contextJson, verdict) {
    this.number = number;
    this.metric = metric;
    this.contextJson = contextJson;
    this.verdict = verdict;
  }

  /** The series' labels. */
  get context() {
    return JSON.parse(this.contextJson);
  }

  /** Stores this batch's samples of the series with another context (validators only). */
  replaceContext(context) {
    this.verdict.rewriteSeries(this.number, JSON.stringify(context));
  }
}

/** One sample; a value that is text is null. */
class Sample {
  constructor(row, series, timestamp, value) {
    this.row = row;
    this.series = series;
    this.timestamp = timestamp;
    this.value = Number.isNaN(value) ? null : value;
  }

  /** Refuses the sample (validators only). */
  reject(code, path, message) {
    this.series.verdict.issue(this.row, true, code, path, message);
  }

  /** Accepts the sample and warns the caller (validators only). */
  warn(code, path, message) {
    this.series.verdict.issue(this.row, false, code, path, message);
  }
}

/** The samples of a batch. */
export function samples(batch, verdict) {
  const names = texts(batch.series);
  const series = [];
  for (let at = 0; at < names.length; at += 2) {
    series.push(new Series(at / 2, names[at], names[at + 1], verdict));
  }
  return Array.from(
    batch.values,
    (value, row) => new Sample(row, series[batch.seriesIndices[row]], batch.timestamps[row], value),
  );
}
