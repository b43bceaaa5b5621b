//! What the store says about the states that it keeps.

use telemetry_core::Timestamp;

/// The kept states of one function and width. Counts are since the store was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct StateRollupStats {
    /// Stands for the function, its parameters and what made it; 16 hexadecimal digits.
    pub fingerprint: String,
    /// The function.
    pub function: String,
    /// Its parameters as JSON; empty where the states serve any.
    pub parameters: String,
    /// What made the states.
    pub origin: String,
    /// Seconds of a bucket.
    pub bucket_seconds: u64,
    /// Whether anybody has these states built; without, they are only kept right.
    pub registered: bool,
    /// States that were written.
    pub states_built: u64,
    /// Their bytes.
    pub bytes_written: u64,
    /// States that late samples made wrong, and that were removed with them.
    pub states_invalidated: u64,
    /// Series and partitions that are to be looked at, now or when a bucket closes.
    pub pending_series: u64,
    /// Partitions that are to be looked through.
    pub pending_partitions: u64,
    /// The end of the oldest bucket that is due to be built; samples up to then are read one by one.
    pub behind_since: Option<Timestamp>,
    /// Buckets whose function failed.
    pub failures: u64,
    /// States that were too large to be kept.
    pub oversized_states: u64,
    /// Series that were left out because a chunk of theirs is damaged.
    pub damaged_series: u64,
}
