//! Kept states: the saved states of aggregate functions over series and buckets, in rows beside the chunks, for functions that
//! no digest can stand for.
//!
//! The functions are core's [`Aggregation`](telemetry_core::aggregation::Aggregation): built-in ones and, unknown to the store,
//! plugins. Rows are made after the fact, by whoever calls [`crate::Store::build_states`]; sealing only removes rows, so that no
//! function is ever called on the way of a sample.
//!
//! Invariant: a row tells of all sealed numeric samples of its series and bucket, where none is text, or it does not exist:
//! the write batch of a chunk that adds samples to a bucket removes the bucket's rows. Derived: without a row, chunks are read.

mod book;
mod bucket;
mod build;
mod chunk_reader;
mod forget;
mod invalidate;
mod registration;
mod row;
mod scan;
mod series_build;
mod stats;

pub(crate) use book::StateBook;
pub use build::{StateBuild, StateBuildError};
pub(crate) use invalidate::RemovedStates;
pub use registration::StateRollup;
pub(crate) use registration::read_row;
pub(crate) use row::{FIRST_STATE_KEY, check_row};
pub(crate) use scan::{CoveredState, StateScan};
pub use stats::StateRollupStats;
