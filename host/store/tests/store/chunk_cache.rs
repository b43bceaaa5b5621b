//! What scans learn of chunks is kept for the next scan, and never shows too much or too little.

use std::ops::ControlFlow;

use telemetry_core::{ScanBlock, ScanOptions, TimeRange, Timestamp};
use telemetry_store::{ScanStats, Store};

use crate::fixture::*;

fn at(seconds: u32) -> Timestamp {
    noon().plus(SECOND * seconds)
}

/// The numeric samples of a metric within a range, as an unordered scan shows them.
fn scan(
    store: &Store,
    name: &str,
    range: TimeRange,
    options: ScanOptions,
) -> (Vec<(i64, f64)>, u64, ScanStats) {
    let (mut samples, mut digested) = (Vec::new(), 0);
    let stats = store
        .scan(&series_of(store, name), range, options, &mut |_, block| {
            match block {
                ScanBlock::Digest(digest) => digested += digest.count,
                ScanBlock::Samples { timestamps, values } => {
                    samples.extend(timestamps.iter().copied().zip(values.iter().copied()));
                }
                ScanBlock::Text { .. } | ScanBlock::State(_) => panic!("there are only numbers"),
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    (samples, digested, stats)
}

#[test]
fn an_edge_is_decoded_once() {
    let fixture = Fixture::in_memory();
    fixture.samples(run_of("m", noon(), 3000));
    fixture.store.seal().unwrap();
    let range = TimeRange::between(at(700), at(1500));
    let (first, _, stats) = scan(&fixture.store, "m", range, ScanOptions::default());
    assert_eq!((first.len(), stats.decoded, stats.cached), (801, 1, 0));
    let before = fixture.store.stats();
    assert!(before.memory.chunk_cache.used_bytes > 0);
    let (again, _, stats) = scan(&fixture.store, "m", range, ScanOptions::default());
    assert_eq!((&again, stats.decoded, stats.cached), (&first, 0, 1));
    assert_eq!(fixture.store.stats().chunk_cache_hits, before.chunk_cache_hits + 1);
    // A range that moves on finds what it shares with the one before, and decodes the rest.
    let later = TimeRange::between(at(1400), at(1700));
    let (moved, _, stats) = scan(&fixture.store, "m", later, ScanOptions::default());
    assert_eq!((moved.len(), stats.decoded), (301, 1));
    let (all, _, stats) =
        scan(&fixture.store, "m", TimeRange::between(at(700), at(1700)), ScanOptions::default());
    assert_eq!((all.len(), stats.decoded, stats.cached), (1001, 0, 1));
}

#[test]
fn late_samples_are_seen_beside_what_is_at_hand() {
    let fixture = Fixture::in_memory();
    fixture.samples(run_of("m", noon(), 2000));
    fixture.store.seal().unwrap();
    let range = TimeRange::between(at(100), at(199));
    let count = |store: &Store| scan(store, "m", range, ScanOptions::default()).0.len();
    assert_eq!((count(&fixture.store), count(&fixture.store)), (100, 100));
    fixture.samples(run_of("m", at(150), 10));
    assert_eq!(count(&fixture.store), 110, "in the head");
    fixture.store.seal().unwrap();
    assert_eq!((count(&fixture.store), count(&fixture.store)), (110, 110), "in a chunk");
    fixture.clock.advance(DAY);
    assert!(fixture.store.maintain().unwrap().folded_chunks > 0);
    assert_eq!((count(&fixture.store), count(&fixture.store)), (110, 110), "merged");
}

#[test]
fn a_digest_that_is_at_hand_hides_no_chunk_that_overlaps() {
    let fixture = Fixture::in_memory();
    fixture.samples(run_of("m", noon(), 60));
    fixture.store.seal().unwrap();
    fixture.samples(run_of("m", at(30), 90));
    fixture.store.seal().unwrap();
    let ordered = ScanOptions { digests: true, bucket: Some(60_000_000_000), ordered: true, states: None };
    // Pages of the later chunk come to hand; of the earlier one, which lies within a bucket, the header.
    let cut = TimeRange::between(at(60), at(100));
    assert_eq!(scan(&fixture.store, "m", cut, ordered).0.len(), 41);
    for _ in 0..2 {
        let (samples, digested, stats) = scan(&fixture.store, "m", TimeRange::ALL, ordered);
        assert_eq!((samples.len() as u64 + digested, stats.damaged), (150, 0));
        assert!(samples.is_sorted_by_key(|(time, _)| *time));
    }
}

#[test]
fn a_partition_that_expires_leaves_nothing_at_hand() {
    let fixture = Fixture::in_memory();
    fixture.samples(run_of("m", noon(), 2000));
    fixture.store.seal().unwrap();
    let empty = fixture.store.stats().memory.chunk_cache.used_bytes;
    scan(&fixture.store, "m", TimeRange::between(at(100), at(199)), ScanOptions::default());
    assert!(fixture.store.stats().memory.chunk_cache.used_bytes > empty + 4096);
    for _ in 0..40 {
        fixture.clock.advance(DAY);
        fixture.store.maintain().unwrap();
    }
    assert_eq!(fixture.store.stats().memory.chunk_cache.used_bytes, empty);
}
