//! Runs an aggregation.

use std::sync::Arc;

use serde_json::{Value, json};
use telemetry_core::SampleBatch;
use telemetry_core::aggregation::{
    Accumulator, AggregateValue, Aggregation, AggregationError, AggregationSpec, SampleRun,
};
use telemetry_sandbox::PluginKind;

use super::validator::series;
use super::{Bench, Outcome, RunError, failure, last, numbered, wrong_step};
use crate::case::{Case, Step};

/// How far values that were merged from parts may be from those of the whole, relatively: sums of floats depend on their order.
const MERGED_TOLERANCE: f64 = 1e-9;

/// Aggregates the case's samples, and halves of them, which are then merged, with a copy of the plugin.
pub(super) fn run(bench: &Bench, copy: &Bench, case: &Case) -> Result<Outcome, RunError> {
    let mut outcome = Outcome::of(Vec::new());
    for (number, step) in numbered(case) {
        let Step::Aggregate { function, samples } = step else {
            return Err(wrong_step(number, PluginKind::Aggregator));
        };
        for bench in [bench, copy] {
            bench.at(last(samples.timestamps()).unwrap_or_default());
        }
        let mut document =
            json!({"step": number, "samples": samples.len(), "aggregate": function.to_string()});
        match values(bench, copy, function, samples) {
            Ok((values, breach)) => {
                document["values"] = (0..)
                    .zip(&values)
                    .map(|(group, found)| {
                        let mut line = series(samples, group);
                        line["value"] = value(found);
                        line
                    })
                    .collect();
                outcome.breaches.extend(breach.map(|breach| format!("step {number}: {breach}")));
            }
            Err(error) => document["failure"] = refusal(&error),
        }
        outcome.steps.push(document);
    }
    Ok(outcome)
}

/// Values by series, and how they differ when the samples are split and their states merged.
fn values(
    bench: &Bench,
    copy: &Bench,
    function: &AggregationSpec,
    samples: &SampleBatch,
) -> Result<(Vec<AggregateValue>, Option<String>), AggregationError> {
    let aggregation = found(bench, function)?;
    let columns = Columns::of(samples, aggregation.needs_timestamps());
    let mut whole = aggregation.accumulator()?;
    columns.update(&mut *whole, 0, usize::MAX)?;
    let values = whole.evaluate()?;
    if !aggregation.mergeable() || samples.len() < 2 {
        return Ok((values, None));
    }
    let merged = merged(&found(copy, function)?, &columns)?;
    let differ =
        values.len() != merged.len() || values.iter().zip(&merged).any(|(one, other)| !same(one, other));
    let breach = differ.then(|| {
        format!(
            "it says that its states merge, but halves that were saved and merged give {} and not {}",
            shown(&merged),
            shown(&values)
        )
    });
    Ok((values, breach))
}

fn found(bench: &Bench, function: &AggregationSpec) -> Result<Arc<dyn Aggregation>, AggregationError> {
    let unknown = || AggregationError::Unsupported { name: function.name.clone(), reason: None };
    let source = bench.plugin.aggregations().ok_or_else(unknown)?;
    source.find(&function.name, &function.parameters).ok_or_else(unknown)?
}

fn merged(
    aggregation: &Arc<dyn Aggregation>,
    columns: &Columns,
) -> Result<Vec<AggregateValue>, AggregationError> {
    let groups: Vec<u32> = (0..).take(columns.groups.len()).collect();
    let mut states = Vec::new();
    // Of an aggregation there is one instance here, and an accumulator holds it.
    for half in 0..2 {
        let mut part = aggregation.accumulator()?;
        columns.update(&mut *part, half, 2)?;
        states.push(part.save()?);
    }
    let mut whole = aggregation.accumulator()?;
    for state in states {
        whole.merge(&state, &groups)?;
    }
    whole.evaluate()
}

/// The samples of each series, in time order.
struct Columns {
    groups: Vec<(Vec<i64>, Vec<f64>)>,
    needs_timestamps: bool,
}

impl Columns {
    fn of(samples: &SampleBatch, needs_timestamps: bool) -> Self {
        let mut groups = vec![Vec::new(); samples.series_count()];
        for sample in samples.rows() {
            // Text samples never reach an aggregation.
            if let Some(group) = groups.get_mut(sample.series as usize).filter(|_| !sample.value.is_nan()) {
                group.push((sample.timestamp, sample.value));
            }
        }
        let sorted = groups.into_iter().map(|mut group: Vec<(i64, f64)>| {
            group.sort_by_key(|(timestamp, _)| *timestamp);
            group.into_iter().unzip()
        });
        Self { groups: sorted.collect(), needs_timestamps }
    }

    /// Adds each group's part `number` of as many as there are; all of it when `parts` is the largest number.
    fn update(
        &self,
        accumulator: &mut dyn Accumulator,
        number: usize,
        parts: usize,
    ) -> Result<(), AggregationError> {
        let mut runs = Vec::new();
        for (group, (timestamps, values)) in (0..).zip(&self.groups) {
            let range = if parts == usize::MAX {
                0..values.len()
            } else {
                values.len() * number / parts..values.len() * (number + 1) / parts
            };
            let timestamps =
                if self.needs_timestamps { timestamps.get(range.clone()).unwrap_or_default() } else { &[] };
            runs.push(SampleRun { group, timestamps, values: values.get(range).unwrap_or_default() });
        }
        accumulator.update(&runs)
    }
}

fn value(value: &AggregateValue) -> Value {
    match value {
        AggregateValue::None => Value::Null,
        AggregateValue::Number(number) => json!(number),
        AggregateValue::Json(json) => (**json).clone(),
    }
}

fn shown(values: &[AggregateValue]) -> String {
    Value::Array(values.iter().map(value).collect()).to_string()
}

fn same(one: &AggregateValue, other: &AggregateValue) -> bool {
    match (one, other) {
        (AggregateValue::Number(one), AggregateValue::Number(other)) => {
            (one - other).abs() <= MERGED_TOLERANCE * one.abs().max(other.abs())
        }
        _ => one == other,
    }
}

fn refusal(error: &AggregationError) -> Value {
    match error {
        AggregationError::Plugin(reason) => failure(reason),
        other => json!({"kind": "refused", "message": other.to_string()}),
    }
}
