"""Columns as rows."""

import json


def texts(column):
    """The strings of a column."""
    whole, start, found = column.bytes, 0, []
    for end in column.ends:
        found.append(str(whole[start:end], "utf-8"))
        start = end
    return found


class Fields:
    """The strings of events, each made when it is asked for."""

    __slots__ = ("whole", "ends")

    def __init__(self, column):
        self.whole = column.bytes
        self.ends = column.ends

    def text(self, at):
        start = self.ends[at - 1] if at else 0
        return str(self.whole[start : self.ends[at]], "utf-8")


class Event:
    """One event."""

    __slots__ = ("row", "timestamp", "values", "_fields", "_data", "verdict")

    def __init__(self, row, timestamp, fields, values, verdict):
        self.row = row
        self.timestamp = timestamp
        #: What stands at the plugin's `places`, in their order; None where nothing does.
        self.values = values
        self._fields = fields
        self._data = None
        self.verdict = verdict

    @property
    def id(self):
        """Its id, a UUID."""
        return self._fields.text(5 * self.row)

    @property
    def event_type(self):
        """Its type, such as `COMMAND_RECEIVED`."""
        return self._fields.text(5 * self.row + 1)

    @property
    def source(self):
        """Who recorded it."""
        return self._fields.text(5 * self.row + 2)

    @property
    def data_json(self):
        """`data` as JSON: an object."""
        return self._fields.text(5 * self.row + 3)

    @property
    def extra_json(self):
        """The other top-level fields as JSON: an object."""
        return self._fields.text(5 * self.row + 4)

    @property
    def data(self):
        """The event's `data`, parsed when it is first asked for."""
        if self._data is None:
            self._data = json.loads(self.data_json)
        return self._data

    @property
    def extra(self):
        """The event's other top-level fields."""
        return json.loads(self.extra_json)

    def reject(self, code, path, message):
        """Refuses the event (validators only)."""
        self.verdict.issue(self.row, True, code, path, message)

    def warn(self, code, path, message):
        """Accepts the event and warns the caller (validators only)."""
        self.verdict.issue(self.row, False, code, path, message)

    def replace_data(self, data):
        """Stores the event with this `data` (validators only)."""
        self.verdict.rewrite(self.row, data, None)

    def replace_extra(self, extra):
        """Stores the event with these other top-level fields (validators only)."""
        self.verdict.rewrite(self.row, None, extra)


def events(batch, values=None, verdict=None):
    """The events of a batch, with what was found in them."""
    fields = Fields(batch.fields)
    return [
        Event(row, timestamp, fields, values[row] if values else (), verdict)
        for row, timestamp in enumerate(batch.timestamps)
    ]


class Series:
    """One series of a batch of samples."""

    __slots__ = ("number", "metric", "context_json", "verdict")

    def __init__(self, number, metric, context_json, verdict):
        self.number = number
        self.metric = metric
        self.context_json = context_json
        self.verdict = verdict

    @property
    def context(self):
        """The series' labels."""
        return json.loads(self.context_json)

    def replace_context(self, context):
        """Stores this batch's samples of the series with another context (validators only)."""
        self.verdict.rewrite_series(self.number, context)


class Sample:
    """One sample; a value that is text is None."""

    __slots__ = ("row", "series", "timestamp", "value")

    def __init__(self, row, series, timestamp, value):
        self.row = row
        self.series = series
        self.timestamp = timestamp
        self.value = None if value != value else value

    def reject(self, code, path, message):
        """Refuses the sample (validators only)."""
        self.series.verdict.issue(self.row, True, code, path, message)

    def warn(self, code, path, message):
        """Accepts the sample and warns the caller (validators only)."""
        self.series.verdict.issue(self.row, False, code, path, message)


def samples(batch, verdict=None):
    """The samples of a batch."""
    names = texts(batch.series)
    series = [Series(n, names[2 * n], names[2 * n + 1], verdict) for n in range(len(names) // 2)]
    rows = zip(batch.series_indices, batch.timestamps, batch.values)
    return [Sample(row, series[n], timestamp, value) for row, (n, timestamp, value) in enumerate(rows)]
