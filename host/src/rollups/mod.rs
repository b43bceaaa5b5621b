//! Rollups of aggregations that no digest can stand for: their states are kept per series and bucket, and queries use them.
//!
//! `RollupSet` says which states a query may use, `RollupBuilder` has them built in the background from what is stored.
//! Which function is meant is asked of the registry at each use: a plugin may be exchanged at any time, and with it the
//! identity of its states; those of the old one are ignored at once, and removed later.
//!
//! Invariant: building never stands in the way of a record. A function that fails only leaves its rollup behind.

mod builder;
mod set;
mod status;

pub(crate) use builder::RollupBuilder;
pub(crate) use set::{KeptChoice, RollupSet};
pub use status::{RollupState, RollupStatus};
