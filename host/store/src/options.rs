//! How a store is opened: where it lies, how durable it is, how long and how much it keeps.

use std::path::PathBuf;
use std::time::Duration;

/// Where a store lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// In this directory, which is made if it is absent.
    Directory(PathBuf),
    /// In memory; gone when the store is closed.
    Memory,
}

/// What an acknowledged write survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The end of the process: the write-ahead record is with the operating system before the answer, and on the disk
    /// at most [`SYNC_INTERVAL`] later.
    #[default]
    Process,
    /// A power failure: the write-ahead record is on the disk before the answer.
    Power,
}

/// Longest time between a write and its fsync with [`Durability::Process`].
pub const SYNC_INTERVAL: Duration = Duration::from_millis(100);

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Where it lies.
    pub location: Location,
    /// What an acknowledged write survives.
    pub durability: Durability,
    /// How long events are kept, at least.
    pub events_retention: Duration,
    /// How long metrics are kept, at least.
    pub metrics_retention: Duration,
    /// Size on disk at which the oldest partitions go; none when absent.
    pub max_bytes: Option<u64>,
    /// Budget of write buffers, block cache, heads, index and chunk cache together.
    pub memory_bytes: u64,
    /// Active series of one metric; samples of further ones go to the metric's overflow series.
    pub max_series_per_metric: u32,
    /// Active series in all; samples of further ones go to their metric's overflow series.
    pub max_series: u32,
    /// Size at which the log forgets records that a slow reader has not read yet.
    pub max_log_bytes: u64,
    /// Free bytes of the file system below which writes are refused.
    pub min_free_bytes: u64,
    /// Whether the store runs its own maintenance thread. Without it the owner calls [`crate::Store::maintain`].
    pub background: bool,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            location: Location::Memory,
            durability: Durability::Process,
            events_retention: Duration::from_secs(7 * 86_400),
            metrics_retention: Duration::from_secs(30 * 86_400),
            max_bytes: None,
            memory_bytes: 256 << 20,
            // Far above a well-kept metric, far below what a label with ids in it makes in an hour.
            max_series_per_metric: 100_000,
            // About 900 MB of memory when all are active (design: 900 bytes each).
            max_series: 1_000_000,
            // Some ten million samples: hours of backlog of one slow monitor.
            max_log_bytes: 1 << 30,
            // RocksDB's own files of one flush and compaction fit in it.
            min_free_bytes: 256 << 20,
            background: true,
        }
    }
}

impl StoreOptions {
    /// The defaults in `directory`.
    pub fn in_directory(directory: impl Into<PathBuf>) -> Self {
        Self { location: Location::Directory(directory.into()), ..Self::default() }
    }

    /// The defaults in memory.
    pub fn in_memory() -> Self {
        Self::default()
    }
}
