//! Functions whose states can be merged: the finest cells are fed, in parallel over series, and the coarser ones merged.
//!
//! Invariant: of a function that has few accumulators (a plugin's) a thread never asks for a second one before the first is gone.
//! What the parts of a metric are depends on its series, the range and the function, and they are merged in their order.

use telemetry_core::aggregation::SampleOrder;

use super::group_parts;
use super::intake::Grain;
use super::level::{Level, read};
use super::outcome::{Outcome, figure};
use super::parallel::Parts;
use super::stop::Stop;
use super::task::Task;

/// Works a metric out, from kept states where there are some that its function takes.
pub(super) fn run(task: &Task<'_>) -> Result<Outcome, Stop> {
    match split_or_whole(task) {
        Err(Stop::Failed(error)) => match task.kept {
            Some(kept) if kept.is_refused() => {
                task.watch.resume();
                split_or_whole(&Task { kept: None, ..*task })
            }
            _ => Err(error.into()),
        },
        outcome => outcome,
    }
}

/// In parts, or by one thread where the states of parts were not brought together.
fn split_or_whole(task: &Task<'_>) -> Result<Outcome, Stop> {
    match work_out(task) {
        Err(Stop::Unsplit) => work_out(&Task { parts: Parts::ONE, ..*task }),
        outcome => outcome,
    }
}

/// Works a metric out.
fn work_out(task: &Task<'_>) -> Result<Outcome, Stop> {
    if let Some(parts) = group_parts::of(task) {
        return group_parts::run(task, &parts);
    }
    let (mut outcome, level) = climb(task)?;
    level.total(task, &mut outcome)?;
    Ok(outcome)
}

/// Works out all figures but those of the metric as a whole, whose cells it answers. Owners of cells are the metric's groups.
pub(super) fn climb<'a>(task: &Task<'a>) -> Result<(Outcome, Level<'a>), Stop> {
    let (mut level, extent) = read(task, Grain::finest(task.step), |group| group)?;
    let mut outcome = Outcome { extent, ..Outcome::empty() };
    if task.step.is_some() {
        for piece in level.pieces() {
            let values = piece.values(task)?;
            outcome.take_points(piece.cells.all(), &values, |group| group);
        }
        level = level.coarser(task, |group| group)?;
    }
    if task.grouped {
        for piece in level.pieces() {
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
    Ok((outcome, level))
}
