//! A damaged block in a partition that still gets samples: appending, sealing, merging and cutting the log go on.

use std::collections::HashSet;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use telemetry_core::{ManualClock, ScanBlock, ScanOptions, TimeRange};
use telemetry_store::{Store, StoreOptions};

use super::{copy_of, filled, tables_in};
use crate::fixture::*;

const SERIES: usize = 20;
/// Samples that each series had, and has in the end.
const BEFORE: u32 = 3000;
const IN_ALL: u64 = 3800;
/// Each brings late and further samples, 200 in all.
const ROUNDS: u32 = 4;
const LATE: u32 = 20;
const ONWARD: u32 = 180;

const SINGLY: ScanOptions = ScanOptions { digests: false, bucket: None, ordered: false, states: None };
const BY_MINUTE: ScanOptions =
    ScanOptions { digests: true, bucket: Some(60_000_000_000), ordered: false, states: None };

/// The samples of each of these series, as a scan shows them.
fn counts(store: &Store, ids: &[u32], options: ScanOptions) -> Vec<u64> {
    let mut counts = vec![0; ids.len()];
    store
        .scan(ids, TimeRange::ALL, options, &mut |index, block| {
            counts[index] += match block {
                ScanBlock::Digest(digest) => digest.count,
                ScanBlock::State(kept) => kept.count,
                ScanBlock::Samples { timestamps, .. } | ScanBlock::Text { timestamps } => {
                    timestamps.len() as u64
                }
            };
            ControlFlow::Continue(())
        })
        .unwrap();
    counts
}

fn largest(directory: &Path) -> PathBuf {
    tables_in(directory).into_iter().max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap()
}

/// Flips a bit of a table; answers what it was.
fn flip(table: &Path, place: impl Fn(usize) -> usize) -> Vec<u8> {
    let sound = fs::read(table).unwrap();
    let mut flipped = sound.clone();
    flipped[place(sound.len())] ^= 0x01;
    fs::write(table, flipped).unwrap();
    sound
}

/// Samples of all series, the first ones at the very times at which their chunks begin, until chunks are worth merging and the
/// log is worth cutting.
fn go_on(fixture: &Fixture) {
    for round in 0..ROUNDS {
        for host in 0..SERIES {
            let late = (0..LATE).map(|n| round * 700 + n);
            let onward = (0..ONWARD).map(|n| BEFORE + round * ONWARD + n);
            let at = |second: u32| noon().plus(SECOND * second);
            let samples = late.chain(onward).map(|second| labelled("m", &host.to_string(), at(second), 1.5));
            fixture.samples(samples.collect());
        }
        fixture.store.seal().unwrap();
    }
    let done = fixture.store.maintain().unwrap();
    assert!(done.folded_chunks > 0, "{done:?}");
    let stats = fixture.store.stats();
    assert_eq!(stats.sealed_sequence, fixture.store.last_sequence(), "nothing waits in a head");
    assert!(stats.trimmed_sequence > 70_000, "the log was cut at {}", stats.trimmed_sequence);
    assert!(stats.poisoned.is_none());
}

#[test]
fn a_damaged_block_of_chunks_stops_nothing_and_is_not_written_over() {
    let directory = tempfile::tempdir().unwrap();
    drop(filled(directory.path()).reopen());
    let table = largest(directory.path());
    let sound = flip(&table, |length| length / 2);
    let check = |fixture: &Fixture| {
        let ids = series_of(&fixture.store, "m");
        let singly = counts(&fixture.store, &ids, SINGLY);
        assert!(singly.iter().filter(|count| **count == IN_ALL).count() >= 17, "{singly:?}");
        assert!(singly.iter().any(|count| *count < IN_ALL), "{singly:?}");
        // Rollups tell of what is damaged, too, and of all that came since.
        assert_eq!(counts(&fixture.store, &ids, BY_MINUTE), [IN_ALL; SERIES]);
        let reports = fixture.store.stats().reports;
        assert!(
            reports.iter().any(|report| report.contains("a block of partition m.20260310")),
            "{reports:?}"
        );
    };
    let fixture = Fixture::in_directory(directory.path());
    go_on(&fixture);
    check(&fixture);
    let fixture = fixture.reopen();
    check(&fixture);
    drop(fixture);
    fs::write(&table, sound).unwrap();
    let fixture = Fixture::in_directory(directory.path());
    let ids = series_of(&fixture.store, "m");
    for options in [SINGLY, BY_MINUTE] {
        assert_eq!(counts(&fixture.store, &ids, options), [IN_ALL; SERIES], "mended, all is there");
    }
}

/// A copy of the store with a flipped bit in a block that holds nothing but rollups.
fn with_damaged_rollups(origin: &Path, ids: &[u32]) -> tempfile::TempDir {
    let table = largest(origin);
    for kilobytes in 1..64 {
        let copy = copy_of(origin);
        let flipped = copy.path().join("rocksdb").join(table.file_name().unwrap());
        flip(&flipped, |length| length - kilobytes * 1024);
        let options =
            StoreOptions { background: false, min_free_bytes: 0, ..StoreOptions::in_directory(copy.path()) };
        let Ok(store) = Store::open(options, Arc::new(ManualClock::at(noon()))) else { continue };
        if store.select_series(&Default::default(), TimeRange::ALL).is_err() {
            continue;
        }
        let scan = store.scan(ids, TimeRange::ALL, BY_MINUTE, &mut |_, _| ControlFlow::Continue(()));
        if scan.is_err() {
            continue;
        }
        let reports = store.stats().reports;
        drop(store);
        if !reports.is_empty() && reports.iter().all(|report| report.starts_with("rollups of partition")) {
            return copy;
        }
    }
    panic!("no block of rollups was found");
}

#[test]
fn a_damaged_block_of_rollups_keeps_nothing_from_being_sealed() {
    let origin = tempfile::tempdir().unwrap();
    let fixture = filled(origin.path()).reopen();
    let ids = series_of(&fixture.store, "m");
    drop(fixture);
    let copy = with_damaged_rollups(origin.path(), &ids);
    let mut fixture = Fixture::in_directory(copy.path());
    go_on(&fixture);
    for _ in 0..2 {
        for options in [SINGLY, BY_MINUTE] {
            assert_eq!(counts(&fixture.store, &ids, options), [IN_ALL; SERIES]);
        }
        fixture = fixture.reopen();
    }
}

/// A copy of the store with a flipped bit in the middle of the partition's table, where chunks are.
fn with_a_damaged_chunk(origin: &Path) -> tempfile::TempDir {
    for table in tables_in(origin) {
        let copy = copy_of(origin);
        flip(&copy.path().join("rocksdb").join(table.file_name().unwrap()), |length| length / 2);
        let options =
            StoreOptions { background: false, min_free_bytes: 0, ..StoreOptions::in_directory(copy.path()) };
        let Ok(store) = Store::open(options, Arc::new(ManualClock::at(noon()))) else { continue };
        let Ok(report) = store.verify() else { continue };
        if report.findings.iter().any(|finding| finding.family == "m.20260310") {
            return copy;
        }
    }
    panic!("the partition has no table");
}

#[test]
fn samples_behind_a_damaged_block_are_counted_for_the_ids_of_late_ones() {
    // Noisy ones, so that a block has no more than two chunks.
    const CHUNKS: u32 = 12;
    const OF_A_CHUNK: u32 = 3000;
    let noisy = |n: u32| {
        let mixed = n.wrapping_mul(2_654_435_761).wrapping_mul(0x85EB_CA6B);
        f64::from(mixed ^ mixed >> 15) / 7.0
    };
    let at = |second: u32| noon().plus(SECOND * second);
    let origin = tempfile::tempdir().unwrap();
    let fixture = Fixture::in_directory(origin.path());
    let mut ids = HashSet::new();
    for part in 0..CHUNKS {
        let run = (part * OF_A_CHUNK..(part + 1) * OF_A_CHUNK).map(|n| sample("m", at(n), noisy(n)));
        ids.extend(fixture.samples(run.collect()).sample_ids);
        fixture.store.seal().unwrap();
    }
    drop(fixture.reopen());
    let copy = with_a_damaged_chunk(origin.path());
    let fixture = Fixture::in_directory(copy.path());
    let late = (0..CHUNKS * OF_A_CHUNK).map(|n| sample("m", at(n), 1.5)).collect();
    let again = fixture.samples(late).sample_ids;
    let repeated = again.iter().filter(|id| ids.contains(id)).count();
    let (chunk, damaged) = (OF_A_CHUNK as usize, repeated / OF_A_CHUNK as usize);
    assert_eq!(repeated, damaged * chunk, "whole chunks count as nothing");
    assert!((1..=2).contains(&damaged), "{damaged} chunks are in the damaged block");
    let reports = fixture.store.stats().reports;
    assert!(reports.iter().any(|report| report.contains("a block of partition m.20260310")), "{reports:?}");
}
