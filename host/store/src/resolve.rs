//! From a sample's name and context to its series: known ones without allocating, new ones by introducing them.
//!
//! Invariant: a series that is still defined in a recent partition keeps its id across restarts.

use std::sync::Arc;

use rocksdb::WriteBatch;
use telemetry_core::{AdmittedSample, SeriesKey};

use crate::append::SeriesPlan;
use crate::database::Promise;
use crate::engine::Engine;
use crate::error::{Damage, StoreError};
use crate::families::{Class, META, Partition};
use crate::head::{ActiveSeries, Resolved, Series, SeriesIds, Vacancy};
use crate::meta;

/// Series ids that are noted as given out at a time: one small write in so many new series; a restart skips the rest.
const IDS_AT_A_TIME: u32 = 1024;
/// Newest partitions in which a series is looked for beside the sample's own: today's and the one before.
const RECENT_PARTITIONS: usize = 2;

impl Engine {
    /// The series of the samples up to the first that must be introduced; how many are overflow series; and whether that
    /// first one must be introduced as overflow series, if there is one.
    pub(crate) fn resolve_known<'r>(
        &'r self,
        active: &'r ActiveSeries,
        samples: &[AdmittedSample],
    ) -> (SeriesPlan<'r>, u64, Option<bool>) {
        let mut plan = SeriesPlan::with_capacity(samples.len());
        let mut overflowed = 0_u64;
        let mut lookup = self.registry.lookup(active);
        for sample in samples {
            match lookup.resolve(sample.series()) {
                Resolved::Found(series) => plan.push(series),
                Resolved::Overflow(series) => {
                    overflowed = overflowed.saturating_add(1);
                    plan.push(series);
                }
                Resolved::Missing { overflow } => return (plan, overflowed, Some(overflow)),
            }
        }
        (plan, overflowed, None)
    }

    /// Makes the series of `key`, or the overflow series of its metric, an active one.
    pub(crate) fn introduce(
        &self,
        key: &SeriesKey,
        overflow: bool,
        partition: &Arc<Partition>,
    ) -> Result<(), StoreError> {
        let mut ids = self.registry.ids();
        let key = {
            let index = self.registry.read();
            if !matches!(self.registry.lookup(&index).resolve(key), Resolved::Missing { overflow: o } if o == overflow)
            {
                return Ok(());
            }
            if overflow { self.registry.overflow_key(&index, key) } else { key.clone() }
        };
        let series = match self.find_defined(&key, overflow, partition)? {
            Some(id) => Series::new(id, key, overflow, Vacancy::UNKNOWN),
            None => Series::new(self.new_id(&mut ids)?, key, overflow, Vacancy::ALL),
        };
        self.registry.insert(series);
        Ok(())
    }

    fn find_defined(
        &self,
        key: &SeriesKey,
        overflow: bool,
        partition: &Arc<Partition>,
    ) -> Result<Option<u32>, StoreError> {
        let recent = self.catalogue.all(Class::Metrics);
        let recent =
            recent.iter().rev().filter(|other| other.start != partition.start).take(RECENT_PARTITIONS);
        for partition in std::iter::once(partition).chain(recent) {
            if let Some(id) = self.index.find(&self.database, partition, key, overflow)? {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    fn new_id(&self, ids: &mut SeriesIds) -> Result<u32, StoreError> {
        if ids.next >= ids.reserved {
            let reserved = ids
                .next
                .checked_add(IDS_AT_A_TIME)
                .ok_or_else(|| Damage::new("series ids", "all four billion are used up"))?;
            let mut batch = WriteBatch::new();
            batch.put_cf(
                &self.database.family(META)?,
                meta::NEXT_SERIES_KEY,
                meta::number(i64::from(reserved)),
            );
            self.database.commit(batch, Promise::Derived)?;
            ids.reserved = reserved;
            // What many new series take must not wait for the next round.
            self.balance_memory();
        }
        let id = ids.next;
        ids.next = id.saturating_add(1);
        Ok(id)
    }
}
