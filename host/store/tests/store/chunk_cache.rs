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

/// What the store below has of the series that is looked at.
const IN_ALL: u64 = 8 * 10 + 1100;

/// One sample of another series, which is scanned first; eight small chunks that are due to be merged; and a large one after
/// them, which is not.
fn ragged() -> Fixture {
    let fixture = Fixture::in_memory();
    fixture.samples(vec![sample("first", noon(), 1.0)]);
    for part in 0..8 {
        fixture.samples(run_of("m", at(part * 20), 10));
        fixture.store.seal().unwrap();
    }
    fixture.samples(run_of("m", at(1000), 1100));
    fixture.store.seal().unwrap();
    fixture
}

fn at_the_beginning() -> TimeRange {
    TimeRange::between(at(0), at(5))
}

#[test]
fn chunks_of_before_a_merge_are_not_joined_with_those_of_after_it() {
    let fixture = ragged();
    let store = &fixture.store;
    let (mut seen, mut merged) = (0, 0);
    store
        .scan(&series_of(store, "m"), TimeRange::ALL, ScanOptions::default(), &mut |_, block| {
            if merged == 0 {
                merged = store.maintain().unwrap().folded_chunks;
            }
            if let ScanBlock::Samples { timestamps, .. } = block {
                seen += timestamps.len() as u64;
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!((seen, merged), (IN_ALL, 8));
    // It reads the merged chunk, and knows the later ones from the scan before.
    assert_eq!(scan(store, "m", at_the_beginning(), ScanOptions::default()).0.len(), 6);
    assert_eq!(count_of(store, "m"), IN_ALL);
    assert_eq!(scan(store, "m", TimeRange::ALL, ScanOptions::default()).0.len() as u64, IN_ALL);
}

#[test]
fn chunks_of_after_a_merge_are_not_joined_with_those_of_before_it() {
    let fixture = ragged();
    let store = &fixture.store;
    let ids = [series_of(store, "first"), series_of(store, "m")].concat();
    assert!(ids[0] < ids[1]);
    let (mut seen, mut merged) = (0, 0);
    store
        .scan(&ids, at_the_beginning(), ScanOptions::default(), &mut |index, block| {
            if index == 0 {
                merged = store.maintain().unwrap().folded_chunks;
                // What is known from now on is of after the merge, and this scan still sees what was before.
                assert_eq!(scan(store, "m", TimeRange::ALL, ScanOptions::default()).0.len() as u64, IN_ALL);
            } else if let ScanBlock::Samples { timestamps, .. } = block {
                seen += timestamps.len();
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!((seen, merged), (6, 8));
    assert_eq!(count_of(store, "m"), IN_ALL);
    assert_eq!(scan(store, "m", TimeRange::ALL, ScanOptions::default()).0.len() as u64, IN_ALL);
}

#[test]
fn a_merge_leaves_the_pages_of_other_chunks_at_hand() {
    let fixture = ragged();
    let range = TimeRange::between(at(1100), at(1200));
    let (found, _, stats) = scan(&fixture.store, "m", range, ScanOptions::default());
    assert_eq!((found.len(), stats.decoded), (101, 1));
    assert_eq!(fixture.store.maintain().unwrap().folded_chunks, 8);
    let (again, _, stats) = scan(&fixture.store, "m", range, ScanOptions::default());
    assert_eq!((again, stats.decoded, stats.cached), (found, 0, 1));
}
