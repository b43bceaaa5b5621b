//! Random data, random queries, random block boundaries, any number of threads: the oracle's answer.

use std::time::Duration;

use proptest::prelude::*;
use telemetry_core::aggregation::{AggregateValue, BuiltIn};
use telemetry_core::{LabelFilter, MetricValue, TimeRange, Timestamp};

use super::memory::{MemoryReader, key};
use super::oracle;
use crate::aggregation::{AggregationRegistry, MetricsAnswer, Tally};
use crate::query::MetricQuery;

const SECOND: i64 = 1_000_000_000;

fn any_value() -> impl Strategy<Value = MetricValue> {
    prop_oneof![
        4 => (-50..50i64).prop_map(MetricValue::Integer),
        4 => (-100.0..100.0f64).prop_map(MetricValue::Float),
        1 => Just(MetricValue::from("text")),
    ]
}

pub(super) fn any_reader() -> impl Strategy<Value = MemoryReader> {
    let name = prop_oneof![Just("cpu"), Just("load"), Just("disk")];
    let label = prop_oneof![Just(None), Just(Some("a")), Just(Some("b"))];
    let samples = proptest::collection::vec((-100..300i64, any_value()), 0..40);
    let series = proptest::collection::vec((name, label.clone(), label, samples), 0..9);
    (series, 1usize..20, 0usize..100).prop_map(|(series, block, seed)| {
        let mut reader = MemoryReader { block, seed, ..MemoryReader::default() };
        for (name, host, zone, samples) in series {
            let labels: Vec<_> = [("host", host), ("zone", zone)]
                .into_iter()
                .filter_map(|(label, text)| Some((label, text?)))
                .collect();
            let samples = samples.into_iter().map(|(time, value)| (time * SECOND / 2, value)).collect();
            reader.series.push((key(name, &labels), samples));
        }
        reader
    })
}

fn any_range() -> impl Strategy<Value = TimeRange> {
    let side = || proptest::option::of(-60..160i64);
    (side(), side()).prop_map(|(start, end)| {
        let at = |side: Option<i64>| side.map(|second| Timestamp::from_nanos(second * SECOND));
        let (start, end) = (at(start), at(end));
        if start.is_some() && end.is_some() && start > end {
            TimeRange { start: end, end: start }
        } else {
            TimeRange { start, end }
        }
    })
}

pub(super) fn any_query() -> impl Strategy<Value = MetricQuery> {
    let aggregation = || proptest::sample::select(BuiltIn::ALL.map(BuiltIn::as_str).to_vec());
    let names = proptest::option::of(proptest::sample::subsequence(vec!["disk", "none", "cpu"], 1..=3));
    let group_by = proptest::sample::subsequence(vec!["host", "zone", "rack"], 0..=2);
    let step = proptest::option::of(prop_oneof![Just(1u64), Just(7), Just(60), Just(1000)]);
    let filter = proptest::option::of(prop_oneof![Just("a"), Just("b")]);
    let limit = proptest::option::of(1usize..4);
    (names, any_range(), aggregation(), aggregation(), group_by, step, filter, limit).prop_map(
        |(names, range, default, of_cpu, group_by, step, filter, limit)| {
            let mut query =
                MetricQuery::default().within(range).aggregate(default).aggregate_metric("cpu", of_cpu);
            query.names = names.map(|names| names.into_iter().map(str::to_owned).collect());
            query.filters = filter.map(|text| LabelFilter::equal("host", text)).into_iter().collect();
            query.group_by = group_by.into_iter().map(str::to_owned).collect();
            query.step = step.map(Duration::from_secs);
            query.limit = limit;
            query
        },
    )
}

/// Equal, but for the last digits of numbers, which are taken out of both.
pub(super) fn assert_same(mut found: MetricsAnswer, mut expected: MetricsAnswer) {
    let (ours, theirs) = (take_numbers(&mut found), take_numbers(&mut expected));
    assert_eq!(found, expected);
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(&theirs) {
        let tolerance = 1e-9 * theirs.abs().max(1.0);
        assert!((ours - theirs).abs() <= tolerance, "{ours} is not {theirs} in {expected:?}");
    }
}

fn take_numbers(answer: &mut MetricsAnswer) -> Vec<f64> {
    let mut tallies: Vec<&mut Tally> = Vec::new();
    for metric in answer.metrics.values_mut() {
        tallies.push(&mut metric.tally);
        tallies.extend(metric.points.iter_mut().flatten().map(|point| &mut point.tally));
        for group in metric.groups.iter_mut().flatten() {
            tallies.push(&mut group.tally);
            tallies.extend(group.points.iter_mut().flatten().map(|point| &mut point.tally));
        }
    }
    let mut numbers = Vec::new();
    for tally in tallies {
        if let AggregateValue::Number(number) = &mut tally.value {
            numbers.push(std::mem::take(number));
        }
    }
    numbers
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn every_query_is_answered_as_the_contract_says(reader in any_reader(), query in any_query()) {
        assert_same(super::answer(&reader, &query).unwrap(), oracle::answer(&reader, &query));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn threads_change_nothing(reader in any_reader(), query in any_query(), threads in 2usize..6) {
        // The same series many times over, told apart by a label that no query names.
        let mut many = MemoryReader { series: Vec::new(), ..reader };
        for copy in 0..60 {
            for (series, samples) in &reader.series {
                let mut context = series.context.to_map();
                context.insert("copy".to_owned(), copy.into());
                many.series.push((telemetry_core::SeriesKey { context: context.into(), ..series.clone() }, samples.clone()));
            }
        }
        let registry = AggregationRegistry::default();
        let found = super::engine().with_threads(threads).run(&query, &many, &registry, None).unwrap();
        let alone = super::engine().run(&query, &many, &registry, None).unwrap();
        assert_eq!(found, alone, "to the last digit");
        assert_same(found, oracle::answer(&many, &query));
    }
}

#[test]
fn as_of_hides_later_samples() {
    let reader = MemoryReader::new().with("cpu", &[], &[(1.0, 10.0), (2.0, 20.0), (3.0, 30.0)]);
    let at = |second: i64| Timestamp::from_nanos(second * SECOND);
    let run = |query: &MetricQuery, as_of| {
        super::engine().run(query, &reader, &AggregationRegistry::default(), Some(at(as_of))).unwrap()
    };
    let open = run(&MetricQuery::default().aggregate("SUM"), 2);
    assert_eq!(open.metrics["cpu"].tally.value, AggregateValue::Number(30.0));
    assert_eq!(open.metrics["cpu"].time_range.end, at(2));
    let closed = run(&MetricQuery::default().aggregate("LAST").between(at(1), at(9)), 2);
    assert_eq!(closed.metrics["cpu"].tally.value, AggregateValue::Number(20.0));
    assert_eq!(closed.metrics["cpu"].time_range.end, at(9));
    assert!(run(&MetricQuery::default().between(at(3), at(9)), 2).metrics.is_empty());
}
