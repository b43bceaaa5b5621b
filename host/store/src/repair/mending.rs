//! Rows that follow from others are made again, and the store's account of itself is brought in line with what is there.
//!
//! Invariant: no record is counted or replayed twice. How far each series is sealed is told by the chunks that are left, so
//! that samples of a lost chunk come back from the log where it still has them.

use std::collections::{BTreeMap, BTreeSet};

use rocksdb::WriteBatch;

use super::catalogue_rows::{self, Spans};
use super::census::{Census, PartitionCensus, class_of, day_of};
use super::report::RepairReport;
use crate::database::{Database, Promise};
use crate::error::StoreError;
use crate::families::{Class, LOG, META, Partition};
use crate::log::record::{self, LogRecord};
use crate::meta::{IDENTITY_KEY, PROGRESS_KEY, Progress, SealNote};
use crate::{events, rollups, series};

/// Records that a store had in each partition, by family.
pub(super) type Counts = BTreeMap<String, u64>;

/// Mends all rows; answers how many records each partition had by the store's own count, if that could be read.
pub(super) fn run(
    database: &Database,
    partitions: &[String],
    damaged: &mut BTreeSet<String>,
    synced: u64,
    report: &mut RepairReport,
) -> Result<Option<Counts>, StoreError> {
    let census = Census::take(database, partitions)?;
    let meta = database.family(META)?;
    if database.get(&meta, IDENTITY_KEY)?.is_none() {
        report.note(
            "the store's tag is lost: ids that were given out for records before no longer find them"
                .to_owned(),
        );
    }
    let spans = catalogue_rows::mend(database, &census, damaged, report)?;
    let nothing = PartitionCensus::default();
    for name in spans.keys().filter(|name| damaged.contains(*name)) {
        let found = census.partitions.get(name).unwrap_or(&nothing);
        mend_partition(database, name, found, &census, &spans, report)?;
    }
    let progress = database.get(&meta, PROGRESS_KEY)?.map(|value| Progress::decode(&value)).transpose()?;
    let counts = match &progress {
        Some(progress) => Some(counted(database, progress, &spans)?),
        None => None,
    };
    let known = census.greatest.max(progress.map_or(0, |progress| progress.counted));
    if synced > known {
        report.note(format!("records {} to {synced} were on the disk and are gone", known.saturating_add(1)));
    }
    // Their numbers are not given out again: chunks would take the new records for sealed ones.
    let greatest = known.max(synced);
    account(database, &census, greatest)?;
    Ok(counts)
}

fn mend_partition(
    database: &Database,
    name: &str,
    found: &PartitionCensus,
    census: &Census,
    spans: &Spans,
    report: &mut RepairReport,
) -> Result<(), StoreError> {
    let (Some(family), Some(span)) = (database.find_family(name), spans.get(name)) else { return Ok(()) };
    if class_of(name) == Some(Class::Events) {
        let given = events::mend(database, &family)?;
        if !given.is_empty() {
            report.note(format!(
                "{name}: types and sources whose names are lost are called {}",
                given.join(", ")
            ));
        }
        return Ok(());
    }
    // Whatever was lost, and however: not only where the family was written anew.
    rollups::mend(database, &family)?;
    report.note(format!(
        "{name}: rollups and kept states went, they may have told of samples that are gone; they are made again from the chunks that are left"
    ));
    let mut needed = found.series.clone();
    let within = census.logged.range((day_of(span.start), 0)..(day_of(span.end), 0));
    needed.extend(within.map(|(_, series)| *series));
    let others = spans.keys().rev().filter(|other| *other != name && class_of(other) == Some(Class::Metrics));
    let others: Vec<_> = others.filter_map(|other| database.find_family(other)).collect();
    let mended = series::mend(database, &family, &others, &needed)?;
    if mended.exact > 0 {
        report.note(format!(
            "{name}: {} series whose definitions were lost are as they were: other rows had them",
            mended.exact
        ));
    }
    for (series, what) in mended
        .from_labels
        .iter()
        .map(|series| (series, "its definition was put together from its labels"))
        .chain(mended.nameless.iter().map(|series| {
            (series, "what it was called is lost; it is now in the metric bridge_telemetry_recovered")
        }))
    {
        report.note(format!("{name}, series {series}: {what}"));
    }
    Ok(())
}

/// Records by partition as the store counted them: its last account, and what the log has after it.
fn counted(database: &Database, progress: &Progress, spans: &Spans) -> Result<Counts, StoreError> {
    let mut counts = Counts::new();
    for (class, start, records) in &progress.counts {
        let same = |partition: &&Partition| partition.class == *class && partition.start == *start;
        if let Some(partition) = spans.values().find(same) {
            counts.insert(partition.family.clone(), *records);
        }
    }
    let mut count = |class: Class, nanos: i64| {
        let holds = |partition: &&Partition| partition.class == class && partition.holds(nanos);
        if let Some(partition) = spans.values().find(holds) {
            let records = counts.entry(partition.family.clone()).or_default();
            *records = records.saturating_add(1);
        }
    };
    let mut rows = database.rows(&database.family(LOG)?, Vec::new(), record::key(u64::MAX).to_vec());
    rows.first();
    while let Some((key, value)) = rows.row() {
        let first = record::sequence_of(key)?;
        let (class, times) = match LogRecord::decode(value)? {
            LogRecord::Samples(columns) => (Class::Metrics, columns.times),
            LogRecord::Events(times) => (Class::Events, times),
            LogRecord::Tick(_) => (Class::Events, Vec::new()),
        };
        for (_, time) in (first..).zip(times).filter(|(sequence, _)| *sequence > progress.counted) {
            count(class, time);
        }
        rows.forward();
    }
    rows.check("the log")?;
    Ok(counts)
}

/// Writes how far the store has come: nothing of the log is taken for sealed but what chunks say.
fn account(database: &Database, census: &Census, greatest: u64) -> Result<(), StoreError> {
    let meta = database.family(META)?;
    let trimmed = census.log_begins.map_or(greatest, |first| first.saturating_sub(1));
    let progress = Progress { watermark: trimmed, trimmed, counted: greatest, counts: Vec::new() };
    let logged: BTreeSet<u32> = census.logged.iter().map(|(_, series)| *series).collect();
    let sealed = logged.into_iter().filter_map(|series| Some((series, *census.sealed.get(&series)?)));
    let note = SealNote { series: sealed.collect() };
    let mut batch = WriteBatch::new();
    let (first, after) = SealNote::keys();
    batch.delete_range_cf(&meta, first, after);
    if !note.series.is_empty() {
        batch.put_cf(&meta, SealNote::key(0), note.encode());
    }
    batch.put_cf(&meta, PROGRESS_KEY, progress.encode());
    database.commit(batch, Promise::Derived)
}
