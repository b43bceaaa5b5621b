//! Late samples that are sealed together with current ones: the chunks that they become, and reading by time around them.

use std::ops::ControlFlow;

use proptest::prelude::*;
use telemetry_core::{AdmittedSample, ScanBlock, ScanOptions, TimeRange, Timestamp, limits};
use telemetry_store::Store;

use crate::fixture::*;

const STEP: u32 = 10;
/// Samples of 20 minutes.
const PART: u32 = 120;
const PARTS: u32 = 12;

/// Four in the morning, so that there is room for a day's samples.
fn start() -> Timestamp {
    noon().minus(8 * HOUR)
}

fn at(seconds: u32) -> Timestamp {
    start().plus(SECOND * seconds)
}

/// Samples `from` to `to` of one in ten seconds.
fn regular(from: u32, to: u32) -> Vec<AdmittedSample> {
    (from..to).map(|n| sample("m", at(n * STEP), f64::from(n))).collect()
}

/// How many chunks reach into a range.
fn chunks_in(store: &Store, range: TimeRange) -> u64 {
    let visit = &mut |_: usize, _: ScanBlock<'_>| ControlFlow::Continue(());
    store.scan(&series_of(store, "m"), range, ScanOptions::default(), visit).unwrap().chunks
}

/// Some minutes in the middle of what was sealed.
fn between() -> TimeRange {
    TimeRange::between(at(PART * STEP * 6 + 100), at(PART * STEP * 6 + 400))
}

/// The numbers of a range as an ordered scan shows them, in blocks that are not too large.
fn in_order(store: &Store, range: TimeRange) -> Vec<(i64, f64)> {
    let mut found = Vec::new();
    let options = ScanOptions { ordered: true, ..ScanOptions::default() };
    store
        .scan(&series_of(store, "m"), range, options, &mut |_, block| {
            if let ScanBlock::Samples { timestamps, values } = block {
                assert!(timestamps.len() <= limits::MAX_CHUNK_SAMPLES, "a block of {}", timestamps.len());
                found.extend(timestamps.iter().copied().zip(values.iter().copied()));
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    found
}

/// By time, then by arrival.
fn sorted(samples: &[AdmittedSample]) -> Vec<(i64, f64)> {
    let mut rows: Vec<(i64, f64)> = samples
        .iter()
        .filter_map(|sample| Some((sample.timestamp().nanos(), sample.value().as_f64()?)))
        .collect();
    rows.sort_by_key(|row| row.0);
    rows
}

#[test]
fn one_late_sample_among_current_ones_is_a_chunk_of_its_own() {
    for place in [0, 60, 120] {
        for reopens in [false, true] {
            let directory = tempfile::tempdir().unwrap();
            let mut fixture = Fixture::in_directory(directory.path());
            let mut all = Vec::new();
            for part in 0..PARTS {
                all.extend(regular(part * PART, (part + 1) * PART));
                fixture.samples(regular(part * PART, (part + 1) * PART));
                fixture.store.seal().unwrap();
            }
            let mut current = regular(PARTS * PART, (PARTS + 1) * PART);
            current.insert(place, sample("m", at(65), 0.5));
            all.extend(current.iter().cloned());
            fixture.samples(current);
            if reopens {
                // What is sealed where is to be looked for then.
                fixture = fixture.reopen();
            }
            fixture.store.seal().unwrap();
            let store = &fixture.store;
            let told = format!("the late one is number {place}, {reopens}");
            assert_eq!(chunks_in(store, TimeRange::ALL), u64::from(PARTS) + 2, "{told}");
            assert_eq!(chunks_in(store, between()), 1, "{told}");
            assert_eq!(in_order(store, TimeRange::ALL), sorted(&all), "{told}");
            assert_eq!(count_of(store, "m"), all.len() as u64, "{told}");
        }
    }
}

#[test]
fn late_samples_within_a_chunk_of_the_whole_day_do_not_tie_the_current_ones_to_it() {
    let directory = tempfile::tempdir().unwrap();
    let mut fixture = Fixture::in_directory(directory.path());
    let mut all = regular(0, PARTS * PART);
    fixture.samples(all.clone());
    fixture.store.seal().unwrap();
    fixture.samples(vec![sample("m", at(65), 0.5)]);
    fixture.store.seal().unwrap();
    let mut current = regular(PARTS * PART, (PARTS + 1) * PART);
    current.push(sample("m", at(125), 0.75));
    all.push(sample("m", at(65), 0.5));
    all.extend(current.iter().cloned());
    fixture.samples(current);
    fixture = fixture.reopen();
    fixture.store.seal().unwrap();
    // The day's, two late ones, the current one.
    assert_eq!(chunks_in(&fixture.store, TimeRange::ALL), 4);
    assert_eq!(chunks_in(&fixture.store, between()), 1);
    assert_eq!(in_order(&fixture.store, TimeRange::ALL), sorted(&all));
}

#[test]
fn samples_in_order_are_one_chunk_whatever_is_missing() {
    let directory = tempfile::tempdir().unwrap();
    let mut fixture = Fixture::in_directory(directory.path());
    // Some are missing, then two hours, then most.
    let mut samples = regular(0, 300);
    samples.retain(|sample| sample.timestamp().nanos() / 10_000_000_000 % 7 != 0);
    samples.extend(regular(1020, 1200));
    samples.extend((0..20).flat_map(|n| regular(1300 + n * 40, 1302 + n * 40)));
    fixture.samples(samples);
    fixture.store.seal().unwrap();
    assert_eq!(chunks_in(&fixture.store, TimeRange::ALL), 1);
    let mut later = regular(2400, 2500);
    later.extend(regular(3000, 3100));
    fixture.samples(later);
    fixture = fixture.reopen();
    fixture.store.seal().unwrap();
    assert_eq!(chunks_in(&fixture.store, TimeRange::ALL), 2);
}

#[test]
fn many_late_samples_far_apart_are_few_chunks() {
    let fixture = Fixture::in_memory();
    let mut all = Vec::new();
    let (parts, part) = (42_u32, 60);
    for n in 0..parts {
        all.extend(regular(n * part, (n + 1) * part));
        fixture.samples(regular(n * part, (n + 1) * part));
        fixture.store.seal().unwrap();
    }
    let late: Vec<_> = (0..parts).map(|n| sample("m", at(n * part * STEP + 5), 0.5)).collect();
    all.extend(late.iter().cloned());
    fixture.samples(late);
    fixture.store.seal().unwrap();
    assert_eq!(chunks_in(&fixture.store, TimeRange::ALL), u64::from(parts) + 32, "of 42 late ones");
    assert_eq!(in_order(&fixture.store, TimeRange::ALL), sorted(&all));
    assert!(fixture.store.maintain().unwrap().folded_chunks > 0);
    assert_eq!(chunks_in(&fixture.store, TimeRange::ALL), 1);
    assert_eq!(in_order(&fixture.store, TimeRange::ALL), sorted(&all));
    assert_eq!(count_of(&fixture.store, "m"), all.len() as u64);
}

#[test]
fn late_samples_far_apart_count_once_a_seal_towards_merging() {
    let fixture = Fixture::in_memory();
    // Half as many small chunks as are merged.
    let (parts, part) = (4_u32, 200);
    for n in 0..parts {
        fixture.samples(regular(n * part, (n + 1) * part));
        fixture.store.seal().unwrap();
    }
    for round in 1..=2_u32 {
        let at = |n: u32| at((n * part + part / 2 + round * 10) * STEP + 5);
        fixture.samples((0..parts).map(|n| sample("m", at(n), 0.5)).collect());
        fixture.store.seal().unwrap();
        assert_eq!(chunks_in(&fixture.store, TimeRange::ALL), u64::from(parts * (1 + round)), "{round}");
        let folded = fixture.store.maintain().unwrap().folded_chunks;
        assert_eq!(folded > 0, round == 2, "{folded} in round {round}");
    }
    assert_eq!(count_of(&fixture.store, "m"), u64::from(parts * (part + 2)));
}

#[test]
fn chunks_that_overlap_are_shown_in_blocks_and_merged_in_order() {
    const SAMPLES: u32 = 12_000;
    let fixture = Fixture::in_memory();
    let mut all = Vec::new();
    // The same seconds thrice: floats, integers, and floats with texts among them.
    for round in 0..3_u32 {
        let samples: Vec<_> = (0..SAMPLES)
            .map(|n| match (round, n % 1000) {
                (1, _) => sample("m", at(n), i64::from(n)),
                (2, 999) => sample("m", at(n), "text"),
                _ => sample("m", at(n), f64::from(n) + 0.25),
            })
            .collect();
        all.extend(samples.iter().cloned());
        fixture.samples(samples);
        fixture.store.seal().unwrap();
    }
    let wanted = sorted(&all);
    assert_eq!(wanted.len(), 3 * 12_000 - 12);
    assert_eq!(in_order(&fixture.store, TimeRange::ALL), wanted);
    let part = TimeRange::between(at(1000), at(7777));
    let within = |row: &&(i64, f64)| part.contains(Timestamp::from_nanos(row.0));
    let wanted_part: Vec<_> = wanted.iter().filter(within).copied().collect();
    assert_eq!(in_order(&fixture.store, part), wanted_part);
    fixture.clock.advance(DAY);
    assert!(fixture.store.maintain().unwrap().folded_chunks >= 3);
    assert_eq!(
        chunks_in(&fixture.store, TimeRange::ALL),
        3,
        "36,000 samples are three chunks of at most 16,384"
    );
    assert_eq!(in_order(&fixture.store, TimeRange::ALL), wanted);
    assert_eq!(in_order(&fixture.store, part), wanted_part);
    assert_eq!(count_of(&fixture.store, "m"), 36_000);
}

fn check(store: &Store, all: &[AdmittedSample], cuts: &[(u32, u32)]) {
    let wanted = sorted(all);
    let mut ranges = vec![TimeRange::ALL];
    ranges.extend(cuts.iter().map(|(from, length)| {
        let from = noon().minus(DAY).plus(SECOND * *from);
        TimeRange::between(from, from.plus(SECOND * *length))
    }));
    for range in ranges {
        let within = |row: &&(i64, f64)| range.contains(Timestamp::from_nanos(row.0));
        let wanted: Vec<_> = wanted.iter().filter(within).copied().collect();
        // First, last and all between.
        assert_eq!(in_order(store, range), wanted, "{range:?}");
        let mut count = 0;
        let options = ScanOptions { digests: true, ..ScanOptions::default() };
        let visit = &mut |_: usize, block: ScanBlock<'_>| {
            count += match block {
                ScanBlock::Digest(digest) => digest.count,
                ScanBlock::Samples { values, .. } => values.len() as u64,
                ScanBlock::Text { .. } | ScanBlock::State(_) => 0,
            };
            ControlFlow::Continue(())
        };
        store.scan(&series_of(store, "m"), range, options, visit).unwrap();
        assert_eq!(count, wanted.len() as u64, "{range:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Of each round: current samples, the minutes by which others are late, and what is done then.
    #[test]
    fn late_samples_leave_reading_by_time_exact(
        rounds in prop::collection::vec((1..200_u32, prop::collection::vec(0..1500_u32, 0..8), 0..6_u8), 1..16),
        cuts in prop::collection::vec((0..110_000_u32, 0..40_000_u32), 4),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let mut fixture = Fixture::in_directory(directory.path());
        let (mut all, mut now) = (Vec::new(), noon());
        for (current, late, then) in rounds {
            let mut samples = Vec::new();
            for n in 0..current {
                now = now.plus(SECOND * STEP);
                samples.push(sample("m", now, f64::from(n)));
            }
            for minutes in late {
                let place = usize::try_from(minutes).unwrap() % (samples.len() + 1);
                samples.insert(place, sample("m", now.minus(MINUTE * minutes + SECOND * 3), f64::from(minutes)));
            }
            all.extend(samples.iter().cloned());
            fixture.samples(samples);
            match then {
                0..=2 => fixture.store.seal().unwrap(),
                3 => {
                    fixture.store.seal().unwrap();
                    fixture.store.maintain().unwrap();
                }
                4 => fixture = fixture.reopen(),
                _ => {}
            }
        }
        check(&fixture.store, &all, &cuts);
        fixture.store.seal().unwrap();
        fixture.store.maintain().unwrap();
        check(&fixture.store, &all, &cuts);
        fixture.clock.advance(DAY * 3);
        fixture.store.maintain().unwrap();
        check(&fixture.store, &all, &cuts);
    }
}
