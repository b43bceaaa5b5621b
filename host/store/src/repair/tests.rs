//! Damaged rows, written into a real store: what follows from others is as it was, and what is lost is told.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use rocksdb::WriteBatch;
use telemetry_core::admission::{AcceptedTimes, admit_event, admit_sample};
use telemetry_core::{
    Context, EventDraft, EventQuery, ManualClock, MetricDraft, MetricSelection, ScanBlock, ScanOptions,
    TimeRange, Timestamp,
};

use super::{RepairMode, RepairReport, repair};
use crate::chunks::{Thoroughness, fold_series};
use crate::database::Promise;
use crate::families::{Class, META};
use crate::meta::{IDENTITY_KEY, PROGRESS_KEY, SealNote};
use crate::{RecordBatch, Store, StoreOptions};

const DAY: i64 = 86_400;

fn noon() -> Timestamp {
    Timestamp::parse("2026-03-10T12:00:00Z").unwrap()
}

fn options(directory: &Path) -> StoreOptions {
    StoreOptions { background: false, min_free_bytes: 0, ..StoreOptions::in_directory(directory) }
}

fn open(directory: &Path) -> Store {
    Store::open(options(directory), Arc::new(ManualClock::at(noon()))).unwrap()
}

fn mended(directory: &Path) -> RepairReport {
    repair(&options(directory), Arc::new(ManualClock::at(noon())), RepairMode::Replace)
        .unwrap_or_else(|error| panic!("{error:?}"))
}

/// Ten samples of each series from `second` on.
fn record(store: &Store, series: &[(&str, Context)], second: i64) {
    let times = AcceptedTimes { now: noon(), oldest: Timestamp::MIN, newest: Timestamp::MAX };
    let at = |n: i64| Timestamp::from_nanos(noon().nanos() + (second + n) * 1_000_000_000);
    let one = |name: &str, context: &Context, n: i64| {
        admit_sample(MetricDraft::new(name, n).with_context(context.clone()).at(at(n)), &times).unwrap()
    };
    let samples = series.iter().flat_map(|(name, context)| (0..10).map(move |n| (name, context, n)));
    let samples = samples.map(|(name, context, n)| one(name, context, n)).collect();
    store.append(&RecordBatch { samples, ..RecordBatch::default() }).unwrap();
}

fn events(store: &Store, types: &[&str]) {
    let times = AcceptedTimes { now: noon(), oldest: Timestamp::MIN, newest: Timestamp::MAX };
    let one =
        |kind: &&str| admit_event(EventDraft::new(*kind, "s").at(noon()), &times, store.event_ids()).unwrap();
    store.append(&RecordBatch { events: types.iter().map(one).collect(), ..RecordBatch::default() }).unwrap();
}

/// Writes nonsense over rows; `None` deletes them.
fn spoil(directory: &Path, family: &str, keys: &[&[u8]], value: Option<&[u8]>) {
    let store = open(directory);
    let database = &store.engine.database;
    let family = database.find_family(family).unwrap();
    let mut batch = WriteBatch::new();
    for key in keys {
        match value {
            Some(value) => batch.put_cf(&family, key, value),
            None => batch.delete_cf(&family, key),
        }
    }
    database.commit(batch, Promise::Derived).unwrap();
}

/// Name, context and samples of every series.
fn all(store: &Store) -> Vec<(String, String, usize)> {
    let series = store.select_series(&MetricSelection::default(), TimeRange::ALL).unwrap();
    let mut found: Vec<_> = series
        .iter()
        .map(|series| {
            let mut count = 0;
            store
                .scan(&[series.id], TimeRange::ALL, ScanOptions::default(), &mut |_, block| {
                    if let ScanBlock::Samples { values, .. } = block {
                        count += values.len();
                    }
                    ControlFlow::Continue(())
                })
                .unwrap();
            (series.key.name.to_string(), series.key.context.as_str().to_owned(), count)
        })
        .collect();
    found.sort();
    found
}

fn labelled(host: &str) -> Context {
    Context::from_labels([("host", host), ("zone", "z")])
}

fn typed() -> Context {
    Context::from_trusted(r#"{"n":5,"on":true,"text":"5x"}"#).unwrap()
}

#[test]
fn lost_definitions_are_taken_from_posting_lists() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("store");
    let store = open(&directory);
    record(&store, &[("a", labelled("1")), ("a", labelled("2")), ("b", typed())], 0);
    store.seal().unwrap();
    drop(store);
    let before = all(&open(&directory));
    spoil(&directory, "m.20260310", &[&[0x20, 0, 0, 0, 2], &[0x20, 0, 0, 0, 3]], Some(b"nonsense"));
    let report = mended(&directory);
    assert_eq!((report.samples_kept, report.samples_lost), (30, 0), "{report:?}");
    let told = report
        .notes
        .iter()
        .any(|note| note.contains("2 series whose definitions were lost are as they were"));
    assert!(told, "{report:?}");
    assert_eq!(all(&open(&directory)), before);
}

#[test]
fn lost_definitions_are_taken_from_other_partitions() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("store");
    let store = open(&directory);
    record(&store, &[("a", labelled("1"))], -DAY);
    record(&store, &[("a", labelled("1"))], 0);
    drop(store);
    let before = all(&open(&directory));
    // Without posting lists, and never sealed.
    let keys: [&[u8]; 3] = [&[0x20, 0, 0, 0, 1], &[0x22], b"\x22a"];
    spoil(&directory, "m.20260310", &keys, Some(b"nonsense"));
    let report = mended(&directory);
    assert_eq!((report.samples_kept, report.samples_lost), (20, 0), "{report:?}");
    assert_eq!(all(&open(&directory)), before);
}

#[test]
fn a_series_without_a_name_is_found_by_its_number() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("store");
    let store = open(&directory);
    record(&store, &[("a", labelled("1")), ("b", labelled("1"))], 0);
    store.seal().unwrap();
    drop(store);
    spoil(&directory, "m.20260310", &[&[0x20, 0, 0, 0, 2], b"\x22b"], Some(b"nonsense"));
    let report = mended(&directory);
    assert_eq!((report.samples_kept, report.samples_lost), (20, 0), "{report:?}");
    let expected = [
        ("a".to_owned(), r#"{"host":"1","zone":"z"}"#.to_owned(), 10),
        ("bridge_telemetry_recovered".to_owned(), r#"{"series":"2"}"#.to_owned(), 10),
    ];
    assert_eq!(all(&open(&directory)), expected, "{report:?}");
    assert!(report.notes.iter().any(|note| note.contains("series 2")), "{report:?}");
}

#[test]
fn events_whose_type_is_lost_have_one_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("store");
    let store = open(&directory);
    events(&store, &["A", "B", "A"]);
    drop(store);
    spoil(&directory, "e.20260310", &[&[0x05, 0x02, 0, 0, 0, 0]], Some(b"nonsense"));
    let report = mended(&directory);
    assert_eq!((report.events_kept, report.events_lost), (3, 0), "{report:?}");
    let store = open(&directory);
    let of_type = |name: &str| {
        let query = EventQuery { event_type: Some(name.to_owned()), ..EventQuery::default() };
        store.query_events(&query).unwrap().events.len()
    };
    assert_eq!((of_type("RECOVERED_TYPE_0"), of_type("B"), of_type("A")), (2, 1, 0));
    events(&store, &["A"]);
    assert_eq!((of_type("RECOVERED_TYPE_0"), of_type("A")), (2, 1));
}

#[test]
fn the_store_s_own_account_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("store");
    let store = open(&directory);
    record(&store, &[("a", labelled("1")), ("b", labelled("2"))], -DAY);
    record(&store, &[("a", labelled("1"))], 0);
    // Sealed in part: the note tells replay so.
    let series = store.engine.registry.read().by_id(2).map(Arc::clone).unwrap();
    {
        let mut sealing = store.engine.sealing.lock();
        store.engine.seal(&mut sealing, &[series]).unwrap();
    }
    events(&store, &["A"]);
    let last = store.last_sequence();
    drop(store);
    let before = all(&open(&directory));
    let partition =
        crate::meta::partition_key(Class::Metrics, Timestamp::parse("2026-03-09T00:00:00Z").unwrap().nanos());
    let keys: [&[u8]; 4] = [PROGRESS_KEY, IDENTITY_KEY, &SealNote::key(0), &partition];
    for key in keys {
        spoil(&directory, META, &[key], Some(b"nonsense"));
        if key != PROGRESS_KEY {
            assert!(Store::open(options(&directory), Arc::new(ManualClock::at(noon()))).is_err());
        }
        let report = mended(&directory);
        assert_eq!((report.samples_kept, report.samples_lost), (30, 0), "{report:?}");
        assert_eq!((report.events_kept, report.events_lost), (1, 0), "{report:?}");
        let store = open(&directory);
        assert_eq!(all(&store), before, "{report:?}");
        assert_eq!(store.last_sequence(), last, "{report:?}");
        assert_eq!(store.stats().metrics_total, 30);
    }
}

/// Files of a store's database with this ending or beginning, in order.
fn files(directory: &Path, is: impl Fn(&str) -> bool) -> Vec<std::path::PathBuf> {
    let names = std::fs::read_dir(directory.join(crate::directory::ROCKS_DIRECTORY)).unwrap();
    let names = names.map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = names.filter(|path| is(path.file_name().unwrap().to_str().unwrap())).collect();
    found.sort();
    found
}

/// Three chunks of one time, merged and in a table, whose sequence numbers are gone when it was `compacted`, while the log that has them stays for other families; then `spoil` is given the
/// folder, the log, and its length when it had the first chunk. What there was, and is after a repair.
fn merged_then_repaired(
    compacted: bool,
    spoil: impl Fn(&Path, &Path, u64),
) -> [Vec<(String, String, usize)>; 2] {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("store");
    let store = open(&directory);
    let seal = || {
        let series = store.engine.registry.read().by_id(1).map(Arc::clone).unwrap();
        store.engine.seal(&mut store.engine.sealing.lock(), &[series]).unwrap();
    };
    let log = files(&directory, |name| name.ends_with(".log")).pop().unwrap();
    let mut lengths = Vec::new();
    for _ in 0..3 {
        record(&store, &[("a", labelled("1"))], -DAY);
        seal();
        lengths.push(log.metadata().unwrap().len());
    }
    let partition = store.engine.catalogue.all(Class::Metrics).swap_remove(0);
    let merged = fold_series(&store.engine.database, &partition, 1, Thoroughness::Closed).unwrap();
    assert_eq!(merged, 3);
    store.engine.database.flush(&partition.family).unwrap();
    if compacted {
        store.engine.database.compact_for_good(&partition.family).unwrap();
    }
    let before = all(&store);
    assert_eq!(before[0].2, 30);
    drop(store);
    spoil(&directory, &log, lengths[0]);
    mended(&directory);
    [before, all(&open(&directory))]
}

fn remove_manifests(directory: &Path) {
    for manifest in files(directory, |name| name.starts_with("MANIFEST-")) {
        std::fs::remove_file(manifest).unwrap();
    }
}

fn flip(file: &Path, place: impl Fn(usize) -> usize) {
    let mut bytes = std::fs::read(file).unwrap();
    let place = place(bytes.len());
    bytes[place] ^= 1;
    std::fs::write(file, bytes).unwrap();
}

#[test]
fn a_log_that_is_cut_takes_nothing_from_newer_tables() {
    let cut =
        |log: &Path, length| std::fs::File::options().write(true).open(log).unwrap().set_len(length).unwrap();
    let [before, after] = merged_then_repaired(false, |directory, log, length| {
        cut(log, length);
        remove_manifests(directory);
    });
    assert_eq!(after, before, "by the tables' sequence numbers");
    let [before, after] = merged_then_repaired(true, |directory, log, length| {
        cut(log, length);
        for manifest in files(directory, |name| name.starts_with("MANIFEST-")) {
            // A record behind the others whose checksum is wrong.
            let bytes = [std::fs::read(&manifest).unwrap(), vec![0, 0, 0, 0, 1, 0, 1, 9]].concat();
            std::fs::write(&manifest, bytes).unwrap();
        }
    });
    assert_eq!(after, before, "by the manifest's log numbers");
}

#[test]
fn a_log_that_is_whole_gives_back_what_a_lost_table_had() {
    for manifest_left in [true, false] {
        let [before, after] = merged_then_repaired(false, |directory, _, _| {
            for table in files(directory, |name| name.ends_with(".sst")) {
                flip(&table, |_| 20);
            }
            for manifest in files(directory, |name| name.starts_with("MANIFEST-")) {
                flip(&manifest, |length| length - 1);
            }
            if !manifest_left {
                remove_manifests(directory);
            }
        });
        assert_eq!(after, before, "manifest left: {manifest_left}");
    }
}
