//! Functions that look at each series alone and are added up, as RATE: every series has states of its own.

use telemetry_core::ScanOptions;
use telemetry_core::aggregation::{AggregateValue, CompensatedSum};

use super::cells::{Cell, Cells};
use super::feed::evaluate;
use super::intake::{Extent, Filled, Grain, Intake};
use super::memory::Charge;
use super::outcome::{Outcome, figure};
use super::parallel::split;
use super::stop::Stop;
use super::task::Task;
use super::timeline;
use crate::query::QueryError;

/// The owner of the metric's own cells; group `g` owns `g + 1`.
const METRIC: u32 = 0;
/// Series whose states are held at once, at most.
const MOST_SERIES: usize = 256;
/// Cells of so many series at once that the next round takes no more series.
const MANY_CELLS: usize = 1 << 16;

/// Works a metric out.
pub(super) fn run(task: &Task<'_>) -> Result<Outcome, Stop> {
    let parts = split(task.series.len(), task.parts, task.crew(), |range, role| {
        let task = &task.in_role(role);
        let mut sums = Sums::new(task);
        // A series that goes on from the part before is that part's.
        let mut from = task.beginning_from(range.start);
        let mut series = 1;
        while from < range.end {
            let to = from.saturating_add(series).min(range.end);
            let to = task.end_of(to.saturating_sub(1));
            let cells = sums.take(task, from, to)?;
            series = next_count(to - from, cells);
            from = to;
        }
        Ok(sums)
    })?;
    let mut parts = parts.into_iter();
    let Some(mut sums) = parts.next() else { return Ok(Outcome::empty()) };
    for part in parts {
        sums.absorb(&part)?;
    }
    Ok(sums.outcome())
}

/// How many series to take next, after `series` of them needed `cells` cells.
fn next_count(series: usize, cells: usize) -> usize {
    let fitting = MANY_CELLS.saturating_mul(series) / cells.max(1);
    fitting.clamp(1, series.saturating_mul(4).min(MOST_SERIES))
}

/// Reads the series from place `from` to `to`, each as the owner whose number is its distance from `from`.
fn read(task: &Task<'_>, from: usize, to: usize, intake: &mut Intake<'_>) -> Result<(), Stop> {
    let owner = |place: usize| u32::try_from(place).unwrap_or(u32::MAX);
    let series = task.series.get(from..to).unwrap_or_default();
    if !task.continued.get(from..to).unwrap_or_default().contains(&true) {
        let options = ScanOptions { ordered: true, ..ScanOptions::default() };
        return task.scan(series, task.range, options, &mut |place, block| intake.block(owner(place), block));
    }
    let mut place = from;
    while place < to {
        let end = task.end_of(place);
        let numbers = task.series.get(place..end).unwrap_or_default();
        timeline::read(task, numbers, intake, owner(place.saturating_sub(from)))?;
        place = end;
    }
    Ok(())
}

/// The answer's cells and the sum over series in each.
struct Sums<'a> {
    cells: Cells,
    sums: Vec<Option<CompensatedSum>>,
    extent: Extent,
    grouped: bool,
    charge: Charge<'a>,
}

impl<'a> Sums<'a> {
    fn new(task: &Task<'a>) -> Self {
        let cells = Cells::new(task.step, task.points_left);
        Self {
            cells,
            sums: Vec::new(),
            extent: Extent::NONE,
            grouped: task.grouped,
            charge: task.watch.memory.holder(),
        }
    }

    /// Adds the series from place `from` to `to`; answers how many cells they had.
    fn take(&mut self, task: &Task<'_>, from: usize, to: usize) -> Result<usize, Stop> {
        // One series alone has no more points than the answer may have; several are taken only where they have few.
        let points = task.points_left.saturating_mul(to.saturating_sub(from));
        let mut intake = Intake::new(task, Grain::every(task.step), points)?;
        read(task, from, to, &mut intake)?;
        let Filled { cells, mut accumulator, extent, charge: _charge } = intake.finish()?;
        let values = evaluate(&mut *accumulator, task.aggregation, cells.numbered().count())?;
        self.extent.absorb(extent);
        for cell in cells.all() {
            let group = task.group(from.saturating_add(cell.owner() as usize)).saturating_add(1);
            let value = match figure(cell, &values).value {
                AggregateValue::Number(value) => Some(value),
                _ => None,
            };
            if cell.bucket().is_none() {
                self.add(METRIC, cell, value)?;
            }
            if self.grouped || cell.bucket().is_some() {
                self.add(if self.grouped { group } else { METRIC }, cell, value)?;
            }
        }
        self.charge.resize(self.cells.bytes())?;
        Ok(cells.all().len())
    }

    fn add(&mut self, owner: u32, cell: &Cell, value: Option<f64>) -> Result<(), QueryError> {
        let place = self.count(&cell.of_owner(owner))?;
        if let (Some(value), Some(sum)) = (value, self.sums.get_mut(place)) {
            sum.get_or_insert_default().add(value);
        }
        Ok(())
    }

    /// Counts what a cell counted in the cell of the same owner and bucket here.
    fn count(&mut self, cell: &Cell) -> Result<usize, QueryError> {
        let place = self.cells.like(cell)?;
        if cell.numeric > 0 {
            self.cells.count(place, cell.numeric);
        }
        self.cells.count_text(place, cell.text);
        if self.sums.len() <= place {
            self.sums.resize(place.saturating_add(1), None);
        }
        Ok(place)
    }

    fn absorb(&mut self, other: &Sums<'_>) -> Result<(), QueryError> {
        self.extent.absorb(other.extent);
        for (cell, sum) in other.cells.all().iter().zip(&other.sums) {
            let place = self.count(cell)?;
            if let (Some(theirs), Some(ours)) = (sum, self.sums.get_mut(place)) {
                ours.get_or_insert_default().absorb(*theirs);
            }
        }
        Ok(())
    }

    fn outcome(self) -> Outcome {
        let mut outcome = Outcome { extent: self.extent, ..Outcome::empty() };
        // Here a cell's place is its number: sums stand beside the cells.
        let places = || self.cells.all().iter().enumerate();
        let cells: Vec<Cell> =
            places().map(|(place, cell)| cell.numbered(u32::try_from(place).unwrap_or(u32::MAX))).collect();
        let values: Vec<AggregateValue> = self.sums.iter().map(|sum| total(*sum)).collect();
        for cell in cells.iter().filter(|cell| cell.bucket().is_none()) {
            match cell.owner().checked_sub(1) {
                None => outcome.total = figure(cell, &values),
                Some(group) => outcome.groups.push((group, figure(cell, &values))),
            }
        }
        outcome.take_points(&cells, &values, |owner| owner.saturating_sub(1));
        outcome
    }
}

fn total(sum: Option<CompensatedSum>) -> AggregateValue {
    match sum.map(CompensatedSum::total) {
        Some(total) if total.is_finite() => AggregateValue::Number(total),
        _ => AggregateValue::None,
    }
}
