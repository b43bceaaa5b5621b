//! What a plugin costs: fuel, which is the same on every machine, and time, which is not; compared with a saved baseline.

mod calls;
mod load;

use std::path::Path;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use telemetry_core::aggregation::AggregationError;
use telemetry_core::extension::PluginFailure;
use telemetry_sandbox::{Execution, LoadError, Plugin, PluginKind, PluginSpec, Sandbox, SandboxError};

use crate::case::CaseError;
use crate::run::{bare_ports, name_of, repeatable};
pub use calls::LeftOut;
use load::Load;

/// Time for which one figure is measured.
const MEASURING_TIME: Duration = Duration::from_millis(300);
/// Rounds of one figure at least, and at most.
const ROUNDS: std::ops::RangeInclusive<usize> = 5..=10_000;

/// What one thing costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// What is done, such as `1000 events a call`.
    pub name: String,
    /// What the figures are for: `event`, `sample`, `value`, `call`, `alert`, `start`.
    pub per: String,
    /// Fuel for each.
    pub fuel: f64,
    /// Nanoseconds for each, the median of many rounds.
    pub nanoseconds: f64,
}

/// What a plugin costs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BenchReport {
    /// The figures.
    pub measurements: Vec<Measurement>,
    /// Aggregate functions that could not be measured.
    pub left_out: Vec<LeftOut>,
}

/// A figure that became worse.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Regression {
    /// What is done.
    pub name: String,
    /// `fuel` or `nanoseconds`.
    pub figure: &'static str,
    /// What it was.
    pub before: f64,
    /// What it is.
    pub now: f64,
    /// By how much it grew, in percent.
    pub percent: f64,
}

/// A plugin could not be measured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// The runtime could not be started.
    #[error("the plugin runtime could not be started")]
    Sandbox(#[from] SandboxError),
    /// The component cannot be used, or not with this configuration.
    #[error("the plugin cannot be loaded")]
    Load(#[from] LoadError),
    /// A call failed.
    #[error("a call failed while it was measured")]
    Call(#[from] PluginFailure),
    /// An aggregation failed.
    #[error("a call failed while it was measured")]
    Aggregation(#[from] AggregationError),
    /// A test case cannot be read, whose parameters are wanted.
    #[error("a function's parameters cannot be taken from the test cases")]
    Case(#[from] CaseError),
    /// A baseline cannot be read.
    #[error("{} is no baseline: {reason}", path.display())]
    Baseline {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// Measures a component with a configuration. Aggregate functions that need parameters get those of a test case, where there is a
/// folder of them.
pub fn measure(
    component: &Path,
    config: &serde_json::Value,
    cases: Option<&Path>,
) -> Result<BenchReport, BenchError> {
    let counting = loaded(component, config, Execution::Repeatable)?;
    let timing = loaded(component, config, Execution::Fast)?;
    let mut measurements = vec![start(component, config, &counting.plugin)?];
    // Asked of the one whose fuel does not count.
    let (functions, left_out) = calls::calls(&timing.plugin, cases)?;
    for load in Load::all(&counting.plugin, functions) {
        let fuel = fuel(&counting.plugin, &load)?;
        let nanoseconds = time(&timing.plugin, &load)?;
        measurements.push(Measurement {
            name: load.name(),
            per: load.per().to_owned(),
            fuel: per(fuel, load.count()),
            nanoseconds: nanoseconds / count(load.count()),
        });
    }
    Ok(BenchReport { measurements, left_out })
}

/// A plugin in a sandbox.
struct Loaded {
    plugin: Plugin,
    _sandbox: Sandbox,
}

fn loaded(component: &Path, config: &serde_json::Value, execution: Execution) -> Result<Loaded, BenchError> {
    let options = telemetry_sandbox::SandboxOptions { execution, ..repeatable() };
    let clock = std::sync::Arc::new(telemetry_core::SystemClock::default());
    let sandbox = Sandbox::new(options, bare_ports(), clock)?;
    let plugin = sandbox.load(spec(component, config))?;
    Ok(Loaded { plugin, _sandbox: sandbox })
}

fn spec(component: &Path, config: &serde_json::Value) -> PluginSpec {
    let component_file = telemetry_sandbox::Component::File(component.to_owned());
    let mut spec = PluginSpec::new(name_of(component), component_file).with_config(config.clone());
    // Nothing is to be left out while it is measured, whatever else the machine has to do.
    spec.limits.deadline_ms = 60_000;
    spec
}

/// Describing and starting an instance of compiled code.
fn start(component: &Path, config: &serde_json::Value, counted: &Plugin) -> Result<Measurement, BenchError> {
    let timing = loaded(component, config, Execution::Fast)?;
    let mut rounds = Vec::new();
    for _ in 0..*ROUNDS.start() {
        let began = Instant::now();
        let plugin = timing._sandbox.load(spec(component, config))?;
        rounds.push(began.elapsed());
        drop(plugin);
    }
    Ok(Measurement {
        name: "load, describe and start, with the code compiled before".to_owned(),
        per: "start".to_owned(),
        fuel: per(counted.status().fuel_used, 1),
        nanoseconds: median(rounds),
    })
}

/// Fuel of one round after a first one that fills the plugin's own caches.
fn fuel(plugin: &Plugin, load: &Load) -> Result<u64, BenchError> {
    let mut runner = load.runner(plugin)?;
    runner.round()?;
    let before = plugin.status().fuel_used;
    runner.round()?;
    Ok(plugin.status().fuel_used.saturating_sub(before))
}

fn time(plugin: &Plugin, load: &Load) -> Result<f64, BenchError> {
    let mut runner = load.runner(plugin)?;
    runner.round()?;
    let until = Instant::now() + MEASURING_TIME;
    let mut rounds = Vec::new();
    while rounds.len() < *ROUNDS.start() || (Instant::now() < until && rounds.len() < *ROUNDS.end()) {
        let began = Instant::now();
        runner.round()?;
        rounds.push(began.elapsed());
    }
    Ok(median(rounds))
}

fn median(mut rounds: Vec<Duration>) -> f64 {
    rounds.sort();
    rounds.get(rounds.len() / 2).map_or(0.0, Duration::as_secs_f64) * 1e9
}

#[allow(clippy::cast_precision_loss, reason = "figures for people; beyond 2^53 a unit is nothing")]
fn per(fuel: u64, rows: usize) -> f64 {
    fuel as f64 / count(rows)
}

#[allow(clippy::cast_precision_loss, reason = "figures for people; beyond 2^53 a unit is nothing")]
fn count(rows: usize) -> f64 {
    rows.max(1) as f64
}

/// Reads a baseline that was saved.
pub fn baseline_of(path: &Path) -> Result<Vec<Measurement>, BenchError> {
    let failed = |reason: String| BenchError::Baseline { path: path.to_owned(), reason };
    let bytes = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    serde_json::from_slice(&bytes).map_err(|error| failed(error.to_string()))
}

/// The figures that grew by more than so many percent; time is compared only where a threshold for it is given.
pub fn regressions(
    baseline: &[Measurement],
    now: &[Measurement],
    fuel_percent: f64,
    time_percent: Option<f64>,
) -> Vec<Regression> {
    let mut found = Vec::new();
    for new in now {
        let Some(old) = baseline.iter().find(|old| old.name == new.name) else { continue };
        let figures = [
            ("fuel", old.fuel, new.fuel, Some(fuel_percent)),
            ("nanoseconds", old.nanoseconds, new.nanoseconds, time_percent),
        ];
        for (figure, before, now, threshold) in figures {
            let percent = if before > 0.0 { (now / before - 1.0) * 100.0 } else { 0.0 };
            if threshold.is_some_and(|threshold| percent > threshold) {
                found.push(Regression { name: new.name.clone(), figure, before, now, percent });
            }
        }
    }
    found
}

/// Whether a kind can be measured without further input.
const fn rows_of(kind: PluginKind) -> &'static str {
    match kind {
        PluginKind::Validator | PluginKind::Monitor => "event",
        PluginKind::Aggregator => "value",
        PluginKind::Sink => "alert",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(fuel: f64, nanoseconds: f64) -> Vec<Measurement> {
        vec![Measurement { name: "x".to_owned(), per: "event".to_owned(), fuel, nanoseconds }]
    }

    #[test]
    fn only_what_grew_beyond_the_threshold_is_told() {
        let before = measured(100.0, 100.0);
        assert_eq!(regressions(&before, &measured(104.0, 900.0), 5.0, None), []);
        let worse = regressions(&before, &measured(106.0, 160.0), 5.0, Some(50.0));
        let figures: Vec<_> = worse.iter().map(|found| (found.figure, found.percent.round())).collect();
        assert_eq!(figures, [("fuel", 6.0), ("nanoseconds", 60.0)]);
        assert_eq!(regressions(&[], &measured(1.0, 1.0), 5.0, Some(1.0)), []);
    }
}
