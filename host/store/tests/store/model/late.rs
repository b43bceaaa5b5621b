//! Late samples, none to all of them, up to a day: COUNT and SUM are those of adding them one by one.

use std::ops::ControlFlow;
use std::time::Duration;

use telemetry_core::{Clock, ScanBlock, ScanOptions, TimeRange, Timestamp};
use telemetry_store::Store;

use crate::fixture::*;

const SAMPLES: u64 = 6000;
const STEP: Duration = Duration::from_secs(40);
const HOSTS: [&str; 3] = ["a", "b", "c"];

/// Count, and the sum of whole numbers, of a range.
fn figures(store: &Store, range: TimeRange, digests: bool) -> (u64, f64) {
    let (mut count, mut sum) = (0, 0.0);
    let options = ScanOptions { digests, ..ScanOptions::default() };
    store
        .scan(&series_of(store, "m"), range, options, &mut |_, block| {
            match block {
                ScanBlock::Digest(digest) => (count, sum) = (count + digest.count, sum + digest.sum),
                ScanBlock::Samples { values, .. } => {
                    (count, sum) = (count + values.len() as u64, sum + values.iter().sum::<f64>());
                }
                ScanBlock::Text { .. } | ScanBlock::State(_) => {}
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    (count, sum)
}

fn check(store: &Store, rows: &[(i64, i64)]) {
    let hour = 3600 * 1_000_000_000_i64;
    let mut ranges = vec![TimeRange::ALL];
    // Hours and parts of hours around two midnights.
    for start in [-30, -13, -12, -1, 0, 11, 12, 40] {
        let start = noon().nanos() + start * hour;
        for length in [hour, hour * 24, hour * 5 + 1_234_567_891] {
            let range = |from: i64| {
                TimeRange::between(Timestamp::from_nanos(from), Timestamp::from_nanos(from + length))
            };
            ranges.extend([range(start), range(start + 17_000_000_000)]);
        }
    }
    for range in ranges {
        let within = || rows.iter().filter(|row| range.contains(Timestamp::from_nanos(row.0)));
        let wanted = (within().count() as u64, within().map(|row| row.1).sum::<i64>() as f64);
        for digests in [false, true] {
            assert_eq!(figures(store, range, digests), wanted, "{range:?} {digests}");
        }
    }
}

/// Of every hundred samples, `percent` are late by up to a day.
fn late(percent: u64) {
    let directory = tempfile::tempdir().unwrap();
    let mut fixture = Fixture::in_directory(directory.path());
    let mut rows = Vec::new();
    for n in 0..SAMPLES {
        let mixed = (n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
        let now = fixture.clock.now();
        let by = if mixed % 100 < percent {
            DAY.mul_f64((mixed / 100 % 10_000) as f64 / 10_000.0)
        } else {
            Duration::ZERO
        };
        let (at, value) = (now.minus(by), i64::try_from(mixed % 1000).unwrap() - 300);
        rows.push((at.nanos(), value));
        fixture.samples(vec![labelled("m", HOSTS[usize::try_from(n % 3).unwrap()], at, value as f64)]);
        fixture.clock.advance(STEP);
        match n % 1000 {
            150 | 400 | 650 => drop(fixture.store.maintain().unwrap()),
            300 => fixture.store.seal().unwrap(),
            999 => {
                check(&fixture.store, &rows);
                fixture = fixture.reopen();
                check(&fixture.store, &rows);
            }
            _ => {}
        }
    }
    // All days in their final form, then late ones into them, and into it again.
    for _ in 0..2 {
        fixture.clock.advance(DAY * 2);
        fixture.store.maintain().unwrap();
        check(&fixture.store, &rows);
        let at = fixture.clock.now().minus(DAY * 3);
        rows.extend((0..5).map(|n| (at.plus(SECOND * n).nanos(), i64::from(n))));
        fixture.samples((0..5).map(|n| labelled("m", "a", at.plus(SECOND * n), f64::from(n))).collect());
        check(&fixture.store, &rows);
    }
}

#[test]
fn none_late() {
    late(0);
}

#[test]
fn one_percent_late() {
    late(1);
}

#[test]
fn a_quarter_late() {
    late(25);
}

#[test]
fn all_late() {
    late(100);
}
