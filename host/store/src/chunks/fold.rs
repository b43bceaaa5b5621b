//! Merging a series' small and overlapping chunks of one partition into few large ones.
//!
//! Invariant: a fold changes neither the samples nor their order; it is one commit, which readers see whole or not at
//! all.

use rocksdb::WriteBatch;
use telemetry_core::limits;

use crate::chunks::locate::report;
use crate::chunks::row::{ChunkKey, FIRST_CHUNK_KEY, LAST_CHUNK_KEY, chunk_at};
use crate::codec::{self, ChunkHeader, Effort};
use crate::column::ValueColumn;
use crate::database::{Database, Family, Promise};
use crate::error::{Damage, StoreError};
use crate::families::Partition;

/// A chunk with fewer samples is worth merging with its neighbours.
pub(crate) const SMALL_CHUNK: u32 = 1024;
/// Samples of a chunk at most. Of an edge only a page is decoded, but the whole chunk is read and checked.
pub(crate) const FULL_CHUNK: usize = limits::MAX_CHUNK_SAMPLES;
/// Chunks that may overlap in an open partition before they are merged.
pub(crate) const MAX_OVERLAP: usize = 4;
/// Samples merged at a time, unless more overlap.
const MAX_RUN: u64 = 64 * 1024;

/// Which groups are worth merging.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thoroughness {
    /// In an open partition: small chunks, and groups of more than [`MAX_OVERLAP`].
    Open,
    /// In a partition that gets no more samples: everything that is not in its final form.
    Closed,
}

/// A chunk of a series by its header.
pub(crate) struct SeriesChunk {
    pub(crate) key: ChunkKey,
    pub(crate) header: ChunkHeader,
    pub(crate) bytes: usize,
}

/// Chunks that overlap in time, directly or through others.
#[derive(Default)]
struct Group {
    pieces: Vec<SeriesChunk>,
    end: i64,
    samples: u64,
}

/// The chunks of a series in the order in which they were sealed; `None` when one of them is damaged.
pub(crate) fn series_chunks(
    database: &Database,
    partition: &Partition,
    family: &Family<'_>,
    series: u32,
) -> Result<Option<Vec<SeriesChunk>>, StoreError> {
    let Some(groups) = groups(database, partition, family, series)? else { return Ok(None) };
    let mut chunks: Vec<SeriesChunk> = groups.into_iter().flat_map(|group| group.pieces).collect();
    chunks.sort_by_key(|chunk| (chunk.header.sealed_sequence, chunk.key));
    Ok(Some(chunks))
}

/// Merges what is worth merging of one series; answers how many chunks were replaced by fewer or smaller ones.
pub(crate) fn fold_series(
    database: &Database,
    partition: &Partition,
    series: u32,
    thoroughness: Thoroughness,
) -> Result<usize, StoreError> {
    let Some(family) = database.find_family(&partition.family) else { return Ok(0) };
    let mut merged = 0_usize;
    let mut run: Vec<SeriesChunk> = Vec::new();
    let mut run_samples = 0_u64;
    for group in groups(database, partition, &family, series)?.unwrap_or_default() {
        if group.is_ragged(thoroughness) {
            run_samples = run_samples.saturating_add(group.samples);
            run.extend(group.pieces);
            if run_samples < MAX_RUN {
                continue;
            }
        }
        merged = merged.saturating_add(merge(database, partition, &family, &mut run, thoroughness)?);
        run_samples = 0;
    }
    merge(database, partition, &family, &mut run, thoroughness).map(|more| merged.saturating_add(more))
}

/// The series that have chunks in a partition, ascending.
pub(crate) fn series_with_chunks(database: &Database, partition: &Partition) -> Result<Vec<u32>, StoreError> {
    let Some(family) = database.find_family(&partition.family) else { return Ok(Vec::new()) };
    let mut rows = database.rows(&family, FIRST_CHUNK_KEY.to_vec(), LAST_CHUNK_KEY.to_vec());
    let mut series = Vec::new();
    rows.first();
    while let Some(key) = rows.row().and_then(|(key, _)| ChunkKey::decode(key).ok()) {
        series.push(key.series);
        let Some(next) = key.series.checked_add(1) else { break };
        rows.seek(&ChunkKey::first_of(next).encode());
    }
    rows.check("chunks")?;
    Ok(series)
}

impl Group {
    fn is_ragged(&self, thoroughness: Thoroughness) -> bool {
        match thoroughness {
            Thoroughness::Open => self.pieces.len() > MAX_OVERLAP || self.samples < u64::from(SMALL_CHUNK),
            // Whether it is in its final form shows in the whole run.
            Thoroughness::Closed => true,
        }
    }
}

/// The groups of a series' chunks; `None` when a chunk is damaged: it may be mended one day, and until then nothing is rewritten
/// around it.
fn groups(
    database: &Database,
    partition: &Partition,
    family: &Family<'_>,
    series: u32,
) -> Result<Option<Vec<Group>>, StoreError> {
    let mut rows = database.rows(family, FIRST_CHUNK_KEY.to_vec(), LAST_CHUNK_KEY.to_vec());
    let mut groups: Vec<Group> = Vec::new();
    rows.seek(&ChunkKey::first_of(series).encode());
    while let Some((key, value)) = chunk_at(&rows, series, i64::MAX) {
        match ChunkHeader::read(value) {
            Ok(header) => {
                if groups.last().is_none_or(|group| header.first_time > group.end) {
                    groups.push(Group { end: i64::MIN, ..Group::default() });
                }
                if let Some(group) = groups.last_mut() {
                    group.end = group.end.max(header.last_time);
                    group.samples = group.samples.saturating_add(u64::from(header.count));
                    group.pieces.push(SeriesChunk { key, header, bytes: value.len() });
                }
            }
            Err(damage) => {
                report(database, partition, key, &damage);
                return Ok(None);
            }
        }
        rows.forward();
    }
    rows.check("chunks")?;
    Ok(Some(groups))
}

/// Replaces the chunks of `run`, which is emptied, by as few as possible. A damaged one stops the merge: its samples may
/// be mended one day, and their order must not be lost.
fn merge(
    database: &Database,
    partition: &Partition,
    family: &Family<'_>,
    run: &mut Vec<SeriesChunk>,
    thoroughness: Thoroughness,
) -> Result<usize, StoreError> {
    let mut pieces = std::mem::take(run);
    if !is_worth_it(&pieces, thoroughness) {
        return Ok(0);
    }
    pieces.sort_by_key(|piece| (piece.header.sealed_sequence, piece.key));
    let sealed = pieces.iter().map(|piece| piece.header.sealed_sequence).max().unwrap_or(0);
    let mut times = Vec::new();
    let mut values = ValueColumn::default();
    for piece in &pieces {
        match read_piece(database, family, piece)? {
            Ok((more_times, more_values)) => {
                times.extend(more_times);
                values.extend(more_values);
            }
            Err(damage) => {
                report(database, partition, piece.key, &damage);
                return Ok(0);
            }
        }
    }
    let chunks = encode_sorted(&times, &values, sealed, Effort::Compact)?;
    let bytes = |sizes: &mut dyn Iterator<Item = usize>| sizes.sum::<usize>();
    let smaller = bytes(&mut chunks.iter().map(|(_, _, chunk)| chunk.len()))
        < bytes(&mut pieces.iter().map(|piece| piece.bytes));
    let rewritten = thoroughness == Thoroughness::Closed && smaller;
    if chunks.len() >= pieces.len() && !overlaps(&pieces) && !rewritten {
        return Ok(0);
    }
    let series = pieces.first().map_or(0, |piece| piece.key.series);
    let mut batch = WriteBatch::new();
    for piece in &pieces {
        batch.delete_cf(family, piece.key.encode());
    }
    let mut generations = Generations::default();
    for (first_time, _, chunk) in &chunks {
        let generation = generations.next(*first_time, None)?;
        batch.put_cf(family, ChunkKey { series, first_time: *first_time, generation }.encode(), chunk);
    }
    database.commit(batch, Promise::Derived)?;
    Ok(pieces.len())
}

/// Whether a run of chunks may become fewer or smaller. One that already has the even parts into which a merge divides is
/// not encoded again: late samples of a few series must not cost the whole partition. A single chunk does not show
/// with which effort it was made.
fn is_worth_it(pieces: &[SeriesChunk], thoroughness: Thoroughness) -> bool {
    if pieces.len() < 2 {
        return thoroughness == Thoroughness::Closed && !pieces.is_empty();
    }
    let counts = || pieces.iter().map(|piece| piece.header.count as usize);
    let total: usize = counts().sum();
    let (parts, size) = even_parts(total);
    let is_even = pieces.len() == parts && counts().take(parts.saturating_sub(1)).all(|count| count == size);
    thoroughness == Thoroughness::Open || !is_even || overlaps(pieces)
}

/// Into how many chunks so many samples are divided, and how many each has: even parts, so that there is no small rest
/// that would have to be merged again.
fn even_parts(samples: usize) -> (usize, usize) {
    let parts = samples.div_ceil(FULL_CHUNK).max(1);
    (parts, samples.div_ceil(parts).max(1))
}

fn overlaps(pieces: &[SeriesChunk]) -> bool {
    let mut spans: Vec<(i64, i64)> =
        pieces.iter().map(|piece| (piece.header.first_time, piece.header.last_time)).collect();
    spans.sort_unstable();
    spans.windows(2).any(|pair| matches!(pair, [one, two] if two.0 <= one.1))
}

type Columns = (Vec<i64>, ValueColumn);

fn read_piece(
    database: &Database,
    family: &Family<'_>,
    piece: &SeriesChunk,
) -> Result<Result<Columns, Damage>, StoreError> {
    let Some(value) = database.get(family, &piece.key.encode())? else {
        return Ok(Err(Damage::new("chunk", "it vanished")));
    };
    let (mut times, mut values) = (Vec::new(), ValueColumn::default());
    Ok(codec::decode(&value, &mut times, &mut values).map(|_| (times, values)))
}

/// A chunk's first and last time and its bytes.
pub(crate) type EncodedChunk = (i64, i64, Vec<u8>);

/// Samples in arrival order as chunks in time order, each as full as it may be.
pub(crate) fn encode_sorted(
    times: &[i64],
    values: &ValueColumn,
    sealed: u64,
    effort: Effort,
) -> Result<Vec<EncodedChunk>, StoreError> {
    let order = (!times.is_sorted()).then(|| {
        let mut order: Vec<usize> = (0..times.len()).collect();
        order.sort_by_key(|place| times.get(*place).copied().unwrap_or(i64::MAX));
        order
    });
    let (parts, size) = even_parts(times.len());
    let mut chunks = Vec::with_capacity(parts);
    let mut encode = |times: &[i64], values: &ValueColumn| -> Result<(), StoreError> {
        if let (Some(first), Some(last)) = (times.first(), times.last()) {
            chunks.push((*first, *last, codec::encode(times, values, effort, sealed)?));
        }
        Ok(())
    };
    match order {
        // The usual case: nothing came late, and all fits one chunk.
        None if parts == 1 => encode(times, values)?,
        None => {
            for (part, start) in times.chunks(size).zip((0_usize..).step_by(size)) {
                encode(part, &values.select(start..start.saturating_add(part.len())))?;
            }
        }
        Some(order) => {
            for part in order.chunks(size) {
                let sorted: Vec<i64> = part.iter().filter_map(|place| times.get(*place).copied()).collect();
                encode(&sorted, &values.select(part.iter().copied()))?;
            }
        }
    }
    Ok(chunks)
}

/// Numbers chunks of one series that are written together, in time order, and may begin at the same time.
#[derive(Debug, Default)]
pub(crate) struct Generations {
    last: Option<(i64, u16)>,
}

impl Generations {
    /// The generation of the next chunk; `taken` is the highest one of an older chunk that begins at `first_time`.
    pub(crate) fn next(&mut self, first_time: i64, taken: Option<u16>) -> Result<u16, StoreError> {
        let before = match self.last {
            Some((time, generation)) if time == first_time => Some(generation),
            _ => taken,
        };
        let generation = before
            .map_or(Some(0), |before| before.checked_add(1))
            .ok_or_else(|| Damage::new("chunk", "too many chunks of one series begin at one time"))?;
        self.last = Some((first_time, generation));
        Ok(generation)
    }
}

/// The highest generation among the chunks of `series` that begin at `first_time`.
pub(crate) fn taken_generation(
    database: &Database,
    family: &Family<'_>,
    series: u32,
    first_time: i64,
) -> Result<Option<u16>, StoreError> {
    let mut rows = database.rows(family, FIRST_CHUNK_KEY.to_vec(), LAST_CHUNK_KEY.to_vec());
    rows.seek_back(&ChunkKey { series, first_time, generation: u16::MAX }.encode());
    let found = rows.row().and_then(|(key, _)| ChunkKey::decode(key).ok());
    rows.check("chunks")?;
    Ok(found.filter(|key| key.series == series && key.first_time == first_time).map(|key| key.generation))
}
