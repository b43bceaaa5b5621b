//! Functions whose states can be merged: the finest cells are fed, in parallel over series, and the coarser ones merged.
//!
//! Invariant: a function that allows a query one accumulator at a time (a plugin) is never asked for a second one before the
//! first is gone.

use telemetry_core::aggregation::{Accumulator, AggregateValue, SampleOrder};
use telemetry_core::extension::SavedState;
use telemetry_core::limits;

use super::cells::Cells;
use super::feed::evaluate;
use super::intake::{Extent, Grain, Intake};
use super::outcome::{Outcome, figure};
use super::parallel::{Work, split};
use super::reader::ScanOptions;
use super::task::Task;
use crate::query::QueryError;

/// Works a metric out. Owners of cells are its groups.
pub(super) fn run(task: &Task<'_>) -> Result<Outcome, QueryError> {
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
struct Level {
    cells: Cells,
    accumulator: Box<dyn Accumulator>,
}

/// What one thread read; all but the first hand their states over saved.
enum Part {
    Live(Level, Extent),
    Saved(Cells, SavedState, Extent),
}

/// Reads all samples into cells of one fineness; `owner` names the owner of a group's cells.
fn read(
    task: &Task<'_>,
    grain: Grain,
    owner: impl Fn(u32) -> u32 + Sync,
) -> Result<(Level, Extent), QueryError> {
    let function = &*task.aggregation.function;
    let options = ScanOptions {
        digests: function.accepts_digests(),
        bucket: grain.step(),
        ordered: function.order() != SampleOrder::Any,
    };
    // Short buckets are seldom whole chunks.
    let work = if options.digests && options.bucket.is_none() { Work::Digests } else { Work::Samples };
    let parts = split(task.series.len(), task.threads, work, task.watch, |range| {
        let mut intake = Intake::new(task, grain, task.points_left)?;
        let first = range.start;
        let series = task.series.get(range).unwrap_or_default();
        task.scan(series, task.range, options, &mut |place, block| {
            intake.block(owner(task.group(first.saturating_add(place))), block)
        })?;
        let (cells, mut accumulator, extent) = intake.finish()?;
        if first == 0 {
            return Ok(Part::Live(Level { cells, accumulator }, extent));
        }
        Ok(Part::Saved(cells, save(task, &mut *accumulator)?, extent))
    })?;
    let mut whole: Option<(Level, Extent)> = None;
    for part in parts {
        match (part, &mut whole) {
            (Part::Live(level, extent), _) => whole = Some((level, extent)),
            (Part::Saved(other, saved, seen), Some((level, extent))) => {
                extent.absorb(seen);
                let map = level.cells.absorb(&other)?;
                merge(task, &mut *level.accumulator, &saved, &map)?;
            }
            (Part::Saved(..), None) => {}
        }
    }
    match whole {
        Some(whole) => Ok(whole),
        None => {
            let (cells, accumulator, extent) = Intake::new(task, grain, 0)?.finish()?;
            Ok((Level { cells, accumulator }, extent))
        }
    }
}

impl Level {
    fn values(&mut self, task: &Task<'_>) -> Result<Vec<AggregateValue>, QueryError> {
        let count = self.cells.numbered().count();
        evaluate(&mut *self.accumulator, task.aggregation, count)
    }

    /// The next coarser level: whole ranges of the owners that `owner` names.
    fn coarser(self, task: &Task<'_>, owner: impl Fn(u32) -> u32 + Sync) -> Result<Self, QueryError> {
        task.watch.check()?;
        let Self { cells: finer, mut accumulator } = self;
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
            return Ok(Self { cells, accumulator });
        }
        if map.len() > limits::MAX_MERGED_STATES && task.aggregation.function.accumulators_at_once() == 1 {
            drop(accumulator);
            return Ok(read(task, Grain::Whole, owner)?.0);
        }
        let saved = save(task, &mut *accumulator)?;
        drop(accumulator);
        let mut accumulator = task.aggregation.accumulator()?;
        merge(task, &mut *accumulator, &saved, &map)?;
        Ok(Self { cells, accumulator })
    }
}

fn save(task: &Task<'_>, states: &mut dyn Accumulator) -> Result<SavedState, QueryError> {
    states.save().map_err(|error| QueryError::of_aggregation(&task.aggregation.shown, error))
}

fn merge(
    task: &Task<'_>,
    into: &mut dyn Accumulator,
    saved: &SavedState,
    map: &[u32],
) -> Result<(), QueryError> {
    if map.is_empty() {
        return Ok(());
    }
    into.merge(saved, map).map_err(|error| QueryError::of_aggregation(&task.aggregation.shown, error))
}
