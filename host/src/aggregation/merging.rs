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
        let values = level.values(task)?;
        outcome.take_points(level.cells.all(), &values, |group| group);
        level = level.coarser(task, |group| group)?;
    }
    if task.grouped {
        let values = level.values(task)?;
        outcome.groups = level.cells.all().iter().map(|cell| (cell.owner, figure(cell, &values))).collect();
        level = if task.aggregation.function.order() == SampleOrder::Series {
            // Groups may interleave, so that no order in which to merge them is that of their series.
            drop(level);
            read(task, Grain::Whole, |_| 0)?.0
        } else {
            level.coarser(task, |_| 0)?
        };
    }
    let values = level.values(task)?;
    if let Some(cell) = level.cells.all().first() {
        outcome.total = figure(cell, &values);
    }
    Ok(outcome)
}

/// Cells of one fineness and their states.
struct Level<'a> {
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
    let mut parts = parts.into_iter();
    let first = match parts.next() {
        Some(first) => first,
        None => Intake::new(task, grain, 0)?.finish()?,
    };
    let Filled { cells, accumulator, mut extent, charge } = first;
    let mut whole = Level { cells, accumulator, charge };
    for part in parts {
        extent.absorb(part.extent);
        whole.absorb(task, part)?;
    }
    Ok((whole, extent))
}

impl<'a> Level<'a> {
    fn values(&mut self, task: &Task<'_>) -> Result<Vec<AggregateValue>, QueryError> {
        let count = self.cells.numbered().count();
        evaluate(&mut *self.accumulator, task.aggregation, count)
    }

    /// Adds what the next part read.
    fn absorb(&mut self, task: &Task<'_>, part: Filled<'_>) -> Result<(), QueryError> {
        task.watch.check()?;
        let map = self.cells.absorb(&part.cells)?;
        if !map.is_empty() {
            self.accumulator.absorb(part.accumulator, &map).map_err(|error| failed(task, error))?;
        }
        self.account()
    }

    fn account(&mut self) -> Result<(), QueryError> {
        self.charge.resize(self.cells.bytes().saturating_add(self.accumulator.held_bytes()))
    }

    /// The next coarser level: whole ranges of the owners that `owner` names.
    fn coarser(self, task: &Task<'a>, owner: impl Fn(u32) -> u32 + Sync) -> Result<Self, QueryError> {
        task.watch.check()?;
        let Self { cells: finer, mut accumulator, charge } = self;
        let mut cells = Cells::new(None, 0);
        let map: Vec<u32> = finer
            .numbered()
            .map(|cell| {
                let parent = cells.whole(owner(cell.owner));
                cells.count(parent, cell.numeric).0
            })
            .collect();
        for cell in finer.all().iter().filter(|cell| cell.text > 0) {
            let parent = cells.whole(owner(cell.owner));
            cells.count_text(parent, cell.text);
        }
        // Where each state has a parent of its own the states are already right.
        if map.iter().enumerate().all(|(place, number)| place == *number as usize) {
            return Ok(Self { cells, accumulator, charge });
        }
        let one_at_a_time = task.aggregation.function.accumulators_at_once() == 1;
        if map.len() > limits::MAX_MERGED_STATES && one_at_a_time {
            drop(accumulator);
            return Ok(read(task, Grain::Whole, owner)?.0);
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
        let mut level = Self { cells, accumulator: merged, charge: coarse };
        level.account()?;
        Ok(level)
    }
}

fn failed(task: &Task<'_>, error: AggregationError) -> QueryError {
    QueryError::of_aggregation(&task.aggregation.shown, error)
}
