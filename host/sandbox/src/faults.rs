//! Failures that are one version's own fault. The threads that work on one query may all meet the same one: it is counted once.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

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
}

/// Counts faults.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    all: AtomicU64,
    of_helpers: AtomicU64,
    /// Held while one is counted: of two at once one is the first.
    counting: Mutex<()>,
}

impl Faults {
    /// Faults so far.
    pub(crate) fn count(&self) -> u64 {
        self.all.load(Ordering::Acquire)
    }

    /// What somebody who gets an instance now is to remember.
    pub(crate) fn mark(&self, user: User) -> Mark {
        Mark { user, seen: self.seen_by(user) }
    }

    /// Counts one, unless another that may be of the same query was counted since the mark; whether it did.
    pub(crate) fn note(&self, mark: Mark) -> bool {
        let _counting = self.counting.lock();
        if self.seen_by(mark.user) != mark.seen {
            return false;
        }
        self.all.fetch_add(1, Ordering::AcqRel);
        if mark.user == User::Helper {
            self.of_helpers.fetch_add(1, Ordering::AcqRel);
        }
        true
    }

    /// The faults after which one of this user's may be the same: a helper's is that of whoever it helps, or of others who help there.
    /// Of other people's faults an asker's may only be a helper's: questions of their own count each.
    fn seen_by(&self, user: User) -> u64 {
        match user {
            User::Asker => self.of_helpers.load(Ordering::Acquire),
            User::Helper => self.all.load(Ordering::Acquire),
        }
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
}
