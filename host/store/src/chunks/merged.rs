//! Showing a group of chunks that overlap, and what the head holds in their time, by time and then by arrival.
//!
//! Invariant: a chunk is decoded when its time comes, and let go of after its last sample: memory holds the chunks that overlap
//! at one time and a block, not all of a group that reaches over a day.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::ControlFlow;

use telemetry_core::limits;

use crate::chunks::head_run::HeadPart;
use crate::chunks::scan::ScanStats;
use crate::chunks::series_scan::{Chunk, PartitionScan, Scratch, Visit};
use crate::chunks::show::{places_within, show};

/// Samples of a block at most: no more than the largest chunk shows by itself.
const BLOCK_SAMPLES: usize = limits::MAX_CHUNK_SAMPLES;

/// The numbers of one chunk, or of the head.
#[derive(Debug)]
struct Strand<'h> {
    times: Cow<'h, [i64]>,
    values: Cow<'h, [f64]>,
    /// So many were taken.
    taken: usize,
}

/// The block that is being put together.
#[derive(Debug, Default)]
struct Block {
    times: Vec<i64>,
    values: Vec<f64>,
    /// Of texts, in no order; some may come after the block.
    text_times: Vec<i64>,
}

impl PartitionScan<'_> {
    /// Shows a group's chunks, which come in the order in which they were sealed, and the head's part.
    pub(super) fn show_merged(
        &mut self,
        group: &[Chunk],
        head: HeadPart<'_>,
        stats: &mut ScanStats,
        visit: &mut Visit<'_>,
    ) -> ControlFlow<()> {
        // Those that were begun, by their place in the group; the head comes last.
        let mut strands: Vec<Option<Strand<'_>>> = group.iter().map(|_| None).collect();
        strands.push(Some(Strand {
            times: Cow::Borrowed(head.times),
            values: Cow::Borrowed(head.values),
            taken: 0,
        }));
        let mut block = Block { text_times: head.text_times.to_vec(), ..Block::default() };
        // No sample of a strand that was not taken yet comes before its time and place here.
        let begins =
            group.iter().map(|chunk| chunk.known.header.first_time).chain(head.times.first().copied());
        let mut coming: BinaryHeap<Reverse<(i64, usize)>> =
            begins.enumerate().map(|(place, time)| Reverse((time, place))).collect();
        while let Some(Reverse((time, place))) = coming.pop() {
            let mut strand = match strands.get_mut(place).and_then(Option::take) {
                Some(strand) => strand,
                None => {
                    if block.text_times.len() >= BLOCK_SAMPLES {
                        block.show_before(Some(time), stats, visit)?;
                    }
                    let chunk = group.get(place);
                    match chunk.and_then(|chunk| self.strand(chunk, &mut block.text_times, stats)) {
                        Some(strand) => strand,
                        None => continue,
                    }
                }
            };
            let next = coming.peek().map(|Reverse(next)| *next);
            block.take(&mut strand, place, next);
            if let Some(next) = strand.times.get(strand.taken) {
                coming.push(Reverse((*next, place)));
                if let Some(kept) = strands.get_mut(place) {
                    *kept = Some(strand);
                }
            }
            if block.times.len() >= BLOCK_SAMPLES {
                let last = block.times.last().copied();
                block.show_before(last, stats, visit)?;
            }
        }
        block.show_before(None, stats, visit)
    }

    /// Decodes a chunk: its numbers of the range, and the times of its texts into `text_times`; `None` when it is damaged.
    fn strand(
        &mut self,
        chunk: &Chunk,
        text_times: &mut Vec<i64>,
        stats: &mut ScanStats,
    ) -> Option<Strand<'static>> {
        if !self.decode(chunk, stats) {
            return None;
        }
        let within = (self.first, self.last);
        let Scratch { times, values, text_times: texts } = &self.scratch;
        text_times.extend_from_slice(texts.get(places_within(texts, within)).unwrap_or_default());
        let numbers = places_within(times, within);
        Some(Strand {
            times: Cow::Owned(times.get(numbers.clone()).unwrap_or_default().to_vec()),
            values: Cow::Owned(values.get(numbers).unwrap_or_default().to_vec()),
            taken: 0,
        })
    }
}

impl Block {
    /// Takes from the strand at `place` what comes before any of the others', of which the next one is at `next`, and
    /// finds room.
    fn take(&mut self, strand: &mut Strand<'_>, place: usize, next: Option<(i64, usize)>) {
        let rest = strand.times.get(strand.taken..).unwrap_or_default();
        let before = next.map_or(rest.len(), |next| rest.partition_point(|time| (*time, place) < next));
        let count = before.min(BLOCK_SAMPLES.saturating_sub(self.times.len()));
        let end = strand.taken.saturating_add(count);
        self.times.extend_from_slice(strand.times.get(strand.taken..end).unwrap_or_default());
        self.values.extend_from_slice(strand.values.get(strand.taken..end).unwrap_or_default());
        strand.taken = end;
    }

    /// Shows the numbers, and the texts before `until`; all of them without it.
    fn show_before(
        &mut self,
        until: Option<i64>,
        stats: &mut ScanStats,
        visit: &mut Visit<'_>,
    ) -> ControlFlow<()> {
        self.text_times.sort_unstable();
        let count = until
            .map_or(self.text_times.len(), |until| self.text_times.partition_point(|time| *time < until));
        let texts = self.text_times.get(..count).unwrap_or_default();
        show(&self.times, &self.values, texts, stats, visit)?;
        self.times.clear();
        self.values.clear();
        self.text_times.drain(..count);
        ControlFlow::Continue(())
    }
}
