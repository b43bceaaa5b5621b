//! Runs a plugin on a test case, in the sandbox that hosts use, repeatably.
#![allow(clippy::indexing_slicing, reason = "a JSON object that is made here takes any key")]

mod aggregation;
mod monitor;
mod ports;
mod sink;
mod validator;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value, json};
use telemetry_core::extension::PluginFailure;
use telemetry_core::{ManualClock, Timestamp};
use telemetry_sandbox::{
    Component, Execution, LoadError, Plugin, PluginKind, PluginLimits, PluginSpec, Ports, Sandbox,
    SandboxError, SandboxOptions, Secrets,
};

use crate::cache::code_cache;
use crate::case::{Case, Step};
pub(crate) use monitor::signal;
pub(crate) use ports::KeyValues;
use ports::{Queries, RecordedHttp};

/// What a plugin did with a case.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// What came out of each step, in order; what is compared with the expected result.
    pub steps: Vec<Value>,
    /// The plugin's own counters at the end.
    pub counters: Map<String, Value>,
    /// Calls of the plugin.
    pub calls: u64,
    /// Fuel that they burnt.
    pub fuel: u64,
    /// Where the plugin breaks its contract, each in words: a batch that was split is judged otherwise, a restart is seen.
    pub breaches: Vec<String>,
}

/// A case could not be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The runtime could not be started.
    #[error("the plugin runtime could not be started")]
    Sandbox(#[from] SandboxError),
    /// The component cannot be used, or not with this configuration.
    #[error("the plugin cannot be loaded")]
    Load(#[from] LoadError),
    /// The monitor could not be started.
    #[error("the plugin did not start")]
    Start(#[from] PluginFailure),
    /// A step is for another kind of plugin.
    #[error("step {step} is not for a {kind}: {remedy}")]
    Step {
        /// Its number.
        step: usize,
        /// What the plugin is.
        kind: PluginKind,
        /// What it can be shown.
        remedy: &'static str,
    },
}

/// A plugin loaded for one run, with what surrounds it.
pub(crate) struct Bench {
    pub(crate) plugin: Plugin,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) http: Arc<RecordedHttp>,
    pub(crate) key_values: Arc<KeyValues>,
    _sandbox: Sandbox,
}

/// Runs `component` on a case, and a copy of it with batches split or state handed over, where that must change nothing. Counters, calls
/// and fuel are those of the case alone.
pub fn run_case(component: &Path, name: &str, case: &Case) -> Result<Outcome, RunError> {
    let bench = Bench::new(component, name, case)?;
    let another = || Bench::new(component, name, case);
    let mut outcome = match bench.plugin.info().kind {
        PluginKind::Validator => validator::run(&bench, &another()?, case)?,
        PluginKind::Aggregator => aggregation::run(&bench, &another()?, case)?,
        PluginKind::Monitor => {
            let mut outcome = monitor::run(&bench, case, false)?;
            let again = monitor::run(&another()?, case, true)?;
            outcome.breaches.extend(monitor::breach(&outcome, &again));
            outcome
        }
        PluginKind::Sink => sink::run(&bench, case)?,
    };
    let status = bench.plugin.status();
    outcome.counters = status.counters.iter().map(|(name, value)| (name.clone(), number(*value))).collect();
    (outcome.calls, outcome.fuel) = (status.calls, status.fuel_used);
    Ok(outcome)
}

/// A counter's value: without a point where it is whole, as in the answers to queries.
fn number(value: f64) -> Value {
    let value = Value::from(value);
    let whole = value.to_string().strip_suffix(".0").and_then(|digits| digits.parse::<i64>().ok());
    whole.map_or(value, Value::from)
}

impl Outcome {
    fn of(steps: Vec<Value>) -> Self {
        Self { steps, counters: Map::new(), calls: 0, fuel: 0, breaches: Vec::new() }
    }

    /// The part that is compared with the expected result.
    pub fn to_json(&self) -> Value {
        let mut document = Map::new();
        document.insert("steps".to_owned(), Value::Array(self.steps.clone()));
        if !self.counters.is_empty() {
            document.insert("counters".to_owned(), Value::Object(self.counters.clone()));
        }
        Value::Object(document)
    }
}

impl Bench {
    fn new(component: &Path, name: &str, case: &Case) -> Result<Self, RunError> {
        let clock = Arc::new(ManualClock::at(case.start));
        let http = Arc::new(RecordedHttp::default());
        let key_values = Arc::new(KeyValues::default());
        let ports = Ports {
            key_value: Arc::clone(&key_values) as _,
            query: Arc::new(Queries::new(case.query_answers.clone())),
        };
        let options = SandboxOptions { http: Some(Arc::clone(&http) as _), ..repeatable() };
        let sandbox = Sandbox::new(options, ports, Arc::clone(&clock) as _)?;
        let mut spec = PluginSpec::new(name, Component::File(component.to_owned()));
        spec.config = case.config.clone();
        spec.grants = case.grants.clone();
        // A case must show what is sent without holding a secret.
        let secrets = case.grants.secrets.iter();
        spec.secrets = Secrets::from_iter(secrets.map(|name| (name.clone(), format!("<secret {name}>"))));
        spec.limits = PluginLimits::default();
        let plugin = sandbox.load(spec)?;
        Ok(Self { plugin, clock, http, key_values, _sandbox: sandbox })
    }

    /// The plugin sees this time.
    pub(crate) fn at(&self, now: Timestamp) {
        self.clock.jump_to(now);
    }
}

/// Options under which a run is the same every time.
pub(crate) fn repeatable() -> SandboxOptions {
    SandboxOptions {
        cache_directory: code_cache(),
        instances_per_plugin: std::num::NonZeroU32::new(1),
        execution: Execution::Repeatable,
        ..SandboxOptions::default()
    }
}

/// The ports of a plugin that has nothing but itself.
pub(crate) fn bare_ports() -> Ports {
    Ports { key_value: Arc::new(KeyValues::default()), query: Arc::new(Queries::new(Vec::new())) }
}

/// A failure as it stands in a result: without what depends on the machine.
pub(crate) fn failure(failure: &PluginFailure) -> Value {
    json!({"kind": failure.reason.kind(), "message": failure.reason.to_string()})
}

fn wrong_step(step: usize, kind: PluginKind) -> RunError {
    let remedy = match kind {
        PluginKind::Validator => "it is shown events, samples or records",
        PluginKind::Aggregator => "give `samples` with `aggregate = \"name(parameter=1)\"`",
        PluginKind::Monitor => "it is shown events, samples, records, tick or restart = true",
        PluginKind::Sink => "it is given alerts",
    };
    RunError::Step { step, kind, remedy }
}

/// The last time of a batch.
fn last(timestamps: &[i64]) -> Option<Timestamp> {
    timestamps.last().copied().map(Timestamp::from_nanos)
}

/// A file's path as a plugin's name, where nothing better is known.
pub fn name_of(component: &Path) -> String {
    PathBuf::from(component).file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Steps with their numbers, from 1.
fn numbered(case: &Case) -> impl Iterator<Item = (usize, &Step)> {
    (1..).zip(&case.steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_have_no_point() {
        let check = |value: f64, text: &str| assert_eq!(number(value).to_string(), text);
        check(5.0, "5");
        check(-0.0, "0");
        check(0.5, "0.5");
        check(1e300, "1e+300");
    }
}
