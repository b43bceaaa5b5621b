//! The heads that hold samples, in the order of the sequence numbers that they begin with: what is due is found without a look
//! at every series, of which there may be millions.
//!
//! Invariant: a head that holds samples stands here under its [`SeriesHead::first_sequence`], any other does not. It is noted
//! while the head's lock is held; nobody takes a head's lock while holding the lock of this list.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::head::Series;
use crate::head::series::SeriesHead;

/// Heads that are listed at a time.
const PAGE: usize = 1024;

/// The heads that hold samples.
#[derive(Debug, Default)]
pub(crate) struct OpenHeads {
    by_first: Mutex<BTreeSet<(u64, u32)>>,
    count: AtomicUsize,
    /// Series whose heads became worth a chunk, some of them perhaps twice or sealed since.
    full: Mutex<Vec<u32>>,
}

impl OpenHeads {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// The lowest sequence number that one begins with.
    pub(crate) fn first(&self) -> Option<u64> {
        self.by_first.lock().first().map(|(first, _)| *first)
    }

    /// Notes a head, whose lock the caller holds, that got its first sample.
    pub(crate) fn opened(&self, series: u32, first: u64) {
        self.note(series, None, Some(first));
    }

    /// Changes a head in a way that may empty it.
    pub(crate) fn change<R>(&self, series: &Series, change: impl FnOnce(&mut SeriesHead) -> R) -> R {
        let mut head = series.head();
        let before = head.first_sequence();
        let answer = change(&mut head);
        self.note(series.id, before, head.first_sequence());
        answer
    }

    fn note(&self, series: u32, before: Option<u64>, after: Option<u64>) {
        if before == after {
            return;
        }
        let mut by_first = self.by_first.lock();
        if let Some(before) = before {
            by_first.remove(&(before, series));
        }
        if let Some(after) = after {
            by_first.insert((after, series));
        }
        self.count.store(by_first.len(), Ordering::Relaxed);
    }

    /// Notes that a head is worth a chunk.
    pub(crate) fn filled(&self, series: u32) {
        self.full.lock().push(series);
    }

    /// Series whose heads became worth a chunk since the last time.
    pub(crate) fn take_full(&self) -> Vec<u32> {
        let mut full = std::mem::take(&mut *self.full.lock());
        full.sort_unstable();
        full.dedup();
        full
    }

    /// Some of the heads that come after one, or of all: what they begin with, and their series.
    pub(crate) fn page(&self, after: Option<(u64, u32)>) -> Vec<(u64, u32)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.by_first.lock().range((from, Bound::Unbounded)).take(PAGE).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use telemetry_core::{Context, SeriesKey};

    use super::*;
    use crate::head::Vacancy;

    fn series(id: u32) -> Series {
        let key = SeriesKey { name: "cpu".into(), context: Context::default() };
        Series::new(id, key, false, Vacancy::ALL)
    }

    #[test]
    fn a_head_stands_under_the_number_it_begins_with() {
        let (heads, one, two) = (OpenHeads::default(), series(1), series(2));
        let push = |series: &Series, sequence: u64| {
            heads.change(series, |head| head.push_published(1, &1.into(), sequence));
        };
        push(&one, 5);
        push(&two, 7);
        push(&one, 9);
        assert_eq!((heads.len(), heads.first()), (2, Some(5)));
        // Its first sample went into a chunk when 5 was the last published one.
        heads.change(&one, |head| head.drain_sealed(1, (1, 1), 5));
        assert_eq!(heads.page(None), [(6, 1), (7, 2)]);
        assert_eq!(heads.page(Some((6, 1))), [(7, 2)]);
        heads.change(&one, |head| head.drain_sealed(1, (1, 1), 9));
        assert_eq!((heads.len(), heads.first()), (1, Some(7)));
    }

    #[test]
    fn pages_go_through_all_heads() {
        let heads = OpenHeads::default();
        (0..2500).for_each(|id| heads.opened(id, u64::from(2500 - id)));
        let (mut seen, mut after) = (Vec::new(), None);
        while let Some(last) = heads.page(after).last().copied() {
            seen.extend(heads.page(after));
            after = Some(last);
        }
        assert_eq!(seen.len(), 2500);
        assert!(seen.is_sorted());
    }

    #[test]
    fn full_heads_are_named_once() {
        let heads = OpenHeads::default();
        [3, 1, 3].into_iter().for_each(|id| heads.filled(id));
        assert_eq!(heads.take_full(), [1, 3]);
        assert!(heads.take_full().is_empty());
    }
}
