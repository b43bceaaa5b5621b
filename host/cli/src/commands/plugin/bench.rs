//! `plugin bench`.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use telemetry_toolkit::{BenchError, BenchReport, Project, baseline_of, measure, regressions};

use super::settings_json;
use crate::arguments::{Bench, Shared};
use crate::exit::{Exit, Failure};
use crate::output::{line, one_line, table};

pub(super) fn execute(arguments: &Bench, shared: &Shared) -> Result<Exit, Failure> {
    let (component, cases) = component(&arguments.plugin)?;
    let settings = settings_json(arguments.settings.as_deref())?.unwrap_or(Value::Null);
    let baseline = arguments.baseline.as_deref().map(baseline_of).transpose().map_err(Failure::usage)?;
    let measured = measure(&component, &settings, cases.as_deref()).map_err(|error| match error {
        BenchError::Load(_) | BenchError::Case(_) => Failure::usage(error),
        _ => Failure::refused(error),
    })?;
    let BenchReport { measurements, left_out } = &measured;
    if let Some(file) = &arguments.save_baseline {
        let text = serde_json::to_string_pretty(measurements).unwrap_or_default();
        std::fs::write(file, text + "\n").map_err(|error| {
            Failure::refused(anyhow::Error::new(error).context(file.display().to_string()))
        })?;
    }
    let worse = baseline
        .map(|baseline| regressions(&baseline, measurements, arguments.threshold, arguments.time_threshold))
        .unwrap_or_default();
    if shared.json {
        let status = if worse.is_empty() { "success" } else { "error" };
        let body = json!({
            "status": status, "measurements": measurements, "left_out": left_out, "regressions": worse,
        });
        line(&body.to_string());
    } else {
        show(&measured);
        for found in &worse {
            line(&format!(
                "worse: {}: {} {:.0}, was {:.0}: +{:.1} %",
                one_line(&found.name),
                found.figure,
                found.now,
                found.before,
                found.percent
            ));
        }
    }
    Ok(if worse.is_empty() { Exit::Done } else { Exit::Refused })
}

/// The component, and where the test cases of its project are.
fn component(plugin: &Path) -> Result<(PathBuf, Option<PathBuf>), Failure> {
    if plugin.is_file() {
        return Ok((plugin.to_owned(), None));
    }
    let project = Project::open(plugin).map_err(Failure::usage)?;
    Ok((project.built_component().map_err(Failure::usage)?, Some(project.cases())))
}

fn show(measured: &BenchReport) {
    table(
        ["WHAT", "PER", "FUEL", "TIME"],
        measured.measurements.iter().map(|figure| {
            [
                one_line(&figure.name),
                figure.per.clone(),
                format!("{:.1}", figure.fuel),
                time(figure.nanoseconds),
            ]
        }),
    );
    for left_out in &measured.left_out {
        line(&format!("left out: {}: {}", one_line(&left_out.function), one_line(&left_out.reason)));
    }
}

fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        small if small < 10_000.0 => format!("{small:.1} ns"),
        middle if middle < 10_000_000.0 => format!("{:.1} µs", middle / 1e3),
        large => format!("{:.1} ms", large / 1e6),
    }
}
