//! The engine over the real store: several partitions, sealed chunks and heads, late samples, merged chunks.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use telemetry_core::admission::{AcceptedTimes, admit_sample};
use telemetry_core::aggregation::BuiltIn;
use telemetry_core::{ErrorCode, EventQuery, ManualClock, MetricDraft, TimeRange, Timestamp};
use telemetry_store::{RecordBatch, Store, StoreOptions};

use super::memory::MemoryReader;
use super::oracle;
use super::properties::{any_query, any_reader, assert_same};
use crate::aggregation::AggregationRegistry;
use crate::query::{MetricQuery, QueryError};

/// Random times span minutes; a store's partition is a day.
const STRETCH: i64 = 1800;

fn base() -> Timestamp {
    Timestamp::parse("2025-05-21T00:00:00Z").unwrap()
}

fn stretched(time: i64) -> i64 {
    base().nanos() + time * STRETCH
}

/// The same data with stretched times, series that are the same made one, and none without samples.
fn for_store(reader: &MemoryReader) -> MemoryReader {
    let mut data = MemoryReader::new();
    for (key, samples) in reader.series.iter().filter(|(_, samples)| !samples.is_empty()) {
        let samples = samples.iter().map(|(time, value)| (stretched(*time), value.clone()));
        match data.series.iter_mut().find(|(known, _)| known == key) {
            Some((_, known)) => known.extend(samples),
            None => data.series.push((key.clone(), samples.collect())),
        }
    }
    data
}

fn stretched_query(mut query: MetricQuery) -> MetricQuery {
    let side = |side: Option<Timestamp>| side.map(|time| Timestamp::from_nanos(stretched(time.nanos())));
    query.range = TimeRange { start: side(query.range.start), end: side(query.range.end) };
    query.step = query.step.map(|step| step * u32::try_from(STRETCH).unwrap());
    query
}

fn open() -> Store {
    let clock = Arc::new(ManualClock::at(base().plus(Duration::from_secs(5 * 86_400))));
    let options = StoreOptions { background: false, min_free_bytes: 0, ..StoreOptions::in_memory() };
    Store::open(options, clock).unwrap()
}

/// Appends the data in rounds, a few samples of every series in each; after some rounds heads are sealed.
fn fill(store: &Store, data: &MemoryReader, seals: &[bool]) {
    let now = base().plus(Duration::from_secs(5 * 86_400));
    let times = AcceptedTimes::at(now, Duration::from_secs(30 * 86_400));
    let mut given = vec![0; data.series.len()];
    // The first round takes one of each, so that series are numbered in the order of the data.
    for (round, seal) in [false].iter().chain(seals.iter().cycle()).enumerate() {
        let mut batch = RecordBatch::default();
        for (place, (key, samples)) in data.series.iter().enumerate() {
            let count = if round == 0 { 1 } else { 1 + (place + round) % 7 };
            let next = samples.iter().skip(given[place]).take(count);
            given[place] += count;
            batch.samples.extend(next.map(|(time, value)| {
                let draft =
                    MetricDraft::new(Arc::clone(&key.name), value.clone()).with_context(key.context.clone());
                admit_sample(draft.at(Timestamp::from_nanos(*time)), &times).unwrap()
            }));
        }
        if batch.samples.is_empty() {
            break;
        }
        store.append(&batch).unwrap();
        if *seal {
            store.seal().unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, max_shrink_iters: 200, ..ProptestConfig::default() })]
    #[test]
    fn the_store_answers_as_the_oracle(
        reader in any_reader(),
        queries in proptest::collection::vec(any_query(), 40),
        seals in proptest::collection::vec(any::<bool>(), 1..6),
    ) {
        let data = for_store(&reader);
        let store = open();
        fill(&store, &data, &seals);
        for maintained in [false, true] {
            if maintained {
                store.maintain().unwrap();
            }
            for query in queries.iter().cloned().map(stretched_query) {
                let found = super::engine().run(&query, &store, &AggregationRegistry::default(), None).unwrap();
                assert_same(found, oracle::answer(&data, &query));
            }
        }
    }
}

#[test]
fn steps_are_answered_from_rollups_as_from_samples() {
    const SECOND: i64 = 1_000_000_000;
    let mut data = MemoryReader::new();
    for (host, step) in [("a", 10), ("b", 1), ("a", 60)] {
        let samples = (0..4_000).map(|n| (base().nanos() + n * step * SECOND, (n * 7 % 31 - 9).into()));
        let labels = [("host", host), ("step", &step.to_string())];
        data.series.push((super::memory::key("cpu", &labels), samples.collect()));
    }
    let store = open();
    fill(&store, &data, &[false]);
    store.seal().unwrap();
    for function in BuiltIn::ALL.map(BuiltIn::as_str) {
        for step in [60, 300, 3600, 86_400].map(Duration::from_secs) {
            let query = MetricQuery::default().aggregate(function).step(step);
            for query in [query.clone(), query.group_by(["host"])] {
                let found =
                    super::engine().run(&query, &store, &AggregationRegistry::default(), None).unwrap();
                assert_same(found, oracle::answer(&data, &query));
            }
        }
    }
}

#[test]
fn a_bad_cursor_is_the_callers_fault() {
    let query = EventQuery { cursor: Some("nonsense".to_owned()), ..EventQuery::default() };
    let error = QueryError::from(open().query_events(&query).unwrap_err());
    assert_eq!(error.code(), ErrorCode::InvalidQuery);
    assert_eq!(error.details()["field"], "cursor");
}

#[test]
fn a_series_that_was_idle_for_long_is_still_one_for_its_rate() {
    const DAY: Duration = Duration::from_secs(86_400);
    let clock = Arc::new(ManualClock::at(base().plus(DAY * 5)));
    let options = StoreOptions { background: false, min_free_bytes: 0, ..StoreOptions::in_memory() };
    let store = Store::open(options, Arc::clone(&clock) as _).unwrap();
    let times = AcceptedTimes::at(base().plus(DAY * 5), DAY * 30);
    let record = |day: u32, value: f64| {
        let sample = |name: &str, value: f64| {
            let draft = MetricDraft::new(name, value).at(base().plus(DAY * day));
            admit_sample(draft, &times).unwrap()
        };
        // The other one makes the partitions of the days between.
        let mut samples = vec![sample("busy", 1.0)];
        if day == 0 || day == 4 {
            samples.push(sample("idle", value));
        }
        store.append(&RecordBatch { samples, ..RecordBatch::default() }).unwrap();
        store.seal().unwrap();
    };
    for (day, value) in [(0, 10.0), (1, 0.0), (2, 0.0), (3, 0.0)] {
        record(day, value);
    }
    clock.advance(Duration::from_secs(7200));
    assert_eq!(store.maintain().unwrap().idle_series, 2);
    record(4, 50.0);
    let selection = telemetry_core::MetricSelection { names: Some(vec!["idle".to_owned()]), filters: vec![] };
    assert_eq!(
        store.select_series(&selection, TimeRange::ALL).unwrap().len(),
        2,
        "it has another number now"
    );
    let range = TimeRange::between(base(), base().plus(DAY * 4));
    let query = MetricQuery { range, ..MetricQuery::default().aggregate("RATE") };
    let answer = super::engine().run(&query, &store, &AggregationRegistry::default(), None).unwrap();
    let rate = answer.metrics["idle"].tally.value.clone();
    assert_eq!(rate, telemetry_core::aggregation::AggregateValue::Number(40.0 / (4.0 * 86_400.0)));
}
