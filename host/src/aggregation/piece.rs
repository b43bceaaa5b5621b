//! Cells with their states, in an accumulator or saved.

use telemetry_core::aggregation::{Accumulator, AggregateValue, AggregationError};
use telemetry_core::extension::SavedState;
use telemetry_core::limits;

use super::cells::Cells;
use super::feed::evaluate;
use super::memory::Charge;
use super::stop::Stop;
use super::task::Task;
use crate::query::QueryError;

/// Some cells and their states.
pub(super) struct Piece<'a> {
    pub(super) cells: Cells,
    pub(super) accumulator: Box<dyn Accumulator>,
    pub(super) charge: Charge<'a>,
}

/// The same with the states as bytes: it holds nothing that others may wait for, and goes from thread to thread.
pub(super) struct SavedPiece<'a> {
    cells: Cells,
    states: SavedState,
    charge: Charge<'a>,
}

/// Brings pieces together in one accumulator, in their order; `None` of none.
pub(super) fn join<'a>(task: &Task<'a>, pieces: Vec<SavedPiece<'a>>) -> Result<Option<Piece<'a>>, Stop> {
    let mut pieces = pieces.into_iter();
    let Some(SavedPiece { cells, states, charge }) = pieces.next() else { return Ok(None) };
    let own: Vec<u32> = cells.numbered().filter_map(|cell| cell.number()).collect();
    let mut whole = Piece { cells, accumulator: task.accumulator()?, charge };
    whole.merge(task, &states, &own)?;
    drop(states);
    whole.account()?;
    for SavedPiece { cells, states, charge: _charge } in pieces {
        task.watch.check()?;
        let map = whole.cells.absorb(&cells)?;
        whole.merge(task, &states, &map)?;
        whole.account()?;
    }
    Ok(Some(whole))
}

impl<'a> Piece<'a> {
    pub(super) fn values(&mut self, task: &Task<'_>) -> Result<Vec<AggregateValue>, QueryError> {
        evaluate(&mut *self.accumulator, task.aggregation, self.cells.states())
    }

    /// Saves the states and gives the accumulator up; the memory is counted as the task's.
    pub(super) fn save<'b>(self, task: &Task<'b>) -> Result<SavedPiece<'b>, Stop> {
        check_handing_over(task)?;
        let Self { cells, mut accumulator, charge } = self;
        let mut states = SavedState::default();
        if cells.states() > 0 {
            states = accumulator.save().map_err(|error| not_handed_over(task, error))?;
        }
        drop(accumulator);
        drop(charge);
        let mut charge = task.watch.memory.holder();
        charge.resize(cells.bytes().saturating_add(states.bytes.len() as u64))?;
        Ok(SavedPiece { cells, states, charge })
    }

    /// Merges the states of another piece, each into the group that `map` names.
    fn merge(&mut self, task: &Task<'_>, states: &SavedState, map: &[u32]) -> Result<(), Stop> {
        if map.is_empty() {
            return Ok(());
        }
        check_handing_over(task)?;
        self.accumulator.merge(states, map).map_err(|error| not_handed_over(task, error))
    }

    /// Adds another piece.
    pub(super) fn absorb(&mut self, task: &Task<'_>, other: Piece<'_>) -> Result<(), Stop> {
        task.watch.check()?;
        let map = self.cells.absorb(&other.cells)?;
        if !map.is_empty() {
            self.accumulator.absorb(other.accumulator, &map).map_err(|error| failed(task, error))?;
        }
        self.account()?;
        Ok(())
    }

    fn account(&mut self) -> Result<(), QueryError> {
        self.charge.resize(self.cells.bytes().saturating_add(self.accumulator.held_bytes()))
    }

    /// The same at the next coarser level; `None` where there is too much to merge, so that samples must be read anew.
    pub(super) fn coarser(self, task: &Task<'a>, owner: impl Fn(u32) -> u32) -> Result<Option<Self>, Stop> {
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
        let one_at_a_time = task.has_few_accumulators();
        if map.len() > limits::MAX_MERGED_STATES && one_at_a_time {
            return Ok(None);
        }
        let mut coarse = task.watch.memory.holder();
        let merged = if one_at_a_time {
            let saved = accumulator.save().map_err(|error| failed(task, error))?;
            drop(accumulator);
            coarse.resize(saved.bytes.len() as u64)?;
            let mut merged = task.accumulator()?;
            if !map.is_empty() {
                merged.merge(&saved, &map).map_err(|error| failed(task, error))?;
            }
            merged
        } else {
            let mut merged = task.accumulator()?;
            merged.absorb(accumulator, &map).map_err(|error| failed(task, error))?;
            merged
        };
        drop(charge);
        let mut piece = Self { cells, accumulator: merged, charge: coarse };
        piece.account()?;
        Ok(Some(piece))
    }
}

/// Whether states of the function are handed over still. Another part's or another query's did not get across where they are not: to try
/// it with these might cost another instance, and help nobody.
fn check_handing_over(task: &Task<'_>) -> Result<(), Stop> {
    if task.crew().most < 2 { Err(Stop::Unsplit) } else { Ok(()) }
}

/// States did not get from one accumulator to another: the metric is read by one thread, which need not save them. Whether others are
/// split from now on is the function's to say.
fn not_handed_over(task: &Task<'_>, error: AggregationError) -> Stop {
    if let AggregationError::Limit { .. } = error {
        return failed(task, error);
    }
    task.aggregation.function.handing_over_failed(&error);
    Stop::Unsplit
}

fn failed(task: &Task<'_>, error: AggregationError) -> Stop {
    QueryError::of_aggregation(&task.aggregation.shown, error).into()
}
