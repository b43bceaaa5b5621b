//! How often something may happen: a burst at once, then a steady rate.

use std::time::Duration;

/// Tokens that come back with time.
#[derive(Debug)]
pub(super) struct TokenBucket {
    capacity: u32,
    /// Time in which one token comes back.
    interval: Duration,
    tokens: u32,
    /// When the last token came back.
    refilled: Duration,
}

impl TokenBucket {
    /// A full bucket of `capacity` tokens that gets `per_second` back.
    pub(super) fn new(capacity: u32, per_second: u32, now: Duration) -> Self {
        let interval = Duration::from_secs(1) / per_second.max(1);
        Self { capacity, interval, tokens: capacity, refilled: now }
    }

    /// Takes a token, if there is one.
    pub(super) fn take(&mut self, now: Duration) -> bool {
        let passed = now.saturating_sub(self.refilled);
        let back = passed.as_nanos() / self.interval.as_nanos().max(1);
        if back >= u128::from(self.capacity - self.tokens) {
            (self.tokens, self.refilled) = (self.capacity, now);
        } else if let Ok(back) = u32::try_from(back) {
            self.tokens += back;
            self.refilled += self.interval * back;
        }
        let taken = self.tokens > 0;
        self.tokens = self.tokens.saturating_sub(1);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_a_rate() {
        let millis = Duration::from_millis;
        let mut bucket = TokenBucket::new(5, 10, millis(1_000));
        let mut taken = |now: Duration| (0..20).filter(|_| bucket.take(now)).count();
        assert_eq!(taken(millis(1_000)), 5);
        assert_eq!(taken(millis(1_099)), 0);
        assert_eq!(taken(millis(1_100)), 1);
        assert_eq!(taken(millis(1_350)), 2);
        assert_eq!(taken(millis(1_400)), 1);
        assert_eq!(taken(millis(99_000)), 5);
    }
}
