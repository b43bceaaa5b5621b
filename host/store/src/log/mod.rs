//! The durable log: one row per call, keyed by the sequence number of its first record.
//!
//! Monitors read it in order, recovery replays it into the heads, and it is cut where nobody needs it any more.

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod read;
pub(crate) mod record;
mod size;
mod trim;

pub use read::{LogBody, LogEntry};
pub(crate) use size::LogSize;
