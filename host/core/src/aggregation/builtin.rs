//! The built-in functions: MEAN SUM MIN MAX COUNT FIRST LAST STDDEV RATE P50 P90 P95 P99, and the source of these and of
//! APPROX_QUANTILE.
//!
//! Invariant: a result is finite or there is none. What leaves the range of `f64` on the way (a sum beyond 1.8e308, the squares
//! of values beyond 1e154) answers no value, never an infinity and never a wrong number.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::aggregation::approximate::ApproximateQuantile;
use crate::aggregation::count::Count;
use crate::aggregation::deviation::Deviation;
use crate::aggregation::edge::Edge;
use crate::aggregation::extreme::Extreme;
use crate::aggregation::grouped::Grouped;
use crate::aggregation::increase::Increase;
use crate::aggregation::quantile::Quantile;
use crate::aggregation::saved::VERSION;
use crate::aggregation::sum::{Mean, Sum};
use crate::aggregation::{
    Accumulator, AccumulatorsAtOnce, Aggregation, AggregationError, AggregationSource, SampleOrder,
    StateIdentity,
};

/// A built-in aggregate function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BuiltIn {
    /// The arithmetic mean.
    Mean,
    /// The sum.
    Sum,
    /// The least value.
    Min,
    /// The greatest value.
    Max,
    /// The number of samples, text included.
    Count,
    /// The first value by time, then by arrival; between series of one instant the earlier series.
    First,
    /// The last value by time, then by arrival; between series of one instant the later series.
    Last,
    /// The sample standard deviation (n − 1); 0 for one sample.
    StdDev,
    /// The increase of a counter per second of the range, with resets, summed over series.
    Rate,
    /// The median, interpolated.
    P50,
    /// The 90th percentile, interpolated.
    P90,
    /// The 95th percentile, interpolated.
    P95,
    /// The 99th percentile, interpolated.
    P99,
}

impl BuiltIn {
    /// All of them, in the order in which they are listed.
    pub const ALL: [BuiltIn; 13] = [
        Self::Mean,
        Self::Sum,
        Self::Min,
        Self::Max,
        Self::Count,
        Self::First,
        Self::Last,
        Self::StdDev,
        Self::Rate,
        Self::P50,
        Self::P90,
        Self::P95,
        Self::P99,
    ];

    /// The contract's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mean => "MEAN",
            Self::Sum => "SUM",
            Self::Min => "MIN",
            Self::Max => "MAX",
            Self::Count => "COUNT",
            Self::First => "FIRST",
            Self::Last => "LAST",
            Self::StdDev => "STDDEV",
            Self::Rate => "RATE",
            Self::P50 => "P50",
            Self::P90 => "P90",
            Self::P95 => "P95",
            Self::P99 => "P99",
        }
    }

    /// The function of this name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|function| function.as_str().eq_ignore_ascii_case(name))
    }
}

impl Aggregation for BuiltIn {
    fn name(&self) -> &str {
        self.as_str()
    }

    fn mergeable(&self) -> bool {
        *self != Self::Rate
    }

    fn needs_timestamps(&self) -> bool {
        matches!(self, Self::First | Self::Last | Self::Rate)
    }

    fn order(&self) -> SampleOrder {
        if self.needs_timestamps() { SampleOrder::Series } else { SampleOrder::Any }
    }

    fn accepts_digests(&self) -> bool {
        matches!(
            self,
            Self::Mean | Self::Sum | Self::Min | Self::Max | Self::Count | Self::First | Self::Last
        )
    }

    fn sums_over_series(&self) -> bool {
        *self == Self::Rate
    }

    fn per_second(&self) -> bool {
        *self == Self::Rate
    }

    fn continues_over_buckets(&self) -> bool {
        *self == Self::Rate
    }

    fn counts_text(&self) -> bool {
        *self == Self::Count
    }

    fn accumulators_at_once(&self) -> AccumulatorsAtOnce {
        AccumulatorsAtOnce::Unlimited
    }

    /// STDDEV alone: the digests of rollups tell the other short states already, and the rest are as large as the samples.
    fn state_identity(&self) -> Option<StateIdentity> {
        (*self == Self::StdDev).then(|| StateIdentity {
            function: self.as_str().to_owned(),
            parameters: String::new(),
            origin: format!("built-in {VERSION}"),
        })
    }

    fn accumulator(&self) -> Result<Box<dyn Accumulator>, AggregationError> {
        let name = self.as_str();
        Ok(match self {
            Self::Mean => Box::new(Grouped::<Mean>::new(name)),
            Self::Sum => Box::new(Grouped::<Sum>::new(name)),
            Self::Min => Box::new(Grouped::<Extreme<false>>::new(name)),
            Self::Max => Box::new(Grouped::<Extreme<true>>::new(name)),
            Self::Count => Box::new(Grouped::<Count>::new(name)),
            Self::First => Box::new(Grouped::<Edge<false>>::new(name)),
            Self::Last => Box::new(Grouped::<Edge<true>>::new(name)),
            Self::StdDev => Box::new(Grouped::<Deviation>::new(name)),
            Self::Rate => Box::new(Grouped::<Increase>::new(name)),
            Self::P50 => Box::new(Grouped::<Quantile<50>>::new(name)),
            Self::P90 => Box::new(Grouped::<Quantile<90>>::new(name)),
            Self::P95 => Box::new(Grouped::<Quantile<95>>::new(name)),
            Self::P99 => Box::new(Grouped::<Quantile<99>>::new(name)),
        })
    }
}

/// The source of all built-in functions. Of them only APPROX_QUANTILE takes parameters.
#[derive(Clone, Copy, Debug, Default)]
pub struct BuiltInAggregations;

impl AggregationSource for BuiltInAggregations {
    fn names(&self) -> Vec<String> {
        let exact = BuiltIn::ALL.into_iter().map(BuiltIn::as_str);
        exact.chain([ApproximateQuantile::NAME]).map(str::to_owned).collect()
    }

    fn find(
        &self,
        name: &str,
        parameters: &Map<String, Value>,
    ) -> Option<Result<Arc<dyn Aggregation>, AggregationError>> {
        if name.eq_ignore_ascii_case(ApproximateQuantile::NAME) {
            return Some(ApproximateQuantile::bind(parameters).map(|function| Arc::new(function) as _));
        }
        let function = BuiltIn::from_name(name)?;
        Some(if parameters.is_empty() {
            Ok(Arc::new(function))
        } else {
            Err(AggregationError::Unsupported {
                name: name.to_owned(),
                reason: Some("it takes no parameters".to_owned()),
            })
        })
    }
}

#[cfg(test)]
mod tests;
