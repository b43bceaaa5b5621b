//! The last write-ahead log cut at every byte, and with every byte flipped: a clean prefix of calls, never a wrong count.
//! Flipped bytes in RocksDB's index files: told, or all is there.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use telemetry_core::ManualClock;
use telemetry_store::{LogBody, OpenError, RecordBatch, Store, StoreOptions};

use crate::fixture::*;

/// Samples of a call; each comes with one event.
const SAMPLES: u64 = 3;
/// Calls that are in tables, whatever becomes of the log.
const IN_TABLES: u64 = 4;
/// Calls in all; the others are in the last log alone.
const CALLS: u64 = 12;
/// Every how many bytes the log is damaged in the short form: all bytes take about a minute.
const STRIDE: usize = 11;

/// A store as a crash leaves it, all of it synced; and the place of its last log.
struct Crashed {
    directory: tempfile::TempDir,
    log: PathBuf,
    bytes: Vec<u8>,
}

/// In memory where that is to be had: a case opens and syncs a store of its own.
fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn options(directory: &Path) -> StoreOptions {
    StoreOptions { background: false, min_free_bytes: 0, ..StoreOptions::in_directory(directory) }
}

fn append(fixture: &Fixture, calls: Range<u64>) {
    for call in calls {
        let time = noon().plus(SECOND * u32::try_from(call).unwrap());
        let samples = (0..SAMPLES).map(|_| sample("m", time, call as f64)).collect();
        let events = vec![fixture.event("E", time)];
        fixture.store.append(&RecordBatch { events, samples }).unwrap();
    }
}

fn copy_files(from: &Path, to: &Path) {
    fs::create_dir_all(to.join("rocksdb")).unwrap();
    for folder in ["", "rocksdb"] {
        for entry in fs::read_dir(from.join(folder)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                fs::copy(entry.path(), to.join(folder).join(entry.file_name())).unwrap();
            }
        }
    }
}

fn crashed() -> Crashed {
    let origin = scratch();
    let fixture = Fixture::in_directory(origin.path());
    append(&fixture, 0..IN_TABLES);
    // Opening brings the log into tables and begins a new one.
    let fixture = fixture.reopen();
    append(&fixture, IN_TABLES..CALLS);
    fixture.store.sync().unwrap();
    let directory = scratch();
    copy_files(origin.path(), directory.path());
    let files = fs::read_dir(directory.path().join("rocksdb")).unwrap().map(|entry| entry.unwrap().path());
    let logs = files.filter(|path| path.extension().is_some_and(|end| end == "log"));
    let log = logs.max().unwrap();
    let bytes = fs::read(&log).unwrap();
    assert!(bytes.len() > 500, "the calls are in it");
    let log = log.strip_prefix(directory.path()).unwrap().to_owned();
    Crashed { directory, log, bytes }
}

/// Opens the store with this log; answers how many calls it holds, or `None` where it says that it is damaged.
fn calls_with(crashed: &Crashed, log: &[u8], case: &str, go_on: bool) -> Option<u64> {
    let directory = scratch();
    copy_files(crashed.directory.path(), directory.path());
    fs::write(directory.path().join(&crashed.log), log).unwrap();
    let clock = Arc::new(ManualClock::at(noon()));
    let store = match Store::open(options(directory.path()), Arc::clone(&clock) as _) {
        Ok(store) => store,
        Err(OpenError::Corrupt { .. }) => return None,
        Err(error) => panic!("{case}: {error:?}"),
    };
    let stats = store.stats();
    let calls = stats.events_total;
    assert_eq!(stats.metrics_total, calls * SAMPLES, "{case}");
    assert_eq!(stats.last_sequence, calls * (SAMPLES + 1), "{case}");
    let expected: Vec<f64> = (0..calls).flat_map(|call| [call as f64; SAMPLES as usize]).collect();
    let found: Vec<f64> = values_of(&store, "m").into_iter().map(|(_, value)| value).collect();
    assert_eq!(found, expected, "{case}");
    let mut events = 0;
    let mut next = 1;
    while let Some(last) = store.read_log(next, 1000).unwrap().last() {
        for entry in store.read_log(next, 1000).unwrap() {
            assert_ne!(entry.body, LogBody::Gap, "{case}");
            if let LogBody::Events(batch) = entry.body {
                events += batch.len() as u64;
            }
        }
        next = last.next_sequence;
    }
    assert_eq!(events, calls, "{case}");
    // All of it was synced: what is missing is told, what is not missing is no cause for alarm.
    let told = stats.reports.iter().any(|report| report.contains("were on the disk and are gone"));
    assert_eq!(told, calls < CALLS, "{case}: {:?}", stats.reports);
    assert!((IN_TABLES..=CALLS).contains(&calls), "{case}");
    if go_on {
        let fixture = Fixture { clock, store, options: options(directory.path()) };
        append(&fixture, calls..calls + 2);
        let again = fixture.reopen();
        assert_eq!(count_of(&again.store, "m"), (calls + 2) * SAMPLES, "{case}");
        assert_eq!(again.store.stats().events_total, calls + 2, "{case}");
    }
    Some(calls)
}

/// Cuts and flips the log at every `stride`-th byte.
fn damage_every(stride: usize) {
    let crashed = crashed();
    let length = crashed.bytes.len();
    assert_eq!(calls_with(&crashed, &crashed.bytes, "whole", true), Some(CALLS));
    let places: Vec<usize> = (0..length).step_by(stride).chain([length - 1]).collect();
    let next = AtomicUsize::new(0);
    let told = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(place) = places.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let go_on = place.is_multiple_of(5);
                    let cut =
                        calls_with(&crashed, &crashed.bytes[..*place], &format!("cut at {place}"), go_on);
                    assert!(cut.is_some_and(|calls| calls < CALLS), "a cut log is a shorter one: {place}");
                    for flip in [1 << (place % 8), 0xFF] {
                        let mut bytes = crashed.bytes.clone();
                        bytes[*place] ^= flip;
                        let case = format!("byte {place} flipped by {flip:#x}");
                        match calls_with(&crashed, &bytes, &case, go_on) {
                            Some(calls) => assert!(calls < CALLS, "{case} was not noticed"),
                            None => {
                                told.fetch_add(1, Ordering::Relaxed);
                            }
                        }
                    }
                }
            });
        }
    });
    println!("{length} bytes, {} places, {} refused as damaged", places.len(), told.into_inner());
}

#[test]
fn a_log_damaged_anywhere_is_a_clean_prefix() {
    damage_every(STRIDE);
}

/// A type of recycled logs makes RocksDB read for ever; the opening must tell instead.
#[test]
fn a_record_of_an_impossible_type_is_told() {
    let crashed = crashed();
    let (mut start, mut records) = (0, 0);
    while let Some([low, high, _]) = crashed.bytes.get(start + 4..start + 7) {
        let mut bytes = crashed.bytes.clone();
        bytes[start + 6] ^= 0x04;
        let calls = calls_with(&crashed, &bytes, &format!("record {records} at {start}"), false);
        // The first one ends the log for RocksDB.
        assert_eq!(calls.is_none(), records > 0, "record {records}");
        start += 7 + usize::from(u16::from_le_bytes([*low, *high]));
        records += 1;
    }
    assert!(records > CALLS - IN_TABLES, "{records} records");
}

#[test]
#[ignore = "the same at every byte; takes a minute or two"]
fn a_log_damaged_at_every_byte_is_a_clean_prefix() {
    damage_every(1);
}

/// Flips `file` of RocksDB's directory at every `stride`-th byte.
fn flip_every(prefix: &str, stride: usize) {
    let crashed = crashed();
    let rocks = crashed.directory.path().join("rocksdb");
    let names = fs::read_dir(&rocks).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let name = names.filter(|name| name.starts_with(prefix)).max().unwrap();
    let bytes = fs::read(rocks.join(&name)).unwrap();
    let (mut told, mut whole) = (0, 0);
    for place in (0..bytes.len()).step_by(stride) {
        let directory = scratch();
        copy_files(crashed.directory.path(), directory.path());
        let mut flipped = bytes.clone();
        flipped[place] ^= 1 << (place % 8);
        fs::write(directory.path().join("rocksdb").join(&name), flipped).unwrap();
        match Store::open(options(directory.path()), Arc::new(ManualClock::at(noon()))) {
            Ok(store) => {
                let stats = store.stats();
                assert_eq!(stats.last_sequence, CALLS * (SAMPLES + 1), "{name} {place} {:?}", stats.reports);
                assert_eq!(values_of(&store, "m").len() as u64, CALLS * SAMPLES, "{name} {place}");
                whole += 1;
            }
            Err(OpenError::Corrupt { .. }) => told += 1,
            Err(error) => panic!("{name} {place}: {error:?}"),
        }
    }
    println!("{name}: {} bytes, {told} told, {whole} opened", bytes.len());
    assert!(prefix == "OPTIONS-" || told > whole, "{name}");
}

#[test]
fn a_flipped_index_is_told_or_harmless() {
    flip_every("CURRENT", 1);
    flip_every("MANIFEST-", 7);
    // Text, which RocksDB does not need for opening.
    flip_every("OPTIONS-", 1501);
}
