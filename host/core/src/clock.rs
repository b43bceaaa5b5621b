//! Where time comes from: every part of the host asks a [`Clock`], so that tests own time.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::time::{Timestamp, saturating_nanos};

/// A source of wall-clock and monotonic time.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The wall clock; may jump in both directions.
    fn now(&self) -> Timestamp;
    /// Time since an arbitrary start; never goes back.
    fn monotonic(&self) -> Duration;
}

/// The operating system's clocks.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => Timestamp::from_nanos(saturating_nanos(since)),
            Err(before) => Timestamp::from_nanos(-saturating_nanos(before.duration())),
        }
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}

/// A clock that a test moves by hand.
#[derive(Debug)]
pub struct ManualClock {
    wall: AtomicI64,
    monotonic: AtomicU64,
}

impl ManualClock {
    /// A clock that stands at `now`.
    pub fn at(now: Timestamp) -> Self {
        Self { wall: AtomicI64::new(now.nanos()), monotonic: AtomicU64::new(0) }
    }

    /// Lets real time pass: both clocks move.
    pub fn advance(&self, by: Duration) {
        self.wall.fetch_add(saturating_nanos(by), Ordering::SeqCst);
        self.monotonic.fetch_add(saturating_nanos(by).unsigned_abs(), Ordering::SeqCst);
    }

    /// Makes the wall clock jump; no real time passes.
    pub fn jump_to(&self, now: Timestamp) {
        self.wall.store(now.nanos(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.wall.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.monotonic.load(Ordering::SeqCst))
    }
}
