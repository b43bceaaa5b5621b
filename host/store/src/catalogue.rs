//! Which partitions there are: finding the one for a time, creating it, dropping the oldest.
//!
//! Invariant: partitions of a class never overlap, and none is dropped while a writer holds a [`Pass`].

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard, RwLock, RwLockReadGuard};
use rocksdb::WriteBatch;
use telemetry_core::time::NANOS_PER_DAY;
use telemetry_core::{TimeRange, Timestamp};

use crate::database::{Database, Promise};
use crate::error::{Damage, StoreError};
use crate::families::{Class, MAX_PARTITIONS, META, Partition, widths};
use crate::meta::{self, PartitionRow};
use crate::options::StoreOptions;

/// As long as it lives, no partition is dropped. Never held twice by one thread.
pub(crate) type Pass<'a> = RwLockReadGuard<'a, ()>;

/// Whether a partition's tables are damaged, which is reported.
pub(crate) fn is_damaged(database: &Database, partition: &Partition) -> Result<bool, StoreError> {
    let Some(damage) = database.damage_in(&partition.family)? else { return Ok(false) };
    database.reports().add(format!(
        "a table of partition {} is damaged and is no longer compacted: {damage}",
        partition.family
    ));
    Ok(true)
}

/// All partitions.
#[derive(Debug)]
pub(crate) struct Catalogue {
    events: RwLock<Shelf>,
    metrics: RwLock<Shelf>,
    creating: Mutex<()>,
    gate: RwLock<()>,
}

/// The partitions of one class, by time.
#[derive(Debug)]
struct Shelf {
    partitions: Vec<Arc<Partition>>,
    /// Nothing before this instant is kept.
    floor: i64,
    /// Nanoseconds that a new partition spans.
    width: i64,
}

impl Shelf {
    fn find(&self, nanos: i64) -> Option<&Arc<Partition>> {
        // The newest partition is asked for nearly always.
        if let Some(last) = self.partitions.last()
            && last.holds(nanos)
        {
            return Some(last);
        }
        let after = self.partitions.partition_point(|partition| partition.start <= nanos);
        self.partitions.get(after.checked_sub(1)?).filter(|partition| partition.holds(nanos))
    }

    /// The span of a new partition around `nanos`: aligned, and clipped to its neighbours and the floor.
    fn span(&self, nanos: i64) -> (i64, i64) {
        let after = self.partitions.partition_point(|partition| partition.start <= nanos);
        let below =
            after.checked_sub(1).and_then(|index| self.partitions.get(index)).map(|before| before.end);
        let above = self.partitions.get(after).map(|next| next.start);
        let start = Timestamp::from_nanos(nanos).floor_to(self.width).nanos();
        let end = start.saturating_add(self.width);
        (start.max(below.unwrap_or(i64::MIN)).max(self.floor), end.min(above.unwrap_or(i64::MAX)))
    }
}

impl Catalogue {
    /// Reads the catalogue; drops families that an interrupted creation or expiry left behind.
    pub(crate) fn open(
        database: &Database,
        names: &[String],
        options: &StoreOptions,
    ) -> Result<Self, StoreError> {
        let [events_width, metrics_width] = widths([options.events_retention, options.metrics_retention]);
        let shelf = |days: i64| Shelf {
            partitions: Vec::new(),
            floor: i64::MIN,
            width: days.saturating_mul(NANOS_PER_DAY),
        };
        let catalogue = Self {
            events: RwLock::new(shelf(events_width)),
            metrics: RwLock::new(shelf(metrics_width)),
            creating: Mutex::new(()),
            gate: RwLock::new(()),
        };
        catalogue.load(database, names)?;
        Ok(catalogue)
    }

    fn load(&self, database: &Database, names: &[String]) -> Result<(), StoreError> {
        let suspicious = database.suspicion().is_raised();
        let mut damaged = false;
        let meta = database.family(META)?;
        for class in Class::ALL {
            if let Some(value) = database.get(&meta, &meta::floor_key(class))? {
                self.shelf(class).write().floor = meta::read_number("oldest kept instant", &value)?;
            }
        }
        let (lower, upper) = meta::partition_keys();
        let mut rows = database.rows(&meta, lower, upper);
        rows.first();
        while let Some((key, value)) = rows.row() {
            let (class, start) = meta::partition_of_key(key)?;
            let row = PartitionRow::decode(value)?;
            let partition = Partition::new(class, start, row.end);
            partition.set_folded(row.folded);
            if names.contains(&partition.family) {
                let rests = row.folded || (suspicious && is_damaged(database, &partition)?);
                damaged |= rests && !row.folded;
                if !rests {
                    database.set_compaction(&partition.family, true)?;
                }
                self.shelf(class).write().partitions.push(Arc::new(partition));
            } else {
                database.reports().add(format!("partition {} is missing", partition.family));
            }
            rows.forward();
        }
        rows.check("the partition catalogue")?;
        if suspicious && !damaged {
            database.suspicion().clear();
        }
        for name in names {
            let known = Class::ALL.into_iter().any(|class| self.all(class).iter().any(|p| p.family == *name));
            if !known {
                database.drop_family(name)?;
            }
        }
        Ok(())
    }

    fn shelf(&self, class: Class) -> &RwLock<Shelf> {
        match class {
            Class::Events => &self.events,
            Class::Metrics => &self.metrics,
        }
    }

    /// Keeps all partitions from being dropped.
    pub(crate) fn pass(&self) -> Pass<'_> {
        self.gate.read()
    }

    /// As long as the answer lives, no partition is created; who needs a new one waits.
    pub(crate) fn hold_creation(&self) -> MutexGuard<'_, ()> {
        self.creating.lock()
    }

    /// The partition that holds an instant.
    pub(crate) fn find(&self, class: Class, nanos: i64) -> Option<Arc<Partition>> {
        self.shelf(class).read().find(nanos).cloned()
    }

    /// The partitions that hold any instant of `range`, oldest first.
    pub(crate) fn covering(&self, class: Class, range: &TimeRange) -> Vec<Arc<Partition>> {
        self.shelf(class)
            .read()
            .partitions
            .iter()
            .filter(|partition| partition.meets(range))
            .cloned()
            .collect()
    }

    /// All partitions of a class, oldest first.
    pub(crate) fn all(&self, class: Class) -> Vec<Arc<Partition>> {
        self.shelf(class).read().partitions.clone()
    }

    /// The oldest instant that is kept.
    pub(crate) fn floor(&self, class: Class) -> Timestamp {
        Timestamp::from_nanos(self.shelf(class).read().floor)
    }

    /// The partition that holds an instant, created if there is none. Refuses what retention dropped.
    pub(crate) fn ensure(
        &self,
        database: &Database,
        class: Class,
        nanos: i64,
    ) -> Result<Arc<Partition>, StoreError> {
        match self.find(class, nanos) {
            Some(partition) => Ok(partition),
            None => self.create(database, class, nanos),
        }
    }

    fn create(&self, database: &Database, class: Class, nanos: i64) -> Result<Arc<Partition>, StoreError> {
        let _creating = self.creating.lock();
        let timestamp = Timestamp::from_nanos(nanos);
        let (start, end) = {
            let shelf = self.shelf(class).read();
            if let Some(partition) = shelf.find(nanos) {
                return Ok(Arc::clone(partition));
            }
            if nanos < shelf.floor {
                let oldest = Timestamp::from_nanos(shelf.floor);
                return Err(StoreError::Expired { class, timestamp, oldest });
            }
            let limit = usize::try_from(MAX_PARTITIONS).unwrap_or(usize::MAX);
            if shelf.partitions.len() >= limit {
                return Err(StoreError::TooManyPartitions { class, timestamp, limit });
            }
            shelf.span(nanos)
        };
        let partition = Arc::new(Partition::new(class, start, end));
        if database.find_family(&partition.family).is_none() {
            database.create_family(&partition.family)?;
        }
        self.put(database, &partition)?;
        let mut shelf = self.shelf(class).write();
        let place = shelf.partitions.partition_point(|other| other.start < start);
        shelf.partitions.insert(place, Arc::clone(&partition));
        Ok(partition)
    }

    /// Notes whether a partition is in its final form, in which compaction leaves it alone.
    pub(crate) fn set_folded(
        &self,
        database: &Database,
        partition: &Partition,
        folded: bool,
    ) -> Result<(), StoreError> {
        partition.set_folded(folded);
        database.set_compaction(&partition.family, !folded)?;
        self.put(database, partition)
    }

    /// Writes a partition's row.
    fn put(&self, database: &Database, partition: &Partition) -> Result<(), StoreError> {
        let row = PartitionRow { end: partition.end, folded: partition.is_folded() };
        let mut batch = WriteBatch::new();
        let key = meta::partition_key(partition.class, partition.start);
        batch.put_cf(&database.family(META)?, key, row.encode());
        database.commit(batch, Promise::Derived)
    }

    /// Drops a partition, which must be its class's oldest. Waits for the writers of now; later ones are refused.
    pub(crate) fn expire(&self, database: &Database, partition: &Partition) -> Result<(), StoreError> {
        let floor = {
            let _gate = self.gate.write();
            let mut shelf = self.shelf(partition.class).write();
            match shelf.partitions.first() {
                Some(oldest) if oldest.start == partition.start => shelf.partitions.remove(0),
                _ => {
                    return Err(Damage::new(
                        "partition catalogue",
                        "only the oldest partition can be dropped",
                    )
                    .into());
                }
            };
            shelf.floor = shelf.floor.max(partition.end);
            shelf.floor
        };
        let meta = database.family(META)?;
        let mut batch = WriteBatch::new();
        batch.delete_cf(&meta, meta::partition_key(partition.class, partition.start));
        batch.put_cf(&meta, meta::floor_key(partition.class), meta::number(floor));
        database.commit(batch, Promise::Derived)?;
        database.drop_family(&partition.family)
    }
}
