//! The built-in functions against naive oracles: however samples are split, saved and merged, the result is that of one pass.

use proptest::prelude::*;

use super::*;
use crate::aggregation::{AggregateValue, SampleRun, SeriesDigest};
use crate::extension::SavedState;
use crate::time::Timestamp;

fn evaluate(function: BuiltIn, samples: &[(i64, f64)]) -> AggregateValue {
    let mut accumulator = function.accumulator().unwrap();
    feed(&mut *accumulator, 0, samples);
    accumulator.evaluate().unwrap().pop().unwrap_or(AggregateValue::None)
}

fn feed(accumulator: &mut dyn Accumulator, group: u32, samples: &[(i64, f64)]) {
    let (timestamps, values): (Vec<_>, Vec<_>) = samples.iter().copied().unzip();
    accumulator.update(&[SampleRun { group, timestamps: &timestamps, values: &values }]).unwrap();
}

fn number(function: BuiltIn, values: &[f64]) -> f64 {
    let samples: Vec<_> = values.iter().enumerate().map(|(time, value)| (time as i64, *value)).collect();
    match evaluate(function, &samples) {
        AggregateValue::Number(value) => value,
        other => panic!("{function:?} answered {other:?}"),
    }
}

/// The contract's definitions, written without any care for speed.
fn oracle(function: BuiltIn, samples: &[(i64, f64)]) -> Option<f64> {
    let mut sorted: Vec<f64> = samples.iter().map(|(_, value)| *value).collect();
    sorted.sort_by(f64::total_cmp);
    let count = sorted.len() as f64;
    let mean = sorted.iter().sum::<f64>() / count;
    let quantile = |q: f64| {
        let position = (count - 1.0) * q;
        let (low, high) = (sorted[position.floor() as usize], sorted[position.ceil() as usize]);
        low + (high - low) * position.fract()
    };
    if samples.is_empty() {
        return (function == BuiltIn::Count).then_some(0.0);
    }
    Some(match function {
        BuiltIn::Mean => mean,
        BuiltIn::Sum => sorted.iter().sum(),
        BuiltIn::Min => sorted[0],
        BuiltIn::Max => sorted[sorted.len() - 1],
        BuiltIn::Count => count,
        BuiltIn::First => samples.iter().min_by_key(|(time, _)| *time).unwrap().1,
        BuiltIn::Last => samples.iter().max_by_key(|(time, _)| *time).unwrap().1,
        BuiltIn::StdDev if samples.len() == 1 => 0.0,
        BuiltIn::StdDev => {
            (sorted.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0)).sqrt()
        }
        BuiltIn::Rate => samples
            .windows(2)
            .map(|pair| if pair[1].1 >= pair[0].1 { pair[1].1 - pair[0].1 } else { pair[1].1.max(0.0) })
            .sum(),
        BuiltIn::P50 => quantile(0.5),
        BuiltIn::P90 => quantile(0.9),
        BuiltIn::P95 => quantile(0.95),
        BuiltIn::P99 => quantile(0.99),
    })
}

fn assert_close(function: BuiltIn, found: &AggregateValue, samples: &[(i64, f64)]) {
    let scale = samples.iter().map(|(_, value)| value.abs()).fold(1e-9, f64::max);
    match (found, oracle(function, samples)) {
        (AggregateValue::Number(found), Some(expected)) => {
            let tolerance = 1e-12 * scale * (samples.len() as f64).max(1.0);
            assert!((found - expected).abs() <= tolerance, "{function:?}: {found} is not {expected}");
        }
        (AggregateValue::None, None) => {}
        (found, expected) => panic!("{function:?}: {found:?} is not {expected:?}"),
    }
}

fn digest(samples: &[(i64, f64)]) -> SeriesDigest {
    let values = || samples.iter().map(|(_, value)| *value);
    SeriesDigest {
        count: samples.len() as u64,
        sum: values().sum(),
        min: values().fold(f64::INFINITY, f64::min),
        max: values().fold(f64::NEG_INFINITY, f64::max),
        first: samples[0].1,
        last: samples[samples.len() - 1].1,
        first_time: Timestamp::from_nanos(samples[0].0),
        last_time: Timestamp::from_nanos(samples[samples.len() - 1].0),
    }
}

#[test]
fn known_results() {
    let values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
    assert_eq!(number(BuiltIn::Mean, &values), 5.0);
    assert_eq!(number(BuiltIn::Sum, &values), 40.0);
    assert_eq!(number(BuiltIn::Min, &values), 2.0);
    assert_eq!(number(BuiltIn::Max, &values), 9.0);
    assert_eq!(number(BuiltIn::Count, &values), 8.0);
    assert_eq!(number(BuiltIn::First, &values), 2.0);
    assert_eq!(number(BuiltIn::Last, &values), 9.0);
    assert!((number(BuiltIn::StdDev, &values) - (32.0f64 / 7.0).sqrt()).abs() < 1e-15);
    assert_eq!(number(BuiltIn::P50, &values), 4.5);
    assert_eq!(number(BuiltIn::StdDev, &[3.0]), 0.0);
    // 5 up, a reset to 3, 4 up.
    assert_eq!(number(BuiltIn::Rate, &[10.0, 15.0, 3.0, 7.0]), 12.0);
    assert_eq!(number(BuiltIn::Rate, &[10.0]), 0.0);
}

#[test]
fn deviation_keeps_its_digits_on_a_large_offset() {
    let values: Vec<f64> = (0..10_000).map(|n| 1e9 + f64::from(n % 2)).collect();
    let expected = (0.25f64 * 10_000.0 / 9_999.0).sqrt();
    assert!((number(BuiltIn::StdDev, &values) - expected).abs() < 1e-12);
    let mut one_by_one = BuiltIn::StdDev.accumulator().unwrap();
    for value in &values {
        one_by_one.update(&[SampleRun { group: 0, timestamps: &[], values: &[*value] }]).unwrap();
    }
    let AggregateValue::Number(found) = one_by_one.evaluate().unwrap().remove(0) else { panic!() };
    assert!((found - expected).abs() < 1e-9);
}

#[test]
fn results_beyond_f64_are_no_results() {
    let large: Vec<_> = (0..20).map(|time| (time, f64::MAX)).collect();
    for function in [BuiltIn::Sum, BuiltIn::Mean] {
        assert_eq!(evaluate(function, &large), AggregateValue::None, "{function:?}");
    }
    let wide: Vec<_> = (0..20).map(|time| (time, if time % 2 == 0 { 1e200 } else { -1e200 })).collect();
    assert_eq!(evaluate(BuiltIn::StdDev, &wide), AggregateValue::None);
    for function in BuiltIn::ALL {
        let mut accumulator = function.accumulator().unwrap();
        feed(&mut *accumulator, 0, &large);
        feed(&mut *accumulator, 1, &wide);
        let saved = accumulator.save().unwrap();
        let mut restored = function.accumulator().unwrap();
        restored.merge(&saved, &[0, 1]).unwrap();
        assert_eq!(restored.evaluate().unwrap(), accumulator.evaluate().unwrap(), "{function:?}");
    }
}

#[test]
fn of_one_instant_the_order_of_arrival_decides() {
    let samples = [(5, 1.0), (5, 2.0), (5, 3.0)];
    assert_eq!(evaluate(BuiltIn::First, &samples), AggregateValue::Number(1.0));
    assert_eq!(evaluate(BuiltIn::Last, &samples), AggregateValue::Number(3.0));
}

#[test]
fn samples_without_times_are_refused_where_times_count() {
    for function in BuiltIn::ALL {
        let mut accumulator = function.accumulator().unwrap();
        let outcome = accumulator.update(&[SampleRun { group: 0, timestamps: &[], values: &[1.0] }]);
        assert_eq!(outcome.is_err(), function.needs_timestamps(), "{function:?}");
    }
}

#[test]
fn limits_are_errors_by_name() {
    let mut accumulator = BuiltIn::Mean.accumulator().unwrap();
    let outcome = accumulator.update(&[SampleRun { group: u32::MAX, timestamps: &[], values: &[1.0] }]);
    assert!(matches!(outcome, Err(AggregationError::Limit { what: "groups", .. })));

    let block = vec![1.0; 1 << 20];
    let mut accumulator = BuiltIn::P99.accumulator().unwrap();
    let run = SampleRun { group: 0, timestamps: &[], values: &block };
    let outcome =
        (0..crate::limits::MAX_EXACT_VALUES / block.len() + 1).try_for_each(|_| accumulator.update(&[run]));
    assert!(matches!(outcome, Err(AggregationError::Limit { what: "values", .. })));
}

#[test]
fn foreign_states_are_refused() {
    let mut sum = BuiltIn::Sum.accumulator().unwrap();
    feed(&mut *sum, 0, &[(1, 1.0)]);
    let saved = sum.save().unwrap();
    let refuse = |function: BuiltIn, saved: SavedState, map: &[u32]| {
        let outcome = function.accumulator().unwrap().merge(&saved, map);
        assert!(matches!(outcome, Err(AggregationError::SavedState { .. })), "{function:?} {saved:?}");
    };
    refuse(BuiltIn::Min, saved.clone(), &[0]);
    refuse(BuiltIn::Sum, SavedState { version: 99, ..saved.clone() }, &[0]);
    refuse(BuiltIn::Sum, saved.clone(), &[]);
    refuse(BuiltIn::Sum, saved.clone(), &[0, 1]);
    let mut longer = saved.clone();
    longer.bytes.push(0);
    refuse(BuiltIn::Sum, longer, &[0]);
    for length in 0..saved.bytes.len() {
        refuse(BuiltIn::Sum, SavedState { bytes: saved.bytes[..length].to_vec(), ..saved.clone() }, &[0]);
    }
}

#[test]
fn segments_of_a_counter_join_in_either_direction_but_never_overlap() {
    let saved = |samples: &[(i64, f64)]| {
        let mut accumulator = BuiltIn::Rate.accumulator().unwrap();
        feed(&mut *accumulator, 0, samples);
        accumulator.save().unwrap()
    };
    let (early, late) = (saved(&[(1, 5.0), (2, 7.0)]), saved(&[(3, 1.0), (4, 4.0)]));
    for order in [[&early, &late], [&late, &early]] {
        let mut accumulator = BuiltIn::Rate.accumulator().unwrap();
        order.into_iter().for_each(|state| accumulator.merge(state, &[0]).unwrap());
        assert_eq!(accumulator.evaluate().unwrap(), [AggregateValue::Number(6.0)]);
    }
    let mut accumulator = BuiltIn::Rate.accumulator().unwrap();
    accumulator.merge(&saved(&[(1, 5.0), (3, 7.0)]), &[0]).unwrap();
    assert!(accumulator.merge(&saved(&[(2, 1.0), (4, 4.0)]), &[0]).is_err());
}

#[test]
fn the_source_finds_names_in_any_case_and_takes_no_parameters() {
    let source = BuiltInAggregations;
    assert_eq!(source.names().len(), 14);
    for name in ["mean", "Mean", "P99", "p99", "stdDev"] {
        assert!(source.find(name, &Map::new()).unwrap().is_ok(), "{name}");
    }
    assert!(source.find("median", &Map::new()).is_none());
    let parameters = Map::from_iter([("q".to_owned(), Value::from(1))]);
    assert!(matches!(
        source.find("mean", &parameters),
        Some(Err(AggregationError::Unsupported { reason: Some(_), .. }))
    ));
}

fn any_function() -> impl Strategy<Value = BuiltIn> {
    proptest::sample::select(BuiltIn::ALL.to_vec())
}

/// Values of everyday size, in time order, some of one instant.
fn any_samples() -> impl Strategy<Value = Vec<(i64, f64)>> {
    proptest::collection::vec((0..3i64, -1000.0..1000.0f64), 0..200).prop_map(|steps| {
        let mut time = 0;
        steps
            .into_iter()
            .enumerate()
            .map(|(index, (step, value))| {
                time += step;
                (time * 1000 + index as i64, value)
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn one_pass_equals_the_oracle(function in any_function(), samples in any_samples(), cut in 1usize..70) {
        let mut accumulator = function.accumulator().unwrap();
        feed(&mut *accumulator, 0, &[]);
        for part in samples.chunks(cut) {
            feed(&mut *accumulator, 0, part);
        }
        assert_close(function, &accumulator.evaluate().unwrap()[0], &samples);
        // Evaluating leaves the state as it was.
        assert_close(function, &accumulator.evaluate().unwrap()[0], &samples);
    }

    #[test]
    fn split_saved_and_merged_in_any_order(
        function in any_function().prop_filter("mergeable", |function| function.mergeable()),
        samples in any_samples(),
        owners in proptest::collection::vec(0usize..4, 200),
        order in Just(vec![0usize, 1, 2, 3]).prop_shuffle(),
    ) {
        let mut whole = function.accumulator().unwrap();
        for owner in order {
            let mine: Vec<_> = samples.iter().zip(&owners).filter(|(_, o)| **o == owner).map(|(s, _)| *s).collect();
            let mut part = function.accumulator().unwrap();
            // Group 0 is another group of the same accumulator, to be mapped elsewhere.
            feed(&mut *part, 0, &[(7, 1.0)]);
            feed(&mut *part, 1, &mine);
            whole.merge(&part.save().unwrap(), &[1, 0]).unwrap();
        }
        let values = whole.evaluate().unwrap();
        assert_close(function, &values[0], &samples);
        assert_close(function, &values[1], &[(7, 1.0); 4]);
    }

    #[test]
    fn digests_stand_for_samples(
        function in any_function().prop_filter("digests", |function| function.accepts_digests()),
        samples in any_samples(),
        cut in 1usize..50,
    ) {
        let mut accumulator = function.accumulator().unwrap();
        feed(&mut *accumulator, 0, &[]);
        for (index, part) in samples.chunks(cut).enumerate() {
            if index % 2 == 0 {
                accumulator.update_digest(0, &digest(part)).unwrap();
            } else {
                feed(&mut *accumulator, 0, part);
            }
        }
        assert_close(function, &accumulator.evaluate().unwrap()[0], &samples);
    }

    #[test]
    fn any_bytes_are_a_state_or_an_error(function in any_function(), mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for tag in 0..10 {
            if let Some(first) = bytes.first_mut() {
                *first = tag;
            }
            let mut accumulator = function.accumulator().unwrap();
            let saved = SavedState { version: 1, bytes: bytes.clone() };
            if accumulator.merge(&saved, &[0]).is_ok() {
                accumulator.update(&[SampleRun { group: 0, timestamps: &[1], values: &[1.0] }]).unwrap();
                for value in accumulator.evaluate().unwrap() {
                    prop_assert!(matches!(value, AggregateValue::None) || matches!(value, AggregateValue::Number(n) if n.is_finite()));
                }
            }
        }
    }
}
