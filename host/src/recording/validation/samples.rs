//! The batches in which validators are given samples: no more than a limit of rows and of bytes, the text of each series once.
//!
//! The series of samples that are judged together are told apart once, for all batches that are made of them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use telemetry_core::limits::{MAX_VALIDATOR_BYTES, MAX_VALIDATOR_ROWS};
use telemetry_core::{AdmittedSample, SampleBatch};

/// Samples that are judged together: whichever of them a validator wants fit one batch. It stands while no series is rewritten.
pub(super) struct SamplePart<'r> {
    /// In rising order.
    rows: &'r [usize],
    /// The number of each row's series; empty where there is one row.
    numbers: Vec<usize>,
    /// How many series there are.
    series: usize,
}

impl<'r> SamplePart<'r> {
    /// The first part of `rows`, which are in rising order, and the rows after it.
    pub(super) fn first(rows: &'r [usize], records: &[AdmittedSample]) -> (Self, &'r [usize]) {
        let (numbers, series) = if rows.len() > 1 { told_apart(rows, records) } else { (Vec::new(), 1) };
        // A row without a record, which there is not, would be passed over, so that there is an end.
        let (rows, after) = rows.split_at_checked(numbers.len().max(1)).unwrap_or((rows, &[]));
        (Self { rows, numbers, series }, after)
    }

    pub(super) fn rows(&self) -> &'r [usize] {
        self.rows
    }

    /// Those of its samples that are in `rows`, packed; these are in rising order, too.
    pub(super) fn batch(&self, rows: &[usize], records: &[AdmittedSample]) -> SampleBatch {
        let mut batch = SampleBatch::default();
        if let [row] = rows {
            if let Some(sample) = records.get(*row) {
                push(&mut batch, sample, &mut None);
            }
            return batch;
        }
        // The number of each of the part's series in the batch.
        let mut own = vec![None; self.series];
        let mut numbered = self.rows.iter().zip(&self.numbers);
        for &row in rows {
            let Some((_, &series)) = numbered.find(|&(&known, _)| known == row) else { break };
            if let (Some(sample), Some(number)) = (records.get(row), own.get_mut(series)) {
                push(&mut batch, sample, number);
            }
        }
        batch
    }
}

/// The number of each row's series, for as many of the first rows as fit a batch, and the number of these series.
fn told_apart(rows: &[usize], records: &[AdmittedSample]) -> (Vec<usize>, usize) {
    let mut known = HashMap::new();
    let mut numbers = Vec::with_capacity(rows.len().min(MAX_VALIDATOR_ROWS));
    let mut room = MAX_VALIDATOR_BYTES;
    for &row in rows.iter().take(MAX_VALIDATOR_ROWS) {
        let Some(series) = records.get(row).map(AdmittedSample::series) else { break };
        let next = known.len();
        let number = match known.entry(series) {
            Entry::Occupied(number) => *number.get(),
            Entry::Vacant(new) => {
                // The text of a series stands in a batch once.
                let left = room.checked_sub(series.name.len().saturating_add(series.context.as_str().len()));
                if left.is_none() && !numbers.is_empty() {
                    break;
                }
                room = left.unwrap_or_default();
                *new.insert(next)
            }
        };
        numbers.push(number);
    }
    (numbers, known.len())
}

/// Adds a sample, and its series where that has no `number` yet.
fn push(batch: &mut SampleBatch, sample: &AdmittedSample, number: &mut Option<u32>) {
    let series = sample.series();
    let number = *number.get_or_insert_with(|| batch.add_series(&series.name, series.context.as_str()));
    // Text has no number to judge, but its context must meet the validators all the same.
    batch.push(number, sample.timestamp().nanos(), sample.value().as_f64().unwrap_or(f64::NAN));
}
