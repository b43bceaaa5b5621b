//! The TOML of a case.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};
use telemetry_core::Timestamp;
use telemetry_core::aggregation::AggregationSpec;
use telemetry_sandbox::{Grants, HttpAnswer, HttpFault};

use super::records::{self, Moment, Records};
use super::{Case, Step};

/// When a case begins that does not say so.
const START: &str = "2026-01-01T00:00:00Z";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    /// For people.
    #[serde(default, rename = "about")]
    _about: Option<String>,
    #[serde(default)]
    config: Map<String, Value>,
    #[serde(default)]
    grants: Grants,
    start: Option<String>,
    #[serde(default)]
    query_answers: Vec<Value>,
    #[serde(default, rename = "step")]
    steps: Vec<StepDocument>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct StepDocument {
    events: Option<Vec<Value>>,
    samples: Option<Vec<Value>>,
    /// A file of JSON lines beside the case, as `import` takes it.
    records: Option<String>,
    /// The samples are for this aggregation.
    aggregate: Option<String>,
    tick: Option<String>,
    restart: bool,
    alerts: Option<Vec<Value>>,
    /// What the far side answers to the requests about these alerts.
    answers: Vec<AnswerDocument>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct AnswerDocument {
    status: Option<u16>,
    headers: Map<String, Value>,
    body: String,
    /// `timeout`, or why there is no connection.
    fault: Option<String>,
}

/// Reads a case; the error says what is wrong and where.
pub(super) fn case(path: &Path, text: &str) -> Result<Case, String> {
    let document: toml::Value = toml::from_str(text).map_err(|error| error.to_string())?;
    let document: Document =
        serde_json::from_value(parse_value(document)).map_err(|error| error.to_string())?;
    let start = time(document.start.as_deref().unwrap_or(START))?;
    let mut moment = Moment::at(start);
    let mut steps = Vec::new();
    for (number, step) in (1..).zip(document.steps) {
        steps
            .extend(read_step(path, step, &mut moment).map_err(|reason| format!("step {number}: {reason}"))?);
    }
    Ok(Case {
        name: path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        path: path.to_owned(),
        config: Value::Object(document.config),
        grants: document.grants,
        query_answers: document.query_answers,
        start,
        steps,
    })
}

fn read_step(path: &Path, step: StepDocument, moment: &mut Moment) -> Result<Vec<Step>, String> {
    if step.aggregate.is_some() && step.samples.is_none() {
        return Err("`aggregate` needs `samples`".to_owned());
    }
    if !step.answers.is_empty() && step.alerts.is_none() {
        return Err("`answers` needs `alerts`".to_owned());
    }
    let named = [
        step.events.is_some(),
        step.samples.is_some(),
        step.records.is_some(),
        step.tick.is_some(),
        step.restart,
        step.alerts.is_some(),
    ];
    if named.iter().filter(|named| **named).count() != 1 {
        return Err("give one of events, samples, records, tick, restart = true, alerts".to_owned());
    }
    if let Some(events) = step.events {
        return records::events(&events, moment).map(|batch| vec![Step::Events(batch)]);
    }
    if let Some(samples) = step.samples {
        let samples = records::samples(&samples, moment)?;
        return Ok(vec![match step.aggregate {
            None => Step::Samples(samples),
            Some(text) => {
                let function = AggregationSpec::parse(&text).map_err(|error| error.to_string())?;
                Step::Aggregate { function, samples }
            }
        }]);
    }
    if let Some(file) = step.records {
        let batches = records::of_file(&path.with_file_name(file), moment)?;
        return Ok(batches
            .into_iter()
            .map(|batch| match batch {
                Records::Events(batch) => Step::Events(batch),
                Records::Samples(batch) => Step::Samples(batch),
            })
            .collect());
    }
    if let Some(text) = step.tick {
        return moment.advance(&text).map(|now| vec![Step::Tick(now)]);
    }
    if let Some(alerts) = step.alerts {
        let alerts = records::alerts(&alerts, moment)?;
        let answers = step.answers.into_iter().map(answer).collect::<Result<_, _>>()?;
        return Ok(vec![Step::Alerts { alerts, answers }]);
    }
    Ok(vec![Step::Restart])
}

fn answer(document: AnswerDocument) -> Result<Result<HttpAnswer, HttpFault>, String> {
    match (document.fault.as_deref(), document.status) {
        (Some("timeout"), None) => Ok(Err(HttpFault::Timeout)),
        (Some(reason), None) => Ok(Err(HttpFault::Connection(reason.to_owned()))),
        (None, Some(status)) => Ok(Ok(HttpAnswer {
            status,
            headers: document.headers.iter().map(|(name, value)| (name.clone(), bare(value))).collect(),
            body: document.body.into_bytes(),
        })),
        _ => Err("an answer has either a `status` or a `fault`".to_owned()),
    }
}

fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A time of a case.
pub(super) fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).map_err(|error| error.to_string())
}

/// A length of time such as `10s`, `250ms` or `2h`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|error| format!("\"{text}\" is no length of time such as 250ms, 10s or 2h: {error}"))
}

/// TOML as JSON; dates become texts.
fn parse_value(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(is) => is.into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(values) => values.into_iter().map(parse_value).collect(),
        toml::Value::Table(table) => {
            Value::Object(table.into_iter().map(|(key, value)| (key, parse_value(value))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn read(text: &str) -> Result<Case, String> {
        case(Path::new("tests/a-case.toml"), text)
    }

    #[test]
    fn times_go_on_by_themselves() {
        let case = read(
            r#"
            config = { longest = 8 }
            [[step]]
            events = [{ event_type = "A", source = "s", data = { n = 1 }, user = "ada" }, { event_type = "B", source = "s" }]
            [[step]]
            samples = [{ metric_name = "m", metric_value = 1, timestamp = 2026-01-01T00:01:00Z }, { metric_name = "m", values = [2, 3], every = "10s" }]
            [[step]]
            tick = "+5s"
            "#,
        )
        .unwrap();
        assert_eq!(case.name, "a-case");
        let Step::Events(events) = &case.steps[0] else { panic!() };
        let rows: Vec<_> = events.rows().map(|row| (row.event_type, row.data, row.extra)).collect();
        assert_eq!(rows, [("A", r#"{"n":1}"#, r#"{"user":"ada"}"#), ("B", "{}", "{}")]);
        let seconds = |nanos: i64| (nanos - case.start.nanos()) / 1_000_000_000;
        assert_eq!(events.timestamps().iter().map(|time| seconds(*time)).collect::<Vec<_>>(), [0, 1]);
        let Step::Samples(samples) = &case.steps[1] else { panic!() };
        assert_eq!(samples.series_count(), 1);
        assert_eq!(samples.timestamps().iter().map(|time| seconds(*time)).collect::<Vec<_>>(), [60, 61, 71]);
        let Step::Tick(now) = case.steps[2] else { panic!() };
        assert_eq!(seconds(now.nanos()), 76);
    }

    fn check_fault(text: &str, expect: Expect) {
        expect.assert_eq(&read(text).unwrap_err());
    }

    #[test]
    fn faults_name_their_step() {
        check_fault(
            "[[step]]\n",
            expect!["step 1: give one of events, samples, records, tick, restart = true, alerts"],
        );
        check_fault(
            "[[step]]\nevents = [{ source = \"s\" }]\n",
            expect!["step 1: event 1: event_type: must be a text that is not empty"],
        );
        check_fault(
            "[[step]]\nrestart = true\n[[step]]\ntick = \"soon\"\n",
            expect![[r#"step 2: "soon" is neither a time nor a step such as +10s"#]],
        );
    }
}
