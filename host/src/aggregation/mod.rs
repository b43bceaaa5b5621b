//! The aggregation engine: answers metric queries from any reader of samples with built-in and plugin functions alike.
//!
//! A query is split by metric. A metric's series are read in one of three ways, whichever its function allows:
//! `merging` feeds the finest cells of the answer (buckets, else groups, else the metric) and merges their states upwards, in
//! parallel over series; `sequential` feeds every cell its samples in time order; `per_series` gives each series a state of its
//! own and adds up the results.
//!
//! A plugin's accumulator holds an instance, of which there are few: each thread of a query has one at a time, and states of parts
//! go from one to the other as saved bytes (`piece`). The thread that asks waits for an instance; threads that help it take those
//! that nobody waits for, and give way as soon as somebody does (`parallel`).
//!
//! Invariant: averages are never averaged, only states are merged; memory is bounded by cells and by limits, never by samples.

mod answer;
mod assembly;
mod board;
mod cells;
mod engine;
mod feed;
mod group_parts;
mod grouping;
mod intake;
mod joining;
mod kept;
mod level;
mod memory;
mod merging;
mod number;
mod outcome;
mod parallel;
mod per_series;
mod piece;
mod reader;
mod registry;
mod sequential;
mod stop;
mod store_reader;
mod task;
mod timeline;
mod watch;

#[cfg(test)]
mod tests;

pub use answer::{AnsweredRange, GroupAnswer, MetricAnswer, MetricsAnswer, PointAnswer, Tally};
pub use engine::Engine;
pub use reader::{Completeness, SampleReader, SelectedSeries};
pub use registry::{AggregationRegistry, BoundAggregation};
