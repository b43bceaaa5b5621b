//! Aggregations: functions over samples, whose running states can be merged.
//!
//! [`function`](Aggregation) holds the traits that built-in functions and plugins implement alike, [`BuiltIn`] the built-in ones
//! (a file for each kind of state), [`AggregationSpec`] the texts that name one.

mod approximate;
mod builtin;
mod count;
mod deviation;
mod edge;
mod extreme;
mod function;
mod grouped;
mod increase;
mod kept;
mod quantile;
mod saved;
mod sketch;
mod spec;
mod sum;

pub use approximate::ApproximateQuantile;
pub use builtin::{BuiltIn, BuiltInAggregations};
pub use function::{
    Accumulator, AccumulatorsAtOnce, AggregateValue, Aggregation, AggregationError, AggregationSource,
    SampleOrder, SampleRun, SeriesDigest,
};
pub use kept::{KeptState, KeptStates, StateIdentity};
pub use spec::{AggregationSpec, SpecError};
pub use sum::CompensatedSum;
