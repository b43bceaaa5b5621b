//! Opening a store: its identity, and replaying the log into the heads.
//!
//! Invariant: every sample that was acknowledged is in a chunk or in a head afterwards, exactly once; what is missing is
//! reported, never passed over.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crossbeam_channel::Sender;
use parking_lot::{Mutex, RwLock};
use rocksdb::{ErrorKind, WriteBatch};
use telemetry_core::{Clock, EventIdGenerator, Timestamp};
use uuid::Uuid;

use crate::backup::clear_staging;
use crate::budget::MemoryBudget;
use crate::catalogue::Catalogue;
use crate::chunks::ChunkCache;
use crate::column::weight;
use crate::database::{Database, Promise};
use crate::directory::{self, DirectoryLock, ROCKS_DIRECTORY, io_failure, without_its_index};
use crate::engine::Engine;
use crate::error::{EngineError, OpenError, StoreError};
use crate::events::{Claims, EventIndex};
use crate::families::{Class, LOG, META};
use crate::frames_check::endless_log;
use crate::head::{
    FULL_HEAD, Ledger, OpenHeads, Registry, Sealing, Series, SeriesIds, SeriesLimits, Vacancy,
};
use crate::log::LogSize;
use crate::log::record::{self, LogRecord, SampleColumns};
use crate::meta::{self, FORMAT, Identity, Progress, SealNote};
use crate::options::{Location, StoreOptions};
use crate::plugin_state::PluginUsage;
use crate::retention_clock::RetentionClock;
use crate::rollups::StateBook;
use crate::series::SeriesIndex;
use crate::space::Space;
use crate::synced::SyncedMark;

/// Why opening stopped, before the directory is known to the error.
enum Stop {
    Newer { found: u32 },
    Store(StoreError),
}

impl<E: Into<StoreError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Store(error.into())
    }
}

/// Opens the store and replays its log.
pub(crate) fn open(
    options: StoreOptions,
    clock: Arc<dyn Clock>,
    wake: Sender<()>,
) -> Result<(Engine, DirectoryLock), OpenError> {
    let (directory, lock, synced) = match &options.location {
        Location::Memory => (PathBuf::from("memory"), DirectoryLock::of_nothing(), SyncedMark::in_memory()),
        Location::Directory(directory) => {
            let lock = directory::lock(directory)?;
            clear_staging(directory);
            let rocks = directory.join(ROCKS_DIRECTORY);
            if let Some(damage) = without_its_index(&rocks).or_else(|| endless_log(&rocks)) {
                return Err(OpenError::Corrupt { directory: directory.clone(), source: Box::new(damage) });
            }
            let synced = SyncedMark::open(directory).map_err(|error| io_failure(directory, error))?;
            directory::settle(directory)?;
            (directory.clone(), lock, synced)
        }
    };
    let path = match options.location {
        // The library makes sure of the directory even where the environment is in memory: this one is there already. Not
        // the root: the engine does not find its files again below a path that ends in a separator.
        Location::Memory => std::env::temp_dir(),
        Location::Directory(_) => directory.join(ROCKS_DIRECTORY),
    };
    let (database, partitions) =
        Database::open(&options, &path).map_err(|error| rocks_failure(&directory, error))?;
    match recover(database, &partitions, options, clock, synced, wake) {
        Ok(engine) => Ok((engine, lock)),
        Err(Stop::Newer { found }) => Err(OpenError::NewerFormat { directory, found, known: FORMAT }),
        Err(Stop::Store(error)) if error.is_damage() => {
            Err(OpenError::Corrupt { directory, source: Box::new(error) })
        }
        Err(Stop::Store(error)) => Err(OpenError::of_failure(&directory, Box::new(error))),
    }
}

/// What RocksDB says where it could not open a file that is there, of whatever cause: it suspects direct I/O, which we do
/// not use. The first one leaves the cause out.
const UNOPENED: [&str; 2] =
    ["Direct I/O is not supported by the specified DB", "Found options incompatible with filesystem"];

fn rocks_failure(directory: &Path, error: rocksdb::Error) -> OpenError {
    let (directory, kind) = (directory.to_owned(), error.kind());
    let text = error.to_string();
    let source = Box::new(EngineError(error));
    match kind {
        ErrorKind::InvalidArgument if UNOPENED.iter().any(|words| text.contains(words)) => {
            OpenError::of_failure(&directory, source)
        }
        ErrorKind::Corruption | ErrorKind::InvalidArgument | ErrorKind::NotSupported => {
            OpenError::Corrupt { directory, source }
        }
        _ => OpenError::of_failure(&directory, source),
    }
}

fn recover(
    database: Database,
    partitions: &[String],
    options: StoreOptions,
    clock: Arc<dyn Clock>,
    synced: SyncedMark,
    wake: Sender<()>,
) -> Result<Engine, Stop> {
    let identity = identity(&database)?;
    let catalogue = Catalogue::open(&database, partitions, &options)?;
    let progress = progress(&database)?;
    for (class, start, count) in &progress.counts {
        if let Some(partition) = catalogue.find(*class, *start) {
            partition.count(*count);
        }
    }
    let index = SeriesIndex::new(options.memory_bytes);
    let ids = series_ids(&database, &catalogue, &index)?;
    let last = last_sequence(&database, &progress)?;
    let last_known = read_number(&database, meta::CLOCK_KEY, "last known time")?.map(Timestamp::from_nanos);
    let limits = SeriesLimits { per_metric: options.max_series_per_metric, total: options.max_series };
    let [seed, start] = random();
    let (sealing, sealed) = seal_notes(&database)?;
    let engine = Engine {
        ids: EventIdGenerator::new(identity.tag, start),
        index,
        catalogue,
        events: EventIndex::new(identity.tag),
        claims: Claims::new(),
        registry: Registry::new(limits, seed, ids),
        ledger: Ledger::after(last),
        view: RwLock::new(()),
        chunk_cache: ChunkCache::new(MemoryBudget::of(options.memory_bytes).chunk_cache()),
        sealing: Mutex::new(sealing),
        buffered: AtomicUsize::new(0),
        open_heads: OpenHeads::default(),
        watermark: AtomicU64::new(progress.watermark),
        trimmed: AtomicU64::new(progress.trimmed),
        log_size: LogSize::default(),
        overflowed: AtomicU64::new(0),
        usage: PluginUsage::default(),
        states: StateBook::load(&database)?,
        space: Space::new(&options),
        retention: Mutex::new(RetentionClock::start(last_known, clock.now(), clock.monotonic())),
        expiring: Mutex::default(),
        backing_up: Mutex::new(()),
        synced,
        wake,
        database,
        options,
        clock,
    };
    engine.replay(&progress, &sealed)?;
    engine.compare_with_synced(last);
    engine.space.look();
    Ok(engine)
}

fn random() -> [u64; 2] {
    let (high, low) = Uuid::new_v4().as_u64_pair();
    // Version and variant bits are fixed; a second UUID fills them.
    let (other_high, other_low) = Uuid::new_v4().as_u64_pair();
    [high ^ other_low.rotate_left(32), low ^ other_high.rotate_left(32)]
}

fn identity(database: &Database) -> Result<Identity, Stop> {
    let family = database.family(META)?;
    if let Some(value) = database.get(&family, meta::IDENTITY_KEY)? {
        let found = Identity::decode(&value)?;
        return match found.format.cmp(&FORMAT) {
            std::cmp::Ordering::Greater => Err(Stop::Newer { found: found.format }),
            std::cmp::Ordering::Equal => Ok(found),
            // From now on there may be rows that an older release would take for damaged.
            std::cmp::Ordering::Less => note_identity(database, Identity { format: FORMAT, ..found }),
        };
    }
    let [random, _] = random();
    note_identity(database, Identity { format: FORMAT, tag: (random & 0x3FFF) as u16 })
}

fn note_identity(database: &Database, identity: Identity) -> Result<Identity, Stop> {
    let family = database.family(META)?;
    let mut batch = WriteBatch::new();
    batch.put_cf(&family, meta::IDENTITY_KEY, identity.encode());
    database.commit(batch, Promise::Derived)?;
    Ok(identity)
}

fn progress(database: &Database) -> Result<Progress, StoreError> {
    let value = database.get(&database.family(META)?, meta::PROGRESS_KEY)?;
    Ok(value.map(|value| Progress::decode(&value)).transpose()?.unwrap_or_default())
}

fn read_number(database: &Database, key: &[u8], what: &'static str) -> Result<Option<i64>, StoreError> {
    let value = database.get(&database.family(META)?, key)?;
    Ok(value.map(|value| meta::read_number(what, &value)).transpose()?)
}

/// The next series id: after those noted as given out, and after those in use, should the note have been lost.
fn series_ids(
    database: &Database,
    catalogue: &Catalogue,
    index: &SeriesIndex,
) -> Result<SeriesIds, StoreError> {
    let noted = read_number(database, meta::NEXT_SERIES_KEY, "next series id")?.unwrap_or(1);
    let mut next = u32::try_from(noted).unwrap_or(u32::MAX);
    for partition in catalogue.all(Class::Metrics) {
        if let Some(greatest) = index.greatest_id(database, &partition)? {
            next = next.max(greatest.saturating_add(1));
        }
    }
    Ok(SeriesIds { next, reserved: next })
}

/// The last sequence number that was given to a stored record.
fn last_sequence(database: &Database, progress: &Progress) -> Result<u64, StoreError> {
    let log = database.family(LOG)?;
    let mut rows = database.rows(&log, Vec::new(), record::key(u64::MAX).to_vec());
    rows.last();
    rows.check("the log")?;
    let Some((key, value)) = rows.row() else { return Ok(progress.counted) };
    let first = record::sequence_of(key)?;
    // A damaged row holds no more records than bytes.
    let records = LogRecord::decode(value).map_or(value.len() as u64, |row| row.len());
    Ok(first.saturating_add(records).saturating_sub(1).max(progress.counted))
}

/// Up to which sequence number each series is sealed, where that is beyond the watermark.
fn seal_notes(database: &Database) -> Result<(Sealing, HashMap<u32, u64>), StoreError> {
    let (lower, upper) = SealNote::keys();
    let mut rows = database.rows(&database.family(META)?, lower, upper);
    let mut sealing = Sealing::default();
    let mut sealed: HashMap<u32, u64> = HashMap::new();
    rows.first();
    while let Some((key, value)) = rows.row() {
        let number = SealNote::number(key)?;
        let note = SealNote::decode(value)?;
        sealing.next_note = number.saturating_add(1);
        sealing.notes.push_back((number, note.last()));
        for (series, sequence) in note.series {
            let last = sealed.entry(series).or_default();
            *last = sequence.max(*last);
        }
        rows.forward();
    }
    rows.check("seal notes")?;
    Ok((sealing, sealed))
}

impl Engine {
    /// Brings the samples after the watermark back into the heads, and the counts up to date.
    fn replay(&self, progress: &Progress, sealed: &HashMap<u32, u64>) -> Result<(), StoreError> {
        let log = self.database.family(LOG)?;
        let mut rows = self.database.rows(&log, Vec::new(), record::key(u64::MAX).to_vec());
        rows.first();
        while let Some((key, value)) = rows.row() {
            let first = record::sequence_of(key)?;
            let bytes = value.len() as u64;
            // Rows that a slow reader still needs are only counted; their count of records does not matter then.
            if first.saturating_add(bytes) <= progress.watermark.min(progress.counted) {
                self.log_size.add(first, bytes);
                rows.forward();
                continue;
            }
            match LogRecord::decode(value) {
                Ok(row) => {
                    self.log_size.add(first.saturating_add(row.len()).saturating_sub(1), bytes);
                    self.replay_row(first, row, progress, sealed)?;
                }
                Err(damage) => {
                    self.log_size.add(first, bytes);
                    self.database.reports().add(format!("log row {first} is set aside: {}", damage.reason));
                }
            }
            rows.forward();
        }
        rows.check("the log")
    }

    fn replay_row(
        &self,
        first: u64,
        row: LogRecord,
        progress: &Progress,
        sealed: &HashMap<u32, u64>,
    ) -> Result<(), StoreError> {
        match row {
            LogRecord::Tick(_) => Ok(()),
            LogRecord::Events(times) => {
                for (sequence, time) in (first..).zip(times) {
                    if sequence > progress.counted
                        && let Some(partition) = self.catalogue.find(Class::Events, time)
                    {
                        partition.count(1);
                    }
                }
                Ok(())
            }
            LogRecord::Samples(columns) => self.replay_samples(first, &columns, progress, sealed),
        }
    }

    fn replay_samples(
        &self,
        first: u64,
        columns: &SampleColumns,
        progress: &Progress,
        sealed: &HashMap<u32, u64>,
    ) -> Result<(), StoreError> {
        let seconds = self.seconds();
        for (index, (id, time)) in columns.series.iter().zip(&columns.times).enumerate() {
            let sequence = first.saturating_add(index as u64);
            // Where there is no partition, retention dropped the sample.
            let Some(partition) = self.catalogue.find(Class::Metrics, *time) else { continue };
            if sequence > progress.counted {
                partition.count(1);
            }
            let in_chunk =
                sequence <= progress.watermark || sealed.get(id).is_some_and(|last| sequence <= *last);
            let Some(value) = columns.values.get(index) else { continue };
            if in_chunk {
                continue;
            }
            let active = self.registry.read().by_id(*id).map(Arc::clone);
            let series = match active {
                Some(series) => series,
                None => match self.index.lookup(&self.database, &partition, *id)? {
                    Some(found) => self.registry.insert(Series::new(
                        *id,
                        found.key.clone(),
                        found.overflow,
                        Vacancy::UNKNOWN,
                    )),
                    None => {
                        let text = format!(
                            "samples of series {id} are lost: it is not defined in {}",
                            partition.family
                        );
                        self.database.reports().add(text);
                        continue;
                    }
                },
            };
            let mut head = series.head();
            let length = head.push_published(*time, &value, sequence);
            if length == 1 {
                self.open_heads.opened(*id, sequence);
            }
            head.touch(seconds);
            drop(head);
            if length.is_multiple_of(FULL_HEAD) {
                self.open_heads.filled(*id);
            }
            self.buffered.fetch_add(weight(&value), Ordering::Relaxed);
        }
        Ok(())
    }

    /// Reports records that were known to be on the disk and are gone.
    fn compare_with_synced(&self, last: u64) {
        let synced = self.synced.sequence();
        if synced > last {
            self.database.reports().add(format!(
                "records {} to {synced} were on the disk and are gone: the write-ahead log was cut or damaged",
                last.saturating_add(1)
            ));
            if let Err(error) = self.synced.reset(last) {
                self.database.reports().add(format!("the last synced record could not be noted: {error}"));
            }
        }
    }
}
