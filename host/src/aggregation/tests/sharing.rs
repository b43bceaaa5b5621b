//! Functions of which there are few accumulators, as of a plugin's: each thread has one at a time, states go from one to another,
//! helpers give way, and nobody can tell from the answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use telemetry_core::extension::FailureReason;
use telemetry_core::{LabelFilter, ManualClock, SeriesKey, TimeRange, Timestamp};

use super::few::{Pool, few};
use super::meeting::{Gathering, Meeting};
use super::memory::MemoryReader;
use super::oracle;
use super::properties::{any_query, any_reader, assert_same};
use crate::aggregation::memory::Bounds;
use crate::aggregation::{Engine, MetricsAnswer, SampleReader};
use crate::query::{MetricQuery, QueryError};

/// 200 series of `cpu` with 25 samples each, on 20 hosts: a sample a second, 5,000 in all.
fn many_series() -> MemoryReader {
    let mut reader = MemoryReader::new();
    for n in 0..200 {
        let samples: Vec<_> = (0..25).map(|second| (f64::from(n * 25 + second), f64::from(second))).collect();
        reader = reader.with("cpu", &[("host", &format!("{:02}", n % 20))], &samples);
    }
    reader
}

/// 200 series of `cpu`, each of a host of its own, with 40 samples a second apart.
fn many_groups() -> MemoryReader {
    let mut reader = MemoryReader::new();
    for host in 0..200 {
        let samples: Vec<_> = (0..40).map(|n| (f64::from(n), f64::from(host * n))).collect();
        reader = reader.with("cpu", &[("host", &host.to_string())], &samples);
    }
    reader
}

/// Each host's figures, and those of its seconds.
fn by_host_and_second() -> MetricQuery {
    MetricQuery::default().aggregate("SUM").group_by(["host"]).step(Duration::from_secs(1))
}

fn ask(pool: &Arc<Pool>, reader: &dyn SampleReader, query: MetricQuery, threads: usize) -> MetricsAnswer {
    let engine = super::engine().with_threads(threads);
    let answer = engine.run(&few(query), reader, &pool.registry(), None).unwrap();
    assert_eq!(*pool.used.lock().unwrap(), 0, "all are given back");
    answer
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn few_accumulators_change_nothing(
        reader in any_reader(),
        query in any_query(),
        most in 1usize..5,
        threads in 2usize..6,
        crowded in any::<bool>(),
    ) {
        // The same series many times over: half of the copies are told apart by a label that no query names, the others by one
        // that queries group by.
        let mut many = MemoryReader { series: Vec::new(), ..reader };
        for copy in 0..60 {
            for (series, samples) in &reader.series {
                let mut context = series.context.to_map();
                let label = if copy % 2 == 0 { "copy" } else { "rack" };
                context.insert(label.to_owned(), copy.into());
                let series = SeriesKey { context: context.into(), ..series.clone() };
                many.series.push((series, samples.clone()));
            }
        }
        let pool = Arc::new(Pool { crowded, ..Pool::of(most) });
        let found = ask(&pool, &many, query.clone(), threads);
        let alone = ask(&Arc::new(Pool::of(most)), &many, query.clone(), 1);
        assert_eq!(found, alone, "to the last digit");
        assert_same(found, oracle::answer(&many, &query));
    }
}

#[test]
fn several_threads_have_one_each_and_states_are_saved_for_each_part() {
    let reader = many_series();
    let sum = || MetricQuery::default().aggregate("SUM");
    let seconds = Duration::from_secs;
    // 200 series are 12 parts; of buckets there are no more parts than accumulators.
    for (query, saves) in [
        (sum(), 12),
        (sum().step(seconds(100)), 3 + 1),
        // 20 hosts are too few for 12 parts of their own, and many enough to be merged.
        (sum().group_by(["host"]), 12 + 1),
        // 5,000 states in all, some 1,700 in each part; merged they would be too many, so that samples are read again.
        (sum().group_by(["host"]).step(seconds(1)), 3 + 12 + 1),
    ] {
        let pool = Arc::new(Pool::of(3));
        assert_eq!(ask(&pool, &reader, query.clone(), 3), oracle::answer(&reader, &query));
        assert_eq!(pool.saves.load(Ordering::SeqCst), saves, "{query:?}");
    }
}

#[test]
fn parts_with_groups_of_their_own_hand_over_one_state() {
    let (reader, query) = (many_groups(), by_host_and_second());
    let pool = Arc::new(Pool::of(3));
    assert_eq!(ask(&pool, &reader, query.clone(), 3), oracle::answer(&reader, &query));
    // Of each of 12 parts: buckets to groups, groups to the part, the part to the metric.
    assert_eq!(pool.saves.load(Ordering::SeqCst), 3 * 12);
}

#[test]
fn where_one_group_has_most_series_each_part_has_some_of_them() {
    // 150 of 200 series are of one host.
    let mut reader = MemoryReader::new();
    for n in 0..200_u32 {
        let host = n.saturating_sub(149).to_string();
        reader = reader.with("cpu", &[("host", &host)], &[(1.0, f64::from(n))]);
    }
    let pool = Arc::new(Pool::of(3));
    let query = MetricQuery::default().aggregate("SUM").group_by(["host"]);
    assert_eq!(ask(&pool, &reader, query.clone(), 3), oracle::answer(&reader, &query));
    // Of each of 12 parts, and of all groups.
    assert_eq!(pool.saves.load(Ordering::SeqCst), 12 + 1);
}

#[test]
fn parts_share_the_points_that_a_query_may_answer() {
    let (reader, query) = (many_groups(), by_host_and_second());
    for threads in [1, 3] {
        let run = |points| {
            let engine =
                super::engine().with_bounds(Bounds { points, ..Bounds::default() }).with_threads(threads);
            let pool = Arc::new(Pool::of(3));
            let outcome = engine.run(&few(query.clone()), &reader, &pool.registry(), None);
            (outcome, pool.saves.load(Ordering::SeqCst))
        };
        run(8_000).0.unwrap();
        for points in [1_000, 7_999] {
            let (outcome, saves) = run(points);
            let error = outcome.unwrap_err();
            assert!(matches!(error, QueryError::TooLarge { what: "points", .. }), "{error}");
            // Any two of 12 parts have more than a thousand.
            assert!(points > 1_000 || saves <= 3 * (2 + threads), "{saves}");
        }
    }
}

#[test]
fn figures_that_wait_for_other_parts_count_as_memory() {
    let (reader, query) = (many_groups(), by_host_and_second());
    for threads in [1, 3] {
        let run = |bytes| {
            let engine =
                super::engine().with_bounds(Bounds { bytes, ..Bounds::default() }).with_threads(threads);
            engine.run(&few(query.clone()), &reader, &Arc::new(Pool::of(3)).registry(), None)
        };
        // Some 50 bytes for each of 8,000 points; a part alone has less than a tenth of them.
        let error = run(250_000).unwrap_err();
        assert!(matches!(error, QueryError::TooLarge { what: "bytes of memory", .. }), "{error}");
        run(16 << 20).unwrap();
    }
}

#[test]
fn a_short_range_is_not_worth_parts() {
    let samples: Vec<_> = (0..10).map(|n| (f64::from(n), 1.0)).collect();
    let mut reader = MemoryReader::new();
    for host in 0..200 {
        reader = reader.with("cpu", &[("host", &host.to_string())], &samples);
    }
    let at = |seconds: i64| Timestamp::from_nanos(seconds * 1_000_000_000);
    // The engine's clock stands at 0.
    for (start, end, saves) in [
        (Some(0), Some(300), 0),
        (Some(0), Some(3_600), 12),
        (Some(-300), None, 0),
        (Some(-3_600), None, 12),
        (None, Some(300), 12),
        (None, None, 12),
    ] {
        let pool = Arc::new(Pool::of(3));
        let range = TimeRange { start: start.map(at), end: end.map(at) };
        let query = MetricQuery::default().aggregate("SUM").within(range);
        assert_eq!(ask(&pool, &reader, query.clone(), 3), oracle::answer(&reader, &query));
        assert_eq!(pool.saves.load(Ordering::SeqCst), saves, "{range:?}");
    }
}

#[test]
fn by_one_thread_states_are_merged_while_they_are_few() {
    // 5,000 buckets are too many to merge, 50 are not.
    let reader = many_series();
    for (step, saves) in [(1, 1), (100, 2)] {
        let pool = Arc::new(Pool::of(1));
        let query =
            MetricQuery::default().aggregate("SUM").group_by(["host"]).step(Duration::from_secs(step));
        assert_eq!(ask(&pool, &reader, query.clone(), 4), oracle::answer(&reader, &query));
        assert_eq!(pool.saves.load(Ordering::SeqCst), saves, "step {step}");
        assert_eq!(pool.spares.load(Ordering::SeqCst), 0);
    }
}

#[test]
fn more_states_than_a_call_may_answer_are_read_by_one_thread() {
    // Each series has all of 5,000 buckets.
    let samples: Vec<_> = (0..5_000).map(|n| (f64::from(n), 1.0)).collect();
    let mut reader = MemoryReader::new();
    for host in 0..40 {
        reader = reader.with("cpu", &[("host", &host.to_string())], &samples);
    }
    let pool = Arc::new(Pool::of(2));
    let query = MetricQuery::default().aggregate("SUM").step(Duration::from_secs(1));
    assert_eq!(ask(&pool, &reader, query.clone(), 2), oracle::answer(&reader, &query));
    assert_eq!(pool.saves.load(Ordering::SeqCst), 0);
    assert!(!pool.whole.load(Ordering::SeqCst), "that says nothing of the function");
}

#[test]
fn where_helpers_must_give_way_the_thread_that_asks_does_all() {
    let reader = many_series();
    let pool = Arc::new(Pool { crowded: true, ..Pool::of(2) });
    let query = MetricQuery::default().aggregate("SUM");
    let gathering = Gathering { reader: &reader, before: Meeting::of(2), after: Meeting::of(1) };
    assert_eq!(ask(&pool, &gathering, query.clone(), 4), oracle::answer(&reader, &query));
    assert!(pool.spares.load(Ordering::SeqCst) > 0);
    assert_eq!(pool.saves.load(Ordering::SeqCst), 12, "no part is done twice");
}

#[test]
fn a_query_that_has_begun_waits_as_long_as_it_has_time() {
    let reader = many_series();
    let query = MetricQuery::default().aggregate("SUM");
    let pool = Arc::new(Pool { busy: AtomicUsize::new(3), busy_after: 2, ..Pool::of(2) });
    assert_eq!(ask(&pool, &reader, query.clone(), 1), oracle::answer(&reader, &query));
    assert_eq!(pool.busy.load(Ordering::SeqCst), 0);

    let clock = Arc::new(ManualClock::at(Timestamp::EPOCH));
    let engine = Engine::new(Arc::<ManualClock>::clone(&clock)).with_threads(1);
    let pool = Pool { busy: AtomicUsize::new(usize::MAX), busy_after: 2, clock: Some(clock), ..Pool::of(2) };
    let error = engine.run(&few(query.clone()), &reader, &Arc::new(pool).registry(), None).unwrap_err();
    assert!(matches!(error, QueryError::Deadline { .. }), "{error}");

    // One that has done nothing yet is told at once.
    let pool = Pool { busy: AtomicUsize::new(1), ..Pool::of(2) };
    let error = engine.run(&few(query), &reader, &Arc::new(pool).registry(), None).unwrap_err();
    let QueryError::Plugin { failure, .. } = &error else { panic!("{error}") };
    assert!(matches!(failure.reason, FailureReason::Busy(_)), "{failure}");
}

#[test]
fn queries_that_want_all_there_is_do_not_wait_for_each_other() {
    let reader = many_series();
    let pool = Arc::new(Pool::of(2));
    let query = MetricQuery::default().aggregate("SUM").group_by(["host"]).step(Duration::from_secs(100));
    let expected = oracle::answer(&reader, &query);
    let engine = super::engine().with_threads(8);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                for _ in 0..20 {
                    let found = engine.run(&few(query.clone()), &reader, &pool.registry(), None).unwrap();
                    assert_eq!(found, expected);
                }
            });
        }
    });
    assert_eq!(*pool.used.lock().unwrap(), 0);
}

#[test]
fn a_function_whose_states_cannot_be_saved_is_split_once() {
    let reader = many_series();
    let pool = Arc::new(Pool { unsaved: true, ..Pool::of(2) });
    let query = MetricQuery::default().aggregate("SUM");
    assert_eq!(ask(&pool, &reader, query.clone(), 2), oracle::answer(&reader, &query));
    let tried = pool.saves.load(Ordering::SeqCst);
    assert!((1..=2).contains(&tried), "{tried}");
    assert_eq!(ask(&pool, &reader, query.clone(), 2), oracle::answer(&reader, &query));
    assert_eq!(pool.saves.load(Ordering::SeqCst), tried);
}

/// Whatever it has done by then: 12 parts are saved, and merged.
#[test]
fn a_query_hands_nothing_over_once_the_states_of_another_did_not_get_across() {
    let reader = many_series();
    let query = MetricQuery::default().aggregate("SUM");
    for (whole_after, moved) in [(0, (12, 12)), (5, (5, 0)), (12, (12, 0)), (13, (12, 1)), (20, (12, 8))] {
        let pool = Arc::new(Pool { whole_after, ..Pool::of(2) });
        assert_eq!(ask(&pool, &reader, query.clone(), 1), oracle::answer(&reader, &query));
        let found = (pool.saves.load(Ordering::SeqCst), pool.merges.load(Ordering::SeqCst));
        assert_eq!(found, moved, "after {whole_after}");
    }
}

#[test]
fn one_part_that_fails_is_the_querys_failure_and_is_not_asked_again() {
    let mut reader = many_series().with("cpu", &[("host", "fatal")], &[(1.0, 666.0)]);
    let one_metric = reader.clone();
    for host in 0..100 {
        reader = reader.with("load", &[("host", &host.to_string())], &[(1.0, 1.0)]);
    }
    for reader in [&one_metric, &reader] {
        let pool = Arc::new(Pool { fatal: Some(666.0), ..Pool::of(3) });
        let engine = super::engine().with_threads(3);
        let query = few(MetricQuery::default().aggregate("SUM"));
        let error = engine.run(&query, reader, &pool.registry(), None).unwrap_err();
        assert!(matches!(error, QueryError::Plugin { .. }), "{error}");
        assert_eq!(pool.failures.load(Ordering::SeqCst), 1);
        assert_eq!(*pool.used.lock().unwrap(), 0, "all are given back");
        // Who asks for other series does not notice.
        let query = few(MetricQuery::default().aggregate("SUM")).filter(LabelFilter::equal("host", "01"));
        engine.run(&query, reader, &pool.registry(), None).unwrap();
    }
}

#[test]
fn several_parts_that_fail_at_once_are_one_failure() {
    let reader = many_series();
    // Each series has this value, and no thread hands over what it has read before all have.
    let pool = Arc::new(Pool { fatal: Some(7.0), ..Pool::of(3) });
    let gathering = Gathering { reader: &reader, before: Meeting::of(1), after: Meeting::of(3) };
    let query = few(MetricQuery::default().aggregate("SUM"));
    let engine = super::engine().with_threads(3);
    let error = engine.run(&query, &gathering, &pool.registry(), None).unwrap_err();
    let QueryError::Plugin { failure, .. } = &error else { panic!("{error}") };
    assert!(matches!(failure.reason, FailureReason::Trap(_)), "{failure}");
    assert_eq!(pool.failures.load(Ordering::SeqCst), 3, "nothing is begun after that");
    assert_eq!(*pool.used.lock().unwrap(), 0, "all are given back");
}

#[test]
fn the_memory_of_saved_states_is_limited_however_many_threads_there_are() {
    let mut reader = MemoryReader::new();
    for host in 0..200 {
        let samples: Vec<_> = (0..100).map(|n| (f64::from(n), f64::from(n))).collect();
        reader = reader.with("cpu", &[("host", &host.to_string())], &samples);
    }
    let run = |most, threads, bytes| {
        let bounds = Bounds { bytes, ..Bounds::default() };
        let engine = super::engine().with_bounds(bounds).with_threads(threads);
        let query = few(MetricQuery::default().aggregate("P99"));
        engine.run(&query, &reader, &Arc::new(Pool::of(most)).registry(), None)
    };
    // What accumulators hold is not the query's.
    run(1, 1, 150_000).unwrap();
    for threads in [1, 2] {
        // 20,000 values of eight bytes, and the list of series.
        let error = run(2, threads, 150_000).unwrap_err();
        assert!(matches!(error, QueryError::TooLarge { what: "bytes of memory", .. }), "{error}");
        run(2, threads, 16 << 20).unwrap();
    }
}
