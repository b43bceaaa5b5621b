//! Whether a validator is to be asked at all. Each record comes past all validators, and those that failed and are left alone for a while
//! must cost it nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Shut while a validator is left alone. All that a record has to look at is in one place, apart from what other threads write.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct Door {
    /// Nanoseconds of the monotonic clock until which it is shut; 0 while it is open.
    until: AtomicU64,
    /// The count may be that of several doors: of all versions of a plugin.
    turned_away: Arc<AtomicU64>,
}

impl Door {
    /// An open door that counts who is turned away in `turned_away`.
    pub fn counting_in(turned_away: Arc<AtomicU64>) -> Self {
        Self { until: AtomicU64::new(0), turned_away }
    }

    /// Shuts it until a moment of the monotonic clock.
    pub fn shut_until(&self, moment: Duration) {
        self.until.store(nanos(moment), Ordering::Release);
    }

    /// Opens it.
    pub fn open(&self) {
        self.until.store(0, Ordering::Release);
    }

    /// Whether it is shut at the moment that the monotonic clock shows, which is asked only where that matters.
    pub fn is_shut(&self, now: impl FnOnce() -> Duration) -> bool {
        let until = self.until.load(Ordering::Acquire);
        until > 0 && nanos(now()) < until
    }

    /// Counts a call that was not made because it is shut.
    pub fn turn_away(&self) {
        self.turned_away.fetch_add(1, Ordering::Relaxed);
    }

    /// The calls that were not made because it, or another that counts in the same place, was shut.
    pub fn turned_away(&self) -> u64 {
        self.turned_away.load(Ordering::Relaxed)
    }
}

fn nanos(moment: Duration) -> u64 {
    u64::try_from(moment.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_by_itself_or_when_it_is_opened() {
        let door = Door::default();
        let at = |millis| move || Duration::from_millis(millis);
        assert!(!door.is_shut(|| panic!("an open door asks for no time")));
        door.shut_until(Duration::from_millis(5));
        assert_eq!([0, 4, 5, 9].map(|millis| door.is_shut(at(millis))), [true, true, false, false]);
        door.open();
        assert!(!door.is_shut(at(0)));
        door.shut_until(Duration::MAX);
        assert!(door.is_shut(at(1 << 40)));
        door.turn_away();
        assert_eq!(door.turned_away(), 1);
    }
}
