//! Where the samples that a series seals at a time are divided, so that a chunk does not reach over others.
//!
//! One sample of the morning, sealed together with those of the evening, would otherwise be a chunk that overlaps the whole
//! day: all that reads by time would have to merge the day. Samples that come in the order of their times are never divided,
//! however long they paused.

use std::borrow::Cow;
use std::cmp::Reverse;

use telemetry_core::time::NANOS_PER_SECOND;

use crate::chunks::row::{ChunkKey, FIRST_CHUNK_KEY, LAST_CHUNK_KEY, chunk_at};
use crate::codec::ChunkHeader;
use crate::database::{Database, Family, Rows};
use crate::error::StoreError;
use crate::head::Vacancy;

/// Samples no further apart stay together: what is late by less overlaps a chunk or two, which is cheaper than a chunk more.
const SHORT_GAP_NANOS: i64 = 60 * NANOS_PER_SECOND;
/// Gaps that are looked at, the longest: bounds how many chunks, and how many looks, late samples cost at a time.
const MAX_CUTS: usize = 31;
/// Chunks before a gap's end that are looked at: more than late samples leave beside a chunk before they are merged.
const LOOKS_BACK: usize = 16;

/// The time between a sample and the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Gap {
    after: i64,
    before: i64,
}

/// The instants, ascending, at which a chunk must begin anew: where chunks of `series` begin or end between one of `times`,
/// which come in any order, and the next. `vacancy` is where the series has no chunk.
pub(crate) fn cuts_between(
    database: &Database,
    family: &Family<'_>,
    series: u32,
    times: &[i64],
    vacancy: Vacancy,
) -> Result<Vec<i64>, StoreError> {
    let mut gaps = long_gaps(times, vacancy);
    if gaps.is_empty() {
        return Ok(Vec::new());
    }
    gaps.sort_unstable_by_key(|gap| (Reverse(gap.before.saturating_sub(gap.after)), gap.after));
    gaps.truncate(MAX_CUTS);
    let mut rows = database.rows(family, FIRST_CHUNK_KEY.to_vec(), LAST_CHUNK_KEY.to_vec());
    let mut cuts = Vec::new();
    for gap in gaps {
        if gap.has_end_of(vacancy) || is_reached(&mut rows, series, gap)? {
            cuts.push(gap.before);
        }
    }
    cuts.sort_unstable();
    Ok(cuts)
}

/// The gaps that are worth a look.
fn long_gaps(times: &[i64], vacancy: Vacancy) -> Vec<Gap> {
    let mut times = Cow::Borrowed(times);
    if !times.is_sorted() {
        times.to_mut().sort_unstable();
    }
    // The usual case: nothing came late.
    if times
        .first()
        .zip(times.last())
        .is_none_or(|(first, last)| vacancy.holds(*first) && vacancy.holds(*last))
    {
        return Vec::new();
    }
    let gaps = times.windows(2).filter_map(|pair| match pair {
        [after, before] => Some(Gap { after: *after, before: *before }),
        _ => None,
    });
    gaps.filter(|gap| gap.before.saturating_sub(gap.after) > SHORT_GAP_NANOS && !gap.is_within(vacancy))
        .collect()
}

impl Gap {
    /// Whether no chunk has a sample in it.
    fn is_within(self, vacancy: Vacancy) -> bool {
        vacancy.after <= self.after && self.before <= vacancy.before
    }

    /// Whether the vacancy begins or ends in it, which it does at samples of chunks.
    fn has_end_of(self, vacancy: Vacancy) -> bool {
        let begins = self.after <= vacancy.after && vacancy.after < self.before;
        begins || self.after < vacancy.before && vacancy.before <= self.before
    }
}

/// Whether a chunk begins or ends in a gap. What cannot be read may do so.
fn is_reached(rows: &mut Rows<'_>, series: u32, gap: Gap) -> Result<bool, StoreError> {
    let last = ChunkKey { series, first_time: gap.before.saturating_sub(1), generation: u16::MAX };
    rows.seek_back(&last.encode());
    for _ in 0..LOOKS_BACK {
        let Some((key, value)) = chunk_at(rows, series, last.first_time) else { break };
        if key.first_time > gap.after {
            return Ok(true);
        }
        match ChunkHeader::read(value) {
            // It ends before the gap, or spans it: the samples on both sides lie within it anyway.
            Ok(header) if header.last_time < gap.after || gap.before <= header.last_time => {}
            Ok(_) | Err(_) => return Ok(true),
        }
        rows.back();
    }
    Ok(rows.damage()?.is_some())
}

#[cfg(test)]
#[path = "cuts_tests.rs"]
mod tests;
