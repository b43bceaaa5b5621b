//! Guards before and beside recording (spec §2): pure logic over a clock, no I/O.
//!
//! [`LoopGuard`] refuses content that repeats like a loop, [`RecursionDepth`] recording that nests in its own
//! callbacks, and [`ErrorWatch`] notices a fault of the host that keeps coming.

mod error_watch;
mod fingerprint;
mod loop_guard;
mod recursion;

pub use error_watch::ErrorWatch;
pub use loop_guard::{LoopGuard, LoopTrip};
pub use recursion::{Nested, RecursionDepth, RecursionTrip};
