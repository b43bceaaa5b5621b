//! Functions whose states can be merged: the finest cells are fed, in parallel over series, and the coarser ones merged.
//!
//! Invariant: a function that allows a query one accumulator at a time (a plugin) is never asked for a second one before the
//! first is gone.

use telemetry_core::aggregation::{Accumulator, AggregateValue, AggregationError, SampleOrder};
use telemetry_core::{ScanOptions, limits};

use super::cells::Cells;
use super::feed::evaluate;
use super::intake::{Extent, Filled, Grain, Intake};
use super::memory::Charge;
use super::outcome::{Outcome, figure};
use super::parallel::split;
use super::task::Task;
use crate::query::QueryError;

/// Works a metric out, from kept states where there are some that its function takes.
pub(super) fn run(task: &Task<'_>) -> Result<Outcome, QueryError> {
    match (work_out(task), task.kept) {
        (Err(_), Some(kept)) if kept.is_refused() => {
            task.watch.resume();
            work_out(&Task { kept: None, ..*task })
        }
        (outcome, _) => outcome,
    }
}

/// Works a metric out. Owners of cells are its groups.
fn work_out(task: &Task<'_>) -> Result<Outcome, QueryError> {
    let (mut level, extent) = read(task, Grain::finest(task.step), |group| group)?;
    let mut outcome = Outcome { extent, ..Outcome::empty() };
    if task.step.is_some() {
        for piece in &mut level.pieces {
            let values = piece.values(task)?;
            outcome.take_points(piece.cells.all(), &values, |group| group);
        }
        level = level.coarser(task, |group| group)?;
    }
    if task.grouped {
        for piece in &mut level.pieces {
            let values = piece.values(task)?;
            let groups = piece.cells.all().iter().map(|cell| (cell.owner(), figure(cell, &values)));
            outcome.groups.extend(groups);
        }
        level = if task.aggregation.function.order() == SampleOrder::Series {
            // Groups may interleave, so that no order in which to merge them is that of their series.
            drop(level);
            read(task, Grain::Whole, |_| 0)?.0
        } else {
            level.coarser(task, |_| 0)?
        };
    }
    // All that is of the metric as a whole is in one piece.
    for piece in &mut level.pieces {
        let values = piece.values(task)?;
        if let Some(cell) = piece.cells.all().first() {
            outcome.total = figure(cell, &values);
        }
    }
    Ok(outcome)
}

/// Cells of one fineness and their states, in pieces of which no two have cells of the same owner and bucket: what parts read
/// need not be brought together where their series are of different groups.
struct Level<'a> {
    pieces: Vec<Piece<'a>>,
}

/// Some cells and their states.
struct Piece<'a> {
    cells: Cells,
    accumulator: Box<dyn Accumulator>,
    charge: Charge<'a>,
}

/// Reads all samples into cells of one fineness; `owner` names the owner of a group's cells.
fn read<'a>(
    task: &Task<'a>,
    grain: Grain,
    owner: impl Fn(u32) -> u32 + Sync,
) -> Result<(Level<'a>, Extent), QueryError> {
    let function = &*task.aggregation.function;
    let options = ScanOptions {
        digests: function.accepts_digests(),
        bucket: grain.step(),
        ordered: function.order() != SampleOrder::Any,
        states: task.kept.map(|kept| kept.states()),
    };
    let parts = split(task.series.len(), task.parts, task.helpers, task.watch, |range| {
        let mut intake = Intake::new(task, grain, task.points_left)?;
        let first = range.start;
        let series = task.series.get(range).unwrap_or_default();
        task.scan(series, task.range, options, &mut |place, block| {
            intake.block(owner(task.group(first.saturating_add(place))), block)
        })?;
        intake.finish()
    })?;
    let mut level = Level { pieces: Vec::with_capacity(parts.len()) };
    let mut all = Extent::NONE;
    for Filled { cells, accumulator, extent, charge } in parts {
        all.absorb(extent);
        level.add(task, Piece { cells, accumulator, charge })?;
    }
    Ok((level, all))
}

impl<'a> Level<'a> {
    /// Adds a piece, as if what is in it came after.
    fn add(&mut self, task: &Task<'_>, piece: Piece<'a>) -> Result<(), QueryError> {
        if self.pieces.iter().all(|other| other.cells.are_apart_from(&piece.cells)) {
            self.pieces.push(piece);
            return Ok(());
        }
        // From here on there is one piece: the first, which takes in all others in their order.
        let mut pieces = std::mem::take(&mut self.pieces).into_iter().chain(std::iter::once(piece));
        if let Some(mut whole) = pieces.next() {
            for piece in pieces {
                whole.absorb(task, piece)?;
            }
            self.pieces.push(whole);
        }
        Ok(())
    }

    /// The next coarser level: whole ranges of the owners that `owner` names.
    fn coarser(self, task: &Task<'a>, owner: impl Fn(u32) -> u32 + Sync) -> Result<Self, QueryError> {
        task.watch.check()?;
        let mut level = Self { pieces: Vec::with_capacity(self.pieces.len()) };
        for piece in self.pieces {
            match piece.coarser(task, &owner)? {
                Some(piece) => level.add(task, piece)?,
                None => return Ok(read(task, Grain::Whole, owner)?.0),
            }
        }
        Ok(level)
    }
}

impl<'a> Piece<'a> {
    fn values(&mut self, task: &Task<'_>) -> Result<Vec<AggregateValue>, QueryError> {
        let count = self.cells.numbered().count();
        evaluate(&mut *self.accumulator, task.aggregation, count)
    }

    /// Adds another piece.
    fn absorb(&mut self, task: &Task<'_>, other: Piece<'_>) -> Result<(), QueryError> {
        task.watch.check()?;
        let map = self.cells.absorb(&other.cells)?;
        if !map.is_empty() {
            self.accumulator.absorb(other.accumulator, &map).map_err(|error| failed(task, error))?;
        }
        self.account()
    }

    fn account(&mut self) -> Result<(), QueryError> {
        self.charge.resize(self.cells.bytes().saturating_add(self.accumulator.held_bytes()))
    }

    /// The same at the next coarser level; `None` where there is too much to merge, so that samples must be read anew.
    fn coarser(self, task: &Task<'a>, owner: impl Fn(u32) -> u32) -> Result<Option<Self>, QueryError> {
        let Self { cells: finer, mut accumulator, charge } = self;
        let mut cells = Cells::new(None, 0);
        let map: Vec<u32> = finer
            .numbered()
            .map(|cell| {
                let parent = cells.whole(owner(cell.owner()));
                cells.count(parent, cell.numeric).0
            })
            .collect();
        for cell in finer.all().iter().filter(|cell| cell.text > 0) {
            let parent = cells.whole(owner(cell.owner()));
            cells.count_text(parent, cell.text);
        }
        // Where each state has a parent of its own the states are already right.
        if map.iter().enumerate().all(|(place, number)| place == *number as usize) {
            return Ok(Some(Self { cells, accumulator, charge }));
        }
        let one_at_a_time = task.aggregation.function.accumulators_at_once() == 1;
        if map.len() > limits::MAX_MERGED_STATES && one_at_a_time {
            return Ok(None);
        }
        let mut coarse = task.watch.memory.holder();
        let merged = if one_at_a_time {
            let saved = accumulator.save().map_err(|error| failed(task, error))?;
            drop(accumulator);
            coarse.resize(saved.bytes.len() as u64)?;
            let mut merged = task.aggregation.accumulator()?;
            if !map.is_empty() {
                merged.merge(&saved, &map).map_err(|error| failed(task, error))?;
            }
            merged
        } else {
            let mut merged = task.aggregation.accumulator()?;
            merged.absorb(accumulator, &map).map_err(|error| failed(task, error))?;
            merged
        };
        drop(charge);
        let mut piece = Self { cells, accumulator: merged, charge: coarse };
        piece.account()?;
        Ok(Some(piece))
    }
}

fn failed(task: &Task<'_>, error: AggregationError) -> QueryError {
    QueryError::of_aggregation(&task.aggregation.shown, error)
}
