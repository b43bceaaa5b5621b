//! Failures that are one version's own fault. The threads that work on one query may all meet the same one: it is counted once. And
//! those to save or to merge states, until it is known whose states they were.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::ThreadId;
use std::time::Duration;

use parking_lot::Mutex;
use telemetry_core::extension::FailureReason;
use telemetry_core::limits;

/// For whom an instance works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum User {
    /// Somebody who asked for something.
    Asker,
    /// A thread that helps with what another one was asked for.
    Helper,
}

/// The faults that there had been when somebody got an instance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    user: User,
    seen: u64,
    /// All of them, whoever met them.
    all: u64,
}

/// Counts faults.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    all: AtomicU64,
    of_helpers: AtomicU64,
    /// Held while one is counted: of two at once one is the first.
    counting: Mutex<Counting>,
}

#[derive(Debug, Default)]
struct Counting {
    /// When one of handing over was counted last, on the monotonic clock.
    handing_over: Option<Duration>,
}

impl Faults {
    /// Faults so far.
    pub(crate) fn count(&self) -> u64 {
        self.all.load(Ordering::Acquire)
    }

    /// What somebody who gets an instance now is to remember.
    pub(crate) fn mark(&self, user: User) -> Mark {
        Mark { user, seen: self.seen_by(user), all: self.count() }
    }

    /// Counts one, unless another that may be of the same query was counted since the mark; whether it did.
    pub(crate) fn note(&self, mark: Mark) -> bool {
        let _counting = self.counting.lock();
        if self.seen_by(mark.user) != mark.seen {
            return false;
        }
        self.add(mark.user);
        true
    }

    /// Counts one of states that did not get from one instance to another, at this instant of the monotonic clock; whether it did. Their
    /// query goes on without, so these alone must not make up a row: of all functions and queries together one counts in
    /// [`UNSPLIT_PAUSE`](limits::UNSPLIT_PAUSE), and none that may be of the same query as another fault.
    pub(crate) fn note_handing_over(&self, mark: Mark, now: Duration) -> bool {
        let mut counting = self.counting.lock();
        let is_too_soon = |last: Duration| now.saturating_sub(last) < limits::UNSPLIT_PAUSE;
        if counting.handing_over.is_some_and(is_too_soon) || self.count() != mark.all {
            return false;
        }
        counting.handing_over = Some(now);
        self.add(mark.user);
        true
    }

    fn add(&self, user: User) {
        self.all.fetch_add(1, Ordering::AcqRel);
        if user == User::Helper {
            self.of_helpers.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// The faults after which one of this user's may be the same: a helper's is that of whoever it helps, or of others who help there.
    /// Of other people's faults an asker's may only be a helper's: questions of their own count each.
    fn seen_by(&self, user: User) -> u64 {
        match user {
            User::Asker => self.of_helpers.load(Ordering::Acquire),
            User::Helper => self.count(),
        }
    }
}

/// A failure to save or to merge states of which it is not known yet whether they were on their way from one instance to another.
#[derive(Debug)]
pub(crate) struct OpenFault {
    number: u64,
    /// The thread that met it.
    thread: ThreadId,
    pub(crate) mark: Mark,
    pub(crate) reason: FailureReason,
}

/// All that are open: no more than there are instances in use.
#[derive(Debug, Default)]
pub(crate) struct OpenFaults(Mutex<Numbered>);

#[derive(Debug, Default)]
struct Numbered {
    open: Vec<OpenFault>,
    next: u64,
}

impl OpenFaults {
    /// Leaves one open that this thread has met; answers its number, which no other has.
    pub(crate) fn leave(&self, mark: Mark, reason: FailureReason) -> u64 {
        let mut all = self.0.lock();
        let number = all.next;
        all.next = number.wrapping_add(1);
        all.open.push(OpenFault { number, thread: std::thread::current().id(), mark, reason });
        number
    }

    /// Takes the one of this number, unless it was taken already.
    pub(crate) fn take(&self, number: u64) -> Option<OpenFault> {
        self.take_last(|fault| fault.number == number)
    }

    /// Takes the last one that this thread has met.
    pub(crate) fn take_own(&self) -> Option<OpenFault> {
        let thread = std::thread::current().id();
        self.take_last(|fault| fault.thread == thread)
    }

    fn take_last(&self, is_it: impl Fn(&OpenFault) -> bool) -> Option<OpenFault> {
        let mut all = self.0.lock();
        let place = all.open.iter().rposition(is_it)?;
        Some(all.open.remove(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_asker_and_its_helpers_the_first_counts() {
        for order in [[0, 1, 2], [1, 0, 2], [2, 1, 0]] {
            let faults = Faults::default();
            let marks = [User::Asker, User::Helper, User::Helper].map(|user| faults.mark(user));
            let counted = order.map(|place| faults.note(marks[place]));
            assert_eq!(counted, [true, false, false], "{order:?}");
            assert_eq!(faults.count(), 1);
            assert!(faults.note(faults.mark(User::Helper)), "that was another query");
        }
    }

    #[test]
    fn questions_of_their_own_count_each() {
        let faults = Faults::default();
        let marks = [User::Asker; 3].map(|user| faults.mark(user));
        assert!(marks.into_iter().all(|mark| faults.note(mark)));
        assert!(faults.note(marks[0]), "as does each of one's own");
        assert_eq!(faults.count(), 4);
    }

    #[test]
    fn of_handing_over_one_counts_in_a_while_whoever_meets_it() {
        let faults = Faults::default();
        let pause = limits::UNSPLIT_PAUSE;
        let marks = [User::Asker, User::Helper, User::Asker, User::Asker].map(|user| faults.mark(user));
        let counted = marks.map(|mark| faults.note_handing_over(mark, Duration::ZERO));
        assert_eq!(counted, [true, false, false, false]);
        let soon = pause - Duration::from_nanos(1);
        assert!(!faults.note_handing_over(faults.mark(User::Asker), soon), "of another function, or query");
        assert!(faults.note(faults.mark(User::Asker)), "what else fails counts as ever");
        assert!(faults.note_handing_over(faults.mark(User::Asker), pause));
        assert_eq!(faults.count(), 3);
    }

    #[test]
    fn of_one_query_the_fault_that_is_none_of_handing_over_counts_alone() {
        let faults = Faults::default();
        let (asker, helper) = (faults.mark(User::Asker), faults.mark(User::Helper));
        assert!(faults.note(helper));
        assert!(!faults.note_handing_over(asker, Duration::ZERO));
        assert!(faults.note_handing_over(faults.mark(User::Asker), Duration::ZERO), "that was another query");
    }

    #[test]
    fn what_is_open_is_taken_once() {
        let (open, mark) = (OpenFaults::default(), Faults::default().mark(User::Asker));
        let reason = |text: &str| FailureReason::Trap(text.to_owned());
        let taken = |fault: Option<OpenFault>| fault.map(|fault| fault.reason);
        let first = open.leave(mark, reason("first"));
        let second = open.leave(mark, reason("second"));
        std::thread::scope(|scope| {
            let other = scope.spawn(|| (open.take_own().is_none(), open.leave(mark, reason("other"))));
            let (has_none, other) = other.join().unwrap();
            assert!(has_none, "these are another thread's");
            assert_eq!(taken(open.take_own()), Some(reason("second")));
            assert_eq!(taken(open.take(second)), None);
            assert_eq!(taken(open.take(other)), Some(reason("other")));
        });
        assert_eq!(taken(open.take(first)), Some(reason("first")));
        assert!(open.take_own().is_none());
    }
}
