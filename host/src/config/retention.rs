//! `retention_policy`: how long each class of records is kept.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telemetry_store::StoreOptions;

/// Longest retention in days: a century, so that every computed time is in range.
const MAX_RETENTION_DAYS: u32 = 36_525;
const SECONDS_PER_DAY: u64 = 86_400;

/// How long records are kept. Whole days are removed: a record lives at least as long as asked and up to one day longer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionPolicy {
    /// Events.
    pub events: EventRetention,
    /// Samples of metrics.
    pub metrics: MetricRetention,
}

/// How long events are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EventRetention {
    /// In days.
    #[schemars(range(min = 1, max = MAX_RETENTION_DAYS))]
    pub duration_days: u32,
}

/// How long samples are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MetricRetention {
    /// In days.
    #[schemars(range(min = 1, max = MAX_RETENTION_DAYS))]
    pub duration_days: u32,
}

impl EventRetention {
    /// The same as a span of time.
    pub fn duration(self) -> Duration {
        days(self.duration_days)
    }
}

impl MetricRetention {
    /// The same as a span of time.
    pub fn duration(self) -> Duration {
        days(self.duration_days)
    }
}

impl Default for EventRetention {
    fn default() -> Self {
        Self { duration_days: whole_days(StoreOptions::default().events_retention) }
    }
}

impl Default for MetricRetention {
    fn default() -> Self {
        Self { duration_days: whole_days(StoreOptions::default().metrics_retention) }
    }
}

fn days(days: u32) -> Duration {
    Duration::from_secs(SECONDS_PER_DAY * u64::from(days))
}

fn whole_days(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs() / SECONDS_PER_DAY).unwrap_or(MAX_RETENTION_DAYS)
}
