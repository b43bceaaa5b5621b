//! What the store says about itself.

use std::sync::atomic::Ordering;

use crate::engine::Engine;
use crate::families::Class;
use crate::options::Location;
use crate::retention_clock::ClockJump;
use crate::rollups::StateRollupStats;

/// The state of a store.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct StoreStats {
    /// Events in the store.
    pub events_total: u64,
    /// Samples in the store.
    pub metrics_total: u64,
    /// Bytes in use: tables, write-ahead log and heads.
    pub usage_bytes: u64,
    /// Bytes that may be in use: the configured limit, else the file system's size; 0 when neither is known.
    pub limit_bytes: u64,
    /// Share of `limit_bytes` in use, in percent.
    pub usage_percentage: f64,
    /// Series that had samples lately.
    pub active_series: u64,
    /// Samples that went to an overflow series since the store was opened.
    pub overflowed_samples: u64,
    /// Bytes of samples in heads, not in chunks yet.
    pub buffered_bytes: u64,
    /// Bytes of the log.
    pub log_bytes: u64,
    /// The last stored record.
    pub last_sequence: u64,
    /// The log begins after this one.
    pub trimmed_sequence: u64,
    /// Every sample up to this one is in a chunk.
    pub sealed_sequence: u64,
    /// Everything up to this one is on the disk.
    pub synced_sequence: u64,
    /// Partitions of both classes, oldest first within a class.
    pub partitions: Vec<String>,
    /// Kept states of aggregate functions, by kind.
    pub state_rollups: Vec<StateRollupStats>,
    /// Why writes are refused until the store is reopened.
    pub poisoned: Option<String>,
    /// Why writes are refused for now.
    pub refusing: Option<String>,
    /// The wall clock and the time that is known to have passed differ: expiry waits.
    pub clock_jump: Option<ClockJump>,
    /// Damaged parts that were set aside, and other notices, since the store was opened.
    pub reports: Vec<String>,
}

impl Engine {
    /// The state now.
    pub(crate) fn stats(&self) -> StoreStats {
        let records = |class| self.catalogue.all(class).iter().map(|partition| partition.records()).sum();
        let usage_bytes = self.usage_bytes();
        let limit_bytes =
            self.options.max_bytes.or_else(|| self.space.room().map(|room| room.total)).unwrap_or(0);
        #[allow(clippy::cast_precision_loss, reason = "a percentage for people")]
        let usage_percentage =
            if limit_bytes == 0 { 0.0 } else { usage_bytes as f64 / limit_bytes as f64 * 100.0 };
        let (wall, monotonic) = (self.clock.now(), self.clock.monotonic());
        let partitions = Class::ALL.into_iter().flat_map(|class| self.catalogue.all(class));
        StoreStats {
            events_total: records(Class::Events),
            metrics_total: records(Class::Metrics),
            usage_bytes,
            limit_bytes,
            usage_percentage,
            active_series: self.registry.read().len() as u64,
            overflowed_samples: self.overflowed.load(Ordering::Relaxed),
            buffered_bytes: self.buffered.load(Ordering::Relaxed) as u64,
            log_bytes: self.log_size.bytes(),
            last_sequence: self.ledger.published(),
            trimmed_sequence: self.trimmed.load(Ordering::Acquire),
            sealed_sequence: self.watermark.load(Ordering::Acquire),
            synced_sequence: match self.options.location {
                Location::Memory => 0,
                Location::Directory(_) => self.synced.sequence(),
            },
            partitions: partitions.map(|partition| partition.family.clone()).collect(),
            state_rollups: self.states.stats(),
            poisoned: self.database.poison().map(str::to_owned),
            refusing: self.space.check().err().map(|error| error.to_string()),
            clock_jump: self.retention.lock().jump(wall, monotonic),
            reports: self.database.reports().list(),
        }
    }
}
