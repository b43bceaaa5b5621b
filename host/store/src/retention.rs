//! Retention: whole partitions go, by age and by the store's size, the oldest first.
//!
//! Invariant: nothing expires by a clock that real time has not confirmed, and the partitions of now are never dropped.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rocksdb::{WriteBatch, properties};
use telemetry_core::time::saturating_nanos;
use telemetry_core::{Timestamp, limits};

use crate::database::Promise;
use crate::engine::Engine;
use crate::error::StoreError;
use crate::families::{Class, FIXED, LOG, META, Partition};
use crate::log::record;
use crate::meta;
use crate::options::Location;

/// How long a partition is left for late records before it is brought into its final form.
const LATE: Duration = Duration::from_secs(3600);
/// The share of the size limit that is left free: compaction writes a table before it deletes those that it is made of.
const HEADROOM_SHARE: u64 = 32;
/// How long before it is needed a partition is created.
const AHEAD: Duration = Duration::from_secs(600);

impl Engine {
    /// How long records of a class are kept.
    fn retention_of(&self, class: Class) -> Duration {
        match class {
            Class::Events => self.options.events_retention,
            Class::Metrics => self.options.metrics_retention,
        }
    }

    /// Notes the time that is known to have passed, for the next opening.
    pub(crate) fn keep_time(&self) -> Result<(), StoreError> {
        let trusted = self.retention.lock().trusted(self.clock.monotonic());
        let mut batch = WriteBatch::new();
        batch.put_cf(&self.database.family(META)?, meta::CLOCK_KEY, meta::number(trusted.nanos()));
        self.database.commit(batch, Promise::Derived)
    }

    /// Believes the wall clock, which an operator found right; answers its time.
    pub(crate) fn accept_clock(&self) -> Result<Timestamp, StoreError> {
        let wall = self.clock.now();
        self.retention.lock().accept(wall, self.clock.monotonic());
        self.keep_time()?;
        Ok(wall)
    }

    /// Creates the partitions that will be needed soon, so that no caller waits for it at midnight.
    pub(crate) fn create_ahead(&self) -> Result<(), StoreError> {
        let (wall, monotonic) = (self.clock.now(), self.clock.monotonic());
        if self.retention.lock().jump(wall, monotonic).is_some() {
            return Ok(());
        }
        let soon = wall.plus(limits::MAX_AHEAD).plus(AHEAD);
        for class in Class::ALL {
            // A class that was never used needs no partition.
            if !self.catalogue.all(class).is_empty() {
                self.catalogue.ensure(&self.database, class, soon.nanos())?;
            }
        }
        Ok(())
    }

    /// Drops partitions that are wholly older than their class's retention. Answers their names.
    pub(crate) fn expire_by_age(&self) -> Result<Vec<String>, StoreError> {
        // As by size: of what is listed below, nobody else drops anything meanwhile.
        let _expiring = self.expiring.lock();
        let now = self.retention.lock().expiry_time(self.clock.now(), self.clock.monotonic());
        let mut expired = Vec::new();
        for class in Class::ALL {
            let cutoff = now.minus(self.retention_of(class)).nanos();
            for partition in self.catalogue.all(class) {
                if partition.end > cutoff {
                    break;
                }
                self.expire(&partition)?;
                expired.push(partition.family.clone());
            }
        }
        Ok(expired)
    }

    fn expire(&self, partition: &Arc<Partition>) -> Result<(), StoreError> {
        tracing::info!(partition = %partition.family, "a partition expires");
        self.catalogue.expire(&self.database, partition)?;
        self.index.forget(partition);
        self.chunk_cache.forget(partition);
        self.events.forget(partition);
        Ok(())
    }

    /// Keeps the store within its size limit, on the thread of a call that writes much: the maintenance thread may come too late.
    pub(crate) fn hold_size_limit(&self) {
        if let Err(error) = self.expire_by_size() {
            // The records are stored; the next round tries again.
            tracing::error!(error = &error as &dyn std::error::Error, "the size limit could not be held");
        }
    }

    /// Whether a partition may be rewritten without going beyond the size limit meanwhile.
    pub(crate) fn has_room_to_rewrite(&self, partition: &Partition) -> bool {
        let size = self.family_bytes(&partition.family);
        self.options.max_bytes.is_none_or(|limit| self.usage_bytes().saturating_add(size) <= limit)
    }

    /// Drops the oldest partitions while the store is over its size limit. Answers their names.
    pub(crate) fn expire_by_size(&self) -> Result<Vec<String>, StoreError> {
        let Some(limit) = self.options.max_bytes else { return Ok(Vec::new()) };
        let limit = limit.saturating_sub(limit / HEADROOM_SHARE);
        // Whoever comes while another expires waits, and finds it done.
        let _expiring = self.expiring.lock();
        let mut expired = Vec::new();
        if self.usage_bytes() > limit {
            self.compact_usage()?;
        }
        let mut used = self.table_bytes();
        while used > limit {
            let Some(oldest) = self.oldest_closed() else { break };
            self.expire(&oldest)?;
            expired.push(oldest.family.clone());
            used = self.table_bytes();
        }
        self.space.set_over_limit((used > limit).then_some((used, limit)));
        Ok(expired)
    }

    /// The partition whose time ended longest ago, by a clock that real time has confirmed.
    fn oldest_closed(&self) -> Option<Arc<Partition>> {
        let now = self.retention.lock().expiry_time(self.clock.now(), self.clock.monotonic()).nanos();
        let firsts = Class::ALL.into_iter().filter_map(|class| self.catalogue.all(class).into_iter().next());
        firsts.filter(|partition| partition.end <= now).min_by_key(|partition| partition.end)
    }

    /// Brings everything into tables and gives back what the log's cut rows still take, so that sizes tell what is kept.
    fn compact_usage(&self) -> Result<(), StoreError> {
        for name in self.family_names() {
            self.database.flush(&name)?;
        }
        let after = record::key(self.trimmed.load(Ordering::Acquire).saturating_add(1));
        self.database.rocks().compact_range_cf(&self.database.family(LOG)?, None::<&[u8]>, Some(after));
        Ok(())
    }

    fn family_names(&self) -> Vec<String> {
        let partitions = Class::ALL.into_iter().flat_map(|class| self.catalogue.all(class));
        let names = partitions.map(|partition| partition.family.clone());
        FIXED.into_iter().map(str::to_owned).chain(names).collect()
    }

    /// Bytes of tables, write buffers and heads.
    fn table_bytes(&self) -> u64 {
        let heads = self.buffered.load(Ordering::Relaxed) as u64;
        self.family_names().iter().map(|name| self.family_bytes(name)).fold(heads, u64::saturating_add)
    }

    /// Bytes of all write buffers.
    pub(crate) fn write_buffer_bytes(&self) -> u64 {
        let of = |name: &String| {
            let family = self.database.find_family(name)?;
            let property = properties::CUR_SIZE_ALL_MEM_TABLES;
            self.database.rocks().property_int_value_cf(&family, property).ok().flatten()
        };
        self.family_names().iter().filter_map(of).fold(0, u64::saturating_add)
    }

    /// Bytes of a family's tables and write buffers.
    pub(crate) fn family_bytes(&self, name: &str) -> u64 {
        let Some(family) = self.database.find_family(name) else { return 0 };
        [properties::LIVE_SST_FILES_SIZE, properties::CUR_SIZE_ALL_MEM_TABLES]
            .into_iter()
            .filter_map(|property| {
                self.database.rocks().property_int_value_cf(&family, property).ok().flatten()
            })
            .fold(0, u64::saturating_add)
    }

    /// Bytes in use: tables, write-ahead log and heads; of a store in memory, the write buffers stand for the log.
    pub(crate) fn usage_bytes(&self) -> u64 {
        match &self.options.location {
            Location::Memory => self.table_bytes(),
            Location::Directory(path) => {
                let heads = self.buffered.load(Ordering::Relaxed) as u64;
                let files =
                    std::fs::read_dir(path.join(crate::directory::ROCKS_DIRECTORY)).into_iter().flatten();
                let sizes =
                    files.flatten().filter_map(|entry| entry.metadata().ok()).map(|found| found.len());
                sizes.fold(heads, u64::saturating_add)
            }
        }
    }

    /// The oldest instant a record of a class may have, by the wall clock.
    pub(crate) fn oldest_kept(&self, class: Class) -> Timestamp {
        self.catalogue.floor(class)
    }

    /// A partition whose time is over, that gets no more records, and that is not in its final form yet.
    pub(crate) fn unfolded(&self) -> Option<Arc<Partition>> {
        let (wall, seconds) = (self.clock.now().nanos(), self.seconds());
        let settled = |partition: &Arc<Partition>| {
            partition.end.saturating_add(saturating_nanos(LATE)) <= wall
                && seconds.saturating_sub(partition.touched()) >= LATE.as_secs()
                && !partition.is_folded()
        };
        Class::ALL.into_iter().flat_map(|class| self.catalogue.all(class)).find(settled)
    }
}

#[cfg(test)]
#[path = "retention_tests.rs"]
mod tests;
