//! What a store holds and where: partitions, families of rows, limits.

use std::collections::BTreeMap;

use rocksdb::{LiveFile, properties};
use serde::Serialize;
use telemetry_core::Timestamp;

use crate::codec::ChunkHeader;
use crate::database::{Database, Family};
use crate::engine::Engine;
use crate::error::{EngineError, StoreError};
use crate::families::{Class, FIXED, Partition};
use crate::series;
use crate::stats::StoreStats;
use crate::{chunks, rollups};

/// A store's state, its partitions and its families.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct StoreInventory {
    /// The state.
    pub store: StoreStats,
    /// What the store was opened with.
    pub limits: StoreLimits,
    /// Records that each reader of the log has not read yet, by monitor.
    pub readers: BTreeMap<String, u64>,
    /// Events first, oldest first.
    pub partitions: Vec<PartitionStats>,
    /// Each family of rows: the fixed ones, then the partitions, in the same order.
    pub families: Vec<FamilyStats>,
}

/// What bounds a store.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct StoreLimits {
    /// How long events are kept, in seconds, at least.
    pub events_retention_seconds: u64,
    /// How long metrics are kept, in seconds, at least.
    pub metrics_retention_seconds: u64,
    /// Size on disk at which the oldest partitions go, in bytes.
    pub max_bytes: Option<u64>,
    /// Memory, in bytes.
    pub memory_bytes: u64,
    /// Active series in all.
    pub max_series: u32,
    /// Active series of one metric.
    pub max_series_per_metric: u32,
    /// Size of the log at which slow readers lose records, in bytes.
    pub max_log_bytes: u64,
    /// Free bytes of the file system below which writes are refused.
    pub min_free_bytes: u64,
}

/// One partition.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct PartitionStats {
    /// Its family.
    pub family: String,
    /// `events` or `metrics`.
    pub class: String,
    /// Its first instant.
    pub first: Timestamp,
    /// The first instant after it.
    pub end: Timestamp,
    /// Whether it was brought into its final form after it closed.
    pub final_form: bool,
    /// Events or samples, those in heads included.
    pub records: u64,
    /// Bytes of its tables and write buffer.
    pub bytes: u64,
    /// Of them bytes of tables with rows that make records be found: series and posting lists, or event indexes; about.
    pub index_bytes: u64,
    /// Of them bytes of tables with rollups; about.
    pub rollup_bytes: u64,
    /// Series that are defined in it.
    pub series: Option<u64>,
    /// Chunks; absent in a quick look.
    pub chunks: Option<u64>,
    /// Samples in chunks; absent in a quick look.
    pub sealed_samples: Option<u64>,
    /// Rows of rollups; absent in a quick look.
    pub rollup_rows: Option<u64>,
}

/// One family of rows.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct FamilyStats {
    /// Its name.
    pub family: String,
    /// Bytes of its tables.
    pub table_bytes: u64,
    /// Bytes of its write buffers.
    pub buffer_bytes: u64,
    /// Rows in its tables, those included that are deleted or replaced.
    pub entries: u64,
    /// Its tables, by level.
    pub levels: Vec<LevelStats>,
}

/// One level of a family's tables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LevelStats {
    /// The level.
    pub level: i32,
    /// Its tables.
    pub tables: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// How much is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InventoryDepth {
    /// All: chunks and rollup rows are counted, which reads through the partitions of metrics.
    #[default]
    Counted,
    /// What is known without reading partitions through.
    Quick,
}

impl Engine {
    /// What the store holds.
    pub(crate) fn inventory(&self, depth: InventoryDepth) -> Result<StoreInventory, StoreError> {
        let tables = self
            .database
            .rocks()
            .live_files()
            .map_err(|error| StoreError::Read { what: "the list of tables", source: EngineError(error) })?;
        let partitions: Vec<_> = Class::ALL.into_iter().flat_map(|class| self.catalogue.all(class)).collect();
        let names = FIXED.into_iter().chain(partitions.iter().map(|partition| partition.family.as_str()));
        let families: Vec<FamilyStats> = names.map(|name| self.family_stats(name, &tables)).collect();
        let mut shown = Vec::with_capacity(partitions.len());
        for partition in &partitions {
            shown.extend(self.partition_stats(partition, depth)?);
        }
        let last = self.ledger.published();
        let readers = self.cursors()?.into_iter();
        let readers = readers.map(|(monitor, next)| (monitor, last.saturating_add(1).saturating_sub(next)));
        Ok(StoreInventory {
            store: self.stats(),
            limits: self.limits(),
            readers: readers.collect(),
            partitions: shown,
            families,
        })
    }

    fn limits(&self) -> StoreLimits {
        let options = &self.options;
        StoreLimits {
            events_retention_seconds: options.events_retention.as_secs(),
            metrics_retention_seconds: options.metrics_retention.as_secs(),
            max_bytes: options.max_bytes,
            memory_bytes: options.memory_bytes,
            max_series: options.max_series,
            max_series_per_metric: options.max_series_per_metric,
            max_log_bytes: options.max_log_bytes,
            min_free_bytes: options.min_free_bytes,
        }
    }

    fn family_stats(&self, name: &str, tables: &[LiveFile]) -> FamilyStats {
        let mut levels: BTreeMap<i32, LevelStats> = BTreeMap::new();
        let mut entries = 0_u64;
        for table in tables.iter().filter(|table| table.column_family_name == *name) {
            let level =
                levels.entry(table.level).or_insert(LevelStats { level: table.level, tables: 0, bytes: 0 });
            level.tables = level.tables.saturating_add(1);
            level.bytes = level.bytes.saturating_add(table.size as u64);
            entries = entries.saturating_add(table.num_entries);
        }
        let buffers = self.database.find_family(name).and_then(|family| {
            let property = properties::CUR_SIZE_ALL_MEM_TABLES;
            self.database.rocks().property_int_value_cf(&family, property).ok().flatten()
        });
        FamilyStats {
            family: name.to_owned(),
            table_bytes: levels.values().map(|level| level.bytes).sum(),
            buffer_bytes: buffers.unwrap_or_default(),
            entries,
            levels: levels.into_values().collect(),
        }
    }

    /// `None` when it expired meanwhile.
    fn partition_stats(
        &self,
        partition: &Partition,
        depth: InventoryDepth,
    ) -> Result<Option<PartitionStats>, StoreError> {
        let database = &self.database;
        let Some(family) = database.find_family(&partition.family) else { return Ok(None) };
        let between = |first: u8, after: u8| bytes_between(database, &family, first, after);
        let (index_bytes, rollup_bytes) = match partition.class {
            Class::Events => (between(0x02, 0x06), 0),
            Class::Metrics => (between(0x20, 0x30), between(0x30, 0x40)),
        };
        let mut stats = PartitionStats {
            family: partition.family.clone(),
            class: partition.class.to_string(),
            first: Timestamp::from_nanos(partition.start),
            end: Timestamp::from_nanos(partition.end),
            final_form: partition.is_folded(),
            records: partition.records(),
            bytes: self.family_bytes(&partition.family),
            index_bytes,
            rollup_bytes,
            series: None,
            chunks: None,
            sealed_samples: None,
            rollup_rows: None,
        };
        if partition.class == Class::Metrics {
            stats.series = Some(series::count(database, &family)?);
            if depth == InventoryDepth::Counted {
                let (chunks, samples) = count_chunks(database, &family)?;
                (stats.chunks, stats.sealed_samples) = (Some(chunks), Some(samples));
                stats.rollup_rows = Some(count_rows(database, &family, rollups::FIRST_ROLLUP_KEY, &[0x40])?);
            }
        }
        Ok(Some(stats))
    }
}

/// Bytes of tables with rows whose kind is in `first..after`, about.
fn bytes_between(database: &Database, family: &Family<'_>, first: u8, after: u8) -> u64 {
    let (first, after) = ([first], [after]);
    let range = rocksdb::Range::new(&first, &after);
    database.rocks().get_approximate_sizes_cf(family, &[range]).into_iter().sum()
}

fn count_rows(
    database: &Database,
    family: &Family<'_>,
    first: &[u8],
    after: &[u8],
) -> Result<u64, StoreError> {
    let mut count = 0_u64;
    database.each_row(family, first, after, &mut |_, _| count = count.saturating_add(1))?;
    Ok(count)
}

/// Chunks and the samples in them. A damaged one counts as a chunk without samples.
fn count_chunks(database: &Database, family: &Family<'_>) -> Result<(u64, u64), StoreError> {
    let (mut count, mut samples) = (0_u64, 0_u64);
    database.each_row(family, chunks::FIRST_CHUNK_KEY, chunks::LAST_CHUNK_KEY, &mut |_, value| {
        count = count.saturating_add(1);
        let held = ChunkHeader::read(value).map_or(0, |header| u64::from(header.count));
        samples = samples.saturating_add(held);
    })?;
    Ok((count, samples))
}
