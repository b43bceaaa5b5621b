//! What a monitor finds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Severity {
    Info,
    #[default]
    Warning,
    Error,
    Critical,
}

impl Severity {
    /// The contract's string.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

/// A monitor's finding. Signals with one key are one alert; `firing` false resolves it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// The alert's identity within the monitor.
    pub key: String,
    /// Whether the condition holds now.
    pub firing: bool,
    /// How bad it is.
    pub severity: Severity,
    /// One line for a person.
    pub summary: String,
    /// The value that was judged.
    pub value: Option<f64>,
    /// When it was found: the time of the record or tick.
    pub timestamp: Timestamp,
    /// Routes match on these.
    pub labels: BTreeMap<String, String>,
}
