//! Showing a group of chunks: by their digests, from pages that are at hand, or decoded.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use telemetry_core::{ScanBlock, Timestamp};

use crate::chunks::head_run::HeadPart;
use crate::chunks::known::{KnownChunk, PartTimes};
use crate::chunks::locate::report;
use crate::chunks::scan::ScanStats;
use crate::chunks::series_scan::{Chunk, Group, PartitionScan, Scratch, Visit};
use crate::codec::{self, ChunkHeader};

/// Of a chunk that lies within the range as a whole, pages are kept if about so many samples of the series are asked for, at
/// most: more is a report, which is not asked again and again, and would leave nothing else in the cache.
const KEPT_SAMPLES: i128 = 4096;

/// Buffers that are kept for the next rows.
const SPARE_BUFFERS: usize = 4;

impl PartitionScan<'_> {
    /// Whether the header's digest may be shown instead of the samples.
    pub(super) fn stands_for_samples(&self, header: &ChunkHeader) -> bool {
        self.options.digests
            && header.text_count == 0
            && header.digest.is_some()
            && self.first <= header.first_time
            && header.last_time <= self.last
            && self.options.bucket.is_none_or(|step| {
                Timestamp::from_nanos(header.first_time).floor_to(step)
                    == Timestamp::from_nanos(header.last_time).floor_to(step)
            })
    }

    /// Shows a group, which is empty then.
    pub(super) fn flush(
        &mut self,
        group: &mut Group<'_>,
        stats: &mut ScanStats,
        visit: &mut Visit<'_>,
    ) -> ControlFlow<()> {
        let Group { chunks, head, head_from, .. } = group;
        if chunks.len() > 1 {
            chunks.sort_by_key(|chunk| (chunk.known.header.sealed_sequence, chunk.known.key));
        }
        if self.options.ordered {
            let start = chunks.iter().map(|chunk| chunk.known.header.first_time).min().unwrap_or(i64::MIN);
            let end = chunks.iter().map(|chunk| chunk.known.header.last_time).max().unwrap_or(i64::MAX);
            let before = head.part(*head_from, start.saturating_sub(1));
            self.show_head(before, stats, visit)?;
            let within = head.part((*head_from).max(start), end.min(self.last));
            *head_from = (*head_from).max(end.saturating_add(1));
            if chunks.len() > 1 || !within.is_empty() {
                return self.show_merged(&std::mem::take(chunks), within, stats, visit);
            }
        }
        chunks.drain(..).try_for_each(|mut chunk| {
            self.show_chunk(&chunk, stats, visit)?;
            chunk.value.clear();
            if chunk.value.capacity() > 0 && self.spare.len() < SPARE_BUFFERS {
                self.spare.push(chunk.value);
            }
            ControlFlow::Continue(())
        })
    }

    pub(super) fn show_head(
        &self,
        part: HeadPart<'_>,
        stats: &mut ScanStats,
        visit: &mut Visit<'_>,
    ) -> ControlFlow<()> {
        show(part.times, part.values, part.text_times, stats, visit)
    }

    fn show_chunk(&mut self, chunk: &Chunk, stats: &mut ScanStats, visit: &mut Visit<'_>) -> ControlFlow<()> {
        if self.stands_for_samples(&chunk.known.header)
            && let Some(digest) = &chunk.known.header.digest
        {
            stats.digests = stats.digests.saturating_add(1);
            stats.samples = stats.samples.saturating_add(digest.count);
            return visit(ScanBlock::Digest(digest));
        }
        if chunk.known.holds((self.first, self.last)) {
            return self.show_pages(chunk, stats, visit);
        }
        if !self.decode(chunk, stats) {
            return ControlFlow::Continue(());
        }
        let within = (self.first, self.last);
        let Scratch { times, values, text_times } = &self.scratch;
        let (numbers, texts) = (places_within(times, within), places_within(text_times, within));
        show(
            times.get(numbers.clone()).unwrap_or_default(),
            values.get(numbers).unwrap_or_default(),
            text_times.get(texts).unwrap_or_default(),
            stats,
            visit,
        )
    }

    /// Shows the samples of the range from pages, all of which are at hand.
    fn show_pages(&mut self, chunk: &Chunk, stats: &mut ScanStats, visit: &mut Visit<'_>) -> ControlFlow<()> {
        stats.cached = stats.cached.saturating_add(1);
        let times = &mut self.scratch.times;
        for part in chunk.known.parts((self.first, self.last)) {
            let listed = match &part.times {
                PartTimes::Listed(listed) => listed,
                even => {
                    times.clear();
                    even.put(times);
                    &times[..]
                }
            };
            show(listed, part.values, &[], stats, visit)?;
        }
        ControlFlow::Continue(())
    }

    /// Fills the scratch with the chunk's samples of the range, perhaps with others.
    pub(super) fn decode(&mut self, chunk: &Chunk, stats: &mut ScanStats) -> bool {
        let within = (self.first, self.last);
        let Scratch { times, values, text_times } = &mut self.scratch;
        if chunk.known.holds(within) {
            text_times.clear();
            chunk.known.read(within, times, values);
            stats.cached = stats.cached.saturating_add(1);
            return true;
        }
        match codec::decode_numeric(&chunk.value, within, times, values, text_times) {
            Ok(part) => {
                stats.decoded = stats.decoded.saturating_add(1);
                if self.is_worth_keeping(&chunk.known)
                    && let Some(place) = self.learnt.chunks.get_mut(chunk.place)
                    && let Some(known) =
                        chunk.known.with_pages(within, part, (&self.scratch.times, &self.scratch.values))
                {
                    *place = Arc::new(known);
                    self.learnt.news = true;
                }
                true
            }
            Err(damage) => {
                self.learnt.damaged = true;
                stats.damaged = stats.damaged.saturating_add(1);
                report(self.sight.database, self.partition, chunk.known.key, &damage);
                false
            }
        }
    }

    /// Whether the pages of a chunk are likely to be asked for again.
    fn is_worth_keeping(&self, chunk: &KnownChunk) -> bool {
        let ChunkHeader { count, first_time, last_time, .. } = chunk.header;
        let span = i128::from(last_time) - i128::from(first_time);
        let is_edge = !chunk.is_within((self.first, self.last));
        is_edge || i128::from(count).saturating_mul(self.asked) <= KEPT_SAMPLES.saturating_mul(span)
    }
}

/// Where those of the ascending `times` are that lie within.
pub(super) fn places_within(times: &[i64], (first, last): (i64, i64)) -> Range<usize> {
    let start = times.partition_point(|time| *time < first);
    start..times.partition_point(|time| *time <= last).max(start)
}

/// Shows samples and texts, if there are any.
pub(super) fn show(
    times: &[i64],
    values: &[f64],
    text_times: &[i64],
    stats: &mut ScanStats,
    visit: &mut Visit<'_>,
) -> ControlFlow<()> {
    stats.samples =
        stats.samples.saturating_add((times.len() as u64).saturating_add(text_times.len() as u64));
    if !times.is_empty() {
        visit(ScanBlock::Samples { timestamps: times, values })?;
    }
    if !text_times.is_empty() {
        visit(ScanBlock::Text { timestamps: text_times })?;
    }
    ControlFlow::Continue(())
}
