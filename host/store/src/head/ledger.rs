//! The order of records: sequence numbers are assigned one batch after the other, commits overlap, and what is committed
//! is published in the order of assignment.
//!
//! Invariant: everything up to [`Ledger::published`] is committed and counted, or was never stored.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::{self, Thread};
use std::time::Duration;

use parking_lot::Mutex;
use smallvec::SmallVec;

use super::published::Published;
use crate::families::Partition;

/// How often a writer lets others run before it sleeps.
const YIELDS: usize = 4;

/// Records of a batch per partition.
pub(crate) type RecordCounts = SmallVec<[(Arc<Partition>, u64); 2]>;

/// Assigns and publishes sequence numbers.
#[derive(Debug)]
pub(crate) struct Ledger {
    books: Mutex<Books>,
    published: Published,
}

#[derive(Debug)]
struct Books {
    next: u64,
    flights: VecDeque<Flight>,
}

/// A batch between assignment and publication.
#[derive(Debug)]
struct Flight {
    last: u64,
    state: FlightState,
    counts: RecordCounts,
    /// Who waits for its publication.
    waiter: Option<Thread>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FlightState {
    /// Its commit is not done.
    Flying,
    /// Its records are stored.
    Landed,
    /// Its records were not stored; its numbers stay unused.
    Lost,
}

/// A batch that has its sequence numbers and is not published yet. Dropped without [`Self::land`], it counts as failed.
#[derive(Debug)]
pub(crate) struct Departure<'a> {
    ledger: &'a Ledger,
    last: u64,
    done: bool,
}

impl Ledger {
    /// Continues after `last`, the last sequence number in the store.
    pub(crate) fn after(last: u64) -> Self {
        Self {
            books: Mutex::new(Books { next: last.saturating_add(1), flights: VecDeque::new() }),
            published: Published::up_to(last),
        }
    }

    /// Assigns `records` numbers. `place` is called with the first and the last one, before any later number is
    /// assigned; it puts the samples into the heads and answers how many records go to which partition.
    pub(crate) fn assign<T>(
        &self,
        records: u64,
        place: impl FnOnce(u64, u64) -> (RecordCounts, T),
    ) -> (Departure<'_>, u64, T) {
        let mut books = self.books.lock();
        let first = books.next;
        let last = first.saturating_add(records).saturating_sub(1);
        let (counts, placed) = place(first, last);
        books.next = last.saturating_add(1);
        books.flights.push_back(Flight { last, state: FlightState::Flying, counts, waiter: None });
        (Departure { ledger: self, last, done: false }, first, placed)
    }

    /// Ends a flight; one that is stored returns when it is published. Each waiting flight is woken by itself: with one
    /// condition for all, every publication would wake every writer.
    fn land(&self, last: u64, stored: bool) {
        let mut books = self.books.lock();
        let mut published = None;
        let mut waiting: SmallVec<[Thread; 8]> = SmallVec::new();
        if let Some(flight) = books.flight(last) {
            flight.state = if stored { FlightState::Landed } else { FlightState::Lost };
        }
        while books.flights.front().is_some_and(|flight| flight.state != FlightState::Flying) {
            let Some(flight) = books.flights.pop_front() else { break };
            if flight.state == FlightState::Landed {
                flight.counts.iter().for_each(|(partition, records)| partition.count(*records));
                published = Some(flight.last);
                waiting.extend(flight.waiter);
            }
        }
        if let Some(sequence) = published {
            self.published.advance(sequence);
        }
        drop(books);
        if published.is_some() {
            self.published.announce();
        }
        waiting.iter().for_each(Thread::unpark);
        if stored {
            self.wait_for_own(last);
        }
    }

    /// Waits until a flight that landed is published. The flights before it were mostly committed together with it, so that
    /// letting their threads run is usually enough, and cheaper than sleeping.
    fn wait_for_own(&self, last: u64) {
        for _ in 0..YIELDS {
            if self.published() >= last {
                return;
            }
            thread::yield_now();
        }
        if let Some(flight) = self.books.lock().flight(last) {
            flight.waiter = Some(thread::current());
        }
        while self.published() < last {
            thread::park();
        }
    }

    /// The last sequence number of which it and all before it are stored.
    pub(crate) fn published(&self) -> u64 {
        self.published.get()
    }

    /// Calls `read` with the last published number while nothing is published: partitions' counts agree with it.
    pub(crate) fn standing_still<T>(&self, read: impl FnOnce(u64) -> T) -> T {
        let _books = self.books.lock();
        read(self.published())
    }

    /// Waits until `sequence` is published; whether it is after `timeout`.
    pub(crate) fn wait_for(&self, sequence: u64, timeout: Duration) -> bool {
        self.published.wait_for(sequence, timeout)
    }
}

impl Books {
    fn flight(&mut self, last: u64) -> Option<&mut Flight> {
        let index = self.flights.binary_search_by_key(&last, |flight| flight.last).ok()?;
        self.flights.get_mut(index)
    }
}

impl Departure<'_> {
    /// The batch's last sequence number.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// The batch is committed. Returns when it is published too, so that its caller can read it.
    pub(crate) fn land(mut self) {
        self.done = true;
        self.ledger.land(self.last, true);
    }
}

impl Drop for Departure<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.ledger.land(self.last, false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::Class;
    use std::thread;

    fn counts(partition: &Arc<Partition>, records: u64) -> RecordCounts {
        let mut counts = RecordCounts::new();
        counts.push((Arc::clone(partition), records));
        counts
    }

    #[test]
    fn published_in_the_order_of_assignment() {
        let ledger = Ledger::after(10);
        let partition = Arc::new(Partition::new(Class::Metrics, 0, 1));
        let (first, start, ()) = ledger.assign(3, |_, _| (counts(&partition, 3), ()));
        assert_eq!((start, first.last()), (11, 13));
        let (second, start, ()) = ledger.assign(1, |first, last| {
            assert_eq!((first, last), (14, 14));
            (counts(&partition, 1), ())
        });
        assert_eq!(start, 14);
        thread::scope(|scope| {
            scope.spawn(move || second.land());
            assert!(!ledger.wait_for(14, Duration::ZERO));
            assert_eq!(ledger.published(), 10);
            first.land();
            assert!(ledger.wait_for(14, Duration::MAX));
        });
        assert_eq!(partition.records(), 4);
    }

    #[test]
    fn a_failed_batch_leaves_a_hole() {
        let ledger = Ledger::after(0);
        let partition = Arc::new(Partition::new(Class::Metrics, 0, 1));
        let (failed, ..) = ledger.assign(5, |_, _| (counts(&partition, 5), ()));
        let (good, ..) = ledger.assign(2, |_, _| (counts(&partition, 2), ()));
        drop(failed);
        assert_eq!(ledger.published(), 0, "the last number is always that of a stored record");
        good.land();
        assert_eq!(ledger.published(), 7);
        assert_eq!(partition.records(), 2);
        ledger.standing_still(|published| assert_eq!(published, 7));
    }
}
