//! A store in a directory of its own, under a clock that stands where the data ends.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use telemetry_core::{AdmittedSample, ManualClock, Timestamp};
use telemetry_store::{RecordBatch, Store, StoreOptions};

/// An open store and its directory, which goes with it.
pub(crate) struct Site {
    pub(crate) store: Store,
    clock: Arc<ManualClock>,
    folder: tempfile::TempDir,
}

impl Site {
    /// A new store at `now`, with the default options apart from what `change` does to them.
    pub(crate) fn open(now: Timestamp, change: impl FnOnce(&mut StoreOptions)) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut options = StoreOptions::in_directory(folder.path().join("store"));
        change(&mut options);
        let clock = Arc::new(ManualClock::at(now));
        let store = Store::open(options, Arc::clone(&clock) as _)?;
        Ok(Self { store, clock, folder })
    }

    pub(crate) fn append(&self, samples: Vec<AdmittedSample>) -> anyhow::Result<()> {
        self.store.append(&RecordBatch { samples, ..RecordBatch::default() })?;
        Ok(())
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    /// Lets the days of the data pass, so that every partition is brought into its final form.
    pub(crate) fn close_days(&self, width: u32) -> anyhow::Result<()> {
        self.store.seal()?;
        // In steps, as the clock of a host that runs, until the last partition of so many days is over too.
        for _ in 0..width * 48 + 12 {
            self.clock.advance(Duration::from_secs(1800));
            self.store.maintain()?;
        }
        Ok(())
    }

    /// Closes the store; answers the bytes of its tables by column family.
    pub(crate) fn close(self) -> anyhow::Result<Tables> {
        let Self { store, folder, .. } = self;
        drop(store);
        Tables::in_directory(&folder.path().join("store/rocksdb"), |_, _| Ok(()))
    }

    /// Closes the store, lets `change` do something to each family's tables, and opens it again; answers their bytes between.
    pub(crate) fn rebuilt(
        self,
        change: impl Fn(&rocksdb::DB, &str) -> anyhow::Result<()>,
    ) -> anyhow::Result<(Tables, Self)> {
        let Self { store, clock, folder } = self;
        drop(store);
        let tables = Tables::in_directory(&folder.path().join("store/rocksdb"), change)?;
        let options = StoreOptions::in_directory(folder.path().join("store"));
        let store = Store::open(options, Arc::clone(&clock) as _)?;
        Ok((tables, Self { store, clock, folder }))
    }
}

/// The bytes of a store's tables.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    /// Of the metrics' partitions: chunks, headers, definitions, postings.
    pub(crate) metrics: u64,
    /// Of the events' partitions.
    pub(crate) events: u64,
    /// Of all other families.
    pub(crate) other: u64,
}

impl Tables {
    /// Compresses a family of events anew, as it would be without a dictionary.
    pub(crate) fn compact_plainly(database: &rocksdb::DB, name: &str) -> anyhow::Result<()> {
        let Some(family) = database.cf_handle(name).filter(|_| name.starts_with("e.")) else { return Ok(()) };
        let plain = [
            ("bottommost_compression", "kZSTD"),
            ("bottommost_compression_opts", "{enabled=false;max_dict_bytes=0}"),
        ];
        database.set_options_cf(family, &plain)?;
        let mut options = rocksdb::CompactOptions::default();
        options.set_bottommost_level_compaction(rocksdb::BottommostLevelCompaction::Force);
        database.compact_range_cf_opt(family, None::<&[u8]>, None::<&[u8]>, &options);
        Ok(())
    }

    fn in_directory(
        path: &Path,
        change: impl Fn(&rocksdb::DB, &str) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let mut options = rocksdb::Options::default();
        options.set_max_open_files(64);
        let names = rocksdb::DB::list_cf(&options, path)?;
        options.set_disable_auto_compactions(true);
        // As the store's own tables are, for the sake of what is written anew.
        let mut table = rocksdb::BlockBasedOptions::default();
        table.set_bloom_filter(10.0, false);
        table.set_format_version(6);
        options.set_block_based_table_factory(&table);
        // Opened for reading only, RocksDB 11.8 crashes on a store whose options track logs in the manifest.
        let families = names.iter().map(|name| (name, options.clone()));
        let database = rocksdb::DB::open_cf_with_opts(&options, path, families)?;
        let mut tables = Self::default();
        for name in &names {
            change(&database, name)?;
            let family = database.cf_handle(name).with_context(|| name.clone())?;
            let bytes = database.property_int_value_cf(family, "rocksdb.total-sst-files-size")?;
            let place = match name.get(..2) {
                Some("m.") => &mut tables.metrics,
                Some("e.") => &mut tables.events,
                _ => &mut tables.other,
            };
            *place += bytes.unwrap_or(0);
        }
        Ok(tables)
    }

    pub(crate) fn all(&self) -> u64 {
        self.metrics + self.events + self.other
    }
}
