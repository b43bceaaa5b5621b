//! The value of a sample: an integer stays an integer, a float stays a float.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What was measured. `42` and `42.0` stay different in storage and are equal numbers in aggregations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum MetricValue {
    /// Exact, also beyond 2^53; aggregated as `f64`.
    Integer(i64),
    /// Finite.
    Float(f64),
    /// Counted by COUNT, skipped by numeric aggregations.
    Text(Box<str>),
}

impl MetricValue {
    /// The value as a number, `None` for text.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            #[allow(clippy::cast_precision_loss, reason = "the contract aggregates integers as f64")]
            Self::Integer(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            Self::Text(_) => None,
        }
    }
}

impl From<i64> for MetricValue {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<f64> for MetricValue {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<&str> for MetricValue {
    fn from(value: &str) -> Self {
        Self::Text(value.into())
    }
}

impl fmt::Display for MetricValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => value.fmt(f),
            Self::Float(value) => write!(f, "{value:?}"),
            Self::Text(value) => value.fmt(f),
        }
    }
}
