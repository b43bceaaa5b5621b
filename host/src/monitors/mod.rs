//! Durable monitors: each follows the log from its cursor, and what it finds is stored together with how far it came.
//!
//! A [`MonitorRunner`] gives each monitor a thread, because a call into a plugin blocks for up to its deadline and one slow
//! monitor must not hold the others up. The work itself is in the `Follower`, which knows no thread: read, select by
//! subscription, call, turn signals into alert changes, checkpoint.
//!
//! Invariants:
//! - A monitor sees every subscribed record after its first cursor in log order, and nothing it raised is released before
//!   the checkpoint that holds it is durable. So after a crash, a trap or a reload nothing is skipped and nothing is
//!   released twice.
//! - A checkpoint is made at once when an alert changes its state, and otherwise at most every second or every
//!   [`CHECKPOINT_RECORDS`](telemetry_core::limits::CHECKPOINT_RECORDS) records. Signals that only refresh an alert
//!   release nothing and wait for that.
//! - Ticks are aligned to the epoch and stand in the log: which ticks are a monitor's follows from their times alone.
//!
//! - A monitor is replaced between two records: the one before stops at a durable checkpoint, the one after starts from it.
//!
//! A monitor that is new starts at the end of the log: it watches what happens from now on; yesterday's records are looked
//! at with a replay, which alerts nobody.

#[cfg(test)]
mod adding_tests;
mod backlog;
#[cfg(test)]
mod crash_tests;
mod fault;
mod follower;
#[cfg(test)]
mod handover_tests;
mod incidents;
mod joining;
mod log_store;
mod poison;
mod readings;
#[cfg(test)]
mod refusal_tests;
mod runner;
mod selection;
#[cfg(test)]
mod sharing_tests;
mod status;
#[cfg(test)]
mod store_tests;
#[cfg(test)]
mod testbed;
#[cfg(test)]
mod tests;
mod ticks;
mod worker;

pub use backlog::{BacklogGate, BacklogPolicy, BacklogStatus};
pub use follower::{Handover, HandoverError, StartSuccessor, StartedFrom, Successor};
pub(crate) use joining::join;
pub use log_store::LogStore;
pub use runner::{AddMonitorError, EndMonitorError, MonitorRunner, RunnerError};
pub(crate) use selection::{select_events, select_samples};
pub use status::{MonitorState, MonitorStatus};
