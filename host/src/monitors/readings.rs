//! Readings of the log that monitors share.
//!
//! Monitors that keep up go through the same records at about the same time: the first of them reads the log and joins its records,
//! and the others take what it read from memory, with all that was found in the events for it. One that lags reads for itself, and may
//! push out what others would come for: these read it once more then.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use telemetry_core::limits;
use telemetry_store::{LogEntry, StoreError};

use super::joining::{self, join};
use super::log_store::LogStore;

/// What monitors read lately, for those that come to the same place.
pub(super) struct Readings {
    log: Arc<dyn LogStore>,
    shelf: Mutex<Shelf>,
}

/// Invariant: while it is locked, nobody waits for a place.
#[derive(Default)]
struct Shelf {
    readers: usize,
    /// The oldest first.
    places: VecDeque<Arc<Place>>,
}

/// Where some monitor read, or is reading while the lock is held.
struct Place {
    from: u64,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    entries: Arc<[LogEntry]>,
    /// Whether there was more than one reading may have.
    is_cut: bool,
    /// How many took it.
    taken: usize,
}

/// Entries that were read at once, from one of them on.
pub(super) struct Reading {
    entries: Arc<[LogEntry]>,
    start: usize,
}

impl Reading {
    /// The entries, in the log's order; none at the end of the log.
    pub(super) fn entries(&self) -> &[LogEntry] {
        self.entries.get(self.start..).unwrap_or_default()
    }
}

/// One monitor's way to the log.
pub(super) struct Reader(Arc<Readings>);

impl Readings {
    pub(super) fn of(log: Arc<dyn LogStore>) -> Arc<Self> {
        Arc::new(Self { log, shelf: Mutex::default() })
    }

    /// Another monitor that reads, until this is dropped.
    pub(super) fn reader(self: &Arc<Self>) -> Reader {
        self.shelf.lock().readers += 1;
        Reader(Arc::clone(self))
    }

    /// Whether what is left of a reading from its entry `start` on is as good as a new one: all that there is, enough for one call, or
    /// as much as a reading may have.
    fn is_enough(&self, held: &Held, start: usize) -> bool {
        let entries = &held.entries;
        let (Some(first), Some(last)) = (entries.get(start), entries.last()) else { return false };
        let records = last.next_sequence.saturating_sub(first.first_sequence);
        records >= joining::LONG as u64
            || (start == 0 && held.is_cut)
            || last.next_sequence > self.log.last_sequence()
    }

    /// What another read from `from` on, or the place to read it at.
    fn find(&self, from: u64) -> Result<Reading, Arc<Place>> {
        let mut shelf = self.shelf.lock();
        for place in &shelf.places {
            let Some(mut held) = place.held.try_lock() else { continue };
            let start = held.entries.iter().position(|entry| entry.first_sequence == from);
            if let Some(start) = start.filter(|start| self.is_enough(&held, *start)) {
                held.taken += 1;
                let reading = Reading { entries: Arc::clone(&held.entries), start };
                let is_done = held.taken >= shelf.readers;
                drop(held);
                if is_done {
                    let place = Arc::clone(place);
                    shelf.forget(&place);
                }
                return Ok(reading);
            }
        }
        if let Some(place) = shelf.places.iter().find(|place| place.from == from) {
            return Err(Arc::clone(place));
        }
        let place = Arc::new(Place { from, held: Mutex::default() });
        if shelf.places.len() >= limits::MAX_SHARED_READINGS {
            shelf.places.pop_front();
        }
        shelf.places.push_back(Arc::clone(&place));
        Err(place)
    }

    /// Reads at a place, unless another did meanwhile.
    fn read_at(&self, place: &Arc<Place>) -> Result<Reading, StoreError> {
        let mut held = place.held.lock();
        if !self.is_enough(&held, 0) {
            let end = self.log.last_sequence();
            let entries = join(self.log.read_log(place.from, limits::MAX_LOG_READ)?);
            let is_cut = entries.last().is_some_and(|last| last.next_sequence <= end);
            *held = Held { entries: entries.into(), is_cut, taken: 0 };
        }
        held.taken += 1;
        let (entries, taken) = (Arc::clone(&held.entries), held.taken);
        drop(held);
        let mut shelf = self.shelf.lock();
        // It is not kept longer than somebody may come for it.
        if entries.is_empty() || taken >= shelf.readers {
            shelf.forget(place);
        }
        Ok(Reading { entries, start: 0 })
    }
}

impl Shelf {
    fn forget(&mut self, place: &Arc<Place>) {
        self.places.retain(|kept| !Arc::ptr_eq(kept, place));
    }
}

impl Reader {
    /// The records from exactly `from` on, joined; nothing at the end of the log.
    pub(super) fn read(&self, from: u64) -> Result<Reading, StoreError> {
        if from > self.0.log.last_sequence() {
            return Ok(Reading { entries: Arc::default(), start: 0 });
        }
        self.0.find(from).or_else(|place| self.0.read_at(&place))
    }

    /// At most so many records, read for this monitor alone: where each of them counts.
    pub(super) fn read_few(&self, from: u64, most: usize) -> Result<Reading, StoreError> {
        let entries = join(self.0.log.read_log(from, most)?);
        Ok(Reading { entries: entries.into(), start: 0 })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut shelf = self.0.shelf.lock();
        shelf.readers = shelf.readers.saturating_sub(1);
        // Those that are left may have all that was kept for this one; else they read it once more.
        shelf.places.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::model::{ModelStore, Record};

    fn samples(count: usize) -> impl Iterator<Item = Record> {
        (0..count).map(|number| Record::Sample("a".to_owned(), number as f64))
    }

    fn shared(records: usize) -> (Arc<ModelStore>, Arc<Readings>) {
        let store = Arc::<ModelStore>::default();
        store.record(samples(records));
        (Arc::clone(&store), Readings::of(store))
    }

    /// Where a reading begins and ends.
    fn span(reading: &Reading) -> Option<(u64, u64)> {
        let entries = reading.entries();
        Some((entries.first()?.first_sequence, entries.last()?.next_sequence))
    }

    fn is_kept(readings: &Readings) -> bool {
        !readings.shelf.lock().places.is_empty()
    }

    #[test]
    fn monitors_that_keep_up_share_one_reading_until_all_have_it() {
        let (store, readings) = shared(10);
        let readers = [readings.reader(), readings.reader(), readings.reader()];
        let all = readers.each_ref().map(|reader| reader.read(1).unwrap());
        assert!(all.iter().all(|reading| Arc::ptr_eq(&reading.entries, &all[0].entries)));
        assert_eq!((span(&all[0]), store.readings()), (Some((1, 11)), 1));
        assert!(!is_kept(&readings));
        // Nothing is looked for where nothing can be.
        assert_eq!(span(&readers[0].read(11).unwrap()), None);
        assert_eq!(store.readings(), 1);
    }

    #[test]
    fn who_comes_when_there_is_more_reads_anew_unless_it_is_enough_for_a_call() {
        let (store, readings) = shared(10);
        let [first, second] = [readings.reader(), readings.reader()];
        first.read(1).unwrap();
        store.record(samples(joining::LONG));
        assert_eq!(span(&second.read(1).unwrap()), Some((1, 267)));
        assert_eq!(store.readings(), 2);
        store.record(samples(1));
        assert_eq!(span(&first.read(1).unwrap()), Some((1, 267)));
        assert_eq!(store.readings(), 2);
    }

    #[test]
    fn a_reading_is_shared_from_each_of_its_entries_on() {
        let (store, readings) = shared(3);
        store.record([Record::Lost]);
        store.record(samples(3));
        let [first, second] = [readings.reader(), readings.reader()];
        assert_eq!(span(&first.read(1).unwrap()), Some((1, 8)));
        assert_eq!(span(&second.read(5).unwrap()), Some((5, 8)));
        assert_eq!(store.readings(), 1);
        // Between two of a batch's records nothing begins.
        assert_eq!(span(&second.read(6).unwrap()), Some((6, 8)));
        assert_eq!(store.readings(), 2);
    }

    #[test]
    fn a_reading_that_a_limit_ended_is_shared_from_its_beginning_on() {
        let (store, readings) = shared(10);
        store.limit_readings(2);
        let [first, second, third] = [readings.reader(), readings.reader(), readings.reader()];
        assert_eq!(span(&first.read(1).unwrap()), Some((1, 3)));
        assert_eq!(span(&second.read(1).unwrap()), Some((1, 3)));
        assert_eq!(store.readings(), 1);
        assert_eq!(span(&third.read(2).unwrap()), Some((2, 4)));
        assert_eq!(store.readings(), 2);
    }

    #[test]
    fn few_records_are_read_for_one_alone() {
        let (store, readings) = shared(10);
        let [first, second] = [readings.reader(), readings.reader()];
        assert_eq!(span(&first.read_few(1, 2).unwrap()), Some((1, 3)));
        assert_eq!(span(&second.read(1).unwrap()), Some((1, 11)));
        assert_eq!(store.readings(), 2);
    }

    #[test]
    fn readings_that_nobody_comes_for_make_room() {
        let (_, readings) = shared(10);
        let [lagging, waiting] = [readings.reader(), readings.reader()];
        for from in 1..=10 {
            lagging.read(from).unwrap();
        }
        assert_eq!(readings.shelf.lock().places.len(), limits::MAX_SHARED_READINGS);
        // The last one left reads for itself alone.
        drop(waiting);
        assert!(!is_kept(&readings), "nobody comes for it any more");
        lagging.read(3).unwrap();
        assert!(readings.shelf.lock().places.iter().all(|place| place.from != 3));
    }

    #[test]
    fn threads_at_once_read_once_and_all_the_same() {
        let (store, readings) = shared(1_000);
        let readers: Vec<Reader> = (0..8).map(|_| readings.reader()).collect();
        let spans: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                readers.iter().map(|reader| scope.spawn(|| span(&reader.read(1).unwrap()))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(spans, vec![Some((1, 1_001)); 8]);
        assert_eq!(store.readings(), 1);
    }
}
