//! Rollups: used wherever they cover a bucket, and never wrong, whatever comes late.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use proptest::prelude::*;
use telemetry_core::{AdmittedSample, MetricValue, ScanBlock, ScanOptions, TimeRange, Timestamp};
use telemetry_store::{ScanStats, Store};

use crate::fixture::*;

const HOSTS: [&str; 2] = ["a", "b"];
const NANOS: i64 = 1_000_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_nanos(noon().nanos() + seconds * NANOS)
}

/// What is known of a bucket: count, sum, least and greatest value, first and last by time and arrival, texts.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bucket {
    count: u64,
    sum: f64,
    min: f64,
    max: f64,
    first: (i64, f64),
    last: (i64, f64),
    texts: u64,
}

impl Default for Bucket {
    fn default() -> Self {
        let (min, max) = (f64::INFINITY, f64::NEG_INFINITY);
        Self { count: 0, sum: 0.0, min, max, first: (i64::MAX, 0.0), last: (i64::MIN, 0.0), texts: 0 }
    }
}

impl Bucket {
    fn add(&mut self, other: Bucket) {
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.texts += other.texts;
        if other.first.0 < self.first.0 {
            self.first = other.first;
        }
        if other.last.0 >= self.last.0 {
            self.last = other.last;
        }
    }

    fn of(time: i64, value: f64) -> Self {
        let one = (time, value);
        Self { count: 1, sum: value, min: value, max: value, first: one, last: one, texts: 0 }
    }
}

type Buckets = BTreeMap<i64, Bucket>;

/// The buckets of one series as a scan tells them.
fn scanned(store: &Store, id: u32, range: TimeRange, step: i64, ordered: bool) -> (Buckets, ScanStats) {
    let mut buckets = Buckets::new();
    let mut latest = i64::MIN;
    let options = ScanOptions { digests: true, bucket: Some(step), ordered, states: None };
    let stats = store
        .scan(&[id], range, options, &mut |_, block| {
            let mut add = |time: i64, bucket: Bucket| {
                buckets.entry(time.div_euclid(step)).or_default().add(bucket);
            };
            let (mut first, mut last) = (latest, latest);
            match block {
                ScanBlock::Digest(digest) => {
                    (first, last) = (digest.first_time.nanos(), digest.last_time.nanos());
                    assert_eq!(first.div_euclid(step), last.div_euclid(step), "a digest crosses an edge");
                    assert!(range.contains(digest.first_time) && range.contains(digest.last_time));
                    let (min, max, sum) = (digest.min, digest.max, digest.sum);
                    let ends = ((first, digest.first), (last, digest.last));
                    let bucket =
                        Bucket { count: digest.count, sum, min, max, first: ends.0, last: ends.1, texts: 0 };
                    add(first, bucket);
                }
                ScanBlock::Samples { timestamps, values } => {
                    (first, last) = (timestamps[0], timestamps[timestamps.len() - 1]);
                    for (time, value) in timestamps.iter().zip(values) {
                        add(*time, Bucket::of(*time, *value));
                    }
                }
                ScanBlock::State(_) => panic!("no states were asked for"),
                ScanBlock::Text { timestamps } => {
                    for time in timestamps {
                        add(*time, Bucket { texts: 1, ..Bucket::default() });
                    }
                }
            }
            assert!(!ordered || latest <= first, "blocks go back in time");
            latest = last;
            ControlFlow::Continue(())
        })
        .unwrap();
    (buckets, stats)
}

/// What was appended, in order: host, time and value.
type Rows = Vec<(usize, i64, MetricValue)>;

fn expected(rows: &Rows, host: usize, range: TimeRange, step: i64) -> Buckets {
    let mut of_host: Vec<_> = rows.iter().filter(|row| row.0 == host).collect();
    of_host.sort_by_key(|row| row.1);
    let mut buckets = Buckets::new();
    for (_, time, value) in of_host {
        if range.contains(Timestamp::from_nanos(*time)) {
            let bucket = match value.as_f64() {
                Some(value) => Bucket::of(*time, value),
                None => Bucket { texts: 1, ..Bucket::default() },
            };
            buckets.entry(time.div_euclid(step)).or_default().add(bucket);
        }
    }
    buckets
}

fn check(store: &Store, rows: &Rows, ranges: &[TimeRange]) -> u64 {
    let mut rollups = 0;
    let series = store.select_series(&Default::default(), TimeRange::ALL).unwrap();
    for (host, label) in HOSTS.iter().enumerate() {
        // A series that was idle over midnight has another number afterwards.
        let ids = series.iter().filter(|series| series.key.context.label("host").as_deref() == Some(*label));
        let ids: Vec<u32> = ids.map(|series| series.id).collect();
        for range in ranges {
            for step in [60, 300, 3600, 7200, 86_400].map(|seconds| seconds * NANOS) {
                for ordered in [false, true] {
                    let mut all = Buckets::new();
                    for id in &ids {
                        let (found, stats) = scanned(store, *id, *range, step, ordered);
                        found
                            .into_iter()
                            .for_each(|(bucket, found)| all.entry(bucket).or_default().add(found));
                        rollups += stats.rollups;
                    }
                    assert_eq!(
                        all,
                        expected(rows, host, *range, step),
                        "{label}, {range:?}, {step}, {ordered}"
                    );
                }
            }
        }
    }
    rollups
}

fn append(fixture: &Fixture, rows: &mut Rows, more: Rows) {
    let sample = |(host, time, value): &(usize, i64, MetricValue)| -> AdmittedSample {
        labelled("m", HOSTS[*host], Timestamp::from_nanos(*time), value.clone())
    };
    fixture.samples(more.iter().map(sample).collect());
    rows.extend(more);
}

fn run(host: usize, from: i64, step: i64, count: i64) -> Rows {
    (0..count).map(|n| (host, at(from + n * step).nanos(), MetricValue::Integer(n % 7 - 3))).collect()
}

#[test]
fn buckets_come_from_rollups_and_edges_from_chunks() {
    let fixture = Fixture::in_memory();
    let mut rows = Rows::new();
    // Two days, a sample every ten seconds, sealed in pieces.
    for piece in 0..12 {
        append(&fixture, &mut rows, run(0, piece * 14_400, 10, 1440));
        fixture.store.seal().unwrap();
    }
    let id = fixture.store.select_series(&Default::default(), TimeRange::ALL).unwrap()[0].id;
    let range = TimeRange::between(at(1000), at(170_000));
    let (found, stats) = scanned(&fixture.store, id, range, 3600 * NANOS, false);
    assert_eq!(found, expected(&rows, 0, range, 3600 * NANOS));
    assert_eq!(stats.rollups, 46, "{stats:?}");
    assert!(stats.decoded <= 2, "only what lies at the edges: {stats:?}");
    // Ten seconds do not fill minutes.
    assert_eq!(scanned(&fixture.store, id, range, 60 * NANOS, false).1.rollups, 0);
    // Late ones are in the head first, then sealed, then folded: the hours are right all the time.
    append(&fixture, &mut rows, run(0, 5_000, 3, 700));
    assert!(check(&fixture.store, &rows, &[range, TimeRange::ALL]) > 0);
    fixture.store.seal().unwrap();
    assert!(check(&fixture.store, &rows, &[range, TimeRange::ALL]) > 0);
    fixture.clock.advance(DAY * 4);
    fixture.store.maintain().unwrap();
    assert!(check(&fixture.store, &rows, &[range, TimeRange::ALL]) > 0);
    // A text takes its day's rollup away: of that day chunks tell again.
    let before = scanned(&fixture.store, id, range, 3600 * NANOS, false).1.rollups;
    append(&fixture, &mut rows, vec![(0, at(20_000).nanos(), MetricValue::from("text"))]);
    fixture.store.seal().unwrap();
    let after = scanned(&fixture.store, id, range, 3600 * NANOS, false).1.rollups;
    assert!(0 < after && after < before, "{after} of {before}");
    check(&fixture.store, &rows, &[range, TimeRange::ALL]);
}

#[test]
fn what_an_open_day_lacks_is_made_when_it_closes() {
    let directory = tempfile::tempdir().unwrap();
    let mut fixture = Fixture::in_directory(directory.path());
    let mut rows = Rows::new();
    // One sample an hour before, so that the day does not begin with what pays.
    append(&fixture, &mut rows, vec![(0, at(-3600).nanos(), MetricValue::Integer(1))]);
    fixture.store.seal().unwrap();
    fixture = fixture.reopen();
    append(&fixture, &mut rows, run(0, 0, 1, 20_000));
    fixture.store.seal().unwrap();
    let hours = |fixture: &Fixture| {
        check(&fixture.store, &rows, &[TimeRange::ALL]);
        let id = fixture.store.select_series(&Default::default(), TimeRange::ALL).unwrap()[0].id;
        scanned(&fixture.store, id, TimeRange::ALL, 3600 * NANOS, false).1.rollups
    };
    assert_eq!(hours(&fixture), 0);
    fixture.clock.advance(DAY * 3);
    fixture.store.maintain().unwrap();
    assert_eq!(hours(&fixture), 7);
    let fixture = fixture.reopen();
    assert_eq!(hours(&fixture), 7);
}

#[derive(Clone, Debug)]
enum Step {
    Run { host: usize, from: i64, step: i64, count: i64 },
    Text { host: usize, time: i64 },
    Seal,
    Wait,
    Close,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let host = 0..HOSTS.len();
    // Mostly onward, some of it late.
    let from = prop_oneof![Just(0_i64), Just(7200), Just(40_000), -60_000_i64..100_000];
    let step = prop_oneof![Just(0_i64), Just(1), Just(2), Just(10), Just(60), Just(600)];
    let rows = (host.clone(), from, step, 1_i64..600).prop_map(|(host, from, step, count)| Step::Run {
        host,
        from,
        step,
        count,
    });
    prop_oneof![
        10 => rows,
        1 => (host, -60_000_i64..100_000).prop_map(|(host, time)| Step::Text { host, time }),
        6 => Just(Step::Seal),
        2 => Just(Step::Wait),
        1 => Just(Step::Close),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_bucket_is_as_if_counted_by_hand(
        steps in prop::collection::vec(step(), 1..20),
        cuts in prop::collection::vec((-70_000_i64..100_000, 0_i64..100_000), 2),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let mut fixture = Fixture::in_directory(directory.path());
        let mut rows = Rows::new();
        for step in steps {
            match step {
                Step::Run { host, from, step, count } => append(&fixture, &mut rows, run(host, from, step, count)),
                Step::Text { host, time } => {
                    append(&fixture, &mut rows, vec![(host, at(time).nanos(), MetricValue::from("text"))]);
                }
                Step::Seal => fixture.store.seal().unwrap(),
                Step::Wait => {
                    fixture.clock.advance(MINUTE * 21);
                    fixture.store.maintain().unwrap();
                }
                Step::Close => {
                    fixture.clock.advance(DAY * 3);
                    fixture.store.maintain().unwrap();
                }
                Step::Reopen => fixture = fixture.reopen(),
            }
        }
        let mut ranges = vec![TimeRange::ALL];
        ranges.extend(cuts.iter().map(|(start, length)| TimeRange::between(at(*start), at(start + length))));
        check(&fixture.store, &rows, &ranges);
        fixture.clock.advance(DAY * 3);
        fixture.store.maintain().unwrap();
        check(&fixture.store, &rows, &ranges);
    }
}
