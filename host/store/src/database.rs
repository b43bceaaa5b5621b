//! RocksDB as the rest of the crate sees it: families by name, reads, and commits.
//!
//! Invariant: after one failed commit or fsync no other commit is tried; what is durable would no longer be certain.

use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use rocksdb::{
    BottommostLevelCompaction, BoundColumnFamily, CompactOptions, DBPinnableSlice, DBWithThreadMode,
    ErrorKind, FlushOptions, MultiThreaded, Options, ReadOptions, SnapshotWithThreadMode, WriteBatch,
    WriteOptions,
};

use crate::directory::has_log;
use crate::error::{EngineError, StoreError};
use crate::families::FIXED;
use crate::options::{Durability, Location, StoreOptions};
use crate::reports::Reports;
pub(crate) use crate::rows::Rows;
use crate::suspicion::Suspicion;
use crate::tuning::{COMPACTING, RESTING, Tuning};

/// Bytes read ahead when a family is read through.
const READ_THROUGH_AHEAD: usize = 2 << 20;

/// The RocksDB instance.
pub(crate) type Rocks = DBWithThreadMode<MultiThreaded>;
/// A column family in use; it stays readable until the last one is let go, even when it is dropped meanwhile.
pub(crate) type Family<'a> = std::sync::Arc<BoundColumnFamily<'a>>;
/// All families as of one moment.
pub(crate) type Snapshot<'a> = SnapshotWithThreadMode<'a, Rocks>;

/// What a commit must survive before it returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    /// As the store's options say: an acknowledged record.
    Acknowledged,
    /// The end of the process: what can be made again from acknowledged records.
    Derived,
}

/// An open RocksDB.
pub(crate) struct Database {
    rocks: Rocks,
    acknowledged: WriteOptions,
    derived: WriteOptions,
    poison: OnceLock<String>,
    /// Whether there is a disk to sync to.
    on_disk: bool,
    unsynced: AtomicBool,
    syncing: Mutex<()>,
    reports: Reports,
    suspicion: Suspicion,
    // After `rocks`: its environment must outlive it.
    tuning: Tuning,
}

impl Database {
    /// Opens or creates the database at `path` with all its families; partitions rest.
    /// Answers also the names of the families that are not among the fixed ones.
    pub(crate) fn open(options: &StoreOptions, path: &Path) -> Result<(Self, Vec<String>), rocksdb::Error> {
        Self::open_with(options, path, Tuning::at_opening)
    }

    /// The same with all families at rest, for repairing: compaction would stop at damage.
    pub(crate) fn open_at_rest(
        options: &StoreOptions,
        path: &Path,
    ) -> Result<(Self, Vec<String>), rocksdb::Error> {
        Self::open_with(options, path, Tuning::at_rest)
    }

    fn open_with(
        options: &StoreOptions,
        path: &Path,
        of_family: fn(&Tuning, &str) -> Options,
    ) -> Result<(Self, Vec<String>), rocksdb::Error> {
        let tuning = Tuning::new(options)?;
        let on_disk = options.location != Location::Memory;
        let exists = on_disk && path.join("CURRENT").try_exists().unwrap_or(false);
        let general = tuning.opening(!exists || has_log(path))?;
        let names = if exists { Rocks::list_cf(&general, path)? } else { vec!["default".to_owned()] };
        let descriptors =
            names.iter().map(|name| rocksdb::ColumnFamilyDescriptor::new(name, of_family(&tuning, name)));
        let rocks = Rocks::open_cf_descriptors(&general, path, descriptors)?;
        for name in FIXED {
            if rocks.cf_handle(name).is_none() {
                rocks.create_cf(name, &tuning.family(name))?;
            }
        }
        let partitions =
            names.into_iter().filter(|name| name != "default" && !FIXED.contains(&name.as_str())).collect();
        let mut acknowledged = WriteOptions::default();
        acknowledged.set_sync(options.durability == Durability::Power && on_disk);
        let database = Self {
            rocks,
            acknowledged,
            derived: WriteOptions::default(),
            poison: OnceLock::new(),
            on_disk,
            unsynced: AtomicBool::new(true),
            syncing: Mutex::new(()),
            reports: Reports::default(),
            suspicion: match &options.location {
                Location::Memory => Suspicion::in_memory(),
                Location::Directory(directory) => Suspicion::at(directory),
            },
            tuning,
        };
        Ok((database, partitions))
    }

    /// RocksDB itself, for properties and file operations.
    pub(crate) fn rocks(&self) -> &Rocks {
        &self.rocks
    }

    /// What was noticed since opening.
    pub(crate) fn reports(&self) -> &Reports {
        &self.reports
    }

    /// The shared parts of RocksDB's options.
    pub(crate) fn tuning(&self) -> &Tuning {
        &self.tuning
    }

    /// Whether tables were found damaged.
    pub(crate) fn suspicion(&self) -> &Suspicion {
        &self.suspicion
    }

    /// The family with this name; `None` when there is none, or no longer.
    pub(crate) fn find_family(&self, name: &str) -> Option<Family<'_>> {
        self.rocks.cf_handle(name)
    }

    /// A family that is there as long as the store is.
    pub(crate) fn family(&self, name: &'static str) -> Result<Family<'_>, StoreError> {
        self.rocks.cf_handle(name).ok_or_else(|| {
            StoreError::Damaged(crate::error::Damage::new("column family", format!("\"{name}\" is missing")))
        })
    }

    /// Creates a partition's family.
    pub(crate) fn create_family(&self, name: &str) -> Result<(), StoreError> {
        self.check()?;
        self.rocks.create_cf(name, &self.tuning.at_opening(name)).map_err(|error| self.poisoned_by(error))?;
        self.set_compaction(name, true)
    }

    /// Drops a family; its files go when its last reader is done.
    pub(crate) fn drop_family(&self, name: &str) -> Result<(), StoreError> {
        self.check()?;
        // Held until the binding has let go of its lock on all families: deleting files must not keep others from theirs.
        let _held = self.rocks.cf_handle(name);
        self.rocks.drop_cf(name).map_err(|error| self.poisoned_by(error))
    }

    /// Lets RocksDB compact a partition by itself, or no longer. A family that is gone is nothing to do.
    pub(crate) fn set_compaction(&self, name: &str, on: bool) -> Result<(), StoreError> {
        let Some(family) = self.find_family(name) else { return Ok(()) };
        let options = if on { COMPACTING.as_slice() } else { &RESTING };
        self.rocks.set_options_cf(&family, options).map_err(StoreError::read("a family's options"))
    }

    /// Reads a family through; answers the damage at which that ended. A family that is gone has none.
    pub(crate) fn damage_in(&self, name: &str) -> Result<Option<EngineError>, StoreError> {
        let Some(family) = self.find_family(name) else { return Ok(None) };
        let mut rows = self.read_through(&family);
        rows.first();
        while rows.row().is_some() {
            rows.forward();
        }
        rows.damage()
    }

    /// All rows of a family, for one who reads them once.
    pub(crate) fn read_through(&self, family: &Family<'_>) -> Rows<'_> {
        let mut options = ReadOptions::default();
        options.fill_cache(false);
        options.set_readahead_size(READ_THROUGH_AHEAD);
        Rows::over(&self.rocks, family, options)
    }

    /// Shows the rows of `first..after`, read once: they do not stay in the cache.
    pub(crate) fn each_row(
        &self,
        family: &Family<'_>,
        first: &[u8],
        after: &[u8],
        see: &mut dyn FnMut(&[u8], &[u8]),
    ) -> Result<(), StoreError> {
        let mut options = ReadOptions::default();
        options.fill_cache(false);
        options.set_readahead_size(READ_THROUGH_AHEAD);
        let mut rows = self.rows_with(family, first.to_vec(), after.to_vec(), options);
        rows.first();
        while let Some((key, value)) = rows.row() {
            see(key, value);
            rows.forward();
        }
        rows.check("a family")
    }

    /// Brings all rows of a partition that gets no more into as few and small tables as possible. A family that is gone is nothing
    /// to do.
    pub(crate) fn compact_for_good(&self, name: &str) -> Result<(), StoreError> {
        let Some(family) = self.find_family(name) else { return Ok(()) };
        self.rocks
            .set_options_cf(&family, Tuning::for_good(name))
            .map_err(StoreError::read("a family's options"))?;
        let mut options = CompactOptions::default();
        options.set_exclusive_manual_compaction(false);
        // Also what RocksDB has brought to the last level by itself, with the options of an open partition.
        options.set_bottommost_level_compaction(BottommostLevelCompaction::Force);
        self.rocks.compact_range_cf_opt(&family, None::<&[u8]>, None::<&[u8]>, &options);
        Ok(())
    }

    /// Brings the rows of a family up to `last` into as few tables as possible, which frees what was deleted there.
    pub(crate) fn compact_until(&self, name: &str, last: &[u8]) {
        let Some(family) = self.find_family(name) else { return };
        self.rocks.compact_range_cf(&family, None::<&[u8]>, Some(last));
    }

    /// The value of a key.
    pub(crate) fn get(
        &self,
        family: &Family<'_>,
        key: &[u8],
    ) -> Result<Option<DBPinnableSlice<'_>>, StoreError> {
        self.rocks.get_pinned_cf(family, key).map_err(StoreError::read("a row"))
    }

    /// The state of all families now.
    pub(crate) fn snapshot(&self) -> Snapshot<'_> {
        self.rocks.snapshot()
    }

    /// The rows of `family` whose keys lie in `lower..upper`.
    pub(crate) fn rows(&self, family: &Family<'_>, lower: Vec<u8>, upper: Vec<u8>) -> Rows<'_> {
        self.rows_with(family, lower, upper, ReadOptions::default())
    }

    /// The rows of `family` whose keys lie in `lower..upper`, as of `snapshot`. Their blocks stay in the cache: what was asked
    /// once is likely to be asked again, and the cache keeps indexes and filters apart from them.
    pub(crate) fn rows_at<'a>(
        &'a self,
        snapshot: &'a Snapshot<'a>,
        family: &Family<'_>,
        lower: Vec<u8>,
        upper: Vec<u8>,
    ) -> Rows<'a> {
        let mut options = ReadOptions::default();
        options.set_snapshot(snapshot);
        self.rows_with(family, lower, upper, options)
    }

    fn rows_with(
        &self,
        family: &Family<'_>,
        lower: Vec<u8>,
        upper: Vec<u8>,
        mut options: ReadOptions,
    ) -> Rows<'_> {
        options.set_iterate_lower_bound(lower);
        options.set_iterate_upper_bound(upper);
        Rows::over(&self.rocks, family, options)
    }

    /// Writes a batch as a whole, or nothing of it. A failure poisons the store.
    pub(crate) fn commit(&self, batch: WriteBatch, promise: Promise) -> Result<(), StoreError> {
        self.check()?;
        let options = match promise {
            Promise::Acknowledged => &self.acknowledged,
            Promise::Derived => &self.derived,
        };
        self.rocks.write_opt(batch, options).map_err(|error| self.poisoned_by(error))?;
        self.unsynced.store(true, Ordering::Release);
        Ok(())
    }

    /// Writes a batch past the write-ahead log: it is durable once its families are flushed. Only where nobody else writes.
    pub(crate) fn commit_unlogged(&self, batch: WriteBatch) -> Result<(), StoreError> {
        self.check()?;
        let mut options = WriteOptions::default();
        options.disable_wal(true);
        self.rocks.write_opt(batch, &options).map_err(|error| self.poisoned_by(error))
    }

    /// Brings a family's write buffer into a table. A family that is gone is nothing to do.
    pub(crate) fn flush(&self, name: &str) -> Result<(), StoreError> {
        let Some(family) = self.find_family(name) else { return Ok(()) };
        let mut wait = FlushOptions::default();
        wait.set_wait(true);
        self.rocks.flush_cf_opt(&family, &wait).map_err(|error| self.poisoned_by(error))
    }

    /// Makes everything durable that was committed before the call. Cheap when there is nothing new.
    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        self.check()?;
        // Whoever comes while another sync is under way waits for it: it may have begun before his records.
        let _syncing = self.syncing.lock();
        if self.on_disk && self.unsynced.swap(false, Ordering::AcqRel) {
            self.rocks.flush_wal(true).map_err(|error| self.poisoned_by(error))?;
        }
        Ok(())
    }

    /// Whether writes are refused until the store is reopened, and why.
    pub(crate) fn poison(&self) -> Option<&str> {
        self.poison.get().map(String::as_str)
    }

    /// Fails when the store is poisoned.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        match self.poison.get() {
            None => Ok(()),
            Some(reason) => Err(StoreError::Poisoned { reason: reason.clone() }),
        }
    }

    fn poisoned_by(&self, error: rocksdb::Error) -> StoreError {
        if error.kind() == ErrorKind::Corruption {
            self.suspicion.raise();
        }
        if self.poison.set(error.to_string()).is_ok() {
            tracing::error!(error = %error, "a write failed; the store accepts no more writes until it is reopened");
        }
        StoreError::Write { source: EngineError(error) }
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("path", &self.rocks.path()).finish_non_exhaustive()
    }
}
