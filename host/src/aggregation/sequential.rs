//! Functions that must see a group's samples in time order in one state: every cell is fed, each group's series merged by time.

use super::feed::evaluate;
use super::intake::{Filled, Grain, Intake};
use super::outcome::{Outcome, figure};
use super::stop::Stop;
use super::task::Task;
use super::timeline;

/// The owner of the metric's own cells; group `g` owns `g + 1`.
const METRIC: u32 = 0;

/// Works a metric out.
pub(super) fn run(task: &Task<'_>) -> Result<Outcome, Stop> {
    let every = Grain::every(task.step);
    let mut intake = Intake::new(task, every, task.points_left)?;
    intake.grain = if task.grouped { Grain::Whole } else { every };
    timeline::read(task, task.series, &mut intake, METRIC)?;
    if task.grouped {
        intake.grain = every;
        for (group, series) in by_group(task) {
            timeline::read(task, &series, &mut intake, group.saturating_add(1))?;
        }
    }
    let Filled { cells, mut accumulator, extent, charge: _charge } = intake.finish()?;
    let values = evaluate(&mut *accumulator, task.aggregation, cells.numbered().count())?;
    let mut outcome = Outcome { extent, ..Outcome::empty() };
    for cell in cells.all().iter().filter(|cell| cell.bucket().is_none()) {
        match cell.owner().checked_sub(1) {
            None => outcome.total = figure(cell, &values),
            Some(group) => outcome.groups.push((group, figure(cell, &values))),
        }
    }
    outcome.take_points(cells.all(), &values, |owner| owner.saturating_sub(1));
    Ok(outcome)
}

/// The series of each group, groups in order.
fn by_group(task: &Task<'_>) -> Vec<(u32, Vec<u32>)> {
    let mut places: Vec<(u32, u32)> =
        task.series.iter().enumerate().map(|(place, id)| (task.group(place), *id)).collect();
    places.sort_by_key(|(group, _)| *group);
    places
        .chunk_by(|a, b| a.0 == b.0)
        .filter_map(|chunk| Some((chunk.first()?.0, chunk.iter().map(|(_, id)| *id).collect())))
        .collect()
}
