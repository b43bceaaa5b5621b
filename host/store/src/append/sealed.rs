//! How many samples chunks hold at the times of a call's late samples.
//!
//! Nobody else writes while sequence numbers are assigned, so that chunks are read before that, and of each series and
//! partition once, for all times that the call has there.
//! Invariant: a count goes with the buffer as it had been cut when chunks were read. As long as it was not cut again, what
//! was sealed since is still in it, and no sample counts twice or not at all.

use std::ops::Range;

use smallvec::SmallVec;

use crate::append::{LateTimes, Samples};
use crate::chunks::{FIRST_CHUNK_KEY, LAST_CHUNK_KEY, SealedAt, sealed_at};
use crate::database::Rows;
use crate::engine::Engine;
use crate::error::StoreError;
use crate::families::Partition;
use crate::head::{Series, SeriesHead};

/// What is known of the chunks at the times of one call.
#[derive(Debug)]
pub(super) struct SealedTimes<I> {
    /// The series and times of the call's samples.
    call: I,
    /// Those of the series that were late, ascending and without repeats.
    places: Vec<Place>,
}

/// A series and a time.
#[derive(Clone, Copy, Debug)]
struct Place {
    series: u32,
    nanos: i64,
    count: Option<Count>,
}

/// Samples that chunks held when the series' buffer had been cut so often.
#[derive(Clone, Copy, Debug)]
struct Count {
    cuts: u32,
    samples: usize,
}

impl Place {
    fn key(&self) -> (u32, i64) {
        (self.series, self.nanos)
    }
}

impl<I: Iterator<Item = (u32, i64)> + Clone> SealedTimes<I> {
    /// Of a call with samples of these series and times; nothing is known yet.
    pub(super) fn of(call: I) -> Self {
        Self { call, places: Vec::new() }
    }

    /// How many samples of `series` at `nanos` are in chunks, if that is known as of when its buffer had been cut so often.
    pub(super) fn find(&self, series: u32, nanos: i64, cuts: u32) -> Option<usize> {
        let place = self.places.get(self.place_of(series, nanos)?)?;
        place.count.filter(|count| count.cuts == cuts).map(|count| count.samples)
    }

    /// Makes room for what is `wanted` of the call's series.
    fn cover(&mut self, wanted: impl Fn(u32) -> bool) {
        let call = self.call.clone().filter(|(series, _)| wanted(*series));
        self.places.extend(call.map(|(series, nanos)| Place { series, nanos, count: None }));
        // The first of those that are the same stays: what is known comes before what was added.
        self.places.sort_by_key(Place::key);
        self.places.dedup_by_key(|place| place.key());
    }

    /// The times of a series within a partition, ascending.
    fn times(&self, series: u32, partition: &Partition) -> Vec<i64> {
        let places = self.places.get(self.places_in(series, partition)).unwrap_or_default();
        places.iter().map(|place| place.nanos).collect()
    }

    /// Notes what chunks hold at each of those times.
    fn note(&mut self, series: u32, partition: &Partition, counts: &[usize], cuts: u32) {
        let places = self.places_in(series, partition);
        for (place, samples) in self.places.get_mut(places).unwrap_or_default().iter_mut().zip(counts) {
            place.count = Some(Count { cuts, samples: *samples });
        }
    }

    fn place_of(&self, series: u32, nanos: i64) -> Option<usize> {
        self.places.binary_search_by_key(&(series, nanos), Place::key).ok()
    }

    fn places_in(&self, series: u32, partition: &Partition) -> Range<usize> {
        let before = |nanos: i64| self.places.partition_point(|place| place.key() < (series, nanos));
        before(partition.start)..before(partition.end)
    }
}

impl Engine {
    /// Looks into the chunks of the series of which some sample may be late. The registry must be held, so that the series stay
    /// the same until their samples are placed.
    pub(super) fn look_ahead(
        &self,
        (samples, plan, slots): Samples<'_, '_>,
        sealed: &mut SealedTimes<impl Iterator<Item = (u32, i64)> + Clone>,
    ) -> Result<(), StoreError> {
        let mut late: SmallVec<[u32; 4]> = SmallVec::new();
        for (sample, series) in samples.iter().zip(plan) {
            let is_noted = late.last() == Some(&series.id);
            if !is_noted && series.head().sealed_at(sample.timestamp().nanos()).is_none() {
                late.push(series.id);
            }
        }
        if late.is_empty() {
            return Ok(());
        }
        late.sort_unstable();
        late.dedup();
        let is_late = |series: u32| late.binary_search(&series).is_ok();
        sealed.cover(is_late);
        let mut parts: Vec<(&Series, &Partition)> = Vec::new();
        for (sample, series) in samples.iter().zip(plan).filter(|(_, series)| is_late(series.id)) {
            let series: &Series = series;
            if let Some(partition) = slots.find(sample.timestamp().nanos()) {
                parts.push((series, partition.as_ref()));
            }
        }
        // The latest partition comes last: what is known of its newest times is of use to the next call.
        parts.sort_unstable_by_key(|(series, partition)| (series.id, partition.start));
        parts.dedup_by_key(|(series, partition)| (series.id, partition.start));
        for (series, partition) in parts {
            self.read_ahead(series, partition, sealed)?;
        }
        Ok(())
    }

    /// Reads the chunks of one series in one partition without keeping anybody from sealing.
    fn read_ahead(
        &self,
        series: &Series,
        partition: &Partition,
        sealed: &mut SealedTimes<impl Iterator<Item = (u32, i64)> + Clone>,
    ) -> Result<(), StoreError> {
        let times = sealed.times(series.id, partition);
        let (rows, cuts) = {
            let _view = self.view.read();
            // An iterator shows its family as of when it was made.
            let rows = self.chunk_rows(partition);
            let (_, cuts) = series.head().buffer();
            (rows, cuts)
        };
        let found = self.count_sealed(rows, partition, series.id, &times)?;
        let mut head = series.head();
        // What left the buffer meanwhile is in chunks that these rows do not show: it is looked for where it is missed.
        if head.buffer().1 == cuts {
            note_last(&mut head, &times, &found);
            sealed.note(series.id, partition, &found.counts, cuts);
        }
        Ok(())
    }

    /// The ordinal of a sample of which it is not known how many of its time are in chunks: its series was sealed since somebody
    /// looked ahead.
    pub(super) fn late_ordinal(
        &self,
        series: &Series,
        partition: &Partition,
        nanos: i64,
        late: &mut LateTimes<impl Iterator<Item = (u32, i64)> + Clone>,
        sealed: &mut SealedTimes<impl Iterator<Item = (u32, i64)> + Clone>,
    ) -> Result<usize, StoreError> {
        if sealed.place_of(series.id, nanos).is_none() {
            // All at once: it sorts the call, which must not be done for one series after the other.
            sealed.cover(|_| true);
        }
        let times = sealed.times(series.id, partition);
        // Held until the buffer was looked at as well, so that no sample moves from it into a chunk in between.
        let _view = self.view.read();
        let found = self.count_sealed(self.chunk_rows(partition), partition, series.id, &times)?;
        let mut head = series.head();
        note_last(&mut head, &times, &found);
        let (_, cuts) = head.buffer();
        sealed.note(series.id, partition, &found.counts, cuts);
        let in_chunks = sealed.find(series.id, nanos, cuts).unwrap_or_default();
        let buffered = head.buffered_at(nanos);
        let buffered = buffered.unwrap_or_else(|| late.count(series.id, head.buffer(), nanos));
        Ok(in_chunks.saturating_add(buffered))
    }

    /// The chunks of a partition as they are now.
    fn chunk_rows(&self, partition: &Partition) -> Option<Rows<'_>> {
        let family = self.database.find_family(&partition.family)?;
        Some(self.database.rows(&family, FIRST_CHUNK_KEY.to_vec(), LAST_CHUNK_KEY.to_vec()))
    }

    /// How many samples these chunks of a series hold at each of `times`, and the vacancy around the last one.
    fn count_sealed(
        &self,
        rows: Option<Rows<'_>>,
        partition: &Partition,
        series: u32,
        times: &[i64],
    ) -> Result<SealedAt, StoreError> {
        let found = sealed_at(&self.database, rows, partition, series, times)?;
        #[cfg(test)]
        tests::note_decoded(found.decoded);
        Ok(found)
    }
}

/// Notes in a head how many samples are at the last of the times.
fn note_last(head: &mut SeriesHead, times: &[i64], found: &SealedAt) {
    if let (Some(nanos), Some(count)) = (times.last(), found.counts.last()) {
        head.note_sealed(*nanos, *count, found.vacancy, found.all_read);
    }
}

#[cfg(test)]
#[path = "sealed_tests.rs"]
mod tests;
