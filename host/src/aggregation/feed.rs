//! Hands samples to an accumulator in large calls: large blocks as they are, small ones gathered first.

use std::ops::Range;

use telemetry_core::aggregation::{Accumulator, AggregateValue, AggregationError, SampleRun, SeriesDigest};
use telemetry_core::extension::{FailureReason, PluginFailure, SavedState};

use super::registry::BoundAggregation;
use super::stop::Stop;
use super::task::Task;
use crate::query::QueryError;

/// Blocks from this size go to the accumulator without a copy: the price of a plugin's call is then below that of copying.
const LARGE_BLOCK: usize = 512;
/// The same of functions whose accumulators take memory alone: they are called within the process.
const LARGE_NATIVE_BLOCK: usize = 32;
/// Gathered samples that are handed over at once.
const GATHERED: usize = 16_384;

/// Some consecutive samples of a block and their group.
pub(super) type Run = (u32, Range<usize>);

/// An accumulator and the samples on their way to it.
pub(super) struct Feed {
    accumulator: Box<dyn Accumulator>,
    /// Samples of a block that is not gathered.
    large: usize,
    shown: String,
    times: Vec<i64>,
    values: Vec<f64>,
    runs: Vec<(u32, usize)>,
}

impl Feed {
    /// Feeds a new accumulator.
    pub(super) fn new(task: &Task<'_>) -> Result<Self, Stop> {
        Ok(Self {
            accumulator: task.accumulator()?,
            large: if task.has_few_accumulators() { LARGE_BLOCK } else { LARGE_NATIVE_BLOCK },
            shown: task.aggregation.shown.clone(),
            times: Vec::new(),
            values: Vec::new(),
            runs: Vec::new(),
        })
    }

    /// Adds the runs of a block.
    pub(super) fn block(&mut self, runs: &[Run], times: &[i64], values: &[f64]) -> Result<(), QueryError> {
        let slices = runs.iter().filter_map(|(group, range)| {
            let (timestamps, values) = (times.get(range.clone())?, values.get(range.clone())?);
            Some(SampleRun { group: *group, timestamps, values })
        });
        if values.len() >= self.large {
            self.flush()?;
            let mut all = Vec::with_capacity(runs.len());
            all.extend(slices);
            return self.accumulator.update(&all).map_err(|error| failed(&self.shown, error));
        }
        for run in slices {
            self.gather(run.group, run.timestamps, run.values)?;
        }
        Ok(())
    }

    /// Adds one sample.
    pub(super) fn one(&mut self, group: u32, time: i64, value: f64) -> Result<(), QueryError> {
        self.gather(group, &[time], &[value])
    }

    /// Adds a block that is known by its digest.
    pub(super) fn digest(&mut self, group: u32, digest: &SeriesDigest) -> Result<(), QueryError> {
        self.flush()?;
        self.accumulator.update_digest(group, digest).map_err(|error| failed(&self.shown, error))
    }

    /// Merges a state of group 0 into a group. Only for functions that want no order: what is gathered may come later.
    pub(super) fn state(&mut self, group: u32, state: &SavedState) -> Result<(), QueryError> {
        self.accumulator.merge(state, &[group]).map_err(|error| failed(&self.shown, error))
    }

    fn gather(&mut self, group: u32, times: &[i64], values: &[f64]) -> Result<(), QueryError> {
        // A run is in time order where its blocks are: another series' earlier samples begin a run of their own.
        let goes_on = self.times.last() <= times.first();
        self.times.extend_from_slice(times);
        self.values.extend_from_slice(values);
        match self.runs.last_mut() {
            Some((last, end)) if *last == group && goes_on => *end = self.values.len(),
            _ => self.runs.push((group, self.values.len())),
        }
        if self.values.len() >= GATHERED { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), QueryError> {
        if self.runs.is_empty() {
            return Ok(());
        }
        let mut slices = Vec::with_capacity(self.runs.len());
        let mut start = 0;
        for (group, end) in &self.runs {
            if let (Some(timestamps), Some(values)) =
                (self.times.get(start..*end), self.values.get(start..*end))
            {
                slices.push(SampleRun { group: *group, timestamps, values });
            }
            start = *end;
        }
        let outcome = self.accumulator.update(&slices);
        self.times.clear();
        self.values.clear();
        self.runs.clear();
        outcome.map_err(|error| failed(&self.shown, error))
    }

    /// Whether somebody waits for what the accumulator holds.
    pub(super) fn is_wanted(&self) -> bool {
        self.accumulator.is_wanted()
    }

    /// Bytes of the states so far.
    pub(super) fn held_bytes(&self) -> u64 {
        self.accumulator.held_bytes()
    }

    /// The accumulator, after everything was handed over.
    pub(super) fn finish(mut self) -> Result<Box<dyn Accumulator>, QueryError> {
        self.flush()?;
        Ok(self.accumulator)
    }
}

fn failed(shown: &str, error: AggregationError) -> QueryError {
    QueryError::of_aggregation(shown, error)
}

/// The values of `count` groups; fewer or more, or a number that is not finite, breaks the contract of accumulators.
pub(super) fn evaluate(
    accumulator: &mut dyn Accumulator,
    aggregation: &BoundAggregation,
    count: usize,
) -> Result<Vec<AggregateValue>, QueryError> {
    let shown = aggregation.shown.as_str();
    if count == 0 {
        return Ok(Vec::new());
    }
    let values = accumulator.evaluate().map_err(|error| failed(shown, error))?;
    let fault = if values.len() != count {
        format!("{} values for {count} groups", values.len())
    } else if values.iter().any(|value| matches!(value, AggregateValue::Number(n) if !n.is_finite())) {
        "a number that is not finite".to_owned()
    } else {
        return Ok(values);
    };
    let failure = PluginFailure { plugin: shown.to_owned(), reason: FailureReason::Output(fault) };
    Err(failed(shown, failure.into()))
}
