//! `plugin check`.

use std::path::Path;

use serde_json::json;
use telemetry_toolkit::{CheckError, CheckReport, Severity, check};

use crate::arguments::Shared;
use crate::exit::{Exit, Failure};
use crate::output::{line, one_line};

pub(super) fn execute(plugin: &Path, shared: &Shared) -> Result<Exit, Failure> {
    let report = check(plugin).map_err(|error| match error {
        CheckError::Project(_) => Failure::usage(error),
        _ => Failure::refused(error),
    })?;
    let exit = if report.is_sound() { Exit::Done } else { Exit::Refused };
    if shared.json {
        let status = if report.is_sound() { "success" } else { "error" };
        line(&json!({"status": status, "check": report}).to_string());
    } else {
        show(&report);
    }
    Ok(exit)
}

fn show(report: &CheckReport) {
    for finding in &report.findings {
        let word = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        line(&format!("{word}: {}: {}", finding.part, one_line(&finding.message)));
    }
    let Some(info) = &report.info else { return };
    line(&format!(
        "{}: {} {}, a {}: {}",
        report.component.display(),
        one_line(&info.name),
        one_line(&info.version),
        info.kind,
        one_line(&info.description)
    ));
    line(&format!(
        "{} bytes; a started instance has {} bytes of memory, starting burns {} of fuel",
        info.component_bytes, report.memory_bytes, report.start_fuel
    ));
}
