//! What the store says about itself.

use std::sync::atomic::Ordering;

use crate::budget::MemoryBudget;
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
    /// Times that a series' part of a scan was answered from the cache of decoded chunks, since the store was opened.
    pub chunk_cache_hits: u64,
    /// Times that chunks had to be read instead.
    pub chunk_cache_misses: u64,
    /// Times that something had to make room there.
    pub chunk_cache_evictions: u64,
    /// What takes memory, and how much it may take.
    pub memory: MemoryStats,
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

/// The memory of a store: each share of `memory_bytes`.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct MemoryStats {
    /// The whole budget, in bytes.
    pub budget_bytes: u64,
    /// All shares together, in bytes.
    pub used_bytes: u64,
    /// Samples that are not in chunks yet, with their buffers.
    pub heads: MemoryShare,
    /// RocksDB's memtables.
    pub write_buffers: MemoryShare,
    /// Blocks of tables, with their indexes and filters.
    pub block_cache: MemoryShare,
    /// Active series, posting lists and definitions. Active series may take more than their share: heads and cache then
    /// have less.
    pub index: MemoryShare,
    /// Of the index: active series.
    pub active_series_bytes: u64,
    /// Of the index: posting lists.
    pub postings_bytes: u64,
    /// Of the index: definitions that are kept for being found by number.
    pub definitions_bytes: u64,
    /// Headers and decoded samples of chunks, kept for the next query.
    pub chunk_cache: MemoryShare,
}

/// One share of the memory, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct MemoryShare {
    /// In use.
    pub used_bytes: u64,
    /// What it may take now.
    pub limit_bytes: u64,
}

impl Engine {
    fn memory(&self) -> MemoryStats {
        let budget = MemoryBudget::of(self.options.memory_bytes);
        let [series, postings, definitions] =
            [self.registry.bytes(), self.index.bytes() as u64, self.index.definition_bytes()];
        let index = series.saturating_add(postings).saturating_add(definitions);
        let share = |used_bytes: u64, limit_bytes: u64| MemoryShare { used_bytes, limit_bytes };
        let shares = [
            share(self.head_bytes(), budget.heads(index)),
            share(self.write_buffer_bytes(), budget.write_buffers()),
            share(self.database.tuning().cache_bytes(), budget.block_cache(index)),
            share(index, budget.index()),
            share(self.chunk_cache.bytes() as u64, budget.chunk_cache()),
        ];
        let [heads, write_buffers, block_cache, index, chunk_cache] = shares;
        MemoryStats {
            budget_bytes: budget.total(),
            used_bytes: shares.iter().map(|share| share.used_bytes).sum(),
            heads,
            write_buffers,
            block_cache,
            index,
            active_series_bytes: series,
            postings_bytes: postings,
            definitions_bytes: definitions,
            chunk_cache,
        }
    }

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
        let cached = self.chunk_cache.counts();
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
            chunk_cache_hits: cached.hits,
            chunk_cache_misses: cached.misses,
            chunk_cache_evictions: cached.evictions,
            memory: self.memory(),
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
