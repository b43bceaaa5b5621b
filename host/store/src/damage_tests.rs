//! Rows that are damaged or of a newer format, written into a real store.

use std::ops::ControlFlow;
use std::sync::Arc;

use rocksdb::WriteBatch;
use telemetry_core::admission::{AcceptedTimes, admit_sample};
use telemetry_core::{ManualClock, MetricDraft, ScanOptions, TimeRange, Timestamp};

use crate::chunks::{ChunkKey, FIRST_CHUNK_KEY, LAST_CHUNK_KEY};
use crate::database::{Database, Promise};
use crate::families::{LOG, META};
use crate::log::record;
use crate::meta::{FORMAT, IDENTITY_KEY, Identity};
use crate::{LogBody, OpenError, RecordBatch, Store, StoreOptions};

fn noon() -> Timestamp {
    Timestamp::parse("2026-03-10T12:00:00Z").unwrap()
}

fn open(options: StoreOptions) -> Result<Store, OpenError> {
    let options = StoreOptions { background: false, min_free_bytes: 0, ..options };
    Store::open(options, Arc::new(ManualClock::at(noon())))
}

fn samples(name: &str, from: i64, count: i64) -> RecordBatch {
    let times = AcceptedTimes { now: noon(), oldest: Timestamp::MIN, newest: Timestamp::MAX };
    let at = |n: i64| Timestamp::from_nanos(noon().nanos() + (from + n) * 1_000_000_000);
    let draft = |n: i64| MetricDraft::new(name, n).at(at(n));
    let samples = (0..count).map(|n| admit_sample(draft(n), &times).unwrap()).collect();
    RecordBatch { samples, ..RecordBatch::default() }
}

fn put(database: &Database, family: &str, key: &[u8], value: &[u8]) {
    let mut batch = WriteBatch::new();
    batch.put_cf(&database.find_family(family).unwrap(), key, value);
    database.commit(batch, Promise::Derived).unwrap();
}

fn count(store: &Store, series: u32) -> (u64, u64) {
    let visit = &mut |_: usize, _: telemetry_core::ScanBlock<'_>| ControlFlow::Continue(());
    let stats = store.scan(&[series], TimeRange::ALL, ScanOptions::default(), visit).unwrap();
    (stats.samples, stats.damaged)
}

/// Key and value of a chunk of the first series, by its place.
fn chunk_row(store: &Store, place: usize) -> (Vec<u8>, Vec<u8>) {
    let database = &store.engine.database;
    let family = database.find_family("m.20260310").unwrap();
    let mut rows = database.rows(&family, FIRST_CHUNK_KEY.to_vec(), LAST_CHUNK_KEY.to_vec());
    rows.first();
    (0..place).for_each(|_| rows.forward());
    rows.row().map(|(key, value)| (key.to_vec(), value.to_vec())).unwrap()
}

/// Samples of the first hour after noon by minutes, and damaged chunks.
fn count_by_minute(store: &Store, series: u32) -> (u64, u64) {
    let hour = TimeRange::between(noon(), Timestamp::from_nanos(noon().nanos() + 3_600_000_000_000 - 1));
    let options = ScanOptions { digests: true, bucket: Some(60_000_000_000), ordered: false, states: None };
    let visit = &mut |_: usize, _: telemetry_core::ScanBlock<'_>| ControlFlow::Continue(());
    let stats = store.scan(&[series], hour, options, visit).unwrap();
    (stats.samples, stats.damaged)
}

#[test]
fn a_damaged_chunk_is_set_aside_and_the_rest_serves() {
    let store = open(StoreOptions::in_memory()).unwrap();
    for part in 0..3 {
        store.append(&samples("m", part * 2000, 1500)).unwrap();
        store.seal().unwrap();
    }
    let database = &store.engine.database;
    let (key, value) = chunk_row(&store, 1);
    let series = ChunkKey::decode(&key).unwrap().series;
    assert_eq!(count(&store, series), (4500, 0));
    for place in [3, value.len() / 2, value.len() - 1] {
        let mut damaged = value.clone();
        damaged[place] ^= 0x10;
        put(database, "m.20260310", &key, &damaged);
        assert_eq!(count(&store, series), (3000, 1), "byte {place}");
    }
    // Neither late samples nor merging trip over it.
    store.append(&samples("m", 2100, 10)).unwrap();
    store.seal().unwrap();
    store.maintain().unwrap();
    assert_eq!(count(&store, series), (3010, 1));
    put(database, "m.20260310", &key, &value);
    assert_eq!(count(&store, series), (4510, 0), "mended, it serves again");
    let reports = store.stats().reports;
    assert!(reports.iter().any(|report| report.contains("2026-03-10T12:33:20Z")), "{reports:?}");
}

#[test]
fn a_late_sample_at_the_first_time_of_a_damaged_chunk_does_not_replace_it() {
    // In the header, and in the blocks' checksum.
    for from_end in [false, true] {
        let store = open(StoreOptions::in_memory()).unwrap();
        for part in 0..3 {
            store.append(&samples("m", part * 2000, 1500)).unwrap();
            store.seal().unwrap();
        }
        let (key, value) = chunk_row(&store, 1);
        let series = ChunkKey::decode(&key).unwrap().series;
        let mut damaged = value.clone();
        let place = if from_end { value.len() - 1 } else { 3 };
        damaged[place] ^= 0x10;
        put(&store.engine.database, "m.20260310", &key, &damaged);
        store.append(&samples("m", 2000, 10)).unwrap();
        store.seal().unwrap();
        store.maintain().unwrap();
        assert_eq!(count(&store, series), (3010, 1), "byte {place}");
        put(&store.engine.database, "m.20260310", &key, &value);
        assert_eq!(count(&store, series), (4510, 0), "byte {place}, mended");
    }
}

#[test]
fn late_samples_leave_the_rollup_right_that_tells_of_a_damaged_chunk() {
    let store = open(StoreOptions::in_memory()).unwrap();
    store.append(&samples("m", 0, 1500)).unwrap();
    store.seal().unwrap();
    let (key, value) = chunk_row(&store, 0);
    let series = ChunkKey::decode(&key).unwrap().series;
    let mut damaged = value.clone();
    damaged[3] ^= 0x10;
    put(&store.engine.database, "m.20260310", &key, &damaged);
    assert_eq!(count_by_minute(&store, series), (1500, 0));
    store.append(&samples("m", 700, 60)).unwrap();
    store.seal().unwrap();
    assert_eq!(count_by_minute(&store, series), (1560, 0));
    put(&store.engine.database, "m.20260310", &key, &value);
    assert_eq!(count(&store, series), (1560, 0), "mended");
}

#[test]
fn a_series_that_damage_keeps_from_being_sealed_keeps_no_other_from_it() {
    let store = open(StoreOptions::in_memory()).unwrap();
    store.append(&samples("m", 0, 1500)).unwrap();
    store.seal().unwrap();
    let database = &store.engine.database;
    let (key, value) = chunk_row(&store, 0);
    // As if all generations of this first time were taken.
    let last = ChunkKey { generation: u16::MAX, ..ChunkKey::decode(&key).unwrap() };
    put(database, "m.20260310", &last.encode(), &value);
    store.append(&samples("m", 0, 1)).unwrap();
    store.append(&samples("other", 0, 10)).unwrap();
    store.seal().unwrap();
    store.maintain().unwrap();
    assert_eq!((store.stats().sealed_sequence, store.engine.open_heads.len()), (1500, 1));
    assert_eq!(count(&store, last.series + 1), (10, 0));
    assert_eq!(count(&store, last.series), (3001, 0), "it is still in the head");
    let reports = store.stats().reports;
    assert!(reports.iter().any(|report| report.contains("are not sealed: ")), "{reports:?}");
    let mut batch = WriteBatch::new();
    batch.delete_cf(&database.find_family("m.20260310").unwrap(), last.encode());
    database.commit(batch, Promise::Derived).unwrap();
    store.seal().unwrap();
    assert_eq!((store.stats().sealed_sequence, store.engine.open_heads.len()), (1511, 0));
    assert_eq!(count(&store, last.series), (1501, 0));
}

#[test]
fn a_damaged_log_row_is_a_gap() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(StoreOptions::in_directory(directory.path())).unwrap();
    for part in 0..3 {
        store.append(&samples("m", part * 100, 10)).unwrap();
    }
    put(&store.engine.database, LOG, &record::key(11), b"damaged");
    let shape = |store: &Store| -> Vec<(u64, u64, bool)> {
        let entries = store.read_log(1, 100).unwrap();
        entries.iter().map(|e| (e.first_sequence, e.next_sequence, e.body == LogBody::Gap)).collect()
    };
    let expected = [(1, 11, false), (11, 21, true), (21, 31, false)];
    assert_eq!(shape(&store), expected);
    drop(store);
    let store = open(StoreOptions::in_directory(directory.path())).unwrap();
    assert_eq!(shape(&store), expected);
    assert_eq!(store.last_sequence(), 30);
    assert_eq!(count(&store, 1), (20, 0), "replay goes on after it");
    assert!(store.stats().reports.iter().any(|report| report.starts_with("log row 11")));
}

#[test]
fn a_newer_format_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let options = StoreOptions::in_directory(directory.path());
    let store = open(options.clone()).unwrap();
    let newer = Identity { format: FORMAT + 1, tag: 7 };
    put(&store.engine.database, META, IDENTITY_KEY, &newer.encode());
    drop(store);
    let error = open(options).unwrap_err();
    assert!(
        matches!(error, OpenError::NewerFormat { found, known: FORMAT, .. } if found == FORMAT + 1),
        "{error:?}"
    );
    assert!(error.to_string().contains("use a newer release"), "{error}");
}

#[test]
fn an_unfinished_partition_is_cleared_away() {
    let directory = tempfile::tempdir().unwrap();
    let options = StoreOptions::in_directory(directory.path());
    let store = open(options.clone()).unwrap();
    // As a crash between creating the family and noting it leaves it.
    store.engine.database.create_family("m.20260310").unwrap();
    drop(store);
    let store = open(options).unwrap();
    assert!(store.engine.database.find_family("m.20260310").is_none());
    store.append(&samples("m", 0, 10)).unwrap();
    assert_eq!(count(&store, 1), (10, 0));
}

#[test]
fn what_holds_back_the_log_is_sealed() {
    let store = open(StoreOptions::in_memory()).unwrap();
    store.append(&samples("slow", 0, 3)).unwrap();
    store.engine.log_size.add(3, 41 << 20);
    store.append(&samples("slow too", 0, 3)).unwrap();
    store.engine.log_size.add(6, 40 << 20);
    store.append(&samples("recent", 0, 3)).unwrap();
    assert_eq!(store.maintain().unwrap().sealed_samples, 3, "the older half");
    assert_eq!(store.stats().sealed_sequence, 3);
}

#[test]
fn verifying_reads_rows_of_every_kind_and_names_those_that_are_wrong() {
    let store = open(StoreOptions::in_memory()).unwrap();
    store.append(&samples("m", 0, 1500)).unwrap();
    store.seal().unwrap();
    let sound = store.verify().unwrap();
    assert!(sound.is_sound(), "{sound:?}");
    let database = &store.engine.database;
    let rows: [(&str, &[u8]); 8] = [
        (META, &[0x09]),
        (LOG, &[0xFF; 8]),
        ("plugin_state", &[0x02, 1, b'p', b'k']),
        ("alerts", &[0x01; 17]),
        ("m.20260310", &[0x10; 15]),
        ("m.20260310", &[0x22, b'm', b'2']),
        ("m.20260310", &[0x24, 0, 0, 0, 0, 0, 0, 0, 1]),
        ("m.20260310", &[0x30; 14]),
    ];
    for (family, key) in rows {
        put(database, family, key, b"nonsense");
    }
    let report = store.verify().unwrap();
    let mut found: Vec<_> = report.findings.iter().map(|finding| finding.family.as_str()).collect();
    found.sort_unstable();
    let mut expected = rows.map(|(family, _)| family);
    expected.sort_unstable();
    assert_eq!(found, expected, "{report:?}");
    assert_eq!(report.rows, sound.rows + rows.len() as u64);
}
