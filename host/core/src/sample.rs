//! Samples of metrics, as offered, as admitted and as stored.

use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::json;
use uuid::Uuid;

use crate::context::Context;
use crate::time::Timestamp;
use crate::value::MetricValue;

/// The event type under which a sample is looked up by its id (spec §1).
pub const METRIC_EVENT_TYPE: &str = "METRIC";
/// The source under which a sample is looked up by its id (spec §1).
pub const METRIC_EVENT_SOURCE: &str = "metrics_collector";

/// A sample as a caller offers it; nothing is checked yet.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricDraft {
    /// The metric's name; non-empty.
    pub name: Arc<str>,
    /// What was measured.
    pub value: MetricValue,
    /// Labels; with the name the identity of the series.
    pub context: Context,
    /// When it was measured; now if absent.
    pub timestamp: Option<Timestamp>,
}

impl MetricDraft {
    /// A draft without context, measured now.
    pub fn new(name: impl Into<Arc<str>>, value: impl Into<MetricValue>) -> Self {
        Self { name: name.into(), value: value.into(), context: Context::default(), timestamp: None }
    }

    /// The same draft with labels.
    pub fn with_context(mut self, context: Context) -> Self {
        self.context = context;
        self
    }

    /// The same draft at `timestamp`.
    pub fn at(mut self, timestamp: Timestamp) -> Self {
        self.timestamp = Some(timestamp);
        self
    }

    /// The draft as the contract shows it; without a time when none was given. A float that JSON does not know is its
    /// name as text.
    pub fn to_json(&self) -> serde_json::Value {
        let mut metric = json!({
            "metric_name": &*self.name,
            "metric_value": match &self.value {
                MetricValue::Float(value) if !value.is_finite() => json!(value.to_string()),
                value => json!(value),
            },
            "context": self.context,
        });
        if let (Some(timestamp), Some(fields)) = (self.timestamp, metric.as_object_mut()) {
            fields.insert("timestamp".to_owned(), timestamp.to_string().into());
        }
        metric
    }
}

/// The identity of a series. Cloning shares the texts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesKey {
    /// Metric name.
    pub name: Arc<str>,
    /// Canonical context.
    pub context: Context,
}

/// A sample that passed the shape checks; made by [`crate::admission`] alone.
#[derive(Clone, Debug, PartialEq)]
pub struct AdmittedSample {
    pub(crate) series: SeriesKey,
    pub(crate) timestamp: Timestamp,
    pub(crate) value: MetricValue,
}

impl AdmittedSample {
    /// The series it belongs to.
    pub fn series(&self) -> &SeriesKey {
        &self.series
    }
    /// When it was measured.
    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }
    /// What was measured.
    pub fn value(&self) -> &MetricValue {
        &self.value
    }

    /// The sample with a context that a validator rewrote.
    pub fn rewritten(mut self, context: Context) -> Self {
        self.series.context = context;
        self
    }
}

/// A sample as the store holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredSample {
    /// Its id; locates it.
    pub event_id: Uuid,
    /// Its series.
    pub series: SeriesKey,
    /// When it was measured.
    pub timestamp: Timestamp,
    /// What was measured.
    pub value: MetricValue,
    /// Whether the metric was over its limit of series, so that the sample's own context was not kept.
    pub context_dropped: bool,
}

impl StoredSample {
    /// The sample as the METRIC event of the contract.
    pub fn to_json(&self) -> serde_json::Value {
        let mut event = json!({
            "event_type": METRIC_EVENT_TYPE,
            "source": METRIC_EVENT_SOURCE,
            "event_id": self.event_id,
            "timestamp": self.timestamp,
            "data": {"metric_name": &*self.series.name, "metric_value": self.value, "context": self.series.context},
        });
        if self.context_dropped
            && let Some(data) = event.get_mut("data").and_then(|data| data.as_object_mut())
        {
            data.insert("context_dropped".to_owned(), true.into());
        }
        event
    }
}

impl Serialize for StoredSample {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}
