//! The rows of the partition catalogue: for every family of a partition one, and for every row a family.

use std::collections::{BTreeMap, BTreeSet};

use rocksdb::WriteBatch;
use telemetry_core::Timestamp;
use telemetry_core::time::NANOS_PER_DAY;

use super::census::{Census, class_of};
use super::report::RepairReport;
use crate::database::{Database, Promise};
use crate::error::StoreError;
use crate::families::{Class, META, Partition};
use crate::meta::{self, PartitionRow};

/// The partitions, by family.
pub(super) type Spans = BTreeMap<String, Partition>;

/// Brings rows and families together; answers the partitions. Those that are in `damaged` are no longer in their final form;
/// partitions of which nothing is left are among them afterwards.
pub(super) fn mend(
    database: &Database,
    census: &Census,
    damaged: &mut BTreeSet<String>,
    report: &mut RepairReport,
) -> Result<Spans, StoreError> {
    let meta = database.family(META)?;
    let mut spans = Spans::new();
    let (lower, upper) = meta::partition_keys();
    let mut rows = database.rows(&meta, lower, upper);
    rows.first();
    while let Some((key, value)) = rows.row() {
        let ((class, start), row) = (meta::partition_of_key(key)?, PartitionRow::decode(value)?);
        let partition = Partition::new(class, start, row.end);
        partition.set_folded(row.folded);
        spans.insert(partition.family.clone(), partition);
        rows.forward();
    }
    rows.check("the partition catalogue")?;
    drop(rows);
    for (name, partition) in &spans {
        if database.find_family(name).is_none() {
            database.create_family(name)?;
            report.damaged = true;
            report.family(name, |family| family.damaged = true);
            report.note(format!("nothing of partition {name} could be read"));
            partition.set_folded(false);
            damaged.insert(name.clone());
        } else if damaged.contains(name) {
            partition.set_folded(false);
        }
    }
    for class in Class::ALL {
        add_missing(database, census, class, &mut spans, report)?;
    }
    let mut batch = WriteBatch::new();
    for partition in spans.values() {
        let row = PartitionRow { end: partition.end, folded: partition.is_folded() };
        batch.put_cf(&meta, meta::partition_key(partition.class, partition.start), row.encode());
    }
    database.commit(batch, Promise::Derived)?;
    Ok(spans)
}

/// Adds the partitions of families that have no row.
fn add_missing(
    database: &Database,
    census: &Census,
    class: Class,
    spans: &mut Spans,
    report: &mut RepairReport,
) -> Result<(), StoreError> {
    let floor = database
        .get(&database.family(META)?, &meta::floor_key(class))?
        .and_then(|value| meta::read_number("oldest kept instant", &value).ok())
        .unwrap_or(i64::MIN);
    let missing: Vec<&String> = census
        .partitions
        .keys()
        .filter(|name| class_of(name) == Some(class) && !spans.contains_key(*name))
        .collect();
    for name in missing {
        let Some(start) = first_instant(name) else { continue };
        let last = census.partitions.get(name).and_then(|found| found.last);
        let Some(last) = last.filter(|_| start >= floor) else {
            // It had expired, or was just being created.
            database.drop_family(name)?;
            continue;
        };
        let end = Timestamp::from_nanos(last).floor_to(NANOS_PER_DAY).nanos().saturating_add(NANOS_PER_DAY);
        let next = spans.values().filter(|other| other.class == class && other.start > start);
        let next = next.map(|other| other.start).min().unwrap_or(i64::MAX);
        spans.insert(name.clone(), Partition::new(class, start, end.max(start).min(next)));
        report.note(format!(
            "partition {name} is in the catalogue again: its row was lost, its end is told by its last record"
        ));
    }
    Ok(())
}

/// The first instant of a partition, by its family's name.
fn first_instant(family: &str) -> Option<i64> {
    let day = family.get(2..)?;
    let (year, rest) = day.split_at_checked(4)?;
    let (month, day) = rest.split_at_checked(2)?;
    Timestamp::parse(&format!("{year}-{month}-{day}T00:00:00Z")).ok().map(Timestamp::nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_tells_its_first_instant() {
        let start = Timestamp::parse("2026-03-10T00:00:00Z").unwrap().nanos();
        assert_eq!(first_instant(&Partition::new(Class::Events, start, start + 1).family), Some(start));
        assert_eq!(first_instant("m.2026"), None);
        assert_eq!(first_instant("m"), None);
    }
}
