//! Building states after the fact: series by series, from chunks, outside of all locks; only the rows' commit waits for sealing.

use rocksdb::WriteBatch;
use telemetry_core::aggregation::{Aggregation, AggregationError, KeptStates};
use telemetry_core::time::saturating_nanos;
use telemetry_core::{MetricSelection, limits};

use super::book::{Item, Next, Work};
use super::registration::StateRollup;
use super::row::{mark, mark_key};
use super::series_build::{Built, SeriesBuild};
use crate::chunks::{ChunkKey, FIRST_CHUNK_KEY, LAST_CHUNK_KEY, chunk_at};
use crate::codec::ChunkHeader;
use crate::database::{Family, Promise};
use crate::engine::Engine;
use crate::error::StoreError;
use crate::families::{Class, META};
use crate::meta;

/// What one call of [`crate::Store::build_states`] did.
#[derive(Debug, Default)]
pub struct StateBuild {
    /// Series and partitions that were looked at.
    pub series: u64,
    /// States that were written.
    pub states: u64,
    /// Why it ended early: the function failed. What it failed at is tried again after [`limits::STATE_RETRY`].
    pub failure: Option<AggregationError>,
    /// Whether there is more to do now.
    pub more: bool,
}

/// Why nothing, or no more, was built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateBuildError {
    /// Nobody registered these states.
    #[error("these states are not registered")]
    NotRegistered,
    /// Their buckets do not divide a day, or are too short.
    #[error("buckets of kept states must divide a day and be a minute or more")]
    Width,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why the states of one series were not built.
pub(super) enum Stop {
    Store(StoreError),
    Function(AggregationError),
    /// A chunk is damaged; scans report it.
    Damaged,
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<AggregationError> for Stop {
    fn from(error: AggregationError) -> Self {
        Self::Function(error)
    }
}

impl Engine {
    /// Has states built from now on; nothing new where they are registered already.
    pub(crate) fn register_states(&self, rollup: &StateRollup) -> Result<KeptStates, StateBuildError> {
        if !rollup.is_possible() {
            return Err(StateBuildError::Width);
        }
        let states = rollup.states();
        let same = self.states.with(states.fingerprint, |kind| kind.rollup.as_ref() == Some(rollup));
        if same == Some(true) {
            return Ok(states);
        }
        let family = self.database.family(META)?;
        let key = meta::kept_states_key(states.fingerprint);
        // Known before the first row can be written.
        self.states.learn(&rollup.identity, states);
        let stored = self.database.get(&family, &key)?;
        if stored.is_none_or(|value| meta::read_kept_states(&key, &value).is_err()) {
            // Rows without their kind were not kept right.
            self.clear_states(states.fingerprint)?;
            let mut batch = WriteBatch::new();
            batch.put_cf(&family, key, rollup.row());
            self.database.commit(batch, Promise::Derived)?;
        }
        self.states.with(states.fingerprint, |kind| kind.rollup = Some(rollup.clone()));
        let valid = mark(rollup.metrics_hash());
        for partition in self.catalogue.all(Class::Metrics) {
            let Some(family) = self.database.find_family(&partition.family) else { continue };
            let found = self.database.get(&family, &mark_key(states.fingerprint))?;
            if found.as_deref() != Some(valid.as_slice()) {
                self.states.with(states.fingerprint, |kind| kind.work.insert(partition.start, Work::All));
            }
        }
        Ok(states)
    }

    /// Builds what is to be built of registered states, at most of so many series.
    pub(crate) fn build_states(
        &self,
        states: KeptStates,
        function: &dyn Aggregation,
        most_series: usize,
    ) -> Result<StateBuild, StateBuildError> {
        self.database.check()?;
        self.space.check()?;
        let _building = self.states.building.lock();
        let rollup = self.states.with(states.fingerprint, |kind| kind.rollup.clone()).flatten();
        let rollup = rollup.ok_or(StateBuildError::NotRegistered)?;
        let now = self.clock.now().nanos();
        let kept = self.catalogue.all(Class::Metrics);
        self.states.with(states.fingerprint, |kind| {
            kind.work.retain(|start, _| kept.iter().any(|partition| partition.start == *start));
            kind.wake(now);
        });
        let mut done = StateBuild::default();
        while done.series < most_series as u64 {
            match self.states.with(states.fingerprint, super::book::Kind::next).flatten() {
                None => {
                    self.mark_looked_through(states, &rollup, now)?;
                    return Ok(done);
                }
                Some(Next::Partition(start)) => {
                    match self.look_through(states, &rollup, start) {
                        Ok(()) => {}
                        // Scans report it; the other partitions are not held up.
                        Err(error) if error.is_damage() => self.count_damaged(states),
                        Err(error) => {
                            self.states.with(states.fingerprint, |kind| kind.work.insert(start, Work::All));
                            return Err(error.into());
                        }
                    }
                }
                Some(Next::Series(item)) => {
                    done.series = done.series.saturating_add(1);
                    self.build_item(states, function, item, now, &mut done)?;
                    if done.failure.is_some() {
                        break;
                    }
                }
            }
        }
        done.more = true;
        Ok(done)
    }

    /// Notes all series of a partition that are wanted.
    fn look_through(&self, states: KeptStates, rollup: &StateRollup, start: i64) -> Result<(), StoreError> {
        let Some(partition) = self.catalogue.find(Class::Metrics, start) else { return Ok(()) };
        let partitions = [partition];
        let names = self.index.metric_names(&self.database, &partitions)?;
        let names = names.iter().filter(|name| rollup.wants(name)).map(|name| name.to_string()).collect();
        let selection = MetricSelection { names: Some(names), filters: Vec::new() };
        let series = self.index.select(&self.database, &partitions, &selection)?;
        self.states.with(states.fingerprint, |kind| {
            for series in series {
                kind.add(Item { partition: start, series: series.id, due: i64::MIN });
            }
        });
        Ok(())
    }

    fn build_item(
        &self,
        states: KeptStates,
        function: &dyn Aggregation,
        item: Item,
        now: i64,
        done: &mut StateBuild,
    ) -> Result<(), StateBuildError> {
        let built = SeriesBuild { engine: self, states, function, item, now }.run();
        let (written, due) = match built.and_then(|built| Ok((self.write_states(&built, item)?, built))) {
            Ok((true, built)) => {
                let count = built.rows.len() as u64;
                done.states = done.states.saturating_add(count);
                self.count(states, |counts| {
                    let bytes = built.rows.iter().map(|(_, value)| value.len() as u64).sum();
                    counts.states_built = counts.states_built.saturating_add(count);
                    counts.bytes_written = counts.bytes_written.saturating_add(bytes);
                    counts.oversized_states = counts.oversized_states.saturating_add(built.oversized);
                });
                (Ok(()), built.due)
            }
            // More was sealed meanwhile: once again.
            Ok((false, _)) => (Ok(()), Some(i64::MIN)),
            Err(Stop::Damaged) => {
                self.count_damaged(states);
                (Ok(()), None)
            }
            Err(Stop::Function(error)) => {
                self.count(states, |counts| counts.failures = counts.failures.saturating_add(1));
                done.failure = Some(error);
                (Ok(()), Some(now.saturating_add(saturating_nanos(limits::STATE_RETRY))))
            }
            Err(Stop::Store(error)) => (Err(error), Some(i64::MIN)),
        };
        if let Some(due) = due {
            self.states.with(states.fingerprint, |kind| kind.add(Item { due, ..item }));
        }
        written.map_err(StateBuildError::Store)
    }

    fn count_damaged(&self, states: KeptStates) {
        self.count(states, |counts| counts.damaged_series = counts.damaged_series.saturating_add(1));
    }

    fn count(&self, states: KeptStates, count: impl FnOnce(&mut super::stats::StateRollupStats)) {
        self.states.with(states.fingerprint, |kind| count(&mut kind.counts));
    }

    /// Writes the states of a series, unless more was sealed since its chunks were read; whether it did.
    fn write_states(&self, built: &Built, item: Item) -> Result<bool, StoreError> {
        if built.rows.is_empty() {
            return Ok(true);
        }
        // Nothing is sealed from here on: what would be sealed next finds these rows.
        let _sealing = self.sealing.lock();
        let _pass = self.catalogue.pass();
        let partition = self.catalogue.find(Class::Metrics, item.partition);
        let family = partition.as_ref().and_then(|partition| self.database.find_family(&partition.family));
        // Expired meanwhile: there is nothing to be kept.
        let Some(family) = family else { return Ok(true) };
        if self.last_sealed(&family, item.series)? != Some(built.sealed) {
            return Ok(false);
        }
        let mut batch = WriteBatch::new();
        for (key, value) in &built.rows {
            batch.put_cf(&family, key, value);
        }
        self.database.commit(batch, Promise::Derived)?;
        Ok(true)
    }

    /// The greatest sequence number that chunks of a series were sealed from; `None` when one is damaged.
    fn last_sealed(&self, family: &Family<'_>, series: u32) -> Result<Option<u64>, StoreError> {
        let mut rows = self.database.rows(family, FIRST_CHUNK_KEY.to_vec(), LAST_CHUNK_KEY.to_vec());
        rows.seek(&ChunkKey::first_of(series).encode());
        let mut last = 0;
        while let Some((_, value)) = chunk_at(&rows, series, i64::MAX) {
            let Ok(header) = ChunkHeader::read(value) else { return Ok(None) };
            last = last.max(header.sealed_sequence);
            rows.forward();
        }
        Ok(rows.damage()?.is_none().then_some(last))
    }

    /// Marks the closed partitions of which everything was looked at, so that the next opening need not look.
    fn mark_looked_through(
        &self,
        states: KeptStates,
        rollup: &StateRollup,
        now: i64,
    ) -> Result<(), StoreError> {
        let fingerprint = states.fingerprint;
        let done = self.states.with(fingerprint, |kind| kind.looked_through()).unwrap_or_default();
        for start in done {
            let _sealing = self.sealing.lock();
            let _pass = self.catalogue.pass();
            let partition =
                self.catalogue.find(Class::Metrics, start).filter(|partition| partition.end <= now);
            let Some(partition) = partition else { continue };
            let Some(family) = self.database.find_family(&partition.family) else { continue };
            let still = self.states.with(fingerprint, |kind| kind.looked_through().contains(&start));
            if still == Some(true) {
                let mut batch = WriteBatch::new();
                batch.put_cf(&family, mark_key(fingerprint), mark(rollup.metrics_hash()));
                self.database.commit(batch, Promise::Derived)?;
                self.states.marked(fingerprint, start);
                self.states.with(fingerprint, |kind| kind.work.remove(&start));
            }
        }
        Ok(())
    }
}
