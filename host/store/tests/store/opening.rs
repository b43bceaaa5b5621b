//! Opening: one at a time, by formats that are known, with errors that name the remedy.

use std::sync::Arc;

use telemetry_core::ManualClock;
use telemetry_store::{OpenError, Store, StoreOptions};

use crate::fixture::*;

fn open(options: StoreOptions) -> Result<Store, OpenError> {
    Store::open(StoreOptions { background: false, ..options }, Arc::new(ManualClock::at(noon())))
}

#[test]
fn an_open_store_is_locked() {
    let directory = tempfile::tempdir().unwrap();
    let options = StoreOptions::in_directory(directory.path());
    let first = open(options.clone()).unwrap();
    let error = open(options.clone()).unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }));
    assert!(error.to_string().contains("stop the other host"), "{error}");
    drop(first);
    open(options).unwrap();
}

#[test]
fn a_file_in_the_way_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    std::fs::write(&path, "not a directory").unwrap();
    let error = open(StoreOptions::in_directory(&path)).unwrap_err();
    assert!(matches!(error, OpenError::Failed { .. }), "{error:?}");
    assert!(error.to_string().contains("file"), "{error}");
}

#[test]
fn a_damaged_manifest_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let options = StoreOptions::in_directory(directory.path());
    drop(open(options.clone()).unwrap());
    std::fs::write(directory.path().join("rocksdb/CURRENT"), "nonsense").unwrap();
    let error = open(options).unwrap_err();
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error:?}");
}

#[test]
fn tables_without_their_index_are_not_taken_for_a_new_store() {
    let directory = tempfile::tempdir().unwrap();
    let options = StoreOptions::in_directory(directory.path());
    let fixture = Fixture::open(StoreOptions { background: false, min_free_bytes: 0, ..options.clone() });
    fixture.samples(run_of("m", noon(), 3));
    drop(fixture);
    let (current, kept) = (directory.path().join("rocksdb/CURRENT"), directory.path().join("kept"));
    std::fs::rename(&current, &kept).unwrap();
    for _ in 0..2 {
        let error = open(options.clone()).unwrap_err();
        assert!(matches!(error, OpenError::Corrupt { .. }), "{error:?}");
    }
    std::fs::rename(&kept, &current).unwrap();
    let fixture = Fixture::open(StoreOptions { background: false, min_free_bytes: 0, ..options });
    assert_eq!(count_of(&fixture.store, "m"), 3);
    drop(fixture);
    // What an interrupted first opening leaves is no data.
    std::fs::remove_dir_all(directory.path()).unwrap();
    std::fs::create_dir_all(directory.path().join("rocksdb")).unwrap();
    std::fs::write(directory.path().join("rocksdb/MANIFEST-000001"), "").unwrap();
    open(StoreOptions::in_directory(directory.path())).unwrap();
}

#[test]
fn stores_in_memory_are_apart() {
    let one = Fixture::in_memory();
    let two = Fixture::in_memory();
    one.samples(run_of("m", noon(), 3));
    assert_eq!((one.store.last_sequence(), two.store.last_sequence()), (3, 0));
}

#[test]
fn an_empty_batch_stores_nothing() {
    let fixture = Fixture::in_memory();
    let appended = fixture.samples(Vec::new());
    assert_eq!((appended.first_sequence, fixture.store.last_sequence()), (1, 0));
}

#[test]
fn the_background_threads_sync_and_seal() {
    let directory = tempfile::tempdir().unwrap();
    let options = StoreOptions { min_free_bytes: 0, ..StoreOptions::in_directory(directory.path()) };
    let fixture = Fixture::open(StoreOptions { background: true, ..options });
    for part in 0..10 {
        fixture.samples(run_of("m", noon().plus(SECOND * 1000 * part), 1000));
    }
    // Waits for the threads, however long they take.
    loop {
        let stats = fixture.store.stats();
        if stats.synced_sequence == 10_000 && stats.buffered_bytes < 1024 * 16 {
            break;
        }
        std::thread::yield_now();
    }
    let fixture = fixture.reopen();
    assert_eq!(count_of(&fixture.store, "m"), 10_000);
}
