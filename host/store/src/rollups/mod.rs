//! Rollups: per series the digests of all minutes or hours of a stretch of time, in a row beside the chunks.
//!
//! Invariant: a row tells of all sealed samples of its series and stretch, or it does not exist: it begins with the first
//! chunk of its stretch, grows in the write batch of every further one, or is made at a partition's close from all of them.
//! So late samples, which only add, never make it wrong. A stretch with text samples has no row.

mod buckets;
mod build;
mod mend;
mod row;
mod scan;
mod states;
mod update;

pub(crate) use build::build;
pub(crate) use mend::mend;
pub(crate) use row::{FIRST_ROLLUP_KEY, check_row};
pub(crate) use scan::{Covered, RollupScan};
pub(crate) use states::{
    CoveredState, FIRST_STATE_KEY, RemovedStates, StateBook, StateScan, check_row as check_state_row,
    read_row as read_states_row,
};
pub use states::{StateBuild, StateBuildError, StateRollup, StateRollupStats};
pub(crate) use update::add;
