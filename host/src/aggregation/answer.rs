//! The answer to a metric query, typed; it serialises to the contract's envelope.

use indexmap::IndexMap;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Value;
use telemetry_core::Timestamp;
use telemetry_core::aggregation::AggregateValue;

use super::number::Shown;

/// What `get_metrics` answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricsAnswer {
    /// The metrics that have samples, in the asked order or by name.
    pub metrics: IndexMap<String, MetricAnswer>,
    /// Whether the query's limit left metrics or groups out.
    pub truncated: bool,
    /// Whether stored samples that are damaged were left out; health names where they are.
    pub incomplete: bool,
}

/// One metric's figures.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricAnswer {
    /// The value over all series and the whole range.
    pub tally: Tally,
    /// The aggregation, with its parameters.
    pub aggregation: String,
    /// The asked range, an open side replaced by the samples' own first or last instant.
    pub time_range: AnsweredRange,
    /// By labels, sorted by their texts; a label that series lack sorts first. `None` when not asked.
    pub groups: Option<Vec<GroupAnswer>>,
    /// By time; `None` when not asked, or when they are in the groups.
    pub points: Option<Vec<PointAnswer>>,
    /// Whether the query's limit left groups out; the value still counts them.
    pub truncated: bool,
}

/// A value and the number of samples behind it.
#[derive(Clone, Debug, PartialEq)]
pub struct Tally {
    /// The value; null when no sample is left for it or it is beyond `f64`.
    pub value: AggregateValue,
    /// Samples that counted.
    pub sample_count: u64,
    /// Text samples that a numeric aggregation skipped.
    pub skipped: u64,
}

/// An answered range, both ends inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct AnsweredRange {
    /// The first instant.
    pub start: Timestamp,
    /// The last instant.
    pub end: Timestamp,
}

/// The figures of the series that share the texts of some labels.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupAnswer {
    /// Each label's text, `None` (null) where the series lack it.
    pub by: IndexMap<String, Option<String>>,
    /// The value over the whole range.
    pub tally: Tally,
    /// By time; `None` when not asked.
    pub points: Option<Vec<PointAnswer>>,
}

/// The figures of one bucket.
#[derive(Clone, Debug, PartialEq)]
pub struct PointAnswer {
    /// The bucket's start; it ends before the next step.
    pub time: Timestamp,
    /// The value of its samples.
    pub tally: Tally,
}

impl MetricsAnswer {
    /// The contract's envelope. Integral values beyond 64 bits print with an exponent here, since a [`Value`] holds no
    /// longer integers; serialising the answer itself prints their digits.
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

impl Serialize for MetricsAnswer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("status", "success")?;
        map.serialize_entry("metrics", &self.metrics)?;
        if self.truncated {
            map.serialize_entry("truncated", &true)?;
        }
        if self.incomplete {
            map.serialize_entry("incomplete", &true)?;
        }
        map.end()
    }
}

impl Serialize for MetricAnswer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("value", &Shown(&self.tally.value))?;
        map.serialize_entry("aggregation", &self.aggregation)?;
        self.tally.serialize_counts(&mut map)?;
        map.serialize_entry("time_range", &self.time_range)?;
        if let Some(groups) = &self.groups {
            map.serialize_entry("groups", groups)?;
        }
        if let Some(points) = &self.points {
            map.serialize_entry("points", points)?;
        }
        if self.truncated {
            map.serialize_entry("truncated", &true)?;
        }
        map.end()
    }
}

impl Serialize for GroupAnswer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("by", &self.by)?;
        map.serialize_entry("value", &Shown(&self.tally.value))?;
        self.tally.serialize_counts(&mut map)?;
        if let Some(points) = &self.points {
            map.serialize_entry("points", points)?;
        }
        map.end()
    }
}

impl Serialize for PointAnswer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("time", &self.time)?;
        map.serialize_entry("value", &Shown(&self.tally.value))?;
        self.tally.serialize_counts(&mut map)?;
        map.end()
    }
}

impl Tally {
    fn serialize_counts<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry("sample_count", &self.sample_count)?;
        if self.skipped > 0 {
            map.serialize_entry("skipped", &self.skipped)?;
        }
        Ok(())
    }
}
