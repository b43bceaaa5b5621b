//! Deadlines, cancellation, a store that cannot read, and limits.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use telemetry_core::{ErrorCode, ManualClock, MetricSelection, ScanBlock, ScanOptions, TimeRange, Timestamp};

use super::memory::MemoryReader;
use crate::aggregation::memory::Bounds;
use crate::aggregation::{AggregationRegistry, Completeness, Engine, SampleReader, SelectedSeries};
use crate::query::{MetricQuery, QueryError, ReadError};

/// Does something before every block, or fails.
struct Disturbed<F> {
    reader: MemoryReader,
    disturb: F,
    fail_select: bool,
    fail_scan: bool,
}

impl<F: Fn() + Sync> SampleReader for Disturbed<F> {
    fn select(
        &self,
        selection: &MetricSelection,
        range: TimeRange,
    ) -> Result<Vec<SelectedSeries>, ReadError> {
        if self.fail_select {
            return Err(ReadError::new("the index is damaged"));
        }
        self.reader.select(selection, range)
    }
    fn scan(
        &self,
        series: &[u32],
        range: TimeRange,
        options: ScanOptions,
        visit: &mut dyn FnMut(usize, ScanBlock<'_>) -> ControlFlow<()>,
    ) -> Result<Completeness, ReadError> {
        self.reader.scan(series, range, options, &mut |place, block| {
            (self.disturb)();
            visit(place, block)
        })?;
        if self.fail_scan {
            Err(ReadError::new("a chunk is damaged"))
        } else {
            Ok(Completeness::DamageLeftOut)
        }
    }
}

fn many_blocks() -> MemoryReader {
    let samples: Vec<_> = (0..1000).map(|n| (f64::from(n), 1.0)).collect();
    let mut reader = MemoryReader { block: 1, ..MemoryReader::default() };
    for host in 0..200 {
        reader = reader.with("cpu", &[("host", &host.to_string())], &samples[..20]);
    }
    reader.with("load", &[], &samples)
}

const EVERY_WAY: [&str; 3] = ["SUM", "RATE", "STDDEV"];

#[test]
fn a_query_ends_at_its_deadline() {
    for (aggregation, threads) in EVERY_WAY.into_iter().flat_map(|name| [(name, 1), (name, 4)]) {
        let clock = Arc::new(ManualClock::at(Timestamp::EPOCH));
        let reader = Disturbed {
            reader: many_blocks(),
            disturb: || clock.advance(Duration::from_millis(100)),
            fail_select: false,
            fail_scan: false,
        };
        let engine = Engine::new(Arc::<ManualClock>::clone(&clock))
            .with_deadline(Duration::from_secs(10))
            .with_threads(threads);
        let query = MetricQuery::default().aggregate(aggregation);
        let error = engine.run(&query, &reader, &AggregationRegistry::default(), None).unwrap_err();
        assert!(matches!(error, QueryError::Deadline { .. }), "{aggregation}: {error}");
        assert_eq!(error.code(), ErrorCode::OperationTimeout);
    }
}

#[test]
fn a_cancelled_query_ends() {
    for aggregation in EVERY_WAY {
        let cancelled = AtomicBool::new(false);
        let reader = Disturbed {
            reader: many_blocks(),
            disturb: || cancelled.store(true, Ordering::Relaxed),
            fail_select: false,
            fail_scan: false,
        };
        let query = MetricQuery::default().aggregate(aggregation);
        let registry = AggregationRegistry::default();
        let error =
            super::engine().run_unless(&query, &reader, &registry, None, Some(&cancelled)).unwrap_err();
        assert!(matches!(error, QueryError::Cancelled), "{aggregation}: {error}");
    }
}

#[test]
fn what_cannot_be_read_is_a_retrieval_failure() {
    for (fail_select, cause) in [(true, "the index is damaged"), (false, "a chunk is damaged")] {
        for threads in [1, 4] {
            let reader = Disturbed { reader: many_blocks(), disturb: || {}, fail_select, fail_scan: true };
            let engine = super::engine().with_threads(threads);
            let error = engine
                .run(&MetricQuery::default(), &reader, &AggregationRegistry::default(), None)
                .unwrap_err();
            assert_eq!(error.code(), ErrorCode::RetrievalFailure);
            assert_eq!(error.details()["cause"], cause);
        }
    }
}

#[test]
fn an_answer_tells_that_damage_was_left_out() {
    for (aggregation, threads) in EVERY_WAY.into_iter().flat_map(|name| [(name, 1), (name, 4)]) {
        let engine = super::engine().with_threads(threads);
        let query = MetricQuery::default().aggregate(aggregation);
        let reader =
            Disturbed { reader: many_blocks(), disturb: || {}, fail_select: false, fail_scan: false };
        let answer = engine.run(&query, &reader, &AggregationRegistry::default(), None).unwrap();
        assert_eq!(answer.to_json()["incomplete"], true, "{aggregation}");
        let answer = engine.run(&query, &reader.reader, &AggregationRegistry::default(), None).unwrap();
        assert!(!answer.incomplete && answer.to_json().get("incomplete").is_none());
    }
}

#[test]
fn points_and_groups_are_limited() {
    let bounds = Bounds { points: 100, groups: 10, ..Bounds::default() };
    let run = |reader: &MemoryReader, query: &MetricQuery| {
        super::engine().with_bounds(bounds).run(query, reader, &AggregationRegistry::default(), None)
    };
    let samples: Vec<_> = (0..101).map(|n| (f64::from(n), 1.0)).collect();
    let reader = MemoryReader::new().with("cpu", &[("host", "a")], &samples[..60]);
    let reader = reader.with("cpu", &[("host", "b")], &samples[60..]);
    for aggregation in EVERY_WAY {
        for query in [MetricQuery::default(), MetricQuery::default().group_by(["host"])] {
            let query = query.aggregate(aggregation).step(Duration::from_secs(1));
            let error = run(&reader, &query).unwrap_err();
            assert!(matches!(error, QueryError::TooLarge { what: "points", .. }), "{aggregation}: {error}");
            assert_eq!(error.code(), ErrorCode::PayloadTooLarge);
            run(&reader, &query.step(Duration::from_secs(2))).unwrap();
        }
    }
    // Points are counted over the metrics of a query.
    let two = MemoryReader::new().with("cpu", &[], &samples[..60]).with("load", &[], &samples[..60]);
    let query = MetricQuery::default().step(Duration::from_secs(1));
    assert!(matches!(run(&two, &query), Err(QueryError::TooLarge { what: "points", .. })));
    run(&two, &query.limit(1)).unwrap_err();

    let mut reader = MemoryReader::new();
    for host in 0..11 {
        reader = reader.with("cpu", &[("host", &host.to_string())], &[(1.0, 1.0)]);
    }
    let error = run(&reader, &MetricQuery::default().group_by(["host"])).unwrap_err();
    assert!(matches!(error, QueryError::TooLarge { what: "groups", .. }), "{error}");
    run(&reader, &MetricQuery::default()).unwrap();
}

#[test]
fn a_value_beyond_f64_is_null() {
    let reader = MemoryReader::new().with("cpu", &[], &[(1.0, f64::MAX), (2.0, f64::MAX)]);
    let answer = super::answer(&reader, &MetricQuery::default().aggregate("SUM")).unwrap();
    assert_eq!(answer.to_json()["metrics"]["cpu"]["value"], serde_json::Value::Null);
    assert_eq!(answer.to_json()["metrics"]["cpu"]["sample_count"], 2);
}

#[test]
fn memory_is_limited() {
    let mut reader = MemoryReader::new();
    for host in 0..200 {
        let samples: Vec<_> = (0..100).map(|n| (f64::from(n), f64::from(n))).collect();
        reader = reader.with("cpu", &[("host", &host.to_string())], &samples);
    }
    let run = |query: &MetricQuery, bytes, threads| {
        let engine = super::engine().with_bounds(Bounds { bytes, ..Bounds::default() }).with_threads(threads);
        engine.run(query, &reader, &AggregationRegistry::default(), None)
    };
    let seconds = MetricQuery::default().group_by(["host"]).step(Duration::from_secs(1));
    for threads in [1, 4] {
        for query in [
            MetricQuery::default().aggregate("P99"),
            MetricQuery::default().aggregate("P50").group_by(["host"]),
            seconds.clone().aggregate("SUM"),
            seconds.clone().aggregate("RATE"),
        ] {
            // Some bytes for each of 20,000 values or points, and room for the list of series.
            let error = run(&query, 150_000, threads).unwrap_err();
            assert!(
                matches!(error, QueryError::TooLarge { what: "bytes of memory", .. }),
                "{query:?}: {error}"
            );
            assert_eq!(error.code(), ErrorCode::PayloadTooLarge);
            run(&query, 16 << 20, threads).unwrap();
        }
        // What keeps no values takes none.
        run(&MetricQuery::default().aggregate("SUM"), 150_000, threads).unwrap();
        let series = run(&MetricQuery::default(), 10_000, threads).unwrap_err();
        assert!(matches!(series, QueryError::TooLarge { what: "bytes of memory", .. }), "{series}");
    }
}
