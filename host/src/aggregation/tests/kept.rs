//! Answers from kept states over the real store: the same as from samples, and samples where a state is not taken.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use telemetry_core::admission::{AcceptedTimes, admit_sample};
use telemetry_core::aggregation::{Aggregation, ApproximateQuantile, BuiltIn};
use telemetry_core::{
    Context, ManualClock, MetricDraft, MetricSelection, ScanBlock, ScanOptions, TimeRange, Timestamp,
};
use telemetry_store::{RecordBatch, StateRollup, Store, StoreOptions};

use super::memory::MemoryReader;
use super::properties::assert_same;
use crate::aggregation::{AggregationRegistry, Completeness, SampleReader, SelectedSeries};
use crate::config::RollupConfig;
use crate::query::{MetricQuery, ReadError};
use crate::rollups::RollupSet;

const SECOND: i64 = 1_000_000_000;

fn base() -> Timestamp {
    Timestamp::parse("2025-05-21T00:00:00Z").unwrap()
}

/// Two days of 40 series, sealed but for the end of each.
fn filled() -> Store {
    let now = base().plus(Duration::from_secs(2 * 86_400));
    let options = StoreOptions { background: false, min_free_bytes: 0, ..StoreOptions::in_memory() };
    let store = Store::open(options, Arc::new(ManualClock::at(now))).unwrap();
    let times = AcceptedTimes::at(now, Duration::from_secs(30 * 86_400));
    for (part, seal) in [(0..2_600_i64, true), (2_600..2_880, false)] {
        let mut batch = RecordBatch::default();
        for series in 0..40_i64 {
            let context = Context::from_labels([
                ("host", ["a", "b", "c"][(series % 3) as usize]),
                ("n", &series.to_string()),
            ]);
            batch.samples.extend(part.clone().map(|n| {
                let draft = MetricDraft::new("cpu", (n * 37 + series * 11) % 1_009 - 200)
                    .with_context(context.clone());
                let at = Timestamp::from_nanos(base().nanos() + n * 60 * SECOND);
                admit_sample(draft.at(at), &times).unwrap()
            }));
        }
        store.append(&batch).unwrap();
        if seal {
            store.seal().unwrap();
        }
    }
    store
}

fn build(store: &Store, named: &dyn Aggregation, by: &dyn Aggregation) -> u64 {
    let width = Duration::from_secs(7_200);
    let identity = named.state_identity().unwrap();
    let states = store.register_states(&StateRollup { identity, width, metrics: Vec::new() }).unwrap();
    let mut built = 0;
    loop {
        let done = store.build_states(states, by, 7).unwrap();
        built += done.states;
        if !done.more {
            return built;
        }
    }
}

fn registry(aggregation: &str) -> AggregationRegistry {
    let resolution = crate::config::Period(Duration::from_secs(7_200));
    let config = RollupConfig { resolution, ..RollupConfig::new(aggregation) };
    AggregationRegistry::default().with_rollups(Arc::new(RollupSet::new(&[config])))
}

fn queries(aggregation: &str) -> Vec<MetricQuery> {
    let at = |minutes: i64| Timestamp::from_nanos(base().nanos() + minutes * 60 * SECOND + 1);
    let mut queries = Vec::new();
    for range in [TimeRange::ALL, TimeRange::between(at(77), at(2_500)), TimeRange::between(at(1), at(100))] {
        let mut whole = MetricQuery::default().aggregate(aggregation);
        whole.range = range;
        for hours in [0, 1, 2, 24, 48] {
            let step = Duration::from_secs(hours * 3_600);
            let stepped = if hours == 0 { whole.clone() } else { whole.clone().step(step) };
            queries.extend([stepped.clone(), stepped.group_by(["host"])]);
        }
    }
    queries
}

#[test]
fn states_answer_as_samples_do() {
    let store = filled();
    for (name, function) in [
        (
            "APPROX_QUANTILE(q=0.9)",
            Box::new(ApproximateQuantile::bind(&Default::default()).unwrap()) as Box<dyn Aggregation>,
        ),
        ("STDDEV", Box::new(BuiltIn::StdDev)),
    ] {
        // 21 of 24 buckets of each series hold nothing of the head; of the days the first.
        assert_eq!(build(&store, &*function, &*function), 40 * (21 + 1), "{name}");
        let keeping = registry(name);
        for threads in [1, 3] {
            let engine = super::engine().with_threads(threads);
            for query in queries(name) {
                let kept = engine.run(&query, &store, &keeping, None).unwrap();
                assert_same(kept, engine.run(&query, &store, &AggregationRegistry::default(), None).unwrap());
            }
        }
    }
}

#[test]
fn where_a_state_is_not_taken_samples_answer() {
    let store = filled();
    let sketch = ApproximateQuantile::bind(&Default::default()).unwrap();
    // What a plugin might do that changes its states but not its version.
    assert!(build(&store, &sketch, &BuiltIn::Sum) > 0);
    let keeping = registry("APPROX_QUANTILE");
    for threads in [1, 3] {
        let engine = super::engine().with_threads(threads);
        for query in queries("APPROX_QUANTILE") {
            let kept = engine.run(&query, &store, &keeping, None).unwrap();
            assert_same(kept, engine.run(&query, &store, &AggregationRegistry::default(), None).unwrap());
        }
    }
    let set = keeping.rollups().refusals();
    assert!(set > 0, "the states were looked at");
}

/// Fails the first time that it is read.
struct Stumbling {
    reader: MemoryReader,
    has_failed: AtomicBool,
}

impl SampleReader for Stumbling {
    fn select(
        &self,
        selection: &MetricSelection,
        range: TimeRange,
    ) -> Result<Vec<SelectedSeries>, ReadError> {
        self.reader.select(selection, range)
    }

    fn scan(
        &self,
        series: &[u32],
        range: TimeRange,
        options: ScanOptions,
        visit: &mut dyn FnMut(usize, ScanBlock<'_>) -> ControlFlow<()>,
    ) -> Result<Completeness, ReadError> {
        if !self.has_failed.swap(true, Ordering::Relaxed) {
            return Err(ReadError::new("a moment's fault"));
        }
        self.reader.scan(series, range, options, visit)
    }
}

#[test]
fn what_is_worked_out_twice_counts_once() {
    let mut reader = MemoryReader::new();
    for host in 0..100 {
        for metric in ["cpu", "load"] {
            reader = reader.with(metric, &[("host", &host.to_string())], &[(1.0, f64::from(host))]);
        }
    }
    let query = MetricQuery::default().aggregate("STDDEV");
    let keeping = registry("STDDEV");
    // Side by side the metrics fail, one by one they do not.
    let stumbling = Stumbling { reader, has_failed: AtomicBool::new(false) };
    let answer = super::engine().with_threads(2).run(&query, &stumbling, &keeping, None).unwrap();
    assert!(stumbling.has_failed.into_inner());
    assert_eq!((answer.metrics.len(), keeping.rollups().queries()), (2, 2));
}
