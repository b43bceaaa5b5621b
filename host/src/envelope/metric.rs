//! A sample from its JSON form.

use serde_json::value::RawValue;
use telemetry_core::admission::AdmissionError;
use telemetry_core::{Context, MetricDraft, MetricValue, Timestamp};

use super::payload;
use crate::recording::RecordError;

/// Reads a sample as `POST /v1/metrics` takes it: `metric_name`, `metric_value`, `context`, `timestamp`.
pub fn metric_draft(text: &str) -> Result<MetricDraft, RecordError> {
    let mut draft = MetricDraft::new("", 0);
    let mut value = None;
    for (key, raw) in payload::fields(text)? {
        let fault =
            |message: String| RecordError::invalid_field(&key, "invalid_type", message, payload::echo(text));
        match key.as_str() {
            "metric_name" => {
                draft.name = serde_json::from_str::<String>(raw.get()).map_err(name_error)?.into()
            }
            "metric_value" => value = Some(metric_value(raw)?),
            "context" if raw.get() == "null" => {}
            "context" => {
                draft.context = Context::parse(raw.get())
                    .map_err(|error| fault(format!("must be an object: {error}")))?;
            }
            "timestamp" if raw.get() == "null" => {}
            "timestamp" => {
                let time: Timestamp =
                    serde_json::from_str(raw.get()).map_err(|error| fault(error.to_string()))?;
                draft.timestamp = Some(time);
            }
            _ => return Err(fault("is not a field of a metric; labels belong into context".to_owned())),
        }
    }
    draft.value = value.ok_or_else(|| value_error("is missing".to_owned()))?;
    Ok(draft)
}

/// A sample's value. An integer that does not fit 64 bits is refused, not rounded in silence.
fn metric_value(raw: &RawValue) -> Result<MetricValue, RecordError> {
    let text = raw.get();
    if text.starts_with('"') {
        let value: String = serde_json::from_str(text).map_err(|error| value_error(error.to_string()))?;
        return Ok(MetricValue::Text(value.into()));
    }
    if !text.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
        return Err(value_error("must be a number or a string".to_owned()));
    }
    if text.contains(['.', 'e', 'E']) {
        let value: f64 = serde_json::from_str(text).map_err(|error| value_error(error.to_string()))?;
        return Ok(MetricValue::Float(value));
    }
    // JSON knows -0, integers do not.
    if text == "-0" {
        return Ok(MetricValue::Integer(0));
    }
    text.parse().map(MetricValue::Integer).map_err(|_| {
        value_error("is outside the integers of 64 bits; give it as a float or a string".to_owned())
    })
}

fn name_error(error: serde_json::Error) -> RecordError {
    AdmissionError::MetricName { reason: format!("must be a string: {error}") }.into()
}

fn value_error(reason: String) -> RecordError {
    AdmissionError::MetricValue { reason }.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use telemetry_core::ErrorCode;

    #[test]
    fn numbers_keep_their_kind() {
        let check = |text: &str, expected: MetricValue| {
            let draft = metric_draft(&format!("{{\"metric_name\":\"m\",\"metric_value\":{text}}}")).unwrap();
            assert_eq!(draft.value, expected, "{text}");
        };
        check("42", MetricValue::Integer(42));
        check("42.0", MetricValue::Float(42.0));
        check("4e1", MetricValue::Float(40.0));
        check("9007199254740993", MetricValue::Integer(9_007_199_254_740_993));
        check("\"up\"", MetricValue::Text("up".into()));
    }

    #[test]
    fn refusals_have_their_code() {
        let check = |text: &str, code: ErrorCode| {
            assert_eq!(metric_draft(text).unwrap_err().code(), code, "{text}");
        };
        check(r#"{"metric_value":1,"metric_name":5}"#, ErrorCode::InvalidMetricName);
        check(r#"{"metric_name":"m"}"#, ErrorCode::InvalidMetricValue);
        check(r#"{"metric_name":"m","metric_value":true}"#, ErrorCode::InvalidMetricValue);
        check(r#"{"metric_name":"m","metric_value":18446744073709551616}"#, ErrorCode::InvalidMetricValue);
        check(r#"{"metric_name":"m","metric_value":1e999}"#, ErrorCode::InvalidMetricValue);
        check(r#"{"metric_name":"m","metric_value":1,"context":[]}"#, ErrorCode::InvalidEvent);
        check(r#"{"metric_name":"m","metric_value":1,"labels":{}}"#, ErrorCode::InvalidEvent);
        check("[]", ErrorCode::MalformedPayload);
    }
}
