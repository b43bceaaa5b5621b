//! Everything the store does by itself: syncing, sealing, merging, expiring; in a thread of its own or when it is told.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, select};

use crate::catalogue::is_damaged;
use crate::chunks::{Thoroughness, fold_series, series_with_chunks};
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

impl Engine {
    /// Does all that is due.
    pub(crate) fn maintain(&self) -> Result<Maintenance, StoreError> {
        self.database.check()?;
        self.space.look();
        let mut done = Maintenance::default();
        self.create_ahead()?;
        self.balance_memory();
        self.maintain_chunks(&mut done, true)?;
        self.checkpoint_index()?;
        done.expired_partitions = self.expire_due()?;
        done.idle_series = self.evict_idle() as u64;
        self.keep_time()?;
        done.synced_sequence = self.sync()?;
        done.trimmed_sequence = self.trimmed.load(std::sync::atomic::Ordering::Acquire);
        Ok(done)
    }

    /// Drops what is too old or too much.
    fn expire_due(&self) -> Result<Vec<String>, StoreError> {
        let mut expired = self.expire_by_age()?;
        expired.extend(self.expire_by_size()?);
        Ok(expired)
    }

    /// Seals what is due, notes how far it came, and merges chunks.
    fn maintain_chunks(&self, done: &mut Maintenance, everything: bool) -> Result<(), StoreError> {
        {
            let mut sealing = self.sealing.lock();
            let sealed = self.seal_due(&mut sealing)?;
            done.sealed_samples = sealed.samples;
            done.sealed_chunks = sealed.chunks;
            self.advance(&mut sealing)?;
        }
        done.folded_chunks = self.fold_ragged(if everything { usize::MAX } else { FOLDS_PER_ROUND })?;
        // Later, when older partitions are gone, there may be room.
        if let Some(partition) = self.unfolded().filter(|partition| self.has_room_to_rewrite(partition)) {
            done.folded_chunks = done.folded_chunks.saturating_add(self.fold_closed(&partition)?);
        }
        Ok(())
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
        match self.catalogue.find(Class::Metrics, partition) {
            Some(partition) => {
                let merged = fold_series(&self.database, &partition, series, thoroughness)?;
                if merged > 0 {
                    self.chunk_cache.forget_series(&partition, series);
                }
                Ok(merged as u64)
            }
            None => Ok(0),
        }
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

    /// One round of the maintenance thread. `indexed` is when posting lists were last written, in seconds.
    fn round(&self, number: u64, indexed: &mut u64) -> Result<(), StoreError> {
        self.space.look();
        self.balance_memory();
        self.maintain_chunks(&mut Maintenance::default(), false)?;
        // By time, not by rounds: while rounds are asked for before their time, none of them sees a pause in which to write lists
        // that the next new series would change again.
        let now = self.seconds();
        if now.saturating_sub(*indexed) >= INDEX_SECONDS {
            *indexed = now;
            self.checkpoint_index()?;
        }
        if number.is_multiple_of(ROUNDS_PER_SLOW_ROUND) {
            self.create_ahead()?;
            self.expire_by_age()?;
            self.evict_idle();
            self.keep_time()?;
        }
        self.expire_by_size().map(|_| ())
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
