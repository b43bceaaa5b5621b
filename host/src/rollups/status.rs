//! What operators see of a rollup.

use serde::Serialize;
use telemetry_core::Timestamp;
use telemetry_store::StateRollupStats;

use super::set::RollupEntry;

/// How a rollup does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RollupState {
    /// Every closed bucket has its state, or none is worth one.
    Ready,
    /// States are being built; samples are read where they are missing.
    Building,
    /// Its function fails at some buckets; they are tried again.
    Failing,
    /// Its function is not to be had, or its states cannot be kept.
    Unavailable,
}

/// One configured rollup.
#[derive(Clone, Debug, Serialize)]
pub struct RollupStatus {
    /// The aggregation, as configured.
    pub aggregation: String,
    /// The metrics; all when empty.
    pub metrics: Vec<String>,
    /// The length of a bucket.
    pub resolution: String,
    /// How it does.
    pub state: RollupState,
    /// Why, where it fails or is unavailable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How far the states are behind what is due, in seconds.
    pub lag_seconds: u64,
    /// Metrics of queries that were answered, and for which states were looked for.
    pub queries: u64,
    /// Queries that found a state which the function did not take, and read samples instead.
    pub refused_states: u64,
    /// What the store keeps of it.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub kept: Option<StateRollupStats>,
}

impl RollupStatus {
    pub(super) fn of(entry: &RollupEntry, kept: &[StateRollupStats], now: Timestamp) -> Self {
        let progress = entry.progress.lock().clone();
        let (refused_states, refusal) = entry.refusals();
        let fingerprint = progress.states.map(|states| format!("{:016x}", states.fingerprint));
        let kept = kept.iter().find(|kept| Some(&kept.fingerprint) == fingerprint.as_ref()).cloned();
        let behind = kept.as_ref().and_then(|kept| kept.behind_since);
        let lag = behind.map_or(0, |since| now.nanos().saturating_sub(since.nanos()).max(0));
        let state = if progress.unavailable.is_some() {
            RollupState::Unavailable
        } else if progress.failure.is_some() || refusal.is_some() {
            RollupState::Failing
        } else if progress.more || progress.states.is_none() || behind.is_some() {
            RollupState::Building
        } else {
            RollupState::Ready
        };
        Self {
            aggregation: entry.aggregation.clone(),
            metrics: entry.metrics(),
            resolution: humantime::format_duration(entry.width).to_string(),
            state,
            reason: progress.unavailable.or(progress.failure).or(refusal),
            lag_seconds: lag.unsigned_abs() / 1_000_000_000,
            queries: entry.queries(),
            refused_states,
            kept,
        }
    }
}
