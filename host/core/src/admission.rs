//! Admission: the only way from a draft to an admitted record. Pure rules; the caller brings time and limits.

use std::sync::Arc;
use std::time::Duration;

use crate::context::Context;
use crate::error::{ErrorCode, ValidationIssue};
use crate::event::{AdmittedEvent, EventDraft};
use crate::id::{EventIdGenerator, RecordId};
use crate::json::is_deeper;
use crate::limits;
use crate::sample::{AdmittedSample, MetricDraft, SeriesKey};
use crate::time::Timestamp;
use crate::value::MetricValue;

/// The instants that are accepted: `[now − retention, now + MAX_AHEAD]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptedTimes {
    /// Now, at millisecond resolution.
    pub now: Timestamp,
    /// The oldest accepted instant.
    pub oldest: Timestamp,
    /// The newest accepted instant.
    pub newest: Timestamp,
}

impl AcceptedTimes {
    /// The window at `now` for a class that is kept for `retention`. Instants before 1970 are never accepted.
    pub fn at(now: Timestamp, retention: Duration) -> Self {
        let now = now.floor_to_millis();
        Self { now, oldest: now.minus(retention).max(Timestamp::EPOCH), newest: now.plus(limits::MAX_AHEAD) }
    }

    fn choose(&self, given: Option<Timestamp>) -> Result<Timestamp, AdmissionError> {
        match given {
            None => Ok(self.now),
            Some(timestamp) if timestamp < self.oldest || timestamp > self.newest => {
                Err(AdmissionError::Timestamp { timestamp, oldest: self.oldest, newest: self.newest })
            }
            Some(timestamp) => Ok(timestamp),
        }
    }
}

/// Why a draft was not admitted.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AdmissionError {
    /// An event's shape is wrong.
    #[error("the event's shape is wrong in {} place(s)", issues.len())]
    Shape {
        /// Every objection.
        issues: Vec<ValidationIssue>,
    },
    /// The time is outside the accepted window.
    #[error("the time {timestamp} is outside the accepted range {oldest} to {newest}")]
    Timestamp {
        /// The time given.
        timestamp: Timestamp,
        /// The oldest accepted.
        oldest: Timestamp,
        /// The newest accepted.
        newest: Timestamp,
    },
    /// The metric's name is empty, too long or has control characters.
    #[error("the metric name {reason}")]
    MetricName {
        /// What is wrong with it.
        reason: String,
    },
    /// The value is not finite, or too long.
    #[error("the metric value {reason}")]
    MetricValue {
        /// What is wrong with it.
        reason: String,
    },
    /// A part of a record nests too deeply.
    #[error("{what} is nested deeper than {limit} levels")]
    TooDeep {
        /// Which part.
        what: &'static str,
        /// The deepest that is accepted.
        limit: usize,
    },
    /// A record is larger than a limit.
    #[error("{what} is {size}, the limit is {limit}")]
    TooLarge {
        /// What is too large, with its unit.
        what: &'static str,
        /// Its size.
        size: usize,
        /// The limit.
        limit: usize,
    },
}

impl AdmissionError {
    /// The contract's code.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Shape { .. } | Self::TooDeep { .. } => ErrorCode::InvalidEvent,
            Self::Timestamp { .. } => ErrorCode::InvalidTimestamp,
            Self::MetricName { .. } => ErrorCode::InvalidMetricName,
            Self::MetricValue { .. } => ErrorCode::InvalidMetricValue,
            Self::TooLarge { .. } => ErrorCode::PayloadTooLarge,
        }
    }
}

/// A draft that was not admitted, given back so that it can be shown to the caller.
#[derive(Clone, Debug, PartialEq)]
pub struct RefusedEvent {
    /// The draft as it came.
    pub draft: EventDraft,
    /// Why it was refused.
    pub error: AdmissionError,
}

/// A sample that was not admitted, given back so that it can be shown to the caller.
#[derive(Clone, Debug, PartialEq)]
pub struct RefusedMetric {
    /// The draft as it came.
    pub draft: MetricDraft,
    /// Why it was refused.
    pub error: AdmissionError,
}

/// Gives an event its id and time and checks its shape.
pub fn admit_event(
    draft: EventDraft,
    times: &AcceptedTimes,
    ids: &EventIdGenerator,
) -> Result<AdmittedEvent, Box<RefusedEvent>> {
    let timestamp = match check_event(&draft, times) {
        Ok(timestamp) => timestamp,
        Err(error) => return Err(Box::new(RefusedEvent { draft, error })),
    };
    let id = draft.event_id.map_or_else(|| ids.next(timestamp), RecordId::Given);
    Ok(AdmittedEvent {
        id,
        timestamp,
        event_type: draft.event_type.into(),
        source: draft.source.into(),
        data: draft.data,
        extra: draft.extra,
    })
}

fn check_event(draft: &EventDraft, times: &AcceptedTimes) -> Result<Timestamp, AdmissionError> {
    let mut issues = Vec::new();
    check_name("event_type", &draft.event_type, &mut issues);
    check_name("source", &draft.source, &mut issues);
    if draft.event_id.is_some_and(|id| id.is_nil()) {
        issues.push(ValidationIssue::of_host("event_id", "nil_id", "must not be the nil UUID"));
    }
    check_depth(draft, &mut issues);
    if !issues.is_empty() {
        return Err(AdmissionError::Shape { issues });
    }
    let size = draft.data.as_str().len() + draft.extra.as_str().len();
    check_size("the event's JSON in bytes", size, limits::MAX_PAYLOAD_BYTES)?;
    times.choose(draft.timestamp)
}

fn check_depth(draft: &EventDraft, issues: &mut Vec<ValidationIssue>) {
    let limit = limits::MAX_JSON_DEPTH;
    let issue = |field: &str| {
        ValidationIssue::of_host(field, "too_deep", format!("must not be nested deeper than {limit} levels"))
    };
    if draft.data.is_deeper_than(limit) {
        issues.push(issue("data"));
    }
    // The object of the other fields is the event's own, which counts for none of them.
    if draft.extra.is_deeper_than(limit + 1) {
        let fields = draft.extra.to_map();
        let deep = fields.iter().filter(|(_, value)| is_deeper(&value.to_string(), limit));
        issues.extend(deep.map(|(field, _)| issue(field)).take(limits::MAX_ISSUES));
    }
}

/// Gives a sample its time and checks its shape.
pub fn admit_sample(draft: MetricDraft, times: &AcceptedTimes) -> Result<AdmittedSample, Box<RefusedMetric>> {
    match check_sample(&draft, times) {
        Ok(timestamp) => Ok(AdmittedSample {
            series: SeriesKey { name: draft.name, context: draft.context },
            timestamp,
            value: draft.value,
        }),
        Err(error) => Err(Box::new(RefusedMetric { draft, error })),
    }
}

fn check_sample(draft: &MetricDraft, times: &AcceptedTimes) -> Result<Timestamp, AdmissionError> {
    if let Some(reason) = name_fault(&draft.name) {
        return Err(AdmissionError::MetricName { reason });
    }
    match &draft.value {
        MetricValue::Float(value) if !value.is_finite() => {
            return Err(AdmissionError::MetricValue { reason: format!("must be finite, it is {value}") });
        }
        MetricValue::Text(text) => {
            check_size("the metric's text value in bytes", text.len(), limits::MAX_TEXT_VALUE_BYTES)?;
        }
        _ => {}
    }
    check_context(&draft.context)?;
    times.choose(draft.timestamp)
}

/// Checks the limits of a context; also for contexts that a validator rewrote.
pub fn check_context(context: &Context) -> Result<(), AdmissionError> {
    check_size("the context as JSON in bytes", context.as_str().len(), limits::MAX_CONTEXT_BYTES)?;
    if context.is_deeper_than(limits::MAX_JSON_DEPTH) {
        return Err(AdmissionError::TooDeep { what: "the context", limit: limits::MAX_JSON_DEPTH });
    }
    // A key needs at least five bytes (`"":0,`), so short contexts cannot exceed the limit and are not parsed.
    if context.as_str().len() > limits::MAX_CONTEXT_KEYS * 5 {
        check_size("the context's keys", context.to_map().len(), limits::MAX_CONTEXT_KEYS)?;
    }
    Ok(())
}

fn check_size(what: &'static str, size: usize, limit: usize) -> Result<(), AdmissionError> {
    if size > limit { Err(AdmissionError::TooLarge { what, size, limit }) } else { Ok(()) }
}

fn check_name(field: &str, name: &str, issues: &mut Vec<ValidationIssue>) {
    if let Some(reason) = name_fault(name) {
        let code = if name.is_empty() { "required" } else { "invalid_name" };
        issues.push(ValidationIssue::of_host(field, code, reason));
    }
}

/// What is wrong with a name, `None` for a good one.
fn name_fault(name: &str) -> Option<String> {
    if name.trim().is_empty() {
        Some("must not be empty".to_owned())
    } else if name.len() > limits::MAX_NAME_BYTES {
        Some(format!("has {} bytes, the limit is {}", name.len(), limits::MAX_NAME_BYTES))
    } else if name.chars().any(char::is_control) {
        Some("must not contain control characters".to_owned())
    } else {
        None
    }
}

/// An event type, source or metric name as it came from a store or plugin, checked like a caller's.
pub fn checked_name(name: &str) -> Result<Arc<str>, String> {
    name_fault(name).map_or_else(|| Ok(name.into()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::JsonObject;
    use expect_test::{Expect, expect};
    use serde_json::{Map, Value, json};

    const NOW: &str = "2025-05-21T14:32:17.123456Z";

    fn times() -> AcceptedTimes {
        AcceptedTimes::at(Timestamp::parse(NOW).unwrap(), Duration::from_secs(7 * 86_400))
    }

    fn check_event(draft: EventDraft, expect: Expect) {
        let ids = EventIdGenerator::new(1, 1);
        let answer = match admit_event(draft, &times(), &ids).map_err(|refused| refused.error) {
            Ok(event) => format!("{} at {}", event.event_type(), event.timestamp()),
            Err(error @ AdmissionError::Shape { .. }) => format!("{} {error:?}", error.code()),
            Err(error) => format!("{} {error}", error.code()),
        };
        expect.assert_eq(&answer);
    }

    #[test]
    fn events() {
        check_event(EventDraft::new("COMMAND", "module"), expect!["COMMAND at 2025-05-21T14:32:17.123Z"]);
        check_event(
            EventDraft::new("", "module"),
            expect![[
                r#"INVALID_EVENT Shape { issues: [ValidationIssue { field: "event_type", code: "required", message: "must not be empty", validator: "host" }] }"#
            ]],
        );
        let old = Timestamp::parse("2025-05-14T14:32:17Z").unwrap();
        check_event(
            EventDraft::new("A", "b").at(old),
            expect![
                "INVALID_TIMESTAMP the time 2025-05-14T14:32:17Z is outside the accepted range 2025-05-14T14:32:17.123Z to 2025-05-21T15:32:17.123Z"
            ],
        );
    }

    /// An object of so many levels.
    fn nested(depth: usize) -> Map<String, Value> {
        let empty = || Value::Object(Map::new());
        let object = (1..depth).fold(empty(), |inner, _| json!({"a": inner}));
        object.as_object().unwrap().clone()
    }

    #[test]
    fn fields_nest_so_deep_and_no_deeper() {
        let deepest = limits::MAX_JSON_DEPTH;
        let issues = |draft: EventDraft| match admit_event(draft, &times(), &EventIdGenerator::new(1, 1)) {
            Ok(_) => Vec::<String>::new(),
            Err(refused) => {
                // The echo fits into an answer, however deep the event is.
                let echo = refused.draft.to_json().to_string();
                assert!(serde_json::from_str::<Value>(&echo).is_ok() && echo.contains(crate::json::ELIDED));
                assert_eq!(refused.error.code(), ErrorCode::InvalidEvent);
                let AdmissionError::Shape { issues } = refused.error else { panic!("{}", refused.error) };
                issues.into_iter().map(|issue| format!("{} {}", issue.field, issue.code)).collect()
            }
        };
        let data = |depth| EventDraft::new("A", "s").with_data(JsonObject::from(&nested(depth)));
        assert_eq!(issues(data(deepest)), [""; 0]);
        assert_eq!(issues(data(deepest + 1)), ["data too_deep"]);
        assert_eq!(issues(data(1_000)), ["data too_deep"]);
        let other = |depth: usize| {
            let fields = json!({"trace": nested(depth), "flat": 1});
            let extra = JsonObject::from(fields.as_object().unwrap());
            EventDraft { extra, ..EventDraft::new("A", "s") }
        };
        assert_eq!(issues(other(deepest)), [""; 0]);
        assert_eq!(issues(other(deepest + 1)), ["trace too_deep"]);
        assert_eq!(issues(other(1_000)), ["trace too_deep"]);
    }

    #[test]
    fn metrics() {
        let check = |draft: MetricDraft, code| {
            assert_eq!(admit_sample(draft, &times()).map_err(|refused| refused.error.code()).err(), code);
        };
        check(MetricDraft::new("m", 1.5), None);
        check(MetricDraft::new("m", f64::NAN), Some(ErrorCode::InvalidMetricValue));
        check(MetricDraft::new("m", f64::NEG_INFINITY), Some(ErrorCode::InvalidMetricValue));
        check(MetricDraft::new(" ", 1), Some(ErrorCode::InvalidMetricName));
        check(MetricDraft::new("a\nb", 1), Some(ErrorCode::InvalidMetricName));
        let keys = (0..10_000).map(|n| (n.to_string(), "v".into())).collect::<serde_json::Map<_, _>>();
        check(MetricDraft::new("m", 1).with_context(keys.into()), Some(ErrorCode::PayloadTooLarge));
        let keys = (0..129).map(|n| (n.to_string(), 1.into())).collect::<serde_json::Map<_, _>>();
        check(MetricDraft::new("m", 1).with_context(keys.into()), Some(ErrorCode::PayloadTooLarge));
        let deep = |depth: usize| MetricDraft::new("m", 1).with_context(nested(depth).into());
        check(deep(limits::MAX_JSON_DEPTH), None);
        check(deep(limits::MAX_JSON_DEPTH + 1), Some(ErrorCode::InvalidEvent));
        check(deep(1_000), Some(ErrorCode::InvalidEvent));
        assert!(deep(1_000).to_json().to_string().contains(crate::json::ELIDED), "and can be shown");
    }
}
