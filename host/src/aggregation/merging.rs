//! Functions whose states can be merged: the finest cells are fed, in parallel over series, and the coarser ones merged.

use telemetry_core::aggregation::{Accumulator, AggregateValue, SampleOrder};

use super::cells::Cells;
use super::feed::evaluate;
use super::intake::{Extent, Grain, Intake};
use super::outcome::{Outcome, figure};
use super::parallel::split;
use super::reader::ScanOptions;
use super::task::Task;
use crate::query::QueryError;

type Part = (Cells, Box<dyn Accumulator>, Extent);

/// Works a metric out. Owners of cells are its groups.
pub(super) fn run(task: &Task<'_>) -> Result<Outcome, QueryError> {
    let function = &*task.aggregation.function;
    let options = ScanOptions {
        digests: function.accepts_digests(),
        bucket: task.step,
        ordered: function.order() != SampleOrder::Any,
    };
    let parts = split(task.series.len(), task.threads, task.watch, |range| -> Result<Part, QueryError> {
        let mut intake = Intake::new(task, Grain::finest(task.step), task.points_left)?;
        let first = range.start;
        let series = task.series.get(range).unwrap_or_default();
        task.scan(series, task.range, options, &mut |place, block| {
            intake.block(task.group(first.saturating_add(place)), block)
        })?;
        intake.finish()
    })?;
    let mut parts = parts.into_iter();
    let Some((mut cells, mut accumulator, mut extent)) = parts.next() else { return Ok(Outcome::empty()) };
    for (other, mut states, seen) in parts {
        extent.absorb(seen);
        let map = cells.absorb(&other)?;
        merge(task, &mut *accumulator, &mut *states, &map)?;
    }
    climb(task, cells, accumulator, extent)
}

/// From the finest cells to the metric's total.
fn climb(
    task: &Task<'_>,
    cells: Cells,
    accumulator: Box<dyn Accumulator>,
    extent: Extent,
) -> Result<Outcome, QueryError> {
    let mut outcome = Outcome { extent, ..Outcome::empty() };
    let mut level = Level { cells, accumulator };
    if task.step.is_some() {
        let values = level.values(task)?;
        outcome.take_points(level.cells.all(), &values, |group| group);
        level = level.merged(task, |group| group)?;
    }
    if task.grouped {
        let values = level.values(task)?;
        outcome.groups = level.cells.all().iter().map(|cell| (cell.owner, figure(cell, &values))).collect();
        level = level.merged(task, |_| 0)?;
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

impl Level {
    fn values(&mut self, task: &Task<'_>) -> Result<Vec<AggregateValue>, QueryError> {
        let count = self.cells.numbered().count();
        evaluate(&mut *self.accumulator, task.aggregation, count)
    }

    /// The next coarser level: whole ranges of the owners that `owner` names.
    fn merged(mut self, task: &Task<'_>, owner: impl Fn(u32) -> u32) -> Result<Self, QueryError> {
        task.watch.check()?;
        let mut cells = Cells::new(None, 0);
        let map: Vec<u32> = self
            .cells
            .numbered()
            .map(|cell| {
                let parent = cells.whole(owner(cell.owner));
                cells.count(parent, cell.numeric).0
            })
            .collect();
        for cell in self.cells.all().iter().filter(|cell| cell.text > 0) {
            let parent = cells.whole(owner(cell.owner));
            cells.count_text(parent, cell.text);
        }
        // Where each state has a parent of its own the states are already right.
        if map.iter().enumerate().all(|(place, number)| place == *number as usize) {
            return Ok(Self { cells, accumulator: self.accumulator });
        }
        let mut accumulator = task.aggregation.accumulator()?;
        merge(task, &mut *accumulator, &mut *self.accumulator, &map)?;
        Ok(Self { cells, accumulator })
    }
}

fn merge(
    task: &Task<'_>,
    into: &mut dyn Accumulator,
    from: &mut dyn Accumulator,
    map: &[u32],
) -> Result<(), QueryError> {
    if map.is_empty() {
        return Ok(());
    }
    let failed = |error| QueryError::of_aggregation(&task.aggregation.shown, error);
    let saved = from.save().map_err(failed)?;
    into.merge(&saved, map).map_err(failed)
}
