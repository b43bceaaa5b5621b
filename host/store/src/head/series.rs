//! One active series and its open buffer of samples, in arrival order.
//!
//! Invariant: the buffer's visible part is a prefix. Samples are pushed when their sequence number is assigned and become
//! visible when it is published, so a reader never sees a record before the one that was assigned before it.

use parking_lot::{Mutex, MutexGuard};
use smallvec::SmallVec;
use telemetry_core::{MetricValue, SeriesKey};

use crate::column::ValueColumn;
use crate::head::{Ledger, Vacancy};

/// Partitions per series whose definition is remembered; beyond that it may be written once more, which is harmless.
const DEFINED_PARTITIONS: usize = 4;

/// An active series.
#[derive(Debug)]
pub(crate) struct Series {
    /// The store's number of it.
    pub(crate) id: u32,
    /// Name and context.
    pub(crate) key: SeriesKey,
    /// Whether it takes samples of series beyond the limits.
    pub(crate) overflow: bool,
    state: Mutex<SeriesHead>,
}

impl Series {
    /// A series with an empty head. `vacancy` says what is known of its chunks.
    pub(crate) fn new(id: u32, key: SeriesKey, overflow: bool, vacancy: Vacancy) -> Self {
        let state = SeriesHead { vacancy, ..SeriesHead::default() };
        Self { id, key, overflow, state: Mutex::new(state) }
    }

    /// Its head.
    pub(crate) fn head(&self) -> MutexGuard<'_, SeriesHead> {
        self.state.lock()
    }
}

/// A batch's end within the buffer.
#[derive(Clone, Copy, Debug)]
struct Mark {
    /// The batch's last sequence number.
    last: u64,
    /// The buffer's length after the batch.
    length: usize,
}

/// The open buffer of a series.
#[derive(Debug)]
pub(crate) struct SeriesHead {
    times: Vec<i64>,
    values: ValueColumn,
    /// Length of the part that is known to be visible.
    settled: usize,
    /// Batches whose visibility is not settled yet, in order.
    marks: SmallVec<[Mark; 1]>,
    /// No buffered sample has a lower sequence number.
    first_sequence: u64,
    /// The latest time in the buffer, and how many samples have it.
    newest: i64,
    newest_count: usize,
    vacancy: Vacancy,
    /// Where no chunk that can be read has a sample, as a look told that met damage. Good for counting only: what is damaged
    /// counts as nothing, but whoever writes chunks must reckon with it.
    apparent: Vacancy,
    /// A time at which chunks hold samples, and how many: whole batches may have one time, and each look costs decoding.
    sealed_at: Option<(i64, usize)>,
    /// First instants of partitions in which the series is defined, with the last sequence number of the defining batch.
    defined: SmallVec<[(i64, u64); 1]>,
    /// When the oldest buffered sample and the latest sample came, on the monotonic clock, in seconds.
    opened: Option<u64>,
    touched: u64,
    /// Chunks written since the last fold that are small or overlap another.
    ragged_chunks: u16,
    /// How often samples left the buffer; wraps.
    cuts: u32,
}

impl Default for SeriesHead {
    fn default() -> Self {
        Self {
            times: Vec::new(),
            values: ValueColumn::default(),
            settled: 0,
            marks: SmallVec::new(),
            first_sequence: 0,
            newest: i64::MIN,
            newest_count: 0,
            vacancy: Vacancy::UNKNOWN,
            apparent: Vacancy::UNKNOWN,
            sealed_at: None,
            defined: SmallVec::new(),
            opened: None,
            touched: 0,
            ragged_chunks: 0,
            cuts: 0,
        }
    }
}

/// Samples copied out of a head, in arrival order.
#[derive(Clone, Debug, Default)]
pub(crate) struct HeadSamples {
    /// Nanoseconds since the epoch.
    pub(crate) times: Vec<i64>,
    /// The values.
    pub(crate) values: ValueColumn,
}

impl SeriesHead {
    /// How many samples chunks that can be read hold at exactly `nanos`: `None` when they may hold some, and nobody looked.
    pub(crate) fn sealed_at(&self, nanos: i64) -> Option<usize> {
        match self.sealed_at {
            Some((time, count)) if time == nanos => Some(count),
            _ if self.vacancy.holds(nanos) || self.apparent.holds(nanos) => Some(0),
            _ => None,
        }
    }

    /// How many buffered samples, visible or not, have exactly this time: `None` when only a look at the whole buffer tells.
    pub(crate) fn buffered_at(&self, nanos: i64) -> Option<usize> {
        match nanos.cmp(&self.newest) {
            std::cmp::Ordering::Greater => Some(0),
            std::cmp::Ordering::Equal => Some(self.newest_count),
            std::cmp::Ordering::Less => None,
        }
    }

    /// The times in the buffer, visible or not, and a number that changes whenever any of them leave it.
    pub(crate) fn buffer(&self) -> (&[i64], u32) {
        (self.times.as_slice(), self.cuts)
    }

    /// Adds a sample of the batch whose sequence numbers end with `last`; answers the buffer's new length.
    pub(crate) fn push(
        &mut self,
        nanos: i64,
        value: &MetricValue,
        sequence: u64,
        last: u64,
        published: u64,
    ) -> usize {
        if self.times.is_empty() {
            self.first_sequence = sequence;
        }
        match nanos.cmp(&self.newest) {
            std::cmp::Ordering::Greater => (self.newest, self.newest_count) = (nanos, 1),
            std::cmp::Ordering::Equal => self.newest_count = self.newest_count.saturating_add(1),
            std::cmp::Ordering::Less => {}
        }
        self.times.push(nanos);
        self.values.push(value);
        let length = self.times.len();
        match self.marks.last_mut() {
            Some(mark) if mark.last == last => mark.length = length,
            _ => {
                self.settle(published);
                self.marks.push(Mark { last, length });
            }
        }
        length
    }

    /// Adds a sample that is visible already, as replay does; answers the buffer's new length.
    pub(crate) fn push_published(&mut self, nanos: i64, value: &MetricValue, sequence: u64) -> usize {
        let length = self.push(nanos, value, sequence, sequence, sequence);
        self.settle(sequence);
        length
    }

    fn settle(&mut self, published: u64) {
        while let Some(mark) = self.marks.first()
            && mark.last <= published
        {
            self.settled = mark.length;
            self.marks.remove(0);
        }
    }

    /// Takes back the samples of a batch that was not stored.
    pub(crate) fn retract(&mut self, last: u64) {
        self.defined.retain(|(_, defining)| *defining != last);
        let Some(index) = self.marks.iter().position(|mark| mark.last == last) else { return };
        let start = index
            .checked_sub(1)
            .and_then(|before| self.marks.get(before))
            .map_or(self.settled, |mark| mark.length);
        let end = self.marks.remove(index).length;
        self.times.drain(start..end);
        self.cuts = self.cuts.wrapping_add(1);
        let kept = (0..start).chain(end..self.values.len());
        self.values = self.values.select(kept);
        for mark in self.marks.iter_mut().skip(index) {
            mark.length = mark.length.saturating_sub(end.saturating_sub(start));
        }
        self.find_newest();
    }

    fn find_newest(&mut self) {
        self.newest = self.times.iter().copied().max().unwrap_or(i64::MIN);
        let newest = self.newest;
        self.newest_count = self.times.iter().filter(|time| **time == newest).count();
    }

    /// Length of the visible part when everything up to `published` is, which must be the latest such number.
    fn visible(&self, published: u64) -> usize {
        self.marks
            .iter()
            .take_while(|mark| mark.last <= published)
            .last()
            .map_or(self.settled, |mark| mark.length)
    }

    /// The visible samples, as they came, and the last published sequence number: the samples are exactly those up to it.
    /// It is read here, under the head's lock: with one read before, samples that became visible since then and are
    /// settled would be among them.
    pub(crate) fn copy_visible(&self, ledger: &Ledger) -> (HeadSamples, u64) {
        let published = ledger.published();
        let length = self.visible(published);
        let times = self.times.get(..length).unwrap_or_default().to_vec();
        (HeadSamples { times, values: self.values.prefix(length) }, published)
    }

    /// Whether any visible sample lies within `first..=last`.
    pub(crate) fn meets(&self, first: i64, last: i64, ledger: &Ledger) -> bool {
        let visible = self.times.get(..self.visible(ledger.published())).unwrap_or_default();
        visible.iter().any(|time| first <= *time && *time <= last)
    }

    /// Removes the first `count` samples, which went into chunks over `span`; `published` was when they were copied.
    pub(crate) fn drain_sealed(&mut self, count: usize, span: (i64, i64), published: u64) {
        self.settle(published);
        let count = count.min(self.times.len());
        self.times.drain(..count);
        self.cuts = self.cuts.wrapping_add(1);
        self.values.drop_front(count);
        self.settled = self.settled.saturating_sub(count);
        for mark in &mut self.marks {
            mark.length = mark.length.saturating_sub(count);
        }
        self.opened = (!self.times.is_empty()).then_some(self.touched);
        if self.times.is_empty() {
            self.values = ValueColumn::default();
        }
        if self.times.capacity() > self.times.len().saturating_mul(4) {
            self.times.shrink_to_fit();
            self.values.shrink();
        }
        // Whatever is left came later.
        self.first_sequence = published.saturating_add(1);
        self.vacancy = self.vacancy.without(span.0, span.1);
        self.apparent = self.apparent.without(span.0, span.1);
        self.sealed_at = None;
        self.find_newest();
    }

    /// Notes how many samples the chunks hold at one time; where they hold none, what is known of the times around it, and
    /// whether all chunks were read for it.
    pub(crate) fn note_sealed(&mut self, nanos: i64, count: usize, vacancy: Vacancy, all_read: bool) {
        if count > 0 {
            self.sealed_at = Some((nanos, count));
        } else if !vacancy.holds(nanos) {
            // Of a partition that is gone nothing is known, and what is known of others stays so.
        } else if all_read {
            self.vacancy = vacancy;
        } else {
            self.apparent = vacancy;
        }
    }

    /// Whether the batch ending with `last` must define the series in the partition that begins at `start`: no batch that
    /// is published, nor this one, has done so.
    pub(crate) fn must_define(&mut self, start: i64, last: u64, published: u64) -> bool {
        match self.defined.iter().find(|(partition, _)| *partition == start) {
            Some((_, defining)) => *defining > published && *defining != last,
            None => {
                if self.defined.len() >= DEFINED_PARTITIONS {
                    self.defined.remove(0);
                }
                self.defined.push((start, last));
                true
            }
        }
    }

    /// Samples in the buffer.
    pub(crate) fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether the buffer is empty.
    pub(crate) fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// A lower bound of the sequence numbers in the buffer; `None` when it is empty.
    pub(crate) fn first_sequence(&self) -> Option<u64> {
        (!self.times.is_empty()).then_some(self.first_sequence)
    }

    /// Notes when a sample came.
    pub(crate) fn touch(&mut self, seconds: u64) {
        self.touched = seconds;
        self.opened.get_or_insert(seconds);
    }

    /// When the oldest buffered sample came; `None` when the buffer is empty.
    pub(crate) fn opened(&self) -> Option<u64> {
        self.opened
    }

    /// Where there certainly is no sample in any chunk, be it damaged.
    pub(crate) fn vacancy(&self) -> Vacancy {
        self.vacancy
    }

    /// When a sample came last.
    pub(crate) fn touched(&self) -> u64 {
        self.touched
    }

    /// Counts a chunk that should be merged one day; answers how many there are.
    pub(crate) fn add_ragged(&mut self, chunks: u16) -> u16 {
        self.ragged_chunks = self.ragged_chunks.saturating_add(chunks);
        self.ragged_chunks
    }

    /// The chunks were merged.
    pub(crate) fn clear_ragged(&mut self) {
        self.ragged_chunks = 0;
    }
}

#[cfg(test)]
#[path = "series_tests.rs"]
mod tests;
