//! APPROX_QUANTILE(q=0.99): any quantile within 1 % of the true value, from a mergeable sketch.
//!
//! Beside the exact P50 … P99, for what they cannot do: more samples than memory holds, other quantiles, and kept states that
//! answer months from buckets. The sketch does not depend on `q`: states kept for one quantile answer all.

use std::any::Any;

use serde_json::{Map, Value};

use crate::aggregation::grouped::Grouped;
use crate::aggregation::saved::VERSION;
use crate::aggregation::sketch::Sketch;
use crate::aggregation::{
    Accumulator, AccumulatorsAtOnce, AggregateValue, Aggregation, AggregationError, SampleRun, StateIdentity,
};
use crate::extension::SavedState;

/// The quantile when none is named.
const DEFAULT_QUANTILE: f64 = 0.99;

/// The approximate quantile `q`. An answer differs from a sample of that rank by at most 1 % of it. Samples nearer to zero than
/// 1e-9 count as zero, and where samples span more than 17 decades those nearest to zero are less accurate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ApproximateQuantile {
    q: f64,
}

impl ApproximateQuantile {
    /// The name that queries call it by.
    pub const NAME: &'static str = "APPROX_QUANTILE";

    /// With the parameters of a query: `q` from 0 to 1, 0.99 when absent.
    pub fn bind(parameters: &Map<String, Value>) -> Result<Self, AggregationError> {
        let refused = |reason: String| AggregationError::Unsupported {
            name: Self::NAME.to_owned(),
            reason: Some(reason),
        };
        if let Some(unknown) = parameters.keys().find(|key| *key != "q") {
            return Err(refused(format!("it has no parameter {unknown}, only q")));
        }
        let q = match parameters.get("q") {
            None => DEFAULT_QUANTILE,
            Some(value) => value
                .as_f64()
                .filter(|q| (0.0..=1.0).contains(q))
                .ok_or_else(|| refused("q must be a number from 0 to 1, such as q=0.99".to_owned()))?,
        };
        Ok(Self { q })
    }
}

impl Aggregation for ApproximateQuantile {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn mergeable(&self) -> bool {
        true
    }

    fn needs_timestamps(&self) -> bool {
        false
    }

    fn accumulators_at_once(&self) -> AccumulatorsAtOnce {
        AccumulatorsAtOnce::Unlimited
    }

    fn state_identity(&self) -> Option<StateIdentity> {
        Some(StateIdentity {
            function: Self::NAME.to_owned(),
            parameters: String::new(),
            origin: format!("built-in {VERSION}"),
        })
    }

    fn accumulator(&self) -> Result<Box<dyn Accumulator>, AggregationError> {
        Ok(Box::new(Sketches { q: self.q, groups: Grouped::new(Self::NAME) }))
    }
}

/// A sketch for each group.
struct Sketches {
    q: f64,
    groups: Grouped<Sketch>,
}

impl Accumulator for Sketches {
    fn update(&mut self, runs: &[SampleRun<'_>]) -> Result<(), AggregationError> {
        self.groups.update(runs)
    }

    fn merge(&mut self, saved: &SavedState, group_map: &[u32]) -> Result<(), AggregationError> {
        self.groups.merge(saved, group_map)
    }

    fn absorb(&mut self, mut other: Box<dyn Accumulator>, group_map: &[u32]) -> Result<(), AggregationError> {
        let any: &mut dyn Any = &mut *other;
        if let Some(Self { groups, .. }) = any.downcast_mut::<Self>() {
            let groups = std::mem::replace(groups, Grouped::new(ApproximateQuantile::NAME));
            return self.groups.absorb(Box::new(groups), group_map);
        }
        self.groups.absorb(other, group_map)
    }

    fn held_bytes(&self) -> u64 {
        self.groups.held_bytes()
    }

    fn save(&mut self) -> Result<SavedState, AggregationError> {
        self.groups.save()
    }

    fn evaluate(&mut self) -> Result<Vec<AggregateValue>, AggregationError> {
        let value = |sketch: &mut Sketch| match sketch.quantile(self.q) {
            Some(value) if value.is_finite() => AggregateValue::Number(value),
            _ => AggregateValue::None,
        };
        Ok(self.groups.states().iter_mut().map(value).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn bound(parameters: Value) -> Result<ApproximateQuantile, AggregationError> {
        ApproximateQuantile::bind(parameters.as_object().unwrap())
    }

    fn add(accumulator: &mut dyn Accumulator, group: u32, values: &[f64]) {
        accumulator.update(&[SampleRun { group, timestamps: &[], values }]).unwrap();
    }

    fn values(accumulator: &mut dyn Accumulator) -> Vec<f64> {
        let number = |value| match value {
            AggregateValue::Number(number) => number,
            other => panic!("{other:?}"),
        };
        accumulator.evaluate().unwrap().into_iter().map(number).collect()
    }

    #[test]
    fn answers_within_its_error() {
        let samples: Vec<f64> = (1..=10_000).map(|n| f64::from(n) * 0.37).collect();
        for (q, rank) in [(0.0, 1.0), (0.5, 5_000.0), (0.99, 9_900.0), (1.0, 10_000.0)] {
            let mut accumulator = bound(json!({ "q": q })).unwrap().accumulator().unwrap();
            add(&mut *accumulator, 0, &samples);
            let found = values(&mut *accumulator)[0];
            assert!((found / (rank * 0.37) - 1.0).abs() <= 0.0102, "q {q}: {found}");
        }
    }

    #[test]
    fn parts_merge_to_the_whole_whatever_their_quantile() {
        let samples: Vec<f64> = (0..999).map(|n| f64::from(n % 37) - 18.0).collect();
        let mut whole = bound(json!({"q": 0.9})).unwrap().accumulator().unwrap();
        add(&mut *whole, 0, &samples);
        let (mut merged, mut absorbed) = (
            bound(json!({"q": 0.9})).unwrap().accumulator().unwrap(),
            bound(json!({"q": 0.9})).unwrap().accumulator().unwrap(),
        );
        for part in samples.chunks(333) {
            let mut accumulator = bound(json!({})).unwrap().accumulator().unwrap();
            add(&mut *accumulator, 0, part);
            merged.merge(&accumulator.save().unwrap(), &[0]).unwrap();
            absorbed.absorb(accumulator, &[0]).unwrap();
        }
        assert_eq!(values(&mut *merged), values(&mut *whole));
        assert_eq!(values(&mut *absorbed), values(&mut *whole));
        assert_eq!(
            bound(json!({"q": 0.9})).unwrap().state_identity(),
            bound(json!({})).unwrap().state_identity()
        );
    }

    #[test]
    fn wrong_parameters_are_refused() {
        for (parameters, reason) in [
            (json!({"q": 99}), "q must be a number from 0 to 1"),
            (json!({"q": "high"}), "q must be a number from 0 to 1"),
            (json!({"p": 0.5}), "it has no parameter p"),
        ] {
            let error = bound(parameters).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn memory_is_told() {
        let mut accumulator = bound(json!({})).unwrap().accumulator().unwrap();
        for group in 0..10 {
            add(&mut *accumulator, group, &[1.0, 1e6]);
        }
        assert!(accumulator.held_bytes() >= 10 * 128 * 8, "{}", accumulator.held_bytes());
    }
}
