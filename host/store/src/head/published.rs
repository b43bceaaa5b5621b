//! How far the log is published, and who waits for more.
//!
//! Invariant: whoever records wakes one thread at most, and never waits for one. So one of those who wait, the herald, wakes the others;
//! and their lock is no fair one: those of `parking_lot` are handed to a thread that still sleeps, and the next record would wait until
//! it is awake.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The last published sequence number.
#[derive(Debug)]
pub(super) struct Published {
    sequence: AtomicU64,
    /// How many wait, or are about to.
    waiting: AtomicUsize,
    /// Whether one of them is the herald.
    has_herald: Mutex<bool>,
    /// Only the herald waits here: there is more.
    to_herald: Condvar,
    /// All others wait here: there is more, or no herald.
    to_others: Condvar,
}

impl Published {
    pub(super) fn up_to(sequence: u64) -> Self {
        Self {
            sequence: AtomicU64::new(sequence),
            waiting: AtomicUsize::new(0),
            has_herald: Mutex::new(false),
            to_herald: Condvar::new(),
            to_others: Condvar::new(),
        }
    }

    pub(super) fn get(&self) -> u64 {
        self.sequence.load(SeqCst)
    }

    /// Everything up to `sequence` is published. Those who wait hear of it from [`Self::announce`].
    pub(super) fn advance(&self, sequence: u64) {
        self.sequence.store(sequence, SeqCst);
    }

    /// Wakes those who wait for what was published.
    pub(super) fn announce(&self) {
        // Who counts itself after this looks at the number after it was stored.
        if self.waiting.load(SeqCst) > 0 {
            // Who has looked already is asleep once the lock is free.
            drop(self.lock());
            self.to_herald.notify_one();
        }
    }

    /// Waits until `sequence` is published; whether it is after `timeout`.
    pub(super) fn wait_for(&self, sequence: u64, timeout: Duration) -> bool {
        if self.get() >= sequence {
            return true;
        }
        let deadline = Instant::now().checked_add(timeout);
        let mut has_herald = self.lock();
        self.waiting.fetch_add(1, SeqCst);
        let mut is_herald = false;
        let mut seen = self.get();
        while seen < sequence {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                break;
            }
            is_herald |= !*has_herald;
            *has_herald = true;
            let place = if is_herald { &self.to_herald } else { &self.to_others };
            has_herald = match left {
                Some(left) => place.wait_timeout(has_herald, left).unwrap_or_else(PoisonError::into_inner).0,
                None => place.wait(has_herald).unwrap_or_else(PoisonError::into_inner),
            };
            let now = self.get();
            if is_herald && now != seen {
                self.to_others.notify_all();
            }
            seen = now;
        }
        if is_herald {
            *has_herald = false;
            // One of them is the next, or they have all heard of more.
            self.to_others.notify_all();
        }
        self.waiting.fetch_sub(1, SeqCst);
        seen >= sequence
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        // A flag is never half written.
        self.has_herald.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn all_who_wait_hear_of_each_number() {
        const LAST: u64 = 20_000;
        let published = Published::up_to(0);
        thread::scope(|scope| {
            for step in 1..=5 {
                let published = &published;
                scope.spawn(move || {
                    for sequence in (step..=LAST).step_by(step as usize) {
                        // Without an end: a number that one is not told of would be waited for for ever.
                        assert!(published.wait_for(sequence, Duration::MAX));
                        assert!(published.get() >= sequence);
                    }
                });
            }
            for sequence in 1..=LAST {
                published.advance(sequence);
                published.announce();
                if sequence % 16 == 0 {
                    thread::yield_now();
                }
            }
        });
        assert_eq!((published.waiting.load(SeqCst), *published.lock()), (0, false));
    }

    #[test]
    fn a_herald_that_leaves_has_a_successor() {
        let published = Published::up_to(0);
        thread::scope(|scope| {
            let waits = |sequence, timeout| {
                let published = &published;
                scope.spawn(move || published.wait_for(sequence, timeout))
            };
            let (herald, other) = (waits(1, Duration::from_millis(20)), waits(1, Duration::MAX));
            assert!(!herald.join().unwrap());
            published.advance(1);
            published.announce();
            assert!(other.join().unwrap());
        });
        assert!(!published.wait_for(2, Duration::ZERO));
    }
}
