//! The state of one bucket, made from its samples and from the states of shorter buckets.
//!
//! Invariant: it holds an accumulator only once it has enough samples for a state: a plugin's takes an instance.

use telemetry_core::aggregation::{Accumulator, Aggregation, AggregationError, KeptState, SampleRun};
use telemetry_core::{Timestamp, limits};

/// Samples that are gathered before they are handed over: a plugin's call is then cheap against its work.
const GATHERED: usize = 16_384;

/// A bucket that is being filled.
pub(super) struct Bucket<'a> {
    function: &'a dyn Aggregation,
    accumulator: Option<Box<dyn Accumulator>>,
    gathered: Vec<f64>,
    count: u64,
    first: i64,
    last: i64,
}

/// What became of a bucket.
#[derive(Debug)]
pub(super) enum Filled {
    /// It has a state.
    State(KeptState),
    /// It has so few samples that reading them is as quick.
    Few(FewSamples),
}

/// Samples of a bucket that has no state.
#[derive(Debug, Default)]
pub(super) struct FewSamples {
    values: Vec<f64>,
    first: i64,
    last: i64,
}

impl<'a> Bucket<'a> {
    /// An empty one.
    pub(super) fn new(function: &'a dyn Aggregation) -> Self {
        let (first, last) = (i64::MAX, i64::MIN);
        Self { function, accumulator: None, gathered: Vec::new(), count: 0, first, last }
    }

    /// Adds samples; their times ascend.
    pub(super) fn samples(&mut self, times: &[i64], values: &[f64]) -> Result<(), AggregationError> {
        let (Some(first), Some(last)) = (times.first(), times.last()) else { return Ok(()) };
        self.see(*first, *last, values.len() as u64);
        self.gathered.extend_from_slice(values);
        if self.gathered.len() >= GATHERED { self.hand_over() } else { Ok(()) }
    }

    /// Adds what a shorter bucket had instead of a state.
    pub(super) fn few(&mut self, few: &FewSamples) -> Result<(), AggregationError> {
        if few.values.is_empty() {
            return Ok(());
        }
        self.samples(&[few.first, few.last], &few.values)
    }

    /// Adds a shorter bucket's state.
    pub(super) fn state(&mut self, kept: &KeptState) -> Result<(), AggregationError> {
        self.see(kept.first_time.nanos(), kept.last_time.nanos(), kept.count);
        self.accumulator()?.merge(&kept.state, &[0])
    }

    fn see(&mut self, first: i64, last: i64, count: u64) {
        self.count = self.count.saturating_add(count);
        self.first = self.first.min(first);
        self.last = self.last.max(last);
    }

    fn accumulator(&mut self) -> Result<&mut Box<dyn Accumulator>, AggregationError> {
        if self.accumulator.is_none() {
            self.accumulator = Some(self.function.accumulator()?);
        }
        self.accumulator.as_mut().ok_or_else(|| AggregationError::Unsupported {
            name: self.function.name().to_owned(),
            reason: None,
        })
    }

    fn hand_over(&mut self) -> Result<(), AggregationError> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let gathered = std::mem::take(&mut self.gathered);
        let run = SampleRun { group: 0, timestamps: &[], values: &gathered };
        let handed = self.accumulator()?.update(&[run]);
        self.gathered = gathered;
        self.gathered.clear();
        handed
    }

    /// The state, or the samples where a state does not pay.
    pub(super) fn finish(mut self) -> Result<Filled, AggregationError> {
        if self.accumulator.is_none() && self.count < limits::MIN_KEPT_SAMPLES {
            let Self { gathered: values, first, last, .. } = self;
            return Ok(Filled::Few(FewSamples { values, first, last }));
        }
        self.hand_over()?;
        let state = self.accumulator()?.save()?;
        let (first_time, last_time) = (Timestamp::from_nanos(self.first), Timestamp::from_nanos(self.last));
        Ok(Filled::State(KeptState { count: self.count, first_time, last_time, state }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use telemetry_core::aggregation::{AggregateValue, BuiltIn};

    fn bucket(times: std::ops::Range<i64>) -> Filled {
        let mut bucket = Bucket::new(&BuiltIn::StdDev);
        let (times, values): (Vec<i64>, Vec<f64>) = times.map(|time| (time, time as f64)).unzip();
        bucket.samples(&times, &values).unwrap();
        bucket.finish().unwrap()
    }

    #[test]
    fn a_longer_bucket_is_made_from_shorter_ones() {
        let mut long = Bucket::new(&BuiltIn::StdDev);
        for part in [0..40_000, 40_000..40_003, 40_003..40_003, 40_003..40_100] {
            match bucket(part) {
                Filled::State(kept) => long.state(&kept).unwrap(),
                Filled::Few(few) => long.few(&few).unwrap(),
            }
        }
        let (Filled::State(parts), Filled::State(whole)) = (long.finish().unwrap(), bucket(0..40_100)) else {
            panic!()
        };
        assert_eq!(
            (parts.count, parts.first_time, parts.last_time),
            (whole.count, whole.first_time, whole.last_time)
        );
        let value = |kept: &KeptState| {
            let mut accumulator = BuiltIn::StdDev.accumulator().unwrap();
            accumulator.merge(&kept.state, &[0]).unwrap();
            match accumulator.evaluate().unwrap().remove(0) {
                AggregateValue::Number(value) => value,
                other => panic!("{other:?}"),
            }
        };
        assert!((value(&parts) / value(&whole) - 1.0).abs() < 1e-12);
    }
}
