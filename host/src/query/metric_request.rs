//! The JSON form of a metric query, as `POST /v1/query` takes it.

use std::time::Duration;

use serde_json::{Map, Value};
use telemetry_core::LabelFilter;

use super::error::QueryError;
use super::metric_query::{AggregationChoice, MetricQuery};
use super::time::range_from_json;
use crate::envelope::MalformedPayload;

const KEYS: &str = "metric_names, time_range, aggregation, filter, group_by, step, limit";

/// Reads `{"metric_names","time_range","aggregation","filter","group_by","step","limit"}`; every key is optional, null counts as
/// absent, an unknown key is refused.
pub fn metric_query_from_json(body: &[u8]) -> Result<MetricQuery, QueryError> {
    let request: Map<String, Value> = serde_json::from_slice(body).map_err(MalformedPayload::from)?;
    MetricQuery::from_json(&request)
}

impl MetricQuery {
    /// Reads the JSON form of a query; see [`metric_query_from_json`].
    pub fn from_json(request: &Map<String, Value>) -> Result<Self, QueryError> {
        let mut query = Self::default();
        for (key, value) in request {
            match key.as_str() {
                "metric_names" => query.names = names(key, value)?,
                "time_range" => query.range = range_from_json(value)?,
                "aggregation" => query.aggregation = aggregation(value)?,
                "filter" => query.filters = filters(value)?,
                "group_by" => query.group_by = names(key, value)?.unwrap_or_default(),
                "step" => query.step = step(value)?,
                "limit" => query.limit = limit(value)?,
                unknown => {
                    return Err(QueryError::invalid(unknown, format!("a query has only the keys {KEYS}")));
                }
            }
        }
        query.check()?;
        Ok(query)
    }
}

/// A list of strings; one string stands for a list of one.
fn names(field: &str, value: &Value) -> Result<Option<Vec<String>>, QueryError> {
    let fault = || QueryError::invalid(field, "it must be a list of strings");
    match value {
        Value::Null => Ok(None),
        Value::String(name) => Ok(Some(vec![name.clone()])),
        Value::Array(values) => values
            .iter()
            .map(|value| value.as_str().map(str::to_owned).ok_or_else(fault))
            .collect::<Result<_, _>>()
            .map(Some),
        _ => Err(fault()),
    }
}

fn aggregation(value: &Value) -> Result<AggregationChoice, QueryError> {
    let fault =
        || QueryError::invalid("aggregation", "it must be a text, or an object from metric name to text");
    let mut choice = AggregationChoice::default();
    match value {
        Value::Null => {}
        Value::String(text) => choice.default.clone_from(text),
        Value::Object(map) => {
            for (metric, text) in map {
                choice.of_metric.insert(metric.clone(), text.as_str().ok_or_else(fault)?.to_owned());
            }
        }
        _ => return Err(fault()),
    }
    Ok(choice)
}

fn filters(value: &Value) -> Result<Vec<LabelFilter>, QueryError> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Object(map) => {
            map.iter().map(|(key, value)| LabelFilter::parse(key, value).map_err(QueryError::from)).collect()
        }
        _ => Err(QueryError::invalid("filter", "it must be an object from label to condition")),
    }
}

/// A human duration such as `5m` or `1h 30m`, or a number of seconds.
fn step(value: &Value) -> Result<Option<Duration>, QueryError> {
    let fault = |reason: String| {
        QueryError::invalid(
            "step",
            format!("{reason}; write a duration such as \"5m\" or a number of seconds"),
        )
    };
    match value {
        Value::Null => Ok(None),
        Value::String(text) => {
            humantime::parse_duration(text).map(Some).map_err(|error| fault(error.to_string()))
        }
        Value::Number(number) => number
            .as_f64()
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .map(Some)
            .ok_or_else(|| fault(format!("{number} seconds are no step"))),
        _ => Err(fault("it is neither".to_owned())),
    }
}

fn limit(value: &Value) -> Result<Option<usize>, QueryError> {
    if value.is_null() {
        return Ok(None);
    }
    let number = value.as_u64().and_then(|number| usize::try_from(number).ok());
    number.map(Some).ok_or_else(|| QueryError::invalid("limit", "it must be a whole number from 1"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use telemetry_core::{ErrorCode, Timestamp};

    fn read(request: Value) -> Result<MetricQuery, QueryError> {
        metric_query_from_json(request.to_string().as_bytes())
    }

    #[test]
    fn every_key() {
        let query = read(json!({
            "metric_names": ["cpu", "load"],
            "time_range": ["2025-05-21T14:00:00Z", 1_747_839_600],
            "aggregation": {"load": "percentile(q=0.99)"},
            "filter": {"host": ["a", "b"], "zone": {"not": {"regex": "eu-.*"}}},
            "group_by": ["host"],
            "step": "1h 30m",
            "limit": 5,
        }))
        .unwrap();
        assert_eq!(query.names.as_deref().unwrap(), ["cpu", "load"]);
        assert_eq!(query.range.start.unwrap().to_string(), "2025-05-21T14:00:00Z");
        assert_eq!(query.range.end.unwrap().to_string(), "2025-05-21T15:00:00Z");
        assert_eq!(
            (query.aggregation_of("cpu"), query.aggregation_of("load")),
            ("MEAN", "percentile(q=0.99)")
        );
        assert_eq!(query.filters.len(), 2);
        assert_eq!(query.group_by, ["host"]);
        assert_eq!((query.step, query.limit), (Some(Duration::from_secs(5400)), Some(5)));
    }

    #[test]
    fn everything_may_be_absent_null_or_short() {
        for request in [
            json!({}),
            json!({"metric_names": null, "time_range": null, "aggregation": null, "filter": null, "group_by": null,
                   "step": null, "limit": null}),
        ] {
            let query = read(request).unwrap();
            assert!(query.names.is_none() && query.filters.is_empty() && query.step.is_none());
            assert_eq!(query.aggregation, AggregationChoice::default());
        }
        let query = read(
            json!({"metric_names": "cpu", "aggregation": "max", "step": 0.5, "time_range": [null, 1.5]}),
        );
        let query = query.unwrap();
        assert_eq!(query.names.as_deref().unwrap(), ["cpu"]);
        assert_eq!(query.aggregation_of("cpu"), "max");
        assert_eq!(query.step, Some(Duration::from_millis(500)));
        assert_eq!(query.range.end, Some(Timestamp::from_millis(1500)));
    }

    #[test]
    fn refusals() {
        let check = |request: Value, code: ErrorCode, field: Option<&str>| {
            let error = read(request.clone()).unwrap_err();
            assert_eq!(error.code(), code, "{request}: {error}");
            assert_eq!(error.details().get("field").and_then(Value::as_str), field, "{request}");
        };
        check(json!({"metrics": []}), ErrorCode::InvalidQuery, Some("metrics"));
        check(json!({"metric_names": [1]}), ErrorCode::InvalidQuery, Some("metric_names"));
        check(json!({"metric_names": {}}), ErrorCode::InvalidQuery, Some("metric_names"));
        check(json!({"aggregation": 1}), ErrorCode::InvalidQuery, Some("aggregation"));
        check(json!({"aggregation": {"a": 1}}), ErrorCode::InvalidQuery, Some("aggregation"));
        check(json!({"filter": []}), ErrorCode::InvalidQuery, Some("filter"));
        check(json!({"filter": {"h": {"regex": "("}}}), ErrorCode::InvalidQuery, Some("filter.h"));
        check(json!({"group_by": 1}), ErrorCode::InvalidQuery, Some("group_by"));
        for step in [json!("5"), json!("x"), json!(-1), json!(0), json!(1e300), json!([]), json!("0s")] {
            check(json!({ "step": step }), ErrorCode::InvalidQuery, Some("step"));
        }
        for limit in [json!(0), json!(-1), json!(1.5), json!("1")] {
            check(json!({ "limit": limit }), ErrorCode::InvalidQuery, Some("limit"));
        }
        check(json!({"time_range": [2, 1]}), ErrorCode::InvalidTimeRange, None);
        check(json!([]), ErrorCode::MalformedPayload, None);
        assert_eq!(metric_query_from_json(b"{\xff").unwrap_err().code(), ErrorCode::MalformedPayload);
    }
}
