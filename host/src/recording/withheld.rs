//! What the log shows of a refused record that no validator has seen: what one of them would have masked stands nowhere in it.

use serde::Deserialize;
use serde_json::{Map, Value};
use telemetry_core::admission::AdmissionError;

use super::error::RecordError;

/// What tells one record from another; each a text, or left out.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Identity {
    event_type: Value,
    source: Value,
    event_id: Value,
    metric_name: Value,
}

/// Type, source and id of an event, or the name of a metric, as JSON; `received` is the record as it came, which may not be JSON at all.
pub(super) fn identity(received: &str) -> String {
    // An array would be read as the fields in their order.
    let object = received.trim_start().starts_with('{').then_some(received);
    let identity = object.and_then(|object| serde_json::from_str(object).ok());
    let Identity { event_type, source, event_id, metric_name } = identity.unwrap_or_default();
    let fields = [
        ("event_type", event_type),
        ("source", source),
        ("event_id", event_id),
        ("metric_name", metric_name),
    ];
    let mut shown = Map::new();
    for (name, value) in fields.into_iter().filter(|(_, value)| value.is_string()) {
        shown.insert(name.to_owned(), value);
    }
    shown.insert("withheld".to_owned(), true.into());
    Value::Object(shown).to_string()
}

/// Why it was refused, without the words that may repeat a value of the record.
pub(super) fn reason(error: &RecordError) -> String {
    match error {
        RecordError::Invalid { issues, .. } => {
            let each = issues.iter().map(|issue| format!("{}: {}", issue.field, issue.code));
            each.collect::<Vec<_>>().join("; ")
        }
        // Its cause is what the parser met.
        RecordError::Malformed(error) => error.to_string(),
        // Its words may be a parser's, too.
        RecordError::Admission(AdmissionError::MetricName { .. } | AdmissionError::MetricValue { .. }) => {
            error.code().to_string()
        }
        other => other.reason(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_texts_that_identify_are_shown() {
        let check = |received: &str, expected: &str| assert_eq!(identity(received), expected, "{received}");
        check(
            r#"{"data":{"password":"a"},"event_id":"i","source":"s","event_type":"t","token":"b"}"#,
            r#"{"event_type":"t","source":"s","event_id":"i","withheld":true}"#,
        );
        check(
            r#"{"metric_name":"m","metric_value":"a","context":{"token":"b"}}"#,
            r#"{"metric_name":"m","withheld":true}"#,
        );
        check(r#"{"event_type":{"password":"a"},"source":["b"]}"#, r#"{"withheld":true}"#);
        let deep = format!(r#"{{"event_type":"t","data":{}1{}}}"#, "[".repeat(1_000), "]".repeat(1_000));
        check(&deep, r#"{"event_type":"t","withheld":true}"#);
        assert_eq!(
            identity(r#"{"event_type":"t","n":99999999999999999999}"#),
            r#"{"event_type":"t","withheld":true}"#
        );
        for nothing in ["", r#"["a","b"]"#, "password=a", r#"{"event_type":"a","event_type":"b"}"#] {
            check(nothing, r#"{"withheld":true}"#);
        }
    }

    #[test]
    fn reasons_repeat_no_value() {
        let message = "must be an object: invalid type: string \"hunter2\", expected a map";
        let error = RecordError::invalid_field("context", "invalid_type", message, Value::Null);
        assert_eq!(reason(&error), "context: invalid_type");
        let words =
            "must be a string: invalid type: integer `4111111111111111`, expected a string".to_owned();
        let error = RecordError::from(AdmissionError::MetricName { reason: words });
        assert_eq!(reason(&error), "INVALID_METRIC_NAME");
        assert_eq!(
            reason(&RecordError::Loop { repeats: 5, window: 100 }),
            "Event appears to be in an infinite loop"
        );
    }
}
