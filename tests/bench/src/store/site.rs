//! A store in a directory of its own, under a clock that stands where the data ends.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use telemetry_core::{AdmittedSample, ManualClock, Timestamp};
use telemetry_store::{RecordBatch, Store, StoreOptions};

/// An open store and its directory, which goes with it.
pub(super) struct Site {
    pub(super) store: Store,
    clock: Arc<ManualClock>,
    folder: tempfile::TempDir,
}

impl Site {
    /// A new store at `now`, with the default options apart from what `change` does to them.
    pub(super) fn open(now: Timestamp, change: impl FnOnce(&mut StoreOptions)) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut options = StoreOptions::in_directory(folder.path().join("store"));
        change(&mut options);
        let clock = Arc::new(ManualClock::at(now));
        let store = Store::open(options, Arc::clone(&clock) as _)?;
        Ok(Self { store, clock, folder })
    }

    pub(super) fn append(&self, samples: Vec<AdmittedSample>) -> anyhow::Result<()> {
        self.store.append(&RecordBatch { samples, ..RecordBatch::default() })?;
        Ok(())
    }

    /// Lets time pass.
    pub(super) fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    /// Lets the days of the data pass, so that every partition is brought into its final form.
    pub(super) fn close_days(&self, width: u32) -> anyhow::Result<()> {
        self.store.seal()?;
        // In steps, as the clock of a host that runs, until the last partition of so many days is over too.
        for _ in 0..width * 48 + 12 {
            self.clock.advance(Duration::from_secs(1800));
            self.store.maintain()?;
        }
        Ok(())
    }

    /// Closes the store; answers the bytes of its tables by column family.
    pub(super) fn close(self) -> anyhow::Result<Tables> {
        let Self { store, folder, .. } = self;
        drop(store);
        Tables::in_directory(&folder.path().join("store/rocksdb"))
    }
}

/// The bytes of a store's tables.
#[derive(Debug, Default)]
pub(super) struct Tables {
    /// Of the metrics' partitions: chunks, headers, definitions, postings.
    pub(super) metrics: u64,
    /// Of all other families.
    pub(super) other: u64,
}

impl Tables {
    fn in_directory(path: &Path) -> anyhow::Result<Self> {
        let mut options = rocksdb::Options::default();
        options.set_max_open_files(64);
        let names = rocksdb::DB::list_cf(&options, path)?;
        options.set_disable_auto_compactions(true);
        // Opened for reading only, RocksDB 11.8 crashes on a store whose options track logs in the manifest.
        let families = names.iter().map(|name| (name, options.clone()));
        let database = rocksdb::DB::open_cf_with_opts(&options, path, families)?;
        let mut tables = Self::default();
        for name in &names {
            let family = database.cf_handle(name).with_context(|| name.clone())?;
            let bytes = database.property_int_value_cf(family, "rocksdb.total-sst-files-size")?;
            let place = if name.starts_with("m.") { &mut tables.metrics } else { &mut tables.other };
            *place += bytes.unwrap_or(0);
        }
        Ok(tables)
    }

    pub(super) fn all(&self) -> u64 {
        self.metrics + self.other
    }
}
