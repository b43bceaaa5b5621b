//! Joining chunks of one series, which may overlap, into chunks in time order.
//!
//! Invariant: a chunk is read when its time comes, and what was encoded is let go of: memory holds the chunks that overlap at
//! one time, not all of a group that reaches over a day.

use std::ops::Range;

use crate::chunks::fold::{EncodedChunk, SeriesChunk, even_parts, read_piece};
use crate::chunks::row::ChunkKey;
use crate::codec::{self, Effort};
use crate::column::ValueColumn;
use crate::database::{Database, Family};
use crate::error::{Damage, StoreError};

/// Samples, by time and then by arrival.
#[derive(Debug, Default)]
struct Columns {
    times: Vec<i64>,
    values: ValueColumn,
}

/// A chunk that was read.
#[derive(Debug)]
struct Strand {
    /// Its place among the pieces.
    rank: usize,
    samples: Columns,
    /// So many were taken.
    taken: usize,
}

/// The samples of `pieces`, which come in the order in which they were sealed, as chunks of even size; or the first piece that
/// turned out to be damaged.
pub(super) fn weave(
    database: &Database,
    family: &Family<'_>,
    pieces: &[SeriesChunk],
    sealed: u64,
) -> Result<Result<Vec<EncodedChunk>, (ChunkKey, Damage)>, StoreError> {
    let total = pieces.iter().map(|piece| piece.header.count as usize).fold(0, usize::saturating_add);
    let (parts, size) = even_parts(total);
    let mut coming: Vec<(usize, &SeriesChunk)> = pieces.iter().enumerate().collect();
    coming.sort_by_key(|(rank, piece)| (piece.header.first_time, *rank));
    let mut coming = coming.into_iter().peekable();
    let (mut strands, mut woven) = (Vec::new(), Columns::default());
    let mut chunks = Vec::with_capacity(parts);
    while let Some((rank, piece)) = coming.next() {
        match read_piece(database, family, piece)? {
            Ok((times, values)) => {
                strands.push(Strand { rank, samples: Columns { times, values }, taken: 0 });
            }
            Err(damage) => return Ok(Err((piece.key, damage))),
        }
        // What begins later has no sample before it does.
        let until = coming.peek().map(|(_, next)| next.header.first_time);
        woven.extend(take_until(&mut strands, until));
        while woven.times.len() >= size {
            chunks.extend(woven.take(size).encode(sealed)?);
        }
    }
    chunks.extend(woven.take(size).encode(sealed)?);
    Ok(Ok(chunks))
}

/// Takes the samples before `until`; all of them without it. Strands that have no more are removed.
fn take_until(strands: &mut Vec<Strand>, until: Option<i64>) -> Columns {
    strands.sort_unstable_by_key(|strand| strand.rank);
    let mut taken = Columns::default();
    for strand in strands.iter_mut() {
        let times = &strand.samples.times;
        let end = until.map_or(times.len(), |until| times.partition_point(|time| *time < until));
        taken.extend(strand.samples.part(strand.taken..end));
        strand.taken = end.max(strand.taken);
    }
    strands.retain(|strand| strand.taken < strand.samples.times.len());
    taken.sorted()
}

impl Columns {
    fn extend(&mut self, more: Self) {
        self.times.extend(more.times);
        self.values.extend(more.values);
    }

    /// Takes the first `count` samples, or as many as there are.
    fn take(&mut self, count: usize) -> Self {
        let count = count.min(self.times.len());
        let taken = self.part(0..count);
        self.times.drain(..count);
        self.values.drop_front(count);
        taken
    }

    /// The samples at these places; none where they begin behind their end.
    fn part(&self, places: Range<usize>) -> Self {
        let times = self.times.get(places.clone()).unwrap_or_default().to_vec();
        // Selected, so that values of one kind are a column of that kind, whatever was among those before.
        Self { times, values: self.values.select(places) }
    }

    /// By time; samples of one instant stay as they are.
    fn sorted(self) -> Self {
        if self.times.is_sorted() {
            return self;
        }
        let time_at = |place: usize| self.times.get(place).copied().unwrap_or(i64::MAX);
        let mut order: Vec<usize> = (0..self.times.len()).collect();
        order.sort_by_key(|place| time_at(*place));
        let times = order.iter().map(|place| time_at(*place)).collect();
        Self { times, values: self.values.select(order.iter().copied()) }
    }

    /// The chunk of these samples; `None` where there are none.
    fn encode(&self, sealed: u64) -> Result<Option<EncodedChunk>, StoreError> {
        let (Some(first), Some(last)) = (self.times.first(), self.times.last()) else { return Ok(None) };
        Ok(Some((*first, *last, codec::encode(&self.times, &self.values, Effort::Compact, sealed)?)))
    }
}
