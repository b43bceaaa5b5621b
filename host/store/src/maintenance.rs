//! Everything the store does by itself: syncing, sealing, merging, expiring; in a thread of its own or when it is told.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, select};
use rocksdb::WriteBatch;

use crate::catalogue::is_damaged;
use crate::chunks::{Thoroughness, fold_chunks, series_with_chunks};
use crate::database::{Database, Promise};
use crate::engine::Engine;
use crate::error::StoreError;
use crate::families::{Class, LOG, Partition};
use crate::options::SYNC_INTERVAL;
use crate::rollups;

/// Time between two rounds of the maintenance thread.
const ROUND: Duration = Duration::from_secs(1);
/// Rounds between two looks at what changes slowly: a minute.
const ROUNDS_PER_SLOW_ROUND: u64 = 60;
/// Seconds between two times at which posting lists are written.
const INDEX_SECONDS: u64 = 30;
/// A series without samples for so long is let go.
const IDLE_SECONDS: u64 = 3600;
/// Series merged in one round: bounds how long sealing waits for it.
const FOLDS_PER_ROUND: usize = 256;

// Names of steps that are taken at several places.
const CREATING_AHEAD: &str = "creating the next partitions";
const LOADING_SERIES: &str = "loading the series of a partition";
const MAINTAINING_CHUNKS: &str = "maintaining chunks";
const WRITING_INDEX: &str = "writing posting lists";
const EXPIRING_BY_AGE: &str = "expiring partitions by age";
const EXPIRING_BY_SIZE: &str = "expiring partitions by size";
const KEEPING_TIME: &str = "keeping the time";

/// What one call of [`crate::Store::maintain`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Maintenance {
    /// Samples that went from heads into chunks.
    pub sealed_samples: u64,
    /// Chunks written for them.
    pub sealed_chunks: u64,
    /// Chunks that were merged into fewer.
    pub folded_chunks: u64,
    /// The partitions that were dropped, such as `m.20250521`.
    pub expired_partitions: Vec<String>,
    /// Everything up to here is on the disk.
    pub synced_sequence: u64,
    /// The log begins after this sequence number.
    pub trimmed_sequence: u64,
    /// Series that are no longer active.
    pub idle_series: u64,
}

/// Takes steps that do not need each other: where one fails, the log must still be cut, memory be freed, and what is old expire.
/// The first failure is the answer; further ones are reported, lest the first one hide them.
struct Steps<'a> {
    database: &'a Database,
    /// Of the first step that failed.
    failure: Option<StoreError>,
}

impl<'a> Steps<'a> {
    fn on(database: &'a Database) -> Self {
        Self { database, failure: None }
    }

    /// What a step answers, unless it fails; `name` says what it does. After a failed write none is taken.
    fn take<T>(&mut self, name: &'static str, step: impl FnOnce() -> Result<T, StoreError>) -> Option<T> {
        match self.database.check().and_then(|()| step()) {
            Ok(done) => Some(done),
            Err(error) => {
                self.note(name, error);
                None
            }
        }
    }

    fn note(&mut self, name: &'static str, error: StoreError) {
        if self.failure.is_none() {
            self.failure = Some(error);
        } else if !matches!(error, StoreError::Poisoned { .. }) {
            // Poison is told elsewhere, and every step after it would be.
            let cause =
                std::error::Error::source(&error).map_or_else(String::new, |cause| format!(": {cause}"));
            self.database.reports().add(format!("{name} fails: {error}{cause}"));
        }
    }

    fn end(self) -> Result<(), StoreError> {
        self.failure.map_or(Ok(()), Err)
    }
}

impl Engine {
    /// Does all that is due. An error is that of the first step that failed; the others were taken.
    pub(crate) fn maintain(&self) -> Result<Maintenance, StoreError> {
        self.database.check()?;
        self.space.look();
        let mut done = Maintenance::default();
        let mut steps = Steps::on(&self.database);
        steps.take(CREATING_AHEAD, || self.create_ahead());
        self.balance_memory();
        steps.take(LOADING_SERIES, || self.load_wanted_series());
        steps.take(MAINTAINING_CHUNKS, || self.maintain_chunks(&mut done, true));
        steps.take(WRITING_INDEX, || self.checkpoint_index());
        done.expired_partitions = steps.take(EXPIRING_BY_AGE, || self.expire_by_age()).unwrap_or_default();
        done.expired_partitions
            .extend(steps.take(EXPIRING_BY_SIZE, || self.expire_by_size()).unwrap_or_default());
        done.idle_series = self.evict_idle() as u64;
        steps.take(KEEPING_TIME, || self.keep_time());
        done.synced_sequence = steps.take("syncing", || self.sync()).unwrap_or_default();
        done.trimmed_sequence = self.trimmed.load(std::sync::atomic::Ordering::Acquire);
        steps.end().map(|()| done)
    }

    /// Seals what is due, notes how far it came, and merges chunks.
    fn maintain_chunks(&self, done: &mut Maintenance, everything: bool) -> Result<(), StoreError> {
        let mut steps = Steps::on(&self.database);
        {
            let mut sealing = self.sealing.lock();
            if let Some(sealed) = steps.take("sealing", || self.seal_due(&mut sealing)) {
                done.sealed_samples = sealed.samples;
                done.sealed_chunks = sealed.chunks;
            }
            steps.take("cutting the log", || self.advance(&mut sealing));
        }
        let most = if everything { usize::MAX } else { FOLDS_PER_ROUND };
        done.folded_chunks = steps.take("merging chunks", || self.fold_ragged(most)).unwrap_or_default();
        // Later, when older partitions are gone, there may be room.
        if let Some(partition) = self.unfolded().filter(|partition| self.has_room_to_rewrite(partition)) {
            let folded =
                steps.take("closing a partition", || self.fold_closed(&partition)).unwrap_or_default();
            done.folded_chunks = done.folded_chunks.saturating_add(folded);
        }
        steps.end()
    }

    /// Loads the posting lists for which many new series wait.
    fn load_wanted_series(&self) -> Result<(), StoreError> {
        self.index.load_wanted(&self.database, &self.catalogue.all(Class::Metrics))
    }

    /// Writes the posting lists of the partitions in which nothing was defined since the last time.
    fn checkpoint_index(&self) -> Result<(), StoreError> {
        let _pass = self.catalogue.pass();
        self.index.checkpoint(&self.database, &self.catalogue.all(Class::Metrics), false).map(drop)
    }

    fn fold_ragged(&self, most: usize) -> Result<u64, StoreError> {
        let mut folded = 0_u64;
        for _ in 0..most {
            let Some((start, series)) = self.sealing.lock().ragged.pop_first() else { break };
            let active = self.registry.read().by_id(series).map(Arc::clone);
            if let Some(active) = active {
                active.head().clear_ragged();
            }
            folded = folded.saturating_add(self.fold(start, series, Thoroughness::Open)?);
        }
        Ok(folded)
    }

    /// Brings a partition that gets no more records into its final form; a damaged one stays as it is.
    fn fold_closed(&self, partition: &Arc<Partition>) -> Result<u64, StoreError> {
        let mut folded = 0_u64;
        // Looked at first: compaction would stop all writes at the damage.
        if is_damaged(&self.database, partition)? {
            return self.rest(partition).map(|()| folded);
        }
        if partition.class == Class::Metrics {
            for series in series_with_chunks(&self.database, partition)? {
                folded = folded.saturating_add(self.fold(partition.start, series, Thoroughness::Closed)?);
                self.build_rollups(partition.start, series)?;
            }
        }
        self.database.compact_for_good(&partition.family)?;
        // Cutting drops whole tables; what lies in one with younger rows is freed here.
        let trimmed = self.trimmed.load(std::sync::atomic::Ordering::Acquire);
        self.database.compact_until(LOG, &crate::log::record::key(trimmed));
        self.rest(partition).map(|()| folded)
    }

    /// Keeps a partition from being merged and compacted any further.
    fn rest(&self, partition: &Arc<Partition>) -> Result<(), StoreError> {
        let _pass = self.catalogue.pass();
        match self.catalogue.find(partition.class, partition.start) {
            Some(_) => self.catalogue.set_folded(&self.database, partition, true),
            None => Ok(()),
        }
    }

    /// Merges one series' chunks. Sealing waits no longer than for this one.
    fn fold(&self, partition: i64, series: u32, thoroughness: Thoroughness) -> Result<u64, StoreError> {
        let _sealing = self.sealing.lock();
        let _pass = self.catalogue.pass();
        let Some(partition) = self.catalogue.find(Class::Metrics, partition) else { return Ok(0) };
        // As sealing does: each scan sees the chunks from before or from after, and the cache knows which.
        let commit = |batch: WriteBatch| -> Result<(), StoreError> {
            let _view = self.view.write();
            self.database.commit(batch, Promise::Derived)?;
            self.chunk_cache.note_written(std::iter::once((partition.start, series)));
            Ok(())
        };
        let merged = fold_chunks(&self.database, &partition, series, thoroughness, &commit)?;
        Ok(merged as u64)
    }

    /// Makes the rollups that a series lacks in a partition.
    fn build_rollups(&self, partition: i64, series: u32) -> Result<usize, StoreError> {
        let _sealing = self.sealing.lock();
        let _pass = self.catalogue.pass();
        match self.catalogue.find(Class::Metrics, partition) {
            Some(partition) => rollups::build(&self.database, &partition, series),
            None => Ok(0),
        }
    }

    fn evict_idle(&self) -> usize {
        let now = self.seconds();
        self.registry.evict(|series| {
            let head = series.head();
            head.is_empty() && now.saturating_sub(head.touched()) >= IDLE_SECONDS
        })
    }

    /// One round of the maintenance thread. `indexed` is when posting lists were last written, in seconds. An error is that of
    /// the first step that failed; the others were taken.
    fn round(&self, number: u64, indexed: &mut u64) -> Result<(), StoreError> {
        self.space.look();
        self.balance_memory();
        let mut steps = Steps::on(&self.database);
        steps.take(LOADING_SERIES, || self.load_wanted_series());
        steps.take(MAINTAINING_CHUNKS, || self.maintain_chunks(&mut Maintenance::default(), false));
        // By time, not by rounds: while rounds are asked for before their time, none of them sees a pause in which to write lists
        // that the next new series would change again.
        let now = self.seconds();
        if now.saturating_sub(*indexed) >= INDEX_SECONDS {
            *indexed = now;
            steps.take(WRITING_INDEX, || self.checkpoint_index());
        }
        if number.is_multiple_of(ROUNDS_PER_SLOW_ROUND) {
            steps.take(CREATING_AHEAD, || self.create_ahead());
            steps.take(EXPIRING_BY_AGE, || self.expire_by_age());
            self.evict_idle();
            steps.take(KEEPING_TIME, || self.keep_time());
        }
        steps.take(EXPIRING_BY_SIZE, || self.expire_by_size());
        steps.end()
    }
}

/// The threads that sync and maintain; they stop when it is dropped.
#[derive(Debug)]
pub(crate) struct Caretaker {
    stop: Option<Sender<()>>,
    threads: Vec<JoinHandle<()>>,
}

impl Caretaker {
    /// Starts the threads. `nudges` asks for a round before its time.
    pub(crate) fn start(engine: &Arc<Engine>, nudges: Receiver<()>) -> std::io::Result<Self> {
        let (stop, stopped) = crossbeam_channel::bounded(0);
        let mut caretaker = Self { stop: Some(stop), threads: Vec::new() };
        // A thread of its own: sealing must not make a sync late.
        let (syncing, stopped_too) = (Arc::clone(engine), stopped.clone());
        caretaker.spawn("store-sync", move || keep_synced(&syncing, &stopped_too))?;
        let maintaining = Arc::clone(engine);
        caretaker.spawn("store-upkeep", move || keep_up(&maintaining, &stopped, &nudges))?;
        Ok(caretaker)
    }

    fn spawn(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
        self.threads.push(std::thread::Builder::new().name(name.to_owned()).spawn(work)?);
        Ok(())
    }
}

impl Drop for Caretaker {
    fn drop(&mut self) {
        // The threads end when the channel is closed.
        self.stop.take();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the store panicked");
            }
        }
    }
}

fn keep_synced(engine: &Engine, stopped: &Receiver<()>) {
    let mut failures = Failures::default();
    while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(SYNC_INTERVAL) {
        failures.note("syncing", engine.sync().map(|_| ()));
    }
}

fn keep_up(engine: &Engine, stopped: &Receiver<()>, nudges: &Receiver<()>) {
    let mut failures = Failures::default();
    let mut indexed = engine.seconds();
    for number in 0_u64.. {
        select! {
            recv(stopped) -> _ => return,
            recv(nudges) -> _ => {}
            default(ROUND) => {}
        }
        failures.note("maintaining", engine.round(number, &mut indexed));
    }
}

/// Logs the first of consecutive failures.
#[derive(Default)]
struct Failures {
    failing: bool,
}

impl Failures {
    fn note(&mut self, what: &'static str, result: Result<(), StoreError>) {
        match result {
            Ok(()) => self.failing = false,
            Err(error) if !self.failing => {
                self.failing = true;
                tracing::error!(error = &error as &dyn std::error::Error, "{what} the store fails");
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use telemetry_core::admission::{AcceptedTimes, admit_sample};
    use telemetry_core::{Context, ManualClock, MetricDraft, TimeRange, Timestamp};

    use super::*;
    use crate::error::Damage;
    use crate::{RecordBatch, Store, StoreOptions};

    #[test]
    fn a_step_that_fails_keeps_no_other_from_being_taken() {
        let options = StoreOptions { background: false, ..StoreOptions::in_memory() };
        let store = Store::open(options, Arc::new(ManualClock::at(Timestamp::EPOCH))).unwrap();
        let mut steps = Steps::on(&store.engine.database);
        let failing = |what| move || Err::<u8, StoreError>(Damage::new(what, "it is a test").into());
        assert_eq!(steps.take("one", || Ok(1)), Some(1));
        assert_eq!(steps.take("two", failing("one row")), None);
        for _ in 0..2 {
            assert_eq!(steps.take("three", failing("another row")), None);
        }
        assert_eq!(steps.take("four", || Ok(2)), Some(2));
        let failure = steps.end().unwrap_err();
        assert!(matches!(&failure, StoreError::Damaged(damage) if damage.what == "one row"), "{failure:?}");
        let told = "three fails: a stored row cannot be used: another row is damaged: it is a test";
        assert_eq!(store.stats().reports, [told]);
    }

    #[test]
    fn postings_for_which_many_new_series_wait_are_loaded_by_maintenance() {
        // As many as may wait.
        const NEW: usize = 4096;
        let directory = tempfile::tempdir().unwrap();
        let noon = Timestamp::parse("2026-03-10T12:00:00Z").unwrap();
        let open = || {
            let options = StoreOptions {
                background: false,
                min_free_bytes: 0,
                ..StoreOptions::in_directory(directory.path())
            };
            Store::open(options, Arc::new(ManualClock::at(noon))).unwrap()
        };
        let times = AcceptedTimes { now: noon, oldest: Timestamp::MIN, newest: Timestamp::MAX };
        let append = |store: &Store, hosts: std::ops::Range<usize>| {
            let samples = hosts.map(|host| {
                let context = Context::from_labels([("host", host.to_string().as_str())]);
                admit_sample(MetricDraft::new("m", 1.5).with_context(context).at(noon), &times).unwrap()
            });
            let samples = samples.collect();
            store.append(&RecordBatch { samples, ..RecordBatch::default() }).unwrap();
        };
        let store = open();
        append(&store, 0..1);
        drop(store);
        let store = open();
        append(&store, 1..NEW);
        assert!(!store.engine.index.wants_loading());
        append(&store, NEW..NEW + 1);
        assert!(store.engine.index.wants_loading(), "the call itself did not load them");
        store.maintain().unwrap();
        assert!(!store.engine.index.wants_loading());
        assert_eq!(store.select_series(&Default::default(), TimeRange::ALL).unwrap().len(), NEW + 1);
    }
}
