//! Several series as one, merged by time in bounded memory.
//!
//! The series are surveyed by their digests first; then the range is read in slices that hold about as many samples as fit,
//! each sorted by time, then by series, then by arrival.

use telemetry_core::{ScanBlock, ScanOptions, TimeRange, Timestamp};

use super::intake::{Extent, Intake};
use super::stop::Stop;
use super::task::Task;
use crate::query::QueryError;

/// Reads the series into `intake` as samples of `owner`, in time order.
pub(super) fn read(task: &Task<'_>, series: &[u32], intake: &mut Intake<'_>, owner: u32) -> Result<(), Stop> {
    let ordered = ScanOptions { ordered: true, ..ScanOptions::default() };
    if let [_] = series {
        return task.scan(series, task.range, ordered, &mut |_, block| intake.block(owner, block));
    }
    let survey = survey(task, series, intake, owner)?;
    if survey.samples == 0 {
        return Ok(());
    }
    let Extent { first, last } = survey.extent;
    // Slices are meant to be a quarter full: samples are seldom spread evenly.
    let slice = task.merged_samples / 4 + 1;
    let slices = i64::try_from(survey.samples.div_ceil(slice as u64)).unwrap_or(i64::MAX);
    let mut width = (last.saturating_sub(first) / slices).saturating_add(1);
    let mut held = Vec::new();
    let mut from = first;
    loop {
        let to = from.saturating_add(width - 1).min(last);
        if !gather(task, series, from, to, &mut held)? {
            if width == 1 {
                return Err(too_many_at_once(task.merged_samples).into());
            }
            width = width / 2 + width % 2;
            continue;
        }
        pass_on(&mut held, intake, owner)?;
        if to >= last {
            return Ok(());
        }
        from = to.saturating_add(1);
        if held.len() < slice / 4 {
            width = width.saturating_mul(2);
        }
    }
}

struct Survey {
    samples: u64,
    extent: Extent,
}

/// Counts the numeric samples without decoding what need not be; takes the text samples in on the way.
fn survey(task: &Task<'_>, series: &[u32], intake: &mut Intake<'_>, owner: u32) -> Result<Survey, Stop> {
    let mut survey = Survey { samples: 0, extent: Extent::NONE };
    let options = ScanOptions { digests: true, ..ScanOptions::default() };
    task.scan(series, task.range, options, &mut |_, block| {
        match block {
            ScanBlock::Digest(digest) => {
                survey.samples = survey.samples.saturating_add(digest.count);
                let (first, last) = (digest.first_time.nanos(), digest.last_time.nanos());
                survey.extent.absorb(Extent { first, last });
            }
            // Not asked for: states have no order.
            ScanBlock::State(_) => {}
            ScanBlock::Samples { timestamps, .. } => {
                survey.samples = survey.samples.saturating_add(timestamps.len() as u64);
                survey.extent.absorb(Extent::of(timestamps));
            }
            ScanBlock::Text { timestamps } => intake.text(owner, timestamps)?,
        }
        Ok(())
    })?;
    Ok(survey)
}

/// A sample of one of the series.
type Held = (i64, usize, f64);

/// Reads a slice in time order; false when it is more than may be held.
fn gather(task: &Task<'_>, series: &[u32], from: i64, to: i64, held: &mut Vec<Held>) -> Result<bool, Stop> {
    held.clear();
    let range = TimeRange::between(Timestamp::from_nanos(from), Timestamp::from_nanos(to));
    let options = ScanOptions { ordered: true, ..ScanOptions::default() };
    let mut fits = true;
    // A full slice ends its scan early by an error of its own, which never leaves this function.
    let scanned = task.scan(series, range, options, &mut |place, block| {
        if let ScanBlock::Samples { timestamps, values } = block {
            fits = held.len().saturating_add(values.len()) <= task.merged_samples;
            if !fits {
                return Err(too_many_at_once(task.merged_samples).into());
            }
            held.extend(timestamps.iter().zip(values).map(|(time, value)| (*time, place, *value)));
        }
        Ok(())
    });
    if !fits {
        return Ok(false);
    }
    scanned?;
    // Stable: what is of one instant and one series stays in the order of arrival.
    held.sort_by_key(|(time, place, _)| (*time, *place));
    Ok(true)
}

fn pass_on(held: &mut [Held], intake: &mut Intake<'_>, owner: u32) -> Result<(), Stop> {
    const AT_ONCE: usize = 4096;
    let (mut times, mut values) = (Vec::with_capacity(AT_ONCE), Vec::with_capacity(AT_ONCE));
    for part in held.chunks(AT_ONCE) {
        times.clear();
        values.clear();
        times.extend(part.iter().map(|(time, _, _)| *time));
        values.extend(part.iter().map(|(_, _, value)| *value));
        intake.block(owner, ScanBlock::Samples { timestamps: &times, values: &values })?;
    }
    Ok(())
}

fn too_many_at_once(limit: usize) -> QueryError {
    QueryError::TooLarge {
        what: "samples of one instant",
        limit: limit as u64,
        remedy: "ask for fewer series",
    }
}
