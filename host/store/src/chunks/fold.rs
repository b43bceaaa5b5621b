//! Merging a series' small and overlapping chunks of one partition into few large ones.
//!
//! Invariant: a fold changes neither the samples nor their order; each of its merges is one commit, which readers see whole
//! or not at all, and which holds in memory what overlaps at one time. What is damaged may be mended one day, and nothing is
//! rewritten around it.

use rocksdb::WriteBatch;
use telemetry_core::limits;

use crate::chunks::generations::Generations;
use crate::chunks::locate::{report, report_block};
use crate::chunks::row::{ChunkKey, FIRST_CHUNK_KEY, LAST_CHUNK_KEY, chunk_at};
use crate::chunks::weave::weave;
use crate::codec::{self, ChunkHeader, Effort};
use crate::column::ValueColumn;
use crate::database::{Database, Family};
use crate::error::{Damage, StoreError};
use crate::families::Partition;

/// A chunk with fewer samples is worth merging with its neighbours.
pub(crate) const SMALL_CHUNK: u32 = 1024;
/// Samples of a chunk at most. Of an edge only a page is decoded, but the whole chunk is read and checked.
pub(crate) const FULL_CHUNK: usize = limits::MAX_CHUNK_SAMPLES;
/// Chunks that may overlap in an open partition before they are merged.
pub(crate) const MAX_OVERLAP: usize = 4;
/// Samples merged in one commit, unless more overlap. Groups of one run follow each other, so that the chunks that they become
/// overlap no other, however far apart the groups are.
const MAX_RUN: u64 = 64 * 1024;

/// Commits a merge of one series.
pub(crate) type CommitMerge<'c> = dyn Fn(WriteBatch) -> Result<(), StoreError> + 'c;

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

/// The chunks of a series in the order in which they were sealed; `None` when one of them is, or may be, damaged.
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
pub(crate) fn fold_chunks(
    database: &Database,
    partition: &Partition,
    series: u32,
    thoroughness: Thoroughness,
    commit: &CommitMerge<'_>,
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
        let more = merge(database, (partition, &family), &mut run, thoroughness, commit)?;
        merged = merged.saturating_add(more);
        run_samples = 0;
    }
    let more = merge(database, (partition, &family), &mut run, thoroughness, commit)?;
    Ok(merged.saturating_add(more))
}

/// The same where nobody reads meanwhile.
#[cfg(test)]
pub(crate) fn fold_series(
    database: &Database,
    partition: &Partition,
    series: u32,
    thoroughness: Thoroughness,
) -> Result<usize, StoreError> {
    let commit = |batch: WriteBatch| database.commit(batch, crate::database::Promise::Derived);
    fold_chunks(database, partition, series, thoroughness, &commit)
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

/// The groups of a series' chunks; `None` when a chunk is damaged, or a block in which there may be some.
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
    if let Some(damage) = rows.damage()? {
        report_block(database, partition, &damage);
        return Ok(None);
    }
    Ok(Some(groups))
}

/// Replaces the chunks of `run`, which is emptied, by as few as possible. A damaged one stops the merge: its samples may
/// be mended one day, and their order must not be lost.
fn merge(
    database: &Database,
    (partition, family): (&Partition, &Family<'_>),
    run: &mut Vec<SeriesChunk>,
    thoroughness: Thoroughness,
    commit: &CommitMerge<'_>,
) -> Result<usize, StoreError> {
    let mut pieces = std::mem::take(run);
    if !is_worth_it(&pieces, thoroughness) {
        return Ok(0);
    }
    pieces.sort_by_key(|piece| (piece.header.sealed_sequence, piece.key));
    let sealed = pieces.iter().map(|piece| piece.header.sealed_sequence).max().unwrap_or(0);
    let chunks = match weave(database, family, &pieces, sealed)? {
        Ok(chunks) => chunks,
        Err((key, damage)) => {
            report(database, partition, key, &damage);
            return Ok(0);
        }
    };
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
    commit(batch)?;
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
pub(super) fn even_parts(samples: usize) -> (usize, usize) {
    let parts = samples.div_ceil(FULL_CHUNK).max(1);
    (parts, samples.div_ceil(parts).max(1))
}

fn overlaps(pieces: &[SeriesChunk]) -> bool {
    let mut spans: Vec<(i64, i64)> =
        pieces.iter().map(|piece| (piece.header.first_time, piece.header.last_time)).collect();
    spans.sort_unstable();
    spans.windows(2).any(|pair| matches!(pair, [one, two] if two.0 <= one.1))
}

/// A chunk's times and values.
type Columns = (Vec<i64>, ValueColumn);

pub(super) fn read_piece(
    database: &Database,
    family: &Family<'_>,
    piece: &SeriesChunk,
) -> Result<Result<Columns, Damage>, StoreError> {
    let value = match database.get(family, &piece.key.encode()) {
        Ok(Some(value)) => value,
        Ok(None) => return Ok(Err(Damage::new("chunk", "it vanished"))),
        Err(StoreError::Read { source, .. }) if source.is_damage() => {
            return Ok(Err(Damage::new("chunk", source.to_string())));
        }
        Err(error) => return Err(error),
    };
    let (mut times, mut values) = (Vec::new(), ValueColumn::default());
    Ok(codec::decode(&value, &mut times, &mut values).map(|_| (times, values)))
}

/// A chunk's first and last time and its bytes.
pub(crate) type EncodedChunk = (i64, i64, Vec<u8>);

/// Samples in arrival order as chunks in time order, each as full as it may be. At each of `cuts`, which ascend, a chunk begins
/// anew.
pub(crate) fn encode_sorted(
    times: &[i64],
    values: &ValueColumn,
    cuts: &[i64],
    sealed: u64,
    effort: Effort,
) -> Result<Vec<EncodedChunk>, StoreError> {
    let (parts, _) = even_parts(times.len());
    let mut chunks = Vec::with_capacity(parts.saturating_add(cuts.len()));
    let mut encode = |times: &[i64], values: &ValueColumn| -> Result<(), StoreError> {
        if let (Some(first), Some(last)) = (times.first(), times.last()) {
            chunks.push((*first, *last, codec::encode(times, values, effort, sealed)?));
        }
        Ok(())
    };
    let is_sorted = times.is_sorted();
    if is_sorted && parts == 1 && cuts.is_empty() {
        // The usual case: nothing came late, and all fits one chunk.
        encode(times, values)?;
        return Ok(chunks);
    }
    let time_at = |place: usize| times.get(place).copied().unwrap_or(i64::MAX);
    let mut order: Vec<usize> = (0..times.len()).collect();
    if !is_sorted {
        order.sort_by_key(|place| time_at(*place));
    }
    let mut rest = order.as_slice();
    for cut in cuts.iter().copied().map(Some).chain([None]) {
        let length = cut.map_or(rest.len(), |cut| rest.partition_point(|place| time_at(*place) < cut));
        let (between, behind) = rest.split_at(length);
        let (_, size) = even_parts(between.len());
        for part in between.chunks(size) {
            let sorted: Vec<i64> = part.iter().map(|place| time_at(*place)).collect();
            encode(&sorted, &values.select(part.iter().copied()))?;
        }
        rest = behind;
    }
    Ok(chunks)
}
