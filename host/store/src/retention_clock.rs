//! The time by which records expire. It never runs faster than real time is known to have passed.
//!
//! Invariant: within one process the trusted time advances by the monotonic clock alone; a wall clock that jumps ahead
//! expires nothing. Across a restart a gap of at most [`MAX_TRUSTED_GAP`] is taken for the time the store was closed.

use std::time::Duration;

use telemetry_core::Timestamp;
use telemetry_core::time::saturating_nanos;

/// A difference between wall clock and trusted time above this is a jump, and is reported.
pub(crate) const JUMP: Duration = Duration::from_secs(3600);
/// Longest time a store may have been closed that is believed at opening: a long weekend. A wall clock that is further
/// ahead of the last known time may be wrong, and what it would expire is gone for good.
pub(crate) const MAX_TRUSTED_GAP: Duration = Duration::from_secs(4 * 86_400);

/// The wall clock differs from the time that is known to have passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ClockJump {
    /// What the wall clock says.
    pub wall: Timestamp,
    /// The time by which records expire.
    pub trusted: Timestamp,
}

impl std::fmt::Display for ClockJump {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the clock says {}, by the time that has passed it is {}", self.wall, self.trusted)
    }
}

/// The trusted time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RetentionClock {
    known: Timestamp,
    known_at: Duration,
}

impl RetentionClock {
    /// Starts from the last known time, if there is one.
    pub(crate) fn start(last_known: Option<Timestamp>, wall: Timestamp, monotonic: Duration) -> Self {
        let known = match last_known {
            Some(last) if wall.since(last) > MAX_TRUSTED_GAP => last,
            Some(last) => wall.max(last),
            None => wall,
        };
        Self { known, known_at: monotonic }
    }

    /// The time that is known to have passed.
    pub(crate) fn trusted(&self, monotonic: Duration) -> Timestamp {
        let passed = monotonic.saturating_sub(self.known_at);
        Timestamp::from_nanos(self.known.nanos().saturating_add(saturating_nanos(passed)))
    }

    /// The time by which records expire: neither ahead of the trusted time nor of the wall clock.
    pub(crate) fn expiry_time(&self, wall: Timestamp, monotonic: Duration) -> Timestamp {
        self.trusted(monotonic).min(wall)
    }

    /// The jump, while wall clock and trusted time differ by more than [`JUMP`].
    pub(crate) fn jump(&self, wall: Timestamp, monotonic: Duration) -> Option<ClockJump> {
        let trusted = self.trusted(monotonic);
        let apart = wall.since(trusted).max(trusted.since(wall));
        (apart > JUMP).then_some(ClockJump { wall, trusted })
    }

    /// Believes the wall clock: an operator says that it is right.
    pub(crate) fn accept(&mut self, wall: Timestamp, monotonic: Duration) {
        *self = Self { known: wall, known_at: monotonic };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const YEAR: Duration = Duration::from_secs(365 * 86_400);

    fn at(hours: u64) -> Timestamp {
        Timestamp::from_nanos(1_700_000_000_000_000_000).plus(Duration::from_secs(3600 * hours))
    }

    #[test]
    fn runs_with_the_monotonic_clock() {
        let clock = RetentionClock::start(None, at(0), HOUR);
        assert_eq!(clock.expiry_time(at(5), HOUR * 6), at(5));
        assert_eq!(clock.jump(at(5), HOUR * 6), None);
    }

    #[test]
    fn a_jump_ahead_expires_nothing() {
        let clock = RetentionClock::start(None, at(0), HOUR);
        let wall = at(0).plus(YEAR);
        assert_eq!(clock.expiry_time(wall, HOUR), at(0));
        assert_eq!(clock.jump(wall, HOUR), Some(ClockJump { wall, trusted: at(0) }));
        assert_eq!(clock.expiry_time(wall, HOUR * 3), at(2), "real time still passes");
    }

    #[test]
    fn a_jump_back_expires_nothing_new() {
        let clock = RetentionClock::start(None, at(10), HOUR);
        assert_eq!(clock.expiry_time(at(2), HOUR * 2), at(2));
        assert!(clock.jump(at(2), HOUR * 2).is_some());
    }

    #[test]
    fn closed_for_a_weekend_is_believed_and_a_year_is_not() {
        let weekend = RetentionClock::start(Some(at(0)), at(60), HOUR);
        assert_eq!(weekend.trusted(HOUR), at(60));
        let wall = at(0).plus(YEAR);
        let mut year = RetentionClock::start(Some(at(0)), wall, HOUR);
        assert_eq!(year.trusted(HOUR), at(0));
        year.accept(wall, HOUR);
        assert_eq!(year.expiry_time(wall, HOUR), wall);
        let back = RetentionClock::start(Some(at(10)), at(0), HOUR);
        assert_eq!(back.expiry_time(at(0), HOUR), at(0));
    }
}
