//! Lets a flood of alike records into the log up to a rate, and counts those left out.

use telemetry_core::{Clock, Timestamp};

use super::token_bucket::TokenBucket;

/// One kind of record that may come in floods.
#[derive(Debug)]
pub(crate) struct Throttle {
    bucket: TokenBucket,
    left_out: LeftOut,
}

/// Records that were not logged one by one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// How many.
    pub(crate) count: u64,
    /// Since when; `None` when none was left out.
    pub(crate) since: Option<Timestamp>,
}

impl Throttle {
    /// Lets `at_once` records pass and then `per_second` over time.
    pub(crate) fn new(at_once: u32, per_second: u32, clock: &dyn Clock) -> Self {
        Self {
            bucket: TokenBucket::new(at_once, per_second, clock.monotonic()),
            left_out: LeftOut::default(),
        }
    }

    /// Whether a record may be logged now; with it, what was left out before it and is to be told first.
    pub(crate) fn pass(&mut self, clock: &dyn Clock) -> Option<LeftOut> {
        if self.bucket.take(clock.monotonic()) {
            return Some(self.take_left_out());
        }
        self.left_out.count = self.left_out.count.saturating_add(1);
        self.left_out.since.get_or_insert_with(|| clock.now().floor_to_millis());
        None
    }

    #[cfg(test)]
    pub(crate) fn left_out_count(&self) -> u64 {
        self.left_out.count
    }

    /// What was left out and is not told yet.
    pub(crate) fn take_left_out(&mut self) -> LeftOut {
        std::mem::take(&mut self.left_out)
    }
}
