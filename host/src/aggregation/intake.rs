//! Takes blocks of samples in: finds their cells, counts them and feeds the accumulator.

use telemetry_core::aggregation::{Accumulator, KeptState, SeriesDigest};
use telemetry_core::{ScanBlock, Timestamp};

use super::cells::Cells;
use super::feed::{Feed, Run};
use super::kept::KeptUse;
use super::memory::Charge;
use super::parallel::Role;
use super::stop::Stop;
use super::task::Task;
use crate::query::QueryError;

/// Which cells a sample belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grain {
    /// The whole range.
    Whole,
    /// Its bucket of this many nanoseconds.
    Buckets(i64),
    /// Both.
    Both(i64),
}

impl Grain {
    /// The finest cells alone; the others are merged from them.
    pub(super) fn finest(step: Option<i64>) -> Self {
        step.map_or(Self::Whole, Self::Buckets)
    }

    /// Every cell.
    pub(super) fn every(step: Option<i64>) -> Self {
        step.map_or(Self::Whole, Self::Both)
    }

    pub(super) fn step(self) -> Option<i64> {
        match self {
            Self::Whole => None,
            Self::Buckets(step) | Self::Both(step) => Some(step),
        }
    }
}

/// The first and last instant of samples; reversed while there is none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    pub(super) first: i64,
    pub(super) last: i64,
}

impl Extent {
    pub(super) const NONE: Extent = Extent { first: i64::MAX, last: i64::MIN };

    pub(super) fn absorb(&mut self, other: Extent) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }

    /// Of instants that ascend.
    pub(super) fn of(timestamps: &[i64]) -> Self {
        match (timestamps.first(), timestamps.last()) {
            (Some(first), Some(last)) => Self { first: *first, last: *last },
            _ => Self::NONE,
        }
    }
}

/// Cells that are being filled.
pub(super) struct Intake<'a> {
    pub(super) grain: Grain,
    pub(super) cells: Cells,
    pub(super) extent: Extent,
    feed: Feed,
    wants_extent: bool,
    /// The last sample of each owner, where a bucket also sees the last one before it.
    previous: Option<Vec<Option<(i64, f64)>>>,
    runs: Vec<Run>,
    kept: Option<&'a KeptUse<'a>>,
    role: Role,
    /// States beyond which they cannot go to another accumulator.
    pub(super) most_states: usize,
    charge: Charge<'a>,
}

/// Cells that were filled.
pub(super) struct Filled<'a> {
    pub(super) cells: Cells,
    pub(super) accumulator: Box<dyn Accumulator>,
    pub(super) extent: Extent,
    /// The memory of cells and states.
    pub(super) charge: Charge<'a>,
}

impl<'a> Intake<'a> {
    /// Empty cells with an accumulator of their own, at most `points` of them buckets.
    pub(super) fn new(task: &Task<'a>, grain: Grain, points: usize) -> Result<Self, Stop> {
        let continues = grain != Grain::Whole && task.aggregation.function.continues_over_buckets();
        Ok(Self {
            grain,
            cells: Cells::new(task.step, points),
            extent: Extent::NONE,
            feed: Feed::new(task)?,
            wants_extent: task.wants_extent,
            previous: continues.then(Vec::new),
            runs: Vec::new(),
            kept: task.kept,
            role: task.role,
            most_states: usize::MAX,
            charge: task.watch.memory.holder(),
        })
    }

    /// Takes one block of an owner.
    pub(super) fn block(&mut self, owner: u32, block: ScanBlock<'_>) -> Result<(), Stop> {
        match block {
            ScanBlock::Digest(digest) => self.digest(owner, digest)?,
            ScanBlock::State(kept) => self.state(owner, kept)?,
            ScanBlock::Samples { timestamps, values } => self.samples(owner, timestamps, values)?,
            ScanBlock::Text { timestamps } => self.text(owner, timestamps)?,
        }
        self.account()?;
        if self.cells.states() > self.most_states {
            return Err(Stop::Unsplit);
        }
        if self.role == Role::Helper && self.feed.is_wanted() {
            return Err(Stop::GaveWay);
        }
        Ok(())
    }

    fn account(&mut self) -> Result<(), QueryError> {
        self.charge.resize(self.cells.bytes().saturating_add(self.feed.held_bytes()))
    }

    fn digest(&mut self, owner: u32, digest: &SeriesDigest) -> Result<(), QueryError> {
        let (first, last) = (digest.first_time.nanos(), digest.last_time.nanos());
        self.extent.absorb(Extent { first, last });
        for cell in self.cells_at(owner, first)?.into_iter().flatten() {
            let (group, _) = self.cells.count(cell, digest.count);
            self.feed.digest(group, digest)?;
        }
        Ok(())
    }

    fn state(&mut self, owner: u32, kept: &KeptState) -> Result<(), QueryError> {
        let (first, last) = (kept.first_time.nanos(), kept.last_time.nanos());
        self.extent.absorb(Extent { first, last });
        for cell in self.cells_at(owner, first)?.into_iter().flatten() {
            let (group, _) = self.cells.count(cell, kept.count);
            if let Err(error) = self.feed.state(group, &kept.state) {
                if let Some(kept) = self.kept {
                    kept.refuse(&error);
                }
                return Err(error);
            }
        }
        Ok(())
    }

    pub(super) fn samples(&mut self, owner: u32, times: &[i64], values: &[f64]) -> Result<(), QueryError> {
        if times.is_empty() || times.len() != values.len() {
            return Ok(());
        }
        self.see(times);
        if !matches!(self.grain, Grain::Buckets(_)) {
            let cell = self.cells.whole(owner);
            let (group, _) = self.cells.count(cell, values.len() as u64);
            self.feed.block(&[(group, 0..values.len())], times, values)?;
        }
        match (self.grain.step(), self.previous.is_some()) {
            (None, _) => Ok(()),
            (Some(step), false) => self.buckets(owner, step, times, values),
            (Some(step), true) => self.continued_buckets(owner, step, times, values),
        }
    }

    fn buckets(&mut self, owner: u32, step: i64, times: &[i64], values: &[f64]) -> Result<(), QueryError> {
        let mut runs = std::mem::take(&mut self.runs);
        runs.clear();
        let split = split_by_bucket(times, step, |start, range| {
            let cell = self.cells.bucket(owner, start)?;
            let (group, _) = self.cells.count(cell, range.len() as u64);
            runs.push((group, range));
            Ok(())
        });
        let outcome = split.and_then(|()| self.feed.block(&runs, times, values));
        self.runs = runs;
        outcome
    }

    /// As [`Self::buckets`], and a bucket begins with the owner's last sample before it.
    fn continued_buckets(
        &mut self,
        owner: u32,
        step: i64,
        times: &[i64],
        values: &[f64],
    ) -> Result<(), QueryError> {
        split_by_bucket(times, step, |start, range| {
            let cell = self.cells.bucket(owner, start)?;
            let (group, new) = self.cells.count(cell, range.len() as u64);
            let before = match range.start.checked_sub(1) {
                Some(last) => times.get(last).copied().zip(values.get(last).copied()),
                None => self.previous.as_ref().and_then(|all| all.get(owner as usize)).copied().flatten(),
            };
            if let (true, Some((time, value))) = (new, before) {
                self.feed.one(group, time, value)?;
            }
            let (Some(times), Some(values)) = (times.get(range.clone()), values.get(range)) else {
                return Ok(());
            };
            self.feed.block(&[(group, 0..values.len())], times, values)
        })?;
        if let Some(all) = &mut self.previous {
            let place = owner as usize;
            if all.len() <= place {
                all.resize(place + 1, None);
            }
            if let Some(slot) = all.get_mut(place) {
                *slot = times.last().copied().zip(values.last().copied());
            }
        }
        Ok(())
    }

    pub(super) fn text(&mut self, owner: u32, times: &[i64]) -> Result<(), QueryError> {
        self.see(times);
        for time in times {
            for cell in self.cells_at(owner, *time)?.into_iter().flatten() {
                self.cells.count_text(cell, 1);
            }
        }
        Ok(())
    }

    fn see(&mut self, times: &[i64]) {
        if self.wants_extent {
            self.extent.absorb(Extent::of(times));
        }
    }

    /// The cells of one instant.
    fn cells_at(&mut self, owner: u32, time: i64) -> Result<[Option<usize>; 2], QueryError> {
        let whole = match self.grain {
            Grain::Buckets(_) => None,
            _ => Some(self.cells.whole(owner)),
        };
        let bucket = match self.grain.step() {
            Some(step) => Some(self.cells.bucket(owner, bucket_start(time, step))?),
            None => None,
        };
        Ok([whole, bucket])
    }

    /// The cells and their states.
    pub(super) fn finish(self) -> Result<Filled<'a>, QueryError> {
        let Self { cells, extent, feed, mut charge, .. } = self;
        let accumulator = feed.finish()?;
        charge.resize(cells.bytes().saturating_add(accumulator.held_bytes()))?;
        Ok(Filled { cells, accumulator, extent, charge })
    }
}

fn bucket_start(time: i64, step: i64) -> i64 {
    Timestamp::from_nanos(time).floor_to(step).nanos()
}

/// Calls `run` for every stretch of samples of one bucket. The times ascend.
fn split_by_bucket(
    times: &[i64],
    step: i64,
    mut run: impl FnMut(i64, std::ops::Range<usize>) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    // The last bucket of all time may be cut short, the difference then still fits.
    let width = step.unsigned_abs();
    let (mut from, mut length) = (0, 0);
    let mut next = None;
    while let Some((&time, rest)) = times.get(from..).and_then(<[i64]>::split_first) {
        // Mostly it is the bucket after the one before, which needs no division.
        let is_within = |start: i64| time >= start && time.wrapping_sub(start).cast_unsigned() < width;
        let start = next.filter(|next| is_within(*next)).unwrap_or_else(|| bucket_start(time, step));
        next = start.checked_add(step);
        length =
            1 + count_while(rest, length.max(1) - 1, |time| time.wrapping_sub(start).cast_unsigned() < width);
        run(start, from..from + length)?;
        from += length;
    }
    Ok(())
}

/// How many of the first of `times` are `inside`; no later one is. Looks first whether they are as many as `guess`: where samples
/// come evenly one bucket has as many as the one before.
fn count_while(times: &[i64], guess: usize, inside: impl Fn(i64) -> bool) -> usize {
    let is_inside = |place: usize| times.get(place).is_some_and(|time| inside(*time));
    if (guess == 0 || is_inside(guess - 1)) && !is_inside(guess) && guess <= times.len() {
        return guess;
    }
    let near = (guess + 4) * 2;
    let reach = if is_inside(near) { times.len() } else { near.min(times.len()) };
    times.get(..reach).unwrap_or_default().partition_point(|time| inside(*time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_follow_the_buckets() {
        let check = |times: &[i64], step, expected: &[(i64, std::ops::Range<usize>)]| {
            let mut runs = Vec::new();
            split_by_bucket(times, step, |start, range| {
                runs.push((start, range));
                Ok(())
            })
            .unwrap();
            assert_eq!(runs, expected, "{times:?}");
        };
        check(&[], 10, &[]);
        check(&[1, 9, 10, 11, 35], 10, &[(0, 0..2), (10, 2..4), (30, 4..5)]);
        check(&[-5, -1, 0], 10, &[(-10, 0..2), (0, 2..3)]);
        let even: Vec<i64> = (0..100).collect();
        check(&even, 30, &[(0, 0..30), (30, 30..60), (60, 60..90), (90, 90..100)]);
        let mut uneven: Vec<i64> = (0..20).chain(25..26).chain(30..90).collect();
        check(&uneven, 30, &[(0, 0..21), (30, 21..51), (60, 51..81)]);
        uneven.truncate(22);
        check(&uneven, 10, &[(0, 0..10), (10, 10..20), (20, 20..21), (30, 21..22)]);
        check(&[i64::MIN, i64::MAX], i64::MAX - 1, &[(i64::MIN, 0..1), (i64::MAX - 1, 1..2)]);
    }
}
