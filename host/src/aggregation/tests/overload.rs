//! Queries to which others leave no memory: each counts once, and only where that is its answer.

use super::meeting::{Gathering, Meeting};
use super::memory::MemoryReader;
use crate::aggregation::{AggregationRegistry, MetricsAnswer, SampleReader};
use crate::query::{MetricQuery, QueryError};

/// Two metrics of which each is read as a whole, by a thread of its own where there are two.
fn two_metrics() -> MemoryReader {
    let samples: Vec<_> = (0..100).map(|n| (f64::from(n), f64::from(n))).collect();
    let mut reader = MemoryReader::new();
    for name in ["cpu", "load"] {
        for host in 0..40 {
            reader = reader.with(name, &[("host", &host.to_string())], &samples);
        }
    }
    reader
}

/// What is answered with so many bytes for all queries, and how many were refused.
fn ask(reader: &dyn SampleReader, bytes: u64, threads: usize) -> (Result<MetricsAnswer, QueryError>, u64) {
    let engine = super::engine().with_shared_bytes(bytes).with_threads(threads);
    let query = MetricQuery::default().aggregate("P99");
    let answered = engine.run(&query, reader, &AggregationRegistry::default(), None);
    (answered, engine.overloaded())
}

#[test]
fn a_query_that_is_answered_in_another_way_was_not_refused() {
    let reader = two_metrics();
    // Enough for one metric after the other.
    let enough = (1..).map(|kib: u64| kib << 10).find(|bytes| ask(&reader, *bytes, 1).0.is_ok()).unwrap();
    // Both threads hold their metric's values before either goes on, and that is too much.
    let both = Gathering { reader: &reader, before: Meeting::of(2), after: Meeting::of(2) };
    let (answered, refused) = ask(&both, enough, 2);
    assert_eq!(answered.unwrap(), ask(&reader, u64::MAX, 1).0.unwrap());
    assert_eq!(refused, 0);
}

#[test]
fn a_query_that_is_refused_counts_once_however_often_it_was_tried() {
    let reader = two_metrics();
    let enough = (1..).map(|kib: u64| kib << 10).find(|bytes| ask(&reader, *bytes, 1).0.is_ok()).unwrap();
    for threads in [1, 2] {
        // Side by side, and one after the other.
        let (answered, refused) = ask(&reader, enough - 1_024, threads);
        let error = answered.unwrap_err();
        assert!(matches!(error, QueryError::Overloaded { .. }), "{error}");
        assert_eq!(refused, 1, "{threads} threads");
    }
}
