//! What RocksDB does by itself.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use rocksdb::WaitForCompactOptions;
use telemetry_core::admission::{AcceptedTimes, admit_sample};
use telemetry_core::{ManualClock, MetricDraft, ScanOptions, TimeRange, Timestamp};

use crate::{RecordBatch, Store, StoreOptions};

const PARTITION: &str = "m.20260310";

/// The partition's tables.
fn tables(store: &Store) -> BTreeSet<String> {
    let tables = store.engine.database.rocks().live_files().unwrap().into_iter();
    tables.filter(|table| table.column_family_name == PARTITION).map(|table| table.name).collect()
}

/// A scan holds a snapshot, and RocksDB rewrites lowest tables when none needs their sequence numbers any more.
#[test]
fn no_table_of_a_partition_is_written_again_because_a_scan_ended() {
    let directory = tempfile::tempdir().unwrap();
    let noon = Timestamp::parse("2026-03-10T12:00:00Z").unwrap();
    let options =
        StoreOptions { background: false, min_free_bytes: 0, ..StoreOptions::in_directory(directory.path()) };
    let open = || Store::open(options.clone(), Arc::new(ManualClock::at(noon))).unwrap();
    let times = AcceptedTimes { now: noon, oldest: Timestamp::MIN, newest: Timestamp::MAX };
    let append = |store: &Store, second: i64| {
        let at = Timestamp::from_nanos(noon.nanos() + second * 1_000_000_000);
        let samples = vec![admit_sample(MetricDraft::new("m", 1).at(at), &times).unwrap()];
        store.append(&RecordBatch { samples, ..RecordBatch::default() }).unwrap();
        store.seal().unwrap();
    };
    let scan_and_wait = |store: &Store| {
        let visit = &mut |_: usize, _: telemetry_core::ScanBlock<'_>| ControlFlow::Continue(());
        store.scan(&[1], TimeRange::ALL, ScanOptions::default(), visit).unwrap();
        store.engine.database.rocks().wait_for_compact(&WaitForCompactOptions::default()).unwrap();
    };
    // In families that were just created, and in those of a store that is opened.
    for round in 0..2 {
        let store = open();
        append(&store, round * 10);
        store.engine.database.flush(PARTITION).unwrap();
        append(&store, round * 10 + 1);
        let before = tables(&store);
        assert!(!before.is_empty(), "{before:?}");
        scan_and_wait(&store);
        assert_eq!(tables(&store), before);
    }
}
