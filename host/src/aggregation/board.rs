//! The parts of one piece of work, shared by its threads.
//!
//! Invariant: each part is answered once, unless one failed; a part that a helper leaves is open to all again.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::stop::Stop;
use super::watch::Watch;

/// The parts of one piece of work, as its threads see them.
pub(super) struct Board<T> {
    count: usize,
    /// The next part that nobody has begun.
    next: AtomicUsize,
    done: Mutex<Vec<(usize, Result<T, Stop>)>>,
    /// Parts that helpers began and left to others.
    left: Mutex<Vec<usize>>,
    /// Whether a helper has given way.
    is_crowded: AtomicBool,
    /// Whether nothing is to be begun any more.
    is_stopped: AtomicBool,
}

/// Where a thread works.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It called for the work.
    Calling,
    /// It helps the thread that did.
    Beside,
}

impl<T> Board<T> {
    /// Nothing is done yet.
    pub(super) fn of(count: usize) -> Self {
        Self {
            count,
            next: AtomicUsize::new(0),
            done: Mutex::default(),
            left: Mutex::default(),
            is_crowded: AtomicBool::new(false),
            is_stopped: AtomicBool::new(false),
        }
    }

    /// Parts that somebody may begin.
    pub(super) fn open(&self) -> usize {
        if self.is_stopped.load(Ordering::Relaxed) {
            return 0;
        }
        let begun = self.next.load(Ordering::Relaxed).min(self.count);
        self.left.lock().len().saturating_add(self.count.saturating_sub(begun))
    }

    /// Helpers that may come now: where one gave way, one tries whether there is room again.
    pub(super) fn welcome(&self) -> usize {
        if self.is_crowded.load(Ordering::Relaxed) { 1 } else { usize::MAX }
    }

    /// What they answered, in the order of the parts.
    pub(super) fn into_answers(self) -> Result<Vec<T>, Stop> {
        in_order(self.done.into_inner())
    }

    fn next_part(&self) -> Option<usize> {
        if self.is_stopped.load(Ordering::Relaxed) {
            return None;
        }
        let left = self.left.lock().pop();
        left.or_else(|| {
            let part = self.next.fetch_add(1, Ordering::Relaxed);
            (part < self.count).then_some(part)
        })
    }

    /// Does one part, if there is one; whether the thread goes on.
    pub(super) fn take_one(
        &self,
        watch: &Watch<'_>,
        place: Place,
        work: impl FnOnce(usize) -> Result<T, Stop>,
    ) -> bool {
        let Some(part) = self.next_part() else { return false };
        let outcome = work(part);
        if place == Place::Beside && matches!(outcome, Err(Stop::GaveWay)) {
            self.is_crowded.store(true, Ordering::Relaxed);
            self.left.lock().push(part);
            return false;
        }
        if let Err(stop) = &outcome {
            if let Stop::Failed(_) = stop {
                watch.abandon();
            }
            self.is_stopped.store(true, Ordering::Relaxed);
        }
        let goes_on = outcome.is_ok();
        self.done.lock().push((part, outcome));
        goes_on
    }
}

/// What the parts answered, in order; of reasons to stop the first that says most.
fn in_order<T>(mut outcomes: Vec<(usize, Result<T, Stop>)>) -> Result<Vec<T>, Stop> {
    outcomes.sort_unstable_by_key(|(part, _)| *part);
    let mut done = Vec::with_capacity(outcomes.len());
    let mut reason: Option<Stop> = None;
    for (_, outcome) in outcomes {
        match outcome {
            Ok(part) => done.push(part),
            Err(stop) if reason.as_ref().is_none_or(|known| stop.says_more_than(known)) => {
                reason = Some(stop);
            }
            Err(_) => {}
        }
    }
    reason.map_or(Ok(done), Err)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::query::QueryError;

    #[test]
    fn of_several_reasons_the_one_that_says_most_is_answered() {
        let deadline = || Stop::Failed(QueryError::Deadline { limit: Duration::ZERO });
        let cancelled = || Stop::Failed(QueryError::Cancelled);
        let of = |outcomes: Vec<Stop>| {
            let outcomes = outcomes.into_iter().enumerate().map(|(part, stop)| (part, Err::<(), _>(stop)));
            in_order(outcomes.collect()).unwrap_err()
        };
        assert!(matches!(of(vec![cancelled(), Stop::GaveWay]), Stop::GaveWay));
        assert!(matches!(of(vec![cancelled(), Stop::Unsplit, Stop::GaveWay]), Stop::Unsplit));
        let error = of(vec![cancelled(), Stop::Unsplit, deadline()]).into_error();
        assert!(matches!(error, QueryError::Deadline { .. }), "{error}");
    }
}
