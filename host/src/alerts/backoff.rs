//! Pauses between attempts: exponential between two bounds.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

/// Doubling adds nothing beyond this many attempts: two to its power covers any pair of bounds here.
const MAX_DOUBLINGS: usize = 32;

/// The bounds of a series of growing pauses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    pub(crate) min: Duration,
    pub(crate) max: Duration,
}

impl Backoff {
    /// The pause after the `attempts`-th failure in a row (from 1).
    pub(crate) fn pause(self, attempts: u32) -> Duration {
        self.nth(self.builder(), attempts)
    }

    /// The same plus a random part of it, so that deliveries that failed together do not come back together.
    pub(crate) fn pause_with_jitter(self, attempts: u32) -> Duration {
        self.nth(self.builder().with_jitter(), attempts)
    }

    fn builder(self) -> ExponentialBuilder {
        ExponentialBuilder::new().with_min_delay(self.min).with_max_delay(self.max).without_max_times()
    }

    fn nth(self, builder: ExponentialBuilder, attempts: u32) -> Duration {
        let steps = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX).min(MAX_DOUBLINGS);
        builder.build().nth(steps).unwrap_or(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Backoff = Backoff { min: Duration::from_secs(1), max: Duration::from_secs(300) };

    #[test]
    fn doubles_up_to_the_bound() {
        let pauses: Vec<_> =
            [0, 1, 2, 3, 9, 10, 11, u32::MAX].map(|n| BOUNDS.pause(n).as_secs()).into_iter().collect();
        assert_eq!(pauses, [1, 1, 2, 4, 256, 300, 300, 300]);
    }

    #[test]
    fn jitter_lengthens_up_to_twice() {
        let (mut least, mut most) = (Duration::MAX, Duration::ZERO);
        for _ in 0..200 {
            let pause = BOUNDS.pause_with_jitter(3);
            (least, most) = (least.min(pause), most.max(pause));
        }
        assert!(least >= Duration::from_secs(4) && most <= Duration::from_secs(8));
        assert!(least < most, "two hundred equal pauses are no jitter");
    }
}
