//! The cells of one fineness: read in parts, and made coarser.

use std::ops::Range;

use telemetry_core::aggregation::SampleOrder;
use telemetry_core::{ScanOptions, limits};

use super::intake::{Extent, Filled, Grain, Intake};
use super::outcome::{Outcome, figure};
use super::parallel::split;
use super::piece::{Piece, SavedPiece, join};
use super::stop::Stop;
use super::task::Task;

/// Cells of one fineness and their states, in pieces of which no two have cells of the same owner and bucket: what parts read
/// need not be brought together where their series are of different groups. Where there are few accumulators it is one piece.
pub(super) struct Level<'a> {
    pieces: Vec<Piece<'a>>,
}

/// Reads all samples into cells of one fineness; `owner` names the owner of a group's cells.
pub(super) fn read<'a>(
    task: &Task<'a>,
    grain: Grain,
    owner: impl Fn(u32) -> u32 + Sync,
) -> Result<(Level<'a>, Extent), Stop> {
    if task.has_few_accumulators() { read_few(task, grain, owner) } else { read_many(task, grain, owner) }
}

/// Each part keeps its accumulator until it is merged into another, if it has to be.
fn read_many<'a>(
    task: &Task<'a>,
    grain: Grain,
    owner: impl Fn(u32) -> u32 + Sync,
) -> Result<(Level<'a>, Extent), Stop> {
    let parts = split(task.series.len(), task.parts, task.crew(), |range, role| {
        read_part(&task.in_role(role), grain, range, &owner, usize::MAX)
    })?;
    let mut level = Level { pieces: Vec::with_capacity(parts.len()) };
    let mut all = Extent::NONE;
    for (piece, extent) in parts {
        all.absorb(extent);
        level.add(task, piece)?;
    }
    Ok((level, all))
}

/// Each of several parts saves its states and gives its accumulator up.
fn read_few<'a>(
    task: &Task<'a>,
    grain: Grain,
    owner: impl Fn(u32) -> u32 + Sync,
) -> Result<(Level<'a>, Extent), Stop> {
    // Of buckets each part has most: more parts than threads would only have more states merged.
    let parts = match grain {
        Grain::Whole => task.parts,
        Grain::Buckets(_) | Grain::Both(_) => task.parts.at_most(task.crew().most),
    };
    let count = task.series.len();
    if parts.count(count) == 1 {
        let (piece, extent) = read_part(task, grain, 0..count, &owner, usize::MAX)?;
        return Ok((Level { pieces: vec![piece] }, extent));
    }
    let parts = split(count, parts, task.crew(), |range, role| {
        let task = task.in_role(role);
        let (piece, extent) = read_part(&task, grain, range, &owner, limits::MAX_MERGED_STATES)?;
        Ok((piece.save(&task)?, extent))
    })?;
    let mut all = Extent::NONE;
    let pieces = parts.into_iter().map(|(piece, extent)| {
        all.absorb(extent);
        piece
    });
    let level = Level::joined(task, pieces.collect())?;
    Ok((level, all))
}

/// Reads the series at these places.
fn read_part<'a>(
    task: &Task<'a>,
    grain: Grain,
    range: Range<usize>,
    owner: &(impl Fn(u32) -> u32 + Sync),
    most_states: usize,
) -> Result<(Piece<'a>, Extent), Stop> {
    let function = &*task.aggregation.function;
    let options = ScanOptions {
        digests: function.accepts_digests(),
        bucket: grain.step(),
        ordered: function.order() != SampleOrder::Any,
        states: task.kept.map(|kept| kept.states()),
    };
    let mut intake = Intake::new(task, grain, task.points_left)?;
    intake.most_states = most_states;
    let first = range.start;
    let series = task.series.get(range).unwrap_or_default();
    task.scan(series, task.range, options, &mut |place, block| {
        intake.block(owner(task.group(first.saturating_add(place))), block)
    })?;
    let Filled { cells, accumulator, extent, charge } = intake.finish()?;
    Ok((Piece { cells, accumulator, charge }, extent))
}

impl<'a> Level<'a> {
    /// Saved pieces in one accumulator.
    pub(super) fn joined(task: &Task<'a>, pieces: Vec<SavedPiece<'a>>) -> Result<Self, Stop> {
        Ok(Self { pieces: join(task, pieces)?.into_iter().collect() })
    }

    pub(super) fn pieces(&mut self) -> &mut [Piece<'a>] {
        &mut self.pieces
    }

    /// Saves the one piece that there is.
    pub(super) fn save<'b>(self, task: &Task<'b>) -> Result<Option<SavedPiece<'b>>, Stop> {
        self.pieces.into_iter().next().map(|piece| piece.save(task)).transpose()
    }

    /// The figure of the metric as a whole: all that is of it is in one piece.
    pub(super) fn total(mut self, task: &Task<'_>, outcome: &mut Outcome) -> Result<(), Stop> {
        for piece in &mut self.pieces {
            let values = piece.values(task)?;
            if let Some(cell) = piece.cells.all().first() {
                outcome.total = figure(cell, &values);
            }
        }
        Ok(())
    }

    /// Adds a piece, as if what is in it came after.
    fn add(&mut self, task: &Task<'_>, piece: Piece<'a>) -> Result<(), Stop> {
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
    pub(super) fn coarser(self, task: &Task<'a>, owner: impl Fn(u32) -> u32 + Sync) -> Result<Self, Stop> {
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
