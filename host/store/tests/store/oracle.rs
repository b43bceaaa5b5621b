//! Random appends, seals and reopenings against a plain list, seen through every way of scanning.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use proptest::prelude::*;
use telemetry_core::{AdmittedSample, MetricValue, ScanBlock, ScanOptions, TimeRange, Timestamp};
use telemetry_store::{LogBody, Store, StoredRecord};
use uuid::Uuid;

use crate::fixture::*;

const HOSTS: [&str; 3] = ["a", "b", "c"];

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<(usize, i64, MetricValue)>),
    Seal,
    Wait,
    Reopen,
    /// Scans from some second on, for so many seconds: what later steps write must be seen beside what memory knows by then.
    Look(i64, i64, ScanOptions),
}

fn value() -> impl Strategy<Value = MetricValue> {
    prop_oneof![
        // Whole numbers: their sums are exact in any order.
        5 => (-1000_i64..1000).prop_map(|value| MetricValue::Float(value as f64)),
        4 => (-1000_i64..1000).prop_map(MetricValue::Integer),
        1 => "[xyz]{0,3}".prop_map(|text| MetricValue::Text(text.into())),
    ]
}

fn look() -> impl Strategy<Value = Step> {
    let start = prop_oneof![2 => -5_i64..40, 1 => -50_000_i64..50_000];
    let length = prop_oneof![2 => 0_i64..30, 1 => 0_i64..100_000];
    let bucket = prop_oneof![Just(None), Just(Some(7_000_000_000)), Just(Some(3_600_000_000_000))];
    (start, length, any::<bool>(), any::<bool>(), bucket).prop_map(
        |(start, length, digests, ordered, bucket)| {
            Step::Look(start, length, ScanOptions { digests, bucket, ordered, states: None })
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    // Few distinct seconds over two days: late, overlapping and equal times are common.
    let seconds = prop_oneof![3 => 0_i64..40, 1 => -50_000_i64..50_000];
    let rows = prop::collection::vec((0..HOSTS.len(), seconds, value()), 1..60);
    prop_oneof![
        6 => rows.prop_map(Step::Append),
        3 => Just(Step::Seal),
        1 => Just(Step::Wait),
        1 => Just(Step::Reopen),
        6 => look(),
    ]
}

/// What was appended, in order.
#[derive(Default)]
struct Oracle {
    rows: Vec<(usize, i64, MetricValue, Uuid)>,
}

impl Oracle {
    fn of(&self, host: usize, range: TimeRange) -> Vec<(i64, &MetricValue)> {
        let rows =
            self.rows.iter().filter(|row| row.0 == host && range.contains(Timestamp::from_nanos(row.1)));
        rows.map(|row| (row.1, &row.2)).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_answers_like_a_list(
        steps in prop::collection::vec(step(), 1..25),
        cuts in prop::collection::vec((-20_000_i64..20_000, 0_i64..30_000), 3),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let mut fixture = Fixture::in_directory(directory.path());
        let mut oracle = Oracle::default();
        for step in steps {
            match step {
                Step::Append(rows) => append(&fixture, &mut oracle, rows),
                Step::Seal => fixture.store.seal().unwrap(),
                Step::Wait => {
                    fixture.clock.advance(MINUTE * 21);
                    fixture.store.maintain().unwrap();
                }
                Step::Reopen => fixture = fixture.reopen(),
                Step::Look(start, length, options) => {
                    let range = TimeRange::between(at(start), at(start + length));
                    check_range(&fixture.store, &oracle, range, options);
                }
            }
        }
        check(&fixture.store, &oracle, &cuts);
        fixture.clock.advance(DAY * 3);
        fixture.store.maintain().unwrap();
        check(&fixture.store, &oracle, &cuts);
        let fixture = fixture.reopen();
        check(&fixture.store, &oracle, &cuts);
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_nanos(noon().nanos() + seconds * 1_000_000_000)
}

fn append(fixture: &Fixture, oracle: &mut Oracle, rows: Vec<(usize, i64, MetricValue)>) {
    let samples: Vec<AdmittedSample> = rows
        .iter()
        .map(|(host, seconds, value)| labelled("m", HOSTS[*host], at(*seconds), value.clone()))
        .collect();
    let ids = fixture.samples(samples).sample_ids;
    for ((host, seconds, value), id) in rows.into_iter().zip(ids) {
        oracle.rows.push((host, at(seconds).nanos(), value, id));
    }
}

fn check(store: &Store, oracle: &Oracle, cuts: &[(i64, i64)]) {
    let mut ranges = vec![TimeRange::ALL];
    ranges.extend(cuts.iter().map(|(start, length)| TimeRange::between(at(*start), at(start + length))));
    for range in ranges {
        for digests in [false, true] {
            for ordered in [false, true] {
                for bucket in [None, Some(3_600_000_000_000), Some(300_000_000_000), Some(7_000_000_000)] {
                    check_range(store, oracle, range, ScanOptions { digests, bucket, ordered, states: None });
                }
            }
        }
    }
    check_records(store, oracle);
}

fn check_range(store: &Store, oracle: &Oracle, range: TimeRange, options: ScanOptions) {
    let series = store.select_series(&Default::default(), TimeRange::ALL).unwrap();
    let ids: Vec<u32> = series.iter().map(|series| series.id).collect();
    let hosts: Vec<usize> = series
        .iter()
        .map(|series| {
            HOSTS.iter().position(|host| series.key.context.label("host").as_deref() == Some(*host)).unwrap()
        })
        .collect();
    check_scan(store, oracle, &ids, &hosts, range, options);
}

#[derive(Default)]
struct Seen {
    samples: Vec<(i64, f64)>,
    texts: Vec<i64>,
    digests: Vec<(i64, i64)>,
    count: u64,
    sum: f64,
    min: f64,
    max: f64,
    latest: i64,
}

fn check_scan(
    store: &Store,
    oracle: &Oracle,
    ids: &[u32],
    hosts: &[usize],
    range: TimeRange,
    options: ScanOptions,
) {
    let mut seen: Vec<Seen> = ids.iter().map(|_| Seen { latest: i64::MIN, ..Seen::default() }).collect();
    let stats = store
        .scan(ids, range, options, &mut |index, block| {
            see(&mut seen[index], block, range, options);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(stats.damaged, 0);
    for (seen, host) in seen.iter_mut().zip(hosts) {
        let rows = oracle.of(*host, range);
        let numbers: Vec<(i64, f64)> =
            rows.iter().filter_map(|(time, value)| value.as_f64().map(|value| (*time, value))).collect();
        let mut texts: Vec<i64> =
            rows.iter().filter(|(_, value)| value.as_f64().is_none()).map(|(time, _)| *time).collect();
        assert_eq!(seen.count, numbers.len() as u64, "{range:?} {options:?}");
        assert_eq!(seen.sum, numbers.iter().map(|pair| pair.1).sum::<f64>());
        if !numbers.is_empty() {
            assert_eq!(seen.min, numbers.iter().map(|pair| pair.1).fold(0.0, f64::min));
            assert_eq!(seen.max, numbers.iter().map(|pair| pair.1).fold(0.0, f64::max));
        }
        texts.sort_unstable();
        seen.texts.sort_unstable();
        assert_eq!(seen.texts, texts);
        if !options.digests {
            assert!(seen.digests.is_empty());
            // By time, then by arrival; without order, equal times still come in the order of arrival.
            let mut expected = numbers.clone();
            expected.sort_by_key(|pair| pair.0);
            let mut found = seen.samples.clone();
            if !options.ordered {
                found.sort_by_key(|pair| pair.0);
            }
            assert_eq!(found, expected, "{range:?} {options:?}");
        }
    }
}

fn see(seen: &mut Seen, block: ScanBlock<'_>, range: TimeRange, options: ScanOptions) {
    let mut advance = |first: i64, last: i64| {
        if options.ordered {
            assert!(seen.latest <= first, "blocks of one series come in time order");
        }
        seen.latest = last;
    };
    match block {
        ScanBlock::Digest(digest) => {
            advance(digest.first_time.nanos(), digest.last_time.nanos());
            assert!(options.digests && digest.count > 0);
            assert!(range.contains(digest.first_time) && range.contains(digest.last_time));
            if let Some(step) = options.bucket {
                assert_eq!(digest.first_time.floor_to(step), digest.last_time.floor_to(step));
            }
            seen.digests.push((digest.first_time.nanos(), digest.last_time.nanos()));
            seen.count += digest.count;
            seen.sum += digest.sum;
            seen.min = seen.min.min(digest.min);
            seen.max = seen.max.max(digest.max);
        }
        ScanBlock::Samples { timestamps, values } => {
            assert_eq!(timestamps.len(), values.len());
            if options.ordered {
                assert!(timestamps.is_sorted());
                advance(timestamps[0], timestamps[timestamps.len() - 1]);
            }
            seen.count += values.len() as u64;
            seen.sum += values.iter().sum::<f64>();
            seen.min = values.iter().copied().fold(seen.min, f64::min);
            seen.max = values.iter().copied().fold(seen.max, f64::max);
            seen.samples.extend(timestamps.iter().copied().zip(values.iter().copied()));
        }
        ScanBlock::State(_) => panic!("no states were asked for"),
        ScanBlock::Text { timestamps } => seen.texts.extend_from_slice(timestamps),
    }
}

/// Every sample by its id, and all of them from the log.
fn check_records(store: &Store, oracle: &Oracle) {
    for (host, time, value, id) in &oracle.rows {
        let Some(StoredRecord::Sample(found)) = store.find(*id).unwrap() else { panic!("{id} is gone") };
        assert_eq!((&found.value, found.timestamp.nanos()), (value, *time));
        assert_eq!(found.series.context.label("host").as_deref(), Some(HOSTS[*host]));
    }
    let mut shown: BTreeMap<u64, (i64, u64)> = BTreeMap::new();
    let mut next = 1;
    loop {
        let entries = store.read_log(next, 17).unwrap();
        let Some(last) = entries.last() else { break };
        assert_eq!(entries[0].first_sequence, next);
        for entry in &entries {
            let LogBody::Samples(batch) = &entry.body else { panic!("{entry:?}") };
            assert_eq!(batch.first_sequence, entry.first_sequence);
            assert_eq!(entry.first_sequence + batch.len() as u64, entry.next_sequence);
            for (sequence, row) in (entry.first_sequence..).zip(batch.rows()) {
                shown.insert(sequence, (row.timestamp, row.value.to_bits()));
            }
        }
        next = last.next_sequence;
    }
    // By their bits: those of NaN stand for a text.
    let bits = |value: &MetricValue| value.as_f64().unwrap_or(f64::NAN).to_bits();
    let expected: BTreeMap<u64, (i64, u64)> =
        (1..).zip(&oracle.rows).map(|(sequence, row)| (sequence, (row.1, bits(&row.2)))).collect();
    assert_eq!(shown, expected);
    assert_eq!(store.stats().metrics_total, oracle.rows.len() as u64);
    assert_eq!(store.last_sequence(), oracle.rows.len() as u64);
}
