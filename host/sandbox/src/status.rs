//! How a plugin does: its standing and its counts, for health and listings.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::plugin::PluginShared;
use crate::supervisor::Standing;

/// Where a plugin stands.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[non_exhaustive]
pub enum PluginState {
    /// It answers.
    Active,
    /// It failed and is started again in a moment.
    Restarting {
        /// When.
        #[serde(rename = "retry_in_seconds", serialize_with = "seconds")]
        retry_in: Duration,
    },
    /// It failed repeatedly. A single call tries it when the time is over.
    Quarantined {
        /// When.
        #[serde(rename = "retry_in_seconds", serialize_with = "seconds")]
        retry_in: Duration,
    },
}

impl PluginState {
    /// Whether the plugin answers.
    pub const fn is_active(&self) -> bool {
        matches!(self, Self::Active)
    }

    /// The state's name.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Restarting { .. } => "restarting",
            Self::Quarantined { .. } => "quarantined",
        }
    }
}

/// How a plugin does. Counts are since the host was opened, over all versions that were loaded meanwhile.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PluginStatus {
    /// Where it stands.
    #[serde(flatten)]
    pub state: PluginState,
    /// Calls that entered it.
    pub calls: u64,
    /// Calls that failed or were not made, of any kind.
    pub failures: u64,
    /// The same by kind: `trap`, `deadline`, `limit`, `output`, `quarantined`, …
    pub failures_by_kind: BTreeMap<&'static str, u64>,
    /// Instances that replaced a lost one.
    pub restarts: u64,
    /// Aggregate functions whose queries are not split among its instances now, because their states did not get from one to another;
    /// its log says why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unsplit_aggregates: Vec<String>,
    /// Time spent inside it.
    #[serde(rename = "time_used_seconds", serialize_with = "seconds")]
    pub time_used: Duration,
    /// Fuel that it burnt, where it runs repeatably: about one for each instruction.
    #[serde(skip_serializing_if = "is_zero")]
    pub fuel_used: u64,
    /// Time that its own code took: `time_used` without what it waited for key-value, queries and HTTP. Its processor
    /// time, unless its thread had to wait for a processor.
    #[serde(rename = "cpu_seconds", serialize_with = "seconds")]
    pub cpu_time: Duration,
    /// Calls that showed it records, samples or alerts.
    pub batches: u64,
    /// The records, samples or alerts of these calls.
    pub rows: u64,
    /// The most of them in one call.
    pub largest_batch: u64,
    /// Linear memory of all its instances in bytes.
    pub memory_bytes: u64,
    /// Its live instances.
    pub instances: u64,
    /// Why it failed last.
    pub last_failure: Option<String>,
    /// Lines that its log left out.
    pub log_dropped: u64,
    /// HTTP requests that it sent.
    pub http_requests: u64,
    /// Those of them that no full answer came to.
    pub http_failed: u64,
    /// HTTP requests that were not sent: its grant did not cover them, or they were none that can be sent.
    pub http_refused: u64,
    /// The same by the rule that was broken: `origin`, `address`, `url`, `method`, `header`, `secret`, `size`, `body`, `time`.
    pub http_refused_by_rule: BTreeMap<&'static str, u64>,
    /// Keys of its signals that were too long or could not be shown, so that others stand for them.
    pub signal_keys_replaced: u64,
    /// Labels of its signals that were left out or cut, because there were too many or they were too long.
    pub signal_labels_cut: u64,
    /// Its own measurements.
    pub counters: BTreeMap<String, f64>,
    /// Its own measurements that were left out: too many names, or no number.
    pub counters_dropped: u64,
}

impl PluginStatus {
    pub(crate) fn of(plugin: &PluginShared, unsplit_aggregates: Vec<String>) -> Self {
        let reading = plugin.meters.read();
        let state = match plugin.supervisor.standing() {
            Standing::Active => PluginState::Active,
            Standing::Waiting(retry_in) => PluginState::Restarting { retry_in },
            Standing::Quarantined(retry_in) => PluginState::Quarantined { retry_in },
        };
        Self {
            state,
            calls: reading.calls,
            failures: reading.failures.values().sum(),
            failures_by_kind: reading.failures,
            restarts: reading.restarts,
            unsplit_aggregates,
            time_used: reading.time_used,
            fuel_used: reading.fuel_used,
            cpu_time: reading.own_time,
            batches: reading.batches,
            rows: reading.rows,
            largest_batch: reading.largest_batch,
            memory_bytes: reading.memory_bytes,
            instances: reading.instances,
            last_failure: reading.last_failure,
            log_dropped: plugin.log.dropped(),
            http_requests: reading.http_requests,
            http_failed: reading.http_failed,
            http_refused: reading.http_refused.values().sum(),
            http_refused_by_rule: reading.http_refused,
            signal_keys_replaced: reading.signal_keys_replaced,
            signal_labels_cut: reading.signal_labels_cut,
            counters: reading.counters,
            counters_dropped: reading.counters_dropped,
        }
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}
