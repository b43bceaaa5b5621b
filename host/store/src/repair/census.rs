//! What a database holds: records by partition, and how far each series is sealed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::chunks::{ChunkKey, FIRST_CHUNK_KEY, LAST_CHUNK_KEY};
use crate::codec::ChunkHeader;
use crate::database::Database;
use crate::error::StoreError;
use crate::events;
use crate::families::{Class, LOG};
use crate::log::record::{self, LogRecord};

/// One partition family.
#[derive(Debug, Default)]
pub(super) struct PartitionCensus {
    /// Records in chunks, or events.
    pub(super) records: u64,
    /// Time of the last record.
    pub(super) last: Option<i64>,
    /// Series that have chunks.
    pub(super) series: BTreeSet<u32>,
}

/// All partition families, and the log.
#[derive(Debug, Default)]
pub(super) struct Census {
    /// By family.
    pub(super) partitions: BTreeMap<String, PartitionCensus>,
    /// Up to which sequence number each series' samples are in chunks: what chunks say, so none that are lost.
    pub(super) sealed: HashMap<u32, u64>,
    /// The greatest sequence number that any row knows of.
    pub(super) greatest: u64,
    /// The first record of the log.
    pub(super) log_begins: Option<u64>,
    /// Times and series of the log's samples.
    pub(super) logged: BTreeSet<(i64, u32)>,
}

/// Days, by which the log's samples are told apart: a partition has whole ones.
pub(super) fn day_of(nanos: i64) -> i64 {
    nanos.div_euclid(telemetry_core::time::NANOS_PER_DAY)
}

impl Census {
    /// Reads all headers, keys and log rows.
    pub(super) fn take(database: &Database, names: &[String]) -> Result<Self, StoreError> {
        let mut census = Self::default();
        for name in names {
            let partition = match class_of(name) {
                Some(Class::Metrics) => census.metrics(database, name)?,
                Some(Class::Events) => census.events(database, name)?,
                None => continue,
            };
            census.partitions.insert(name.clone(), partition);
        }
        census.log(database)?;
        Ok(census)
    }

    fn metrics(&mut self, database: &Database, name: &str) -> Result<PartitionCensus, StoreError> {
        let mut partition = PartitionCensus::default();
        let Some(family) = database.find_family(name) else { return Ok(partition) };
        let mut rows = database.rows(&family, FIRST_CHUNK_KEY.to_vec(), LAST_CHUNK_KEY.to_vec());
        rows.first();
        while let Some((key, value)) = rows.row() {
            let (key, header) = (ChunkKey::decode(key)?, ChunkHeader::read(value)?);
            partition.records = partition.records.saturating_add(u64::from(header.count));
            partition.last = partition.last.max(Some(header.last_time));
            partition.series.insert(key.series);
            let sealed = self.sealed.entry(key.series).or_default();
            *sealed = header.sealed_sequence.max(*sealed);
            self.greatest = self.greatest.max(header.sealed_sequence);
            rows.forward();
        }
        rows.check("chunks")?;
        Ok(partition)
    }

    fn events(&mut self, database: &Database, name: &str) -> Result<PartitionCensus, StoreError> {
        let mut partition = PartitionCensus::default();
        let Some(family) = database.find_family(name) else { return Ok(partition) };
        let greatest = &mut self.greatest;
        events::each_key(database, &family, |key| {
            partition.records = partition.records.saturating_add(1);
            partition.last = partition.last.max(Some(key.timestamp.nanos()));
            *greatest = key.sequence.max(*greatest);
        })?;
        Ok(partition)
    }

    fn log(&mut self, database: &Database) -> Result<(), StoreError> {
        let mut rows = database.rows(&database.family(LOG)?, Vec::new(), record::key(u64::MAX).to_vec());
        rows.first();
        while let Some((key, value)) = rows.row() {
            let first = record::sequence_of(key)?;
            self.log_begins.get_or_insert(first);
            let row = LogRecord::decode(value)?;
            self.greatest = self.greatest.max(first.saturating_add(row.len()).saturating_sub(1));
            if let LogRecord::Samples(columns) = row {
                self.logged.extend(columns.times.iter().map(|time| day_of(*time)).zip(columns.series));
            }
            rows.forward();
        }
        rows.check("the log")
    }
}

/// The class of a partition's family.
pub(super) fn class_of(family: &str) -> Option<Class> {
    Class::ALL.into_iter().find(|class| family.starts_with(class.prefix()))
}
