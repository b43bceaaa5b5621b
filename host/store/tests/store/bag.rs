//! A function whose states keep every value, and what scans with its kept states and without them tell.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use telemetry_core::aggregation::{
    Accumulator, AggregateValue, Aggregation, AggregationError, KeptStates, SampleRun, StateIdentity,
};
use telemetry_core::extension::SavedState;
use telemetry_core::{AdmittedSample, ScanBlock, ScanOptions, TimeRange, Timestamp};
use telemetry_store::{ScanStats, StateRollup, Store};

use crate::fixture::*;

pub const NANOS: i64 = 1_000_000_000;

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_nanos(noon().nanos() + seconds * NANOS)
}

/// Keeps every value, so that nothing that is wrong with a state can hide. A function may refuse one value.
#[derive(Default)]
pub struct Bag {
    pub refused: Option<f64>,
}

#[derive(Default)]
struct BagState {
    refused: Option<f64>,
    values: Vec<f64>,
}

impl Aggregation for Bag {
    fn name(&self) -> &str {
        "bag"
    }
    fn mergeable(&self) -> bool {
        true
    }
    fn needs_timestamps(&self) -> bool {
        false
    }
    fn accumulator(&self) -> Result<Box<dyn Accumulator>, AggregationError> {
        Ok(Box::new(BagState { refused: self.refused, values: Vec::new() }))
    }
}

impl Accumulator for BagState {
    fn update(&mut self, runs: &[SampleRun<'_>]) -> Result<(), AggregationError> {
        for run in runs {
            assert_eq!(run.group, 0);
            if run.values.iter().any(|value| Some(*value) == self.refused) {
                let reason = Some("it refuses this value".to_owned());
                return Err(AggregationError::Unsupported { name: "bag".to_owned(), reason });
            }
            self.values.extend_from_slice(run.values);
        }
        Ok(())
    }
    fn merge(&mut self, saved: &SavedState, group_map: &[u32]) -> Result<(), AggregationError> {
        assert_eq!(group_map, [0]);
        self.values.extend(values_in(saved));
        Ok(())
    }
    fn save(&mut self) -> Result<SavedState, AggregationError> {
        let bytes = self.values.iter().flat_map(|value| (*value as i32).to_le_bytes()).collect();
        Ok(SavedState { version: 3, bytes })
    }
    fn evaluate(&mut self) -> Result<Vec<AggregateValue>, AggregationError> {
        Ok(vec![AggregateValue::None])
    }
}

pub fn values_in(saved: &SavedState) -> Vec<f64> {
    assert_eq!(saved.version, 3);
    saved.bytes.as_chunks::<4>().0.iter().map(|bytes| f64::from(i32::from_le_bytes(*bytes))).collect()
}

pub fn rollup(origin: &str, minutes: u64, metrics: &[&str]) -> StateRollup {
    let identity = StateIdentity { function: "bag".into(), parameters: "{}".into(), origin: origin.into() };
    let metrics = metrics.iter().map(|name| (*name).to_owned()).collect();
    StateRollup { identity, width: Duration::from_secs(60 * minutes), metrics }
}

/// Values by series' number and bucket, sorted, and how many texts there are.
pub type Buckets = BTreeMap<(u32, i64), (Vec<i64>, u64)>;

/// What a scan with states tells; `step` 0 stands for the whole range.
pub fn scanned(store: &Store, range: TimeRange, step: i64, states: KeptStates) -> (Buckets, ScanStats) {
    let ids: Vec<u32> = store
        .select_series(&Default::default(), range)
        .unwrap()
        .into_iter()
        .map(|series| series.id)
        .collect();
    let mut buckets = Buckets::new();
    let bucket = Some(step).filter(|step| *step > 0);
    let index = |time: i64| if step > 0 { time.div_euclid(step) } else { 0 };
    let options = ScanOptions { bucket, states: Some(states), ..ScanOptions::default() };
    let stats = store
        .scan(&ids, range, options, &mut |place, block| {
            let mut add = |time: i64, values: &[f64], texts: u64| {
                let (held, held_texts) = buckets.entry((ids[place], index(time))).or_default();
                held.extend(values.iter().map(|value| *value as i64));
                *held_texts += texts;
            };
            match block {
                ScanBlock::State(kept) => {
                    let (first, last) = (kept.first_time, kept.last_time);
                    assert!(range.contains(first) && range.contains(last));
                    assert_eq!(index(first.nanos()), index(last.nanos()), "a state crosses an edge");
                    let values = values_in(&kept.state);
                    assert_eq!(values.len() as u64, kept.count);
                    add(first.nanos(), &values, 0);
                }
                ScanBlock::Samples { timestamps, values } => {
                    for (time, value) in timestamps.iter().zip(values) {
                        assert!(range.contains(Timestamp::from_nanos(*time)));
                        add(*time, &[*value], 0);
                    }
                }
                ScanBlock::Text { timestamps } => timestamps.iter().for_each(|time| add(*time, &[], 1)),
                ScanBlock::Digest(_) => panic!("no digests were asked for"),
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    buckets.values_mut().for_each(|(values, _)| values.sort_unstable());
    (buckets, stats)
}

pub fn none() -> KeptStates {
    KeptStates { fingerprint: 0, width: 3600 * NANOS }
}

/// Compares with a scan of the samples themselves, in many ranges and steps; answers how many states were shown.
pub fn check(store: &Store, states: KeptStates, ranges: &[TimeRange]) -> u64 {
    let mut shown = 0;
    for range in ranges {
        for step in [0, 60, 300, 3600, 86_400].map(|seconds| seconds * NANOS) {
            let (found, stats) = scanned(store, *range, step, states);
            let (expected, plain) = scanned(store, *range, step, none());
            assert_eq!(plain.states, 0);
            assert_eq!(found, expected, "{range:?}, {step}");
            assert_eq!(stats.samples, plain.samples, "{range:?}, {step}");
            shown += stats.states;
        }
    }
    shown
}

pub fn build(store: &Store, rollup: &StateRollup) -> u64 {
    let states = store.register_states(rollup).unwrap();
    let mut built = 0;
    loop {
        let done = store.build_states(states, &Bag::default(), 3).unwrap();
        assert!(done.failure.is_none());
        built += done.states;
        if !done.more {
            return built;
        }
    }
}

pub fn run(name: &str, from: i64, step: i64, count: i64) -> Vec<AdmittedSample> {
    (0..count).map(|n| sample(name, at(from + n * step), n)).collect()
}
