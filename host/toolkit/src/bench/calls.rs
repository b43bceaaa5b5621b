//! How an aggregation's functions are called while they are measured: without parameters where that is possible, else with those
//! of a test case.

use std::path::Path;

use serde::Serialize;
use telemetry_core::aggregation::{AggregationError, AggregationSpec};
use telemetry_sandbox::Plugin;

use super::BenchError;
use super::load::accumulator;
use crate::case::{Case, Step};

/// A function that could not be measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The aggregate function.
    pub function: String,
    /// Why, and what to do about it.
    pub reason: String,
}

/// Each function of the plugin as it can be called, and those that cannot.
pub(super) fn calls(
    plugin: &Plugin,
    cases: Option<&Path>,
) -> Result<(Vec<AggregationSpec>, Vec<LeftOut>), BenchError> {
    let (mut calls, mut left_out, mut tested) = (Vec::new(), Vec::new(), None);
    for aggregate in &plugin.info().aggregates {
        let bare = AggregationSpec::named(&aggregate.name);
        let Some(refusal) = refusal(plugin, &bare)? else {
            calls.push(bare);
            continue;
        };
        // Read only where they are needed: a case that is malformed is for `plugin test` to tell.
        if tested.is_none() {
            tested = Some(tested_calls(cases)?);
        }
        match with_parameters(plugin, &aggregate.name, tested.as_deref().unwrap_or_default())? {
            Some(call) => calls.push(call),
            None => left_out.push(LeftOut {
                function: aggregate.name.clone(),
                reason: format!(
                    "it cannot be called without parameters ({refusal}); write a test case that gives some, and measure the project"
                ),
            }),
        }
    }
    Ok((calls, left_out))
}

/// The first of the tested calls of a function that it takes.
fn with_parameters(
    plugin: &Plugin,
    name: &str,
    tested: &[AggregationSpec],
) -> Result<Option<AggregationSpec>, BenchError> {
    for call in tested.iter().filter(|call| call.name.eq_ignore_ascii_case(name)) {
        if refusal(plugin, call)?.is_none() {
            return Ok(Some(AggregationSpec { name: name.to_owned(), ..call.clone() }));
        }
    }
    Ok(None)
}

/// Why a function does not take these parameters; `None` when it does.
fn refusal(plugin: &Plugin, call: &AggregationSpec) -> Result<Option<String>, BenchError> {
    match accumulator(plugin, call) {
        Ok(_) => Ok(None),
        Err(AggregationError::Unsupported { reason, .. }) => Ok(Some(reason.unwrap_or_default())),
        Err(error) => Err(error.into()),
    }
}

/// All calls of functions in the test cases, in their order.
fn tested_calls(cases: Option<&Path>) -> Result<Vec<AggregationSpec>, BenchError> {
    let cases = cases.map_or(Ok(Vec::new()), Case::all)?;
    let steps = cases.into_iter().flat_map(|case| case.steps);
    let functions = steps.filter_map(|step| match step {
        Step::Aggregate { function, .. } => Some(function),
        _ => None,
    });
    Ok(functions.collect())
}
