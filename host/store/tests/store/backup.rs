//! Backups of live stores, what is refused as one, and bringing them back.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use telemetry_core::ManualClock;
use telemetry_store::{
    BackupError, Existing, OpenError, RecordBatch, Store, StoreOptions, check_backup, restore,
};

use crate::fixture::*;

/// Samples of a call; each comes with one event.
const SAMPLES: u64 = 7;

/// A store with a sealed day, a day in the log, and events.
fn filled(directory: &Path) -> Fixture {
    let fixture = Fixture::in_directory(directory);
    fixture.samples(run_of("m", noon(), 1500));
    fixture.store.seal().unwrap();
    fixture.samples(run_of("m", noon().plus(DAY), 300));
    fixture.events(vec![fixture.event("E", noon())]);
    fixture
}

fn check_filled(directory: &Path) {
    let fixture = Fixture::in_directory(directory);
    assert_eq!(count_of(&fixture.store, "m"), 1800);
    let stats = fixture.store.stats();
    assert_eq!((stats.metrics_total, stats.events_total, stats.last_sequence), (1800, 1, 1801));
    assert_eq!(stats.reports, Vec::<String>::new());
    fixture.samples(run_of("m", noon().plus(HOUR), 10));
    assert_eq!(count_of(&fixture.reopen().store, "m"), 1810, "it goes on");
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found
}

fn names_in(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn comes_back_while_the_store_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let fixture = filled(&at("store"));
    let made = fixture.store.backup(&at("backup")).unwrap();
    assert_eq!(made.last_sequence, 1801);
    // Neither what comes later nor the store's own changes to its files reach the backup.
    fixture.samples(run_of("m", noon().plus(MINUTE), 5000));
    fixture.store.seal().unwrap();
    fixture.store.maintain().unwrap();
    drop(fixture.reopen());
    assert_eq!(check_backup(&at("backup")).unwrap(), made);
    for target in ["restored", "restored again"] {
        let (restored, aside) = restore(&at("backup"), &at(target), Existing::Keep).unwrap();
        assert_eq!((restored, aside), (made.clone(), None));
        check_filled(&at(target));
    }
    assert_eq!(check_backup(&at("backup")).unwrap(), made, "using what was restored leaves it alone");
    assert_eq!(names_in(&at("store")), ["SYNCED", "rocksdb", "store.lock"]);
    assert_eq!(names_in(directory.path()), ["backup", "restored", "restored again", "store"]);
}

#[test]
fn under_writers_it_is_whole_calls_and_all_that_was_acknowledged() {
    const WRITERS: u64 = 3;
    let directory = tempfile::tempdir().unwrap();
    let options =
        StoreOptions { min_free_bytes: 0, ..StoreOptions::in_directory(directory.path().join("s")) };
    // With the threads that sync, seal and merge.
    let fixture = Fixture::open(options);
    let stop = AtomicBool::new(false);
    let acknowledged: Vec<AtomicU64> = (0..WRITERS).map(|_| AtomicU64::new(0)).collect();
    let mut backups = Vec::new();
    std::thread::scope(|scope| {
        for (writer, done) in acknowledged.iter().enumerate() {
            let (fixture, stop) = (&fixture, &stop);
            scope.spawn(move || {
                let mut number = 0_u64;
                while !stop.load(Ordering::Relaxed) {
                    // New partitions come up all the time, one day after the other.
                    let day = DAY * u32::try_from(number / 40 % 8).unwrap();
                    let time = noon().plus(day).plus(SECOND * u32::try_from(number % 4000).unwrap());
                    let value = number as f64;
                    let name = format!("m{writer}");
                    let samples = (0..SAMPLES).map(|_| sample(&name, time, value)).collect();
                    let events = vec![fixture.event(&name, time)];
                    fixture.store.append(&RecordBatch { events, samples }).unwrap();
                    number += 1;
                    done.store(number, Ordering::Release);
                }
            });
        }
        for round in 0..6_u64 {
            // Some calls later than the last one.
            while acknowledged.iter().any(|done| done.load(Ordering::Acquire) < (round + 1) * 60) {
                std::thread::yield_now();
            }
            let before: Vec<u64> = acknowledged.iter().map(|done| done.load(Ordering::Acquire)).collect();
            let target = directory.path().join(format!("backup-{round}"));
            let made = fixture.store.backup(&target);
            backups.push((target, before, made));
        }
        stop.store(true, Ordering::Relaxed);
    });
    for (target, before, made) in backups {
        made.unwrap();
        let restored = directory.path().join("restored");
        restore(&target, &restored, Existing::Keep).unwrap();
        let recovered = Fixture::in_directory(&restored);
        let mut total = 0;
        for (writer, before) in before.iter().enumerate() {
            let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
            for (_, value) in values_of(&recovered.store, &format!("m{writer}")) {
                *counts.entry(value as u64).or_default() += 1;
            }
            let calls = counts.len() as u64;
            assert!(calls >= *before, "{calls} calls of writer {writer}, {before} were acknowledged");
            let expected: BTreeMap<u64, u64> = (0..calls).map(|call| (call, SAMPLES)).collect();
            assert_eq!(counts, expected, "whole calls, each once, none in between missing");
            total += calls;
        }
        let stats = recovered.store.stats();
        assert_eq!((stats.metrics_total, stats.events_total), (total * SAMPLES, total));
        assert_eq!(stats.reports, Vec::<String>::new());
        drop(recovered);
        fs::remove_dir_all(&restored).unwrap();
    }
}

#[test]
fn every_damaged_or_missing_file_is_named_and_nothing_is_restored() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    // A copy: links would share the damage with the store.
    let (first, backup) = (at("first"), at("backup"));
    filled(&at("store")).store.backup(&first).unwrap();
    restore(&first, &at("plain"), Existing::Keep).unwrap();
    let refused = |backup: &Path, name: &str| {
        let error = restore(backup, &at("restored"), Existing::Keep).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(name) || matches!(error, BackupError::NotABackup { .. }), "{name}: {text}");
        assert!(check_backup(backup).is_err());
        assert!(!at("restored").exists() && !at("restored.incomplete").exists(), "{name}");
    };
    for path in files_below(&first) {
        let name = path.file_name().unwrap().to_str().unwrap();
        fs::rename(&path, at("kept")).unwrap();
        refused(&first, name);
        let bytes = fs::read(at("kept")).unwrap();
        let mut flipped = bytes.clone();
        if let Some(byte) = flipped.last_mut() {
            *byte ^= 1;
            fs::write(&path, flipped).unwrap();
            refused(&first, name);
        }
        fs::write(&path, [&bytes[..], b"x"].concat()).unwrap();
        refused(&first, name);
        fs::remove_file(&path).unwrap();
        fs::rename(at("kept"), &path).unwrap();
    }
    fs::rename(&first, &backup).unwrap();
    restore(&backup, &at("restored"), Existing::Keep).unwrap();
    check_filled(&at("restored"));
    let none = restore(&at("store"), &at("elsewhere"), Existing::Keep).unwrap_err();
    assert!(matches!(none, BackupError::NotABackup { .. }), "{none}");
}

#[test]
fn nothing_is_overwritten_unless_told() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let fixture = filled(&at("store"));
    fs::create_dir(at("full")).unwrap();
    fs::write(at("full").join("note"), "mine").unwrap();
    let error = fixture.store.backup(&at("full")).unwrap_err();
    assert!(matches!(error, BackupError::NotEmpty { .. }), "{error}");
    // An empty directory will do, also one that was made for it.
    fs::create_dir(at("backup")).unwrap();
    fixture.store.backup(&at("backup")).unwrap();
    let error = restore(&at("backup"), &at("full"), Existing::Keep).unwrap_err();
    assert!(matches!(error, BackupError::NotEmpty { .. }), "{error}");
    // The store is open: it is not taken from under its host.
    let error = restore(&at("backup"), &at("store"), Existing::SetAside).unwrap_err();
    assert!(matches!(error, BackupError::Taken(_)), "{error}");
    fixture.samples(run_of("m", noon().plus(HOUR), 100));
    drop(fixture);
    let (_, aside) = restore(&at("backup"), &at("store"), Existing::SetAside).unwrap();
    check_filled(&at("store"));
    let aside = aside.unwrap();
    assert_eq!(count_of(&Fixture::in_directory(&aside).store, "m"), 1900, "set aside, whole");
    let (_, second) = restore(&at("backup"), &at("store"), Existing::SetAside).unwrap();
    assert_ne!(second.unwrap(), aside);
    let (_, aside) = restore(&at("backup"), &at("full"), Existing::SetAside).unwrap();
    assert_eq!(fs::read_to_string(aside.unwrap().join("note")).unwrap(), "mine");
}

#[test]
fn an_interrupted_backup_is_no_backup_and_leaves_no_links() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let fixture = filled(&at("store"));
    // What a crash in the middle leaves, on both sides.
    fs::create_dir_all(at("backup.incomplete").join("rocksdb")).unwrap();
    fs::create_dir_all(at("store").join("backup.staging.tmp")).unwrap();
    fs::create_dir_all(at("store").join("backup.staging")).unwrap();
    let error = fixture.store.backup(&at("backup")).unwrap_err();
    assert!(matches!(error, BackupError::Unfinished { .. }), "{error}");
    assert!(error.to_string().contains("backup.incomplete"), "{error}");
    assert!(!at("backup").exists());
    let error = restore(&at("backup.incomplete"), &at("restored"), Existing::Keep).unwrap_err();
    assert!(matches!(error, BackupError::NotABackup { .. }), "{error}");
    let fixture = fixture.reopen();
    assert_eq!(names_in(&at("store")), ["SYNCED", "rocksdb", "store.lock"]);
    fs::remove_dir_all(at("backup.incomplete")).unwrap();
    fixture.store.backup(&at("backup")).unwrap();
}

/// What opening says where a store is not in its place.
fn refusal(directory: &Path) -> String {
    let options = StoreOptions { background: false, ..StoreOptions::in_directory(directory) };
    let error = Store::open(options, Arc::new(ManualClock::at(noon()))).unwrap_err();
    assert!(matches!(error, OpenError::Failed { .. }), "{error:?}");
    std::error::Error::source(&error).unwrap().to_string()
}

#[test]
fn a_crash_while_a_store_is_replaced_does_not_begin_an_empty_one() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    filled(&at("store")).store.backup(&at("backup")).unwrap();
    // As a crash leaves it between the two renames.
    restore(&at("backup"), &at("draft"), Existing::Keep).unwrap();
    fs::rename(at("draft"), at("store.incomplete")).unwrap();
    fs::rename(at("store"), at("store.set-aside-1")).unwrap();
    let text = refusal(&at("store"));
    assert!(text.contains("store.incomplete") && text.contains("store.set-aside-1"), "{text}");
    assert!(text.contains("rename the one to be used"), "{text}");
    assert!(!at("store").exists(), "nothing was made");
    // Nor in an empty directory, which something else may have made.
    fs::create_dir(at("store")).unwrap();
    assert_eq!(refusal(&at("store")), text);
    assert_eq!(names_in(&at("store")), Vec::<String>::new());
    fs::remove_dir(at("store")).unwrap();
    fs::rename(at("store.incomplete"), at("store")).unwrap();
    check_filled(&at("store"));
    // The older store beside it is in nobody's way as long as there is one.
    let (_, aside) = restore(&at("backup"), &at("store"), Existing::SetAside).unwrap();
    assert_eq!(aside, Some(at("store.set-aside-2")));
    check_filled(&at("store"));
    // Where the store is gone, a backup is restored as ever.
    fs::remove_dir_all(at("store")).unwrap();
    assert!(refusal(&at("store")).contains("store.set-aside-2"));
    restore(&at("backup"), &at("store"), Existing::Keep).unwrap();
    check_filled(&at("store"));
}

#[test]
fn a_backup_on_another_file_system_is_a_copy() {
    use std::os::unix::fs::MetadataExt;
    let directory = tempfile::tempdir().unwrap();
    let Ok(other) = tempfile::tempdir_in("/dev/shm") else { return };
    let device = |path: &Path| fs::metadata(path).unwrap().dev();
    if device(directory.path()) == device(other.path()) {
        return;
    }
    let fixture = filled(&directory.path().join("store"));
    let target = other.path().join("backup");
    let made = fixture.store.backup(&target).unwrap();
    assert_eq!(names_in(&directory.path().join("store")), ["SYNCED", "rocksdb", "store.lock"]);
    drop(fixture);
    assert_eq!(check_backup(&target).unwrap(), made);
    restore(&target, &directory.path().join("restored"), Existing::Keep).unwrap();
    check_filled(&directory.path().join("restored"));
}

#[test]
fn a_store_in_memory_has_no_backup() {
    let directory = tempfile::tempdir().unwrap();
    let error = Fixture::in_memory().store.backup(&directory.path().join("backup")).unwrap_err();
    assert!(matches!(error, BackupError::InMemory), "{error}");
    assert_eq!(names_in(directory.path()), Vec::<String>::new());
}
