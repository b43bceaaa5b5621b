//! `plugin test`.

use serde_json::json;
use telemetry_toolkit::{Suite, TestError, TestResult, name_of, test};

use crate::arguments::{Shared, Test};
use crate::exit::{Exit, Failure};
use crate::output::{line, printable};

pub(super) fn execute(arguments: &Test, shared: &Shared) -> Result<Exit, Failure> {
    let report = match &arguments.component {
        None => test(&arguments.directory, &arguments.case, arguments.bless),
        Some(component) => {
            let suite = Suite {
                component: component.clone(),
                name: name_of(component),
                cases: arguments.directory.join("tests"),
                grants: Default::default(),
            };
            suite.run(&arguments.case, arguments.bless)
        }
    };
    let report = report.map_err(|error| match error {
        TestError::Write { .. } => Failure::refused(error),
        _ => Failure::usage(error),
    })?;
    let passed = report.passed();
    if shared.json {
        let status = if passed { "success" } else { "error" };
        line(&json!({"status": status, "results": report.results}).to_string());
    } else {
        report.results.iter().for_each(show);
        let failed = report.results.iter().filter(|result| !result.passed).count();
        line(&format!("{} cases, {failed} failed", report.results.len()));
    }
    Ok(if passed { Exit::Done } else { Exit::Refused })
}

fn show(result: &TestResult) {
    let word = match (result.passed, result.blessed) {
        (true, false) => "ok",
        (true, true) => "blessed",
        (false, _) => "FAILED",
    };
    line(&format!("{word}  {}  ({} calls, {} of fuel)", result.name, result.calls, result.fuel));
    let told = result.error.iter().chain(&result.difference).chain(&result.breaches);
    for text in told {
        for part in text.lines() {
            line(&format!("    {}", printable(part)));
        }
    }
}
