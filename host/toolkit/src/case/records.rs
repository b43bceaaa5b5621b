//! Records of a case: the same JSON as the recording API takes, with times that go on by themselves.

use std::io::BufRead;
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value, json};
use telemetry_core::extension::AlertForDelivery;
use telemetry_core::{Alert, Context, EventBatch, EventRow, SampleBatch, Timestamp};
use uuid::Uuid;

use super::document::{duration, time};

/// Time from one record to the next that has no time of its own.
const SECOND: Duration = Duration::from_secs(1);
/// Rows of a recorded file that are shown at once.
const BATCH_ROWS: usize = 1_000;
/// Most rows of one case: a case is to be read by people.
const MAX_ROWS: u64 = 1_000_000;

/// Rows of one sort.
pub(super) enum Records {
    Events(EventBatch),
    Samples(SampleBatch),
}

/// Where a case stands in time and in the log.
pub(super) struct Moment {
    now: Timestamp,
    /// Nothing has happened yet: the first record is at the start.
    fresh: bool,
    rows: u64,
}

impl Moment {
    pub(super) fn at(now: Timestamp) -> Self {
        Self { now, fresh: true, rows: 0 }
    }

    /// The time of a record.
    fn next(&mut self, given: Option<&Value>, step: Duration) -> Result<Timestamp, String> {
        self.rows += 1;
        if self.rows > MAX_ROWS {
            return Err(format!("a case has {MAX_ROWS} rows at most"));
        }
        self.now = match given {
            Some(Value::String(text)) => time(text)?,
            Some(other) => return Err(format!("timestamp: {other} is no time")),
            None if self.fresh => self.now,
            None => self.now.plus(step),
        };
        self.fresh = false;
        Ok(self.now)
    }

    /// Goes to a time, or on by a step such as `+10s`.
    pub(super) fn advance(&mut self, text: &str) -> Result<Timestamp, String> {
        let wrong = || format!("\"{text}\" is neither a time nor a step such as +10s");
        self.now = match text.strip_prefix('+') {
            Some(step) => self.now.plus(duration(step).map_err(|_| wrong())?),
            None => time(text).map_err(|_| wrong())?,
        };
        self.fresh = false;
        Ok(self.now)
    }
}

/// Events as `record_event` takes them.
pub(super) fn events(given: &[Value], moment: &mut Moment) -> Result<EventBatch, String> {
    let mut batch = EventBatch::starting_at(moment.rows + 1);
    for (number, event) in (1..).zip(given) {
        push_event(event, &mut batch, moment).map_err(|reason| format!("event {number}: {reason}"))?;
    }
    Ok(batch)
}

fn push_event(event: &Value, batch: &mut EventBatch, moment: &mut Moment) -> Result<(), String> {
    let mut event = object(event)?;
    let event_type = name(&event, "event_type")?;
    let source = name(&event, "source")?;
    let timestamp = moment.next(event.get("timestamp"), SECOND)?;
    let id = match event.get("event_id") {
        Some(id) => id.as_str().ok_or("event_id: must be a text")?.to_owned(),
        None => Uuid::from_u128(moment.rows.into()).to_string(),
    };
    let data = match event.get("data") {
        None => json!({}),
        Some(data @ Value::Object(_)) => data.clone(),
        Some(_) => return Err("data: must be an object".to_owned()),
    };
    for known in ["event_type", "source", "timestamp", "event_id", "data"] {
        event.shift_remove(known);
    }
    batch.push(EventRow {
        timestamp: timestamp.nanos(),
        id: &id,
        event_type: &event_type,
        source: &source,
        data: &data.to_string(),
        extra: &Value::Object(event).to_string(),
    });
    Ok(())
}

/// Samples as `record_metric` takes them; `values` with `every` stands for many.
pub(super) fn samples(given: &[Value], moment: &mut Moment) -> Result<SampleBatch, String> {
    let mut builder = SampleBuilder::new(moment);
    for (number, sample) in (1..).zip(given) {
        builder.push(sample, moment).map_err(|reason| format!("sample {number}: {reason}"))?;
    }
    Ok(builder.batch)
}

struct SampleBuilder {
    batch: SampleBatch,
    series: Vec<(String, String)>,
}

impl SampleBuilder {
    fn new(moment: &Moment) -> Self {
        Self { batch: SampleBatch::starting_at(moment.rows + 1), series: Vec::new() }
    }

    fn push(&mut self, sample: &Value, moment: &mut Moment) -> Result<(), String> {
        let sample = object(sample)?;
        let known = ["metric_name", "metric_value", "context", "timestamp", "values", "every"];
        if let Some(key) = sample.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(format!("\"{key}\" is not known; there are {}", known.join(", ")));
        }
        let metric = name(&sample, "metric_name")?;
        let context = match sample.get("context") {
            None => Context::default(),
            Some(Value::Object(labels)) => Context::from(labels.clone()),
            Some(_) => return Err("context: must be an object".to_owned()),
        };
        let series = self.series(metric, context.as_str().to_owned());
        let step = match sample.get("every") {
            None => SECOND,
            Some(text) => duration(text.as_str().unwrap_or_default())?,
        };
        let values = match (sample.get("metric_value"), sample.get("values")) {
            (Some(value), None) => std::slice::from_ref(value),
            (None, Some(Value::Array(values))) => values.as_slice(),
            _ => return Err("give either metric_value or a list of values".to_owned()),
        };
        for (place, value) in values.iter().enumerate() {
            let value = match value {
                Value::String(_) => f64::NAN,
                other => other.as_f64().ok_or_else(|| format!("{other} is no number and no text"))?,
            };
            let given = sample.get("timestamp").filter(|_| place == 0);
            let first = place == 0 && given.is_none();
            let timestamp = moment.next(given, if first { SECOND } else { step })?;
            self.batch.push(series, timestamp.nanos(), value);
        }
        Ok(())
    }

    fn series(&mut self, metric: String, context: String) -> u32 {
        let key = (metric, context);
        if let Some(place) = self.series.iter().position(|series| *series == key) {
            return u32::try_from(place).unwrap_or(u32::MAX);
        }
        let number = self.batch.add_series(&key.0, &key.1);
        self.series.push(key);
        number
    }
}

/// The records of a file of JSON lines, in batches as monitors get them.
pub(super) fn of_file(path: &Path, moment: &mut Moment) -> Result<Vec<Records>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let file = std::io::BufReader::new(std::fs::File::open(path).map_err(failed)?);
    let mut batches = Vec::new();
    let mut open: Option<Open> = None;
    for (number, line) in (1_u64..).zip(file.lines()) {
        let line = line.map_err(failed)?;
        if line.trim().is_empty() {
            continue;
        }
        let record: Value = serde_json::from_str(&line)
            .map_err(|error| format!("{}: line {number}: {error}", path.display()))?;
        let is_sample = record.get("metric_name").is_some();
        if open.as_ref().is_none_or(|open| open.is_full() || open.holds_samples() != is_sample) {
            batches.extend(open.take().map(Open::close));
            open = Some(if is_sample {
                Open::Samples(SampleBuilder::new(moment))
            } else {
                Open::Events(EventBatch::starting_at(moment.rows + 1))
            });
        }
        let pushed = match &mut open {
            Some(Open::Events(batch)) => push_event(&record, batch, moment),
            Some(Open::Samples(builder)) => builder.push(&record, moment),
            None => Ok(()),
        };
        pushed.map_err(|reason| format!("{}: line {number}: {reason}", path.display()))?;
    }
    batches.extend(open.map(Open::close));
    Ok(batches)
}

/// A batch that is being filled.
enum Open {
    Events(EventBatch),
    Samples(SampleBuilder),
}

impl Open {
    fn holds_samples(&self) -> bool {
        matches!(self, Self::Samples(_))
    }

    fn is_full(&self) -> bool {
        match self {
            Self::Events(batch) => batch.len() >= BATCH_ROWS,
            Self::Samples(builder) => builder.batch.len() >= BATCH_ROWS,
        }
    }

    fn close(self) -> Records {
        match self {
            Self::Events(batch) => Records::Events(batch),
            Self::Samples(builder) => Records::Samples(builder.batch),
        }
    }
}

/// Alerts as sinks see them; what is left out is filled in.
pub(super) fn alerts(given: &[Value], moment: &mut Moment) -> Result<Vec<AlertForDelivery>, String> {
    let mut alerts = Vec::new();
    for (number, alert) in (1_u32..).zip(given) {
        alerts.push(one_alert(alert, moment).map_err(|reason| format!("alert {number}: {reason}"))?);
    }
    Ok(alerts)
}

fn one_alert(given: &Value, moment: &mut Moment) -> Result<AlertForDelivery, String> {
    let mut given = object(given)?;
    let now = moment.next(given.get("last_seen"), SECOND)?;
    let attempt = match given.shift_remove("attempt") {
        None => 1,
        Some(attempt) => {
            attempt.as_u64().and_then(|n| u32::try_from(n).ok()).ok_or("attempt: must be a number")?
        }
    };
    let id = Uuid::from_u128(moment.rows.into());
    let resolved = given.get("status").is_some_and(|status| status == "resolved");
    let defaults = json!({
        "alert_id": id, "monitor": "monitor", "key": "key", "status": "firing", "severity": "warning",
        "summary": "", "value": null, "labels": {}, "first_seen": now, "last_seen": now,
        "resolved_at": resolved.then_some(now), "times_seen": 1,
    });
    let Value::Object(mut alert) = defaults else { return Err("it is no object".to_owned()) };
    if let Some(key) = given.keys().find(|key| !alert.contains_key(*key)) {
        return Err(format!("\"{key}\" is not known"));
    }
    alert.extend(given);
    let alert: Alert = serde_json::from_value(Value::Object(alert)).map_err(|error| error.to_string())?;
    Ok(AlertForDelivery {
        idempotency_key: format!("{}-{}", alert.alert_id, alert.times_seen),
        alert,
        attempt,
    })
}

fn object(value: &Value) -> Result<Map<String, Value>, String> {
    value.as_object().cloned().ok_or_else(|| "must be an object".to_owned())
}

fn name(object: &Map<String, Value>, key: &str) -> Result<String, String> {
    match object.get(key).and_then(Value::as_str) {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(format!("{key}: must be a text that is not empty")),
    }
}
