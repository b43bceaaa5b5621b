//! Instants and ranges as callers write them: RFC 3339 or epoch seconds.

use serde_json::Value;
use telemetry_core::time::NANOS_PER_SECOND;
use telemetry_core::{TimeRange, Timestamp};

use super::error::QueryError;

/// `[start, end]`, either null; null as a whole is all time.
pub(super) fn range_from_json(value: &Value) -> Result<TimeRange, QueryError> {
    match value {
        Value::Null => Ok(TimeRange::ALL),
        Value::Array(sides) => match sides.as_slice() {
            [start, end] => checked(TimeRange { start: side_from_json(start)?, end: side_from_json(end)? }),
            _ => Err(fault("it must be [start, end], either of which may be null")),
        },
        _ => Err(fault("it must be [start, end], either of which may be null")),
    }
}

/// A range that is not reversed.
pub(super) fn checked(range: TimeRange) -> Result<TimeRange, QueryError> {
    match (range.start, range.end) {
        (Some(start), Some(end)) if start > end => Err(QueryError::ReversedRange { start, end }),
        _ => Ok(range),
    }
}

/// RFC 3339 text, a number of epoch seconds, or null.
pub(super) fn side_from_json(value: &Value) -> Result<Option<Timestamp>, QueryError> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Timestamp::parse(text).map(Some).map_err(|error| fault(error.to_string())),
        Value::Number(number) => {
            let instant = match number.as_i64() {
                Some(seconds) => seconds.checked_mul(NANOS_PER_SECOND).map(Timestamp::from_nanos),
                None => number.as_f64().and_then(Timestamp::from_seconds),
            };
            instant
                .map(Some)
                .ok_or_else(|| fault(format!("{number} seconds are outside the years 1678 to 2261")))
        }
        _ => Err(fault("an instant is an RFC 3339 text, a number of epoch seconds or null")),
    }
}

/// RFC 3339 text or epoch seconds in digits, as in a query string.
pub(super) fn side_from_text(text: &str) -> Result<Timestamp, QueryError> {
    let parsed = Timestamp::parse(text);
    if let Ok(instant) = parsed {
        return Ok(instant);
    }
    let number = serde_json::from_str::<serde_json::Number>(text).ok();
    match number.map(|number| side_from_json(&Value::Number(number))) {
        Some(outcome) => outcome?.ok_or_else(|| fault("no instant is given")),
        None => parsed.map_err(|error| fault(error.to_string())),
    }
}

fn fault(reason: impl Into<String>) -> QueryError {
    QueryError::TimeRange { reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_form() {
        let at = Timestamp::from_millis;
        let check = |value: Value, start, end| {
            assert_eq!(range_from_json(&value).unwrap(), TimeRange { start, end }, "{value}");
        };
        check(json!(null), None, None);
        check(json!([null, null]), None, None);
        check(json!([1, 2.5]), Some(at(1000)), Some(at(2500)));
        check(json!(["1970-01-01T00:00:01Z", null]), Some(at(1000)), None);
        check(json!([null, "1970-01-01 00:00:01"]), None, Some(at(1000)));
        check(json!([1, 1]), Some(at(1000)), Some(at(1000)));
        assert_eq!(side_from_text("1.5").unwrap(), at(1500));
        assert_eq!(side_from_text("1970-01-01T00:00:01Z").unwrap(), at(1000));
    }

    #[test]
    fn refusals() {
        for value in [
            json!([]),
            json!([1]),
            json!([1, 2, 3]),
            json!("2025"),
            json!(["yesterday", null]),
            json!([true, null]),
            json!([1e300, null]),
            json!([i64::MAX, null]),
            json!([2, 1]),
        ] {
            let error = range_from_json(&value).unwrap_err();
            assert_eq!(error.code(), telemetry_core::ErrorCode::InvalidTimeRange, "{value}");
        }
        for text in ["", "now", "NaN", "1e999", "--1"] {
            assert!(side_from_text(text).is_err(), "{text}");
        }
    }
}
