//! The series of all partitions: defining them, finding them by number, by what they are called and by selection.
//!
//! Invariant: what memory holds of a partition is its rows plus what was defined since; it can be let go whenever the rows
//! are complete.

mod room;
pub(super) mod waiting;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use parking_lot::{Mutex, RwLock};
use rocksdb::WriteBatch;
use telemetry_core::{MetricSelection, SeriesKey};

use super::definition::{Definition, SeriesRef};
use super::load::{greatest_defined, load};
use super::partition_index::PartitionIndex;
use super::recent::RecentDefinitions;
use super::rows;
use crate::budget::MemoryBudget;
use crate::database::{Database, Family, Promise};
use crate::error::{Damage, StoreError};
use crate::families::Partition;
use waiting::Waiting;

pub(crate) use room::Uncommitted;

/// The series of all metrics partitions.
pub(crate) struct SeriesIndex {
    slots: RwLock<HashMap<i64, Arc<Slot>>>,
    definitions: Mutex<RecentDefinitions>,
    budget: MemoryBudget,
    uses: AtomicU64,
    /// Bytes of postings and definitions as last measured.
    measured: AtomicU64,
    /// Bytes of the index that are neither, as last told.
    others: AtomicU64,
    /// Whether the postings of any slot are to be loaded.
    wanted: AtomicBool,
}

/// What memory holds of one partition. Locks are taken in the order of the fields.
#[derive(Default)]
pub(super) struct Slot {
    loading: Mutex<()>,
    pub(super) defining: Mutex<Defining>,
    pub(super) postings: RwLock<Option<PartitionIndex>>,
    /// Memory that definitions take which wait for the postings, in bytes.
    waiting_bytes: AtomicUsize,
    /// Whether so many definitions wait that the postings are to be loaded.
    wanted: AtomicBool,
    /// Definitions that are not committed yet: rows do not tell of them.
    uncommitted: AtomicUsize,
    last_use: AtomicU64,
}

/// What was defined in a partition since the process began.
#[derive(Default)]
pub(super) struct Defining {
    /// Whether the posting rows are known to be marked as incomplete, or as complete.
    pub(super) rows: PostingRows,
    /// Definitions that are to be added when the postings are loaded.
    added: Waiting,
    /// Whether anything was defined since the last look at it.
    pub(super) busy: bool,
}

/// What is known of a partition's posting rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum PostingRows {
    /// Nothing was defined since the process began: they are what they are.
    #[default]
    Untouched,
    /// The mark that they are complete is gone.
    Incomplete,
    /// They are complete and marked so.
    Complete,
}

impl SeriesIndex {
    /// An index that keeps within its share of `memory_bytes`.
    pub(crate) fn new(memory_bytes: u64) -> Self {
        let budget = MemoryBudget::of(memory_bytes);
        Self {
            slots: RwLock::default(),
            definitions: Mutex::new(RecentDefinitions::new(budget.definitions())),
            budget,
            uses: AtomicU64::new(0),
            measured: AtomicU64::new(0),
            others: AtomicU64::new(0),
            wanted: AtomicBool::new(false),
        }
    }

    /// Adds the definition of an active series to `batch`. May be repeated; harmless when the batch is never committed. What is
    /// answered is to be kept until the batch was committed or given up.
    pub(crate) fn define(
        &self,
        database: &Database,
        batch: &mut WriteBatch,
        partition: &Partition,
        id: u32,
        key: &SeriesKey,
        overflow: bool,
    ) -> Result<Uncommitted, StoreError> {
        let family = database
            .find_family(&partition.family)
            .ok_or_else(|| Damage::new("column family", format!("\"{}\" is missing", partition.family)))?;
        let slot = self.slot(partition);
        let mut defining = slot.defining.lock();
        if defining.rows == PostingRows::Untouched && self.greatest_id(database, partition)?.is_none() {
            // A new partition needs no loading: its postings grow with it.
            slot.postings.write().get_or_insert_default();
        }
        if defining.rows != PostingRows::Incomplete {
            // Before the definition can be stored, so that complete posting rows never lack a series.
            let mut mark = WriteBatch::new();
            mark.delete_cf(&family, rows::COMPLETE_KEY);
            database.commit(mark, Promise::Derived)?;
            defining.rows = PostingRows::Incomplete;
        }
        defining.busy = true;
        batch.put_cf(&family, rows::definition_key(id), Definition::encode(key, overflow));
        batch.put_cf(&family, rows::by_key(key, overflow), rows::series_number(id));
        let definition = Arc::new(Definition { key: key.clone(), overflow });
        self.definitions.lock().put(id, Arc::clone(&definition));
        match &mut *slot.postings.write() {
            Some(postings) => postings.insert(id, key),
            None => {
                let bytes = defining.added.push(id, definition);
                slot.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
            }
        }
        let loading = defining.added.loading();
        let uncommitted = Uncommitted::of(&slot);
        drop(defining);
        self.load_for(loading, database, partition, &slot);
        Ok(uncommitted)
    }

    /// The definition of a series that is active in `partition`.
    pub(crate) fn lookup(
        &self,
        database: &Database,
        partition: &Partition,
        id: u32,
    ) -> Result<Option<Arc<Definition>>, StoreError> {
        if let Some(definition) = self.definitions.lock().get(id) {
            return Ok(Some(Arc::clone(definition)));
        }
        let Some(family) = database.find_family(&partition.family) else { return Ok(None) };
        let Some(value) = database.get(&family, &rows::definition_key(id))? else { return Ok(None) };
        let definition = Arc::new(Definition::decode(&value)?);
        self.definitions.lock().put(id, Arc::clone(&definition));
        Ok(Some(definition))
    }

    /// The number of a series that is active in `partition`, by what it is called.
    pub(crate) fn find(
        &self,
        database: &Database,
        partition: &Partition,
        key: &SeriesKey,
        overflow: bool,
    ) -> Result<Option<u32>, StoreError> {
        let Some(family) = database.find_family(&partition.family) else { return Ok(None) };
        let Some(value) = database.get(&family, &rows::by_key(key, overflow))? else { return Ok(None) };
        let id = rows::read_series_number(&value)?;
        // Another series' name and context may have the same hash.
        let definition = self.lookup(database, partition, id)?;
        Ok(definition.filter(|definition| definition.is_of(key, overflow)).map(|_| id))
    }

    /// The greatest series number that is defined in `partition`.
    pub(crate) fn greatest_id(
        &self,
        database: &Database,
        partition: &Partition,
    ) -> Result<Option<u32>, StoreError> {
        let Some(family) = database.find_family(&partition.family) else { return Ok(None) };
        greatest_defined(database, &family)
    }

    /// The series that `selection` means and that are active in any of `partitions`, by number.
    pub(crate) fn select(
        &self,
        database: &Database,
        partitions: &[Arc<Partition>],
        selection: &MetricSelection,
    ) -> Result<Vec<SeriesRef>, StoreError> {
        let mut series = Vec::new();
        let mut known = roaring::RoaringBitmap::new();
        // The newest partitions' series are the likeliest to be at hand.
        for partition in partitions.iter().rev() {
            let here = |error: StoreError| error.in_partition(&partition.family);
            let found = self.with_postings(database, partition, |postings| postings.select(selection));
            let Some(found) = found.map_err(here)? else { continue };
            let further = found - &known;
            self.describe(database, partition, &further, &mut series).map_err(here)?;
            known |= further;
        }
        series.sort_unstable_by_key(|series| series.id);
        self.make_room();
        Ok(series)
    }

    /// The names of the metrics that are active in any of `partitions`, in order.
    pub(crate) fn metric_names(
        &self,
        database: &Database,
        partitions: &[Arc<Partition>],
    ) -> Result<Vec<Arc<str>>, StoreError> {
        let mut names = std::collections::BTreeSet::new();
        for partition in partitions {
            self.with_postings(database, partition, |postings| names.extend(postings.names.keys().cloned()))?;
        }
        self.make_room();
        Ok(names.into_iter().collect())
    }

    /// Lets go of what memory holds of a partition that is being dropped.
    pub(crate) fn forget(&self, partition: &Partition) {
        self.slots.write().remove(&partition.start);
    }

    /// Memory that postings take, and definitions that wait for them, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let slots: Vec<_> = self.slots.read().values().cloned().collect();
        slots.iter().map(|slot| slot.bytes()).sum()
    }

    pub(super) fn slot(&self, partition: &Partition) -> Arc<Slot> {
        if let Some(slot) = self.slots.read().get(&partition.start) {
            return Arc::clone(slot);
        }
        Arc::clone(self.slots.write().entry(partition.start).or_default())
    }

    /// Answers from the postings of a partition, which are loaded if need be; `None` when it was dropped.
    pub(super) fn with_postings<T>(
        &self,
        database: &Database,
        partition: &Partition,
        answer: impl FnOnce(&PartitionIndex) -> T,
    ) -> Result<Option<T>, StoreError> {
        let Some(family) = database.find_family(&partition.family) else { return Ok(None) };
        let slot = self.slot(partition);
        slot.last_use.store(self.uses.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        loop {
            if let Some(postings) = &*slot.postings.read() {
                return Ok(Some(answer(postings)));
            }
            let _loading = slot.loading.lock();
            // Another reader may have loaded them meanwhile; and they may be let go again before they are used.
            if slot.postings.read().is_none() {
                self.load(database, partition, &family, &slot)?;
            }
        }
    }

    fn load(
        &self,
        database: &Database,
        partition: &Partition,
        family: &Family<'_>,
        slot: &Slot,
    ) -> Result<(), StoreError> {
        let mut index = load(database, partition, family, |id, definition| {
            let mut definitions = self.definitions.lock();
            if definitions.get(id).is_none() {
                definitions.put(id, Arc::new(definition));
            }
        })?;
        let mut defining = slot.defining.lock();
        let mut postings = slot.postings.write();
        // A first definition may have found the partition new meanwhile; then nothing is missing from its postings.
        if postings.is_none() {
            // Whatever was defined while the rows were read is in `added`, whether it is a row by now or not.
            for (id, definition) in defining.added.take() {
                index.insert(id, &definition.key);
            }
            slot.waiting_bytes.store(0, Ordering::Relaxed);
            *postings = Some(index);
        }
        Ok(())
    }

    /// Adds the series of `ids` to `series`.
    fn describe(
        &self,
        database: &Database,
        partition: &Partition,
        ids: &roaring::RoaringBitmap,
        series: &mut Vec<SeriesRef>,
    ) -> Result<(), StoreError> {
        let mut missing = roaring::RoaringBitmap::new();
        {
            let mut definitions = self.definitions.lock();
            for id in ids {
                match definitions.get(id) {
                    Some(definition) => series.push(definition.of_number(id)),
                    None => {
                        missing.insert(id);
                    }
                }
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let Some(family) = database.find_family(&partition.family) else { return Ok(()) };
        let (lower, upper) = rows::definition_bounds();
        let mut found = database.rows(&family, lower, upper);
        let mut missing = missing.iter();
        while let Some(id) = missing.next() {
            let key = rows::definition_key(id);
            // Neighbours are a step away, others are looked for.
            found.forward();
            if found.row().is_none_or(|(other, _)| other != key) {
                found.seek(&key);
            }
            match found.row() {
                Some((other, value)) if other == key => match Definition::decode(value) {
                    Ok(definition) => {
                        series.push(definition.of_number(id));
                        self.definitions.lock().put(id, Arc::new(definition));
                    }
                    Err(damage) => {
                        database
                            .reports()
                            .add(format!("partition {}, series {id}: {damage}", partition.family));
                    }
                },
                // Its batch was never committed; nor were those of any before the next one that is defined.
                Some((other, _)) => {
                    if let Ok(next) = rows::id_of_definition(other) {
                        missing.advance_to(next);
                    }
                }
                None => {
                    found.check("series definitions")?;
                    break;
                }
            }
        }
        Ok(())
    }

    /// Memory that definitions take which are kept for being found by number, in bytes.
    pub(crate) fn definition_bytes(&self) -> u64 {
        self.definitions.lock().bytes()
    }

    /// Tells how many bytes of the index are neither posting lists nor definitions.
    pub(crate) fn tell_others(&self, bytes: u64) {
        self.others.store(bytes, Ordering::Relaxed);
    }

    /// Bytes of postings and definitions when they were last measured.
    pub(crate) fn measured(&self) -> u64 {
        self.measured.load(Ordering::Relaxed)
    }
}

impl Slot {
    fn bytes(&self) -> usize {
        let waiting = self.waiting_bytes.load(Ordering::Relaxed);
        self.postings.read().as_ref().map_or(0, |postings| postings.bytes).saturating_add(waiting)
    }
}

impl std::fmt::Debug for SeriesIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SeriesIndex").field("partitions", &self.slots.read().len()).finish_non_exhaustive()
    }
}
