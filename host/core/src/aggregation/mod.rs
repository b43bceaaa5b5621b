//! Aggregations: functions over samples, whose running states can be merged.

mod function;

pub use function::{
    Accumulator, AggregateValue, Aggregation, AggregationError, AggregationSource, SampleOrder, SampleRun,
    SeriesDigest,
};
