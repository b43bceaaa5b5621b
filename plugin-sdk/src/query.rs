//! Read-only aggregate queries over all stored samples. For monitors. One call may make 256 of them, and one more for each record that it is
//! about: one query answers for many series. More end the call.
//!
//! The host answers as of the time of the batch or tick being handled, so that a replay sees the same. In native builds the
//! answers come from [`testing::on_query`](crate::testing::on_query).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::JsonObject;
use crate::error::Result;

/// A query as `get_metrics` takes it. Fields left at their default are left to the host.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct MetricsQuery {
    /// Metric names; empty: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub metric_names: Vec<String>,
    /// Start and end, both inclusive, either may be absent: RFC 3339 or epoch seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_range: Option<(Value, Value)>,
    /// The aggregation, such as `MEAN` or `percentile(q=0.99)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aggregation: Option<String>,
    /// Conditions on the context.
    #[serde(skip_serializing_if = "JsonObject::is_empty")]
    pub filter: JsonObject,
    /// Context keys to group by.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub group_by: Vec<String>,
    /// Length of the buckets, such as `5m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Most metrics and groups to answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}

/// The answer: one entry per metric that has samples.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct MetricsAnswer {
    /// By metric name.
    #[serde(default)]
    pub metrics: BTreeMap<String, MetricAnswer>,
}

/// The answer for one metric.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct MetricAnswer {
    /// The result over the whole range.
    #[serde(default)]
    pub value: Value,
    /// How many samples it is made of.
    #[serde(default)]
    pub sample_count: u64,
    /// The results per group, where asked.
    #[serde(default)]
    pub groups: Vec<GroupAnswer>,
    /// The results per bucket, where asked.
    #[serde(default)]
    pub points: Vec<PointAnswer>,
}

/// The answer for one group.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct GroupAnswer {
    /// The group's values of the keys that were asked for.
    pub by: JsonObject,
    /// The result over the whole range.
    #[serde(default)]
    pub value: Value,
    /// How many samples it is made of.
    #[serde(default)]
    pub sample_count: u64,
    /// The results per bucket, where asked.
    #[serde(default)]
    pub points: Vec<PointAnswer>,
}

/// The answer for one bucket.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct PointAnswer {
    /// The start of the bucket, RFC 3339.
    pub time: String,
    /// The result.
    #[serde(default)]
    pub value: Value,
    /// How many samples it is made of.
    #[serde(default)]
    pub sample_count: u64,
}

/// Asks the host.
///
/// # Errors
/// When the query is refused or fails.
pub fn get_metrics(query: &MetricsQuery) -> Result<MetricsAnswer> {
    let answer = get_metrics_json(&serde_json::to_string(query)?)?;
    Ok(serde_json::from_str(&answer)?)
}

/// Asks the host in JSON, as `POST /v1/query` takes and answers it.
///
/// # Errors
/// When the query is refused or fails.
pub fn get_metrics_json(request_json: &str) -> Result<String> {
    #[cfg(target_arch = "wasm32")]
    return Ok(crate::bindings::imports::query::get_metrics(request_json)?);
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::host::answer_query(request_json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn asks_and_reads_the_contracts_json() {
        testing::on_query(|request| {
            assert_eq!(request, r#"{"metric_names":["cpu"],"aggregation":"MEAN"}"#);
            Ok(r#"{"status":"success","metrics":{"cpu":{"value":0.5,"aggregation":"MEAN","sample_count":2,
                "time_range":{}}}}"#
                .to_owned())
        });
        let query = MetricsQuery {
            metric_names: vec!["cpu".into()],
            aggregation: Some("MEAN".into()),
            ..Default::default()
        };
        let answer = get_metrics(&query).unwrap();
        assert_eq!(answer.metrics["cpu"].value.as_f64(), Some(0.5));
        assert_eq!(answer.metrics["cpu"].sample_count, 2);
    }
}
