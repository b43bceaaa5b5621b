//! `plugin replay`: over a copy of the store, made by the host that runs on it, or of its files where none does.

use std::path::{Path, PathBuf};

use bridge_telemetry::config::Config;
use bridge_telemetry::{Existing, TimeRange, Timestamp, restore};
use serde_json::{Value, json};
use telemetry_toolkit::{Project, ReplayError, ReplayReport, ReplayRequest, StoreCopy, replay};

use super::settings_json;
use crate::arguments::{Replay, Shared};
use crate::connection::Connection;
use crate::exit::{Exit, Failure};
use crate::output::{line, one_line, text};
use crate::settings;

pub(super) fn execute(arguments: &Replay, shared: &Shared) -> Result<Exit, Failure> {
    let config = settings::config(shared)?;
    let (component, name) = component(&arguments.plugin, &config)?;
    let given = settings_json(arguments.settings.as_deref())?;
    let request = ReplayRequest {
        component,
        config: given.unwrap_or_else(|| config.plugins.settings_of(&name).config.to_value()),
        range: range(arguments)?,
        host: config,
    };
    let copy = copy(&request.host.storage_config.connection_string, shared)?;
    let report = replay(&request, &copy).map_err(|error| match error {
        ReplayError::Kind(_) | ReplayError::Load(_) => Failure::usage(error),
        ReplayError::Open(_) => Failure::unreachable(error),
        _ => Failure::refused(error),
    })?;
    if shared.json {
        line(&json!({"status": "success", "replay": report}).to_string());
    } else {
        show(&report);
    }
    Ok(Exit::Done)
}

/// A component by its file, its project's folder, or the plugin's name.
fn component(plugin: &str, config: &Config) -> Result<(PathBuf, String), Failure> {
    let path = Path::new(plugin);
    if path.is_file() {
        return Ok((path.to_owned(), telemetry_toolkit::name_of(path)));
    }
    let configured = config.plugins.component_of(plugin);
    if let Some(component) = configured.as_ref().filter(|file| file.is_file()) {
        return Ok((component.clone(), plugin.to_owned()));
    }
    // A package's folder is a project's without its source.
    let folder = configured.filter(|folder| folder.is_dir()).unwrap_or_else(|| path.to_owned());
    let project = Project::open(&folder).map_err(Failure::usage)?;
    let component = project.built_component().map_err(Failure::usage)?;
    Ok((component, project.manifest.name))
}

fn range(arguments: &Replay) -> Result<TimeRange, Failure> {
    let time = |flag: &str, given: &Option<String>| {
        let parsed = given.as_deref().map(Timestamp::parse).transpose();
        parsed.map_err(|error| Failure::usage(anyhow::anyhow!("{flag}: {error}")))
    };
    let mut range = TimeRange { start: time("--from", &arguments.from)?, end: time("--to", &arguments.to)? };
    if let Some(last) = arguments.last {
        let now = bridge_telemetry::Clock::now(&bridge_telemetry::SystemClock::default());
        range.start = Some(range.end.unwrap_or(now).minus(last));
    }
    if range.is_reversed() {
        return Err(Failure::usage(anyhow::anyhow!("--from is after --to")));
    }
    Ok(range)
}

/// A copy of the store; the store itself stays as it is.
fn copy(directory: &Path, shared: &Shared) -> Result<StoreCopy, Failure> {
    let Some(host) = Connection::running(shared)? else {
        return StoreCopy::of(directory).map_err(Failure::unreachable);
    };
    let temporary = StoreCopy::folder(directory).map_err(Failure::refused)?;
    let absolute = std::path::absolute(temporary.path()).map_err(Failure::refused)?;
    let backup = absolute.join("backup");
    let body = json!({"directory": backup}).to_string();
    let envelope = host.backup(body.as_bytes())?;
    if let Some(code) = envelope.error {
        let message = text(&envelope.body, "/error/message");
        return Err(Failure::refused(anyhow::anyhow!(
            "the host could not copy its store: {code:?}: {message}"
        )));
    }
    let store = absolute.join("store");
    restore(&backup, &store, Existing::Keep).map_err(Failure::refused)?;
    Ok(StoreCopy::made(store, temporary))
}

fn show(report: &ReplayReport) {
    for finding in &report.findings {
        line(&one_finding(finding));
    }
    for failure in &report.failures {
        line(&format!("{}  failed: {}", text(failure, "/timestamp"), text(failure, "/message")));
    }
    if report.findings_left_out > 0 {
        line(&format!("and {} more", report.findings_left_out));
    }
    let span = match (report.first, report.last) {
        (Some(first), Some(last)) => format!(" from {first} to {last}"),
        _ => String::new(),
    };
    line(&format!(
        "{} events and {} samples{span}, {} ticks: {} findings, {} failures",
        report.events,
        report.samples,
        report.ticks,
        report.findings.len(),
        report.failures.len()
    ));
}

fn one_finding(finding: &Value) -> String {
    let when = text(finding, "/timestamp");
    if finding.get("key").is_some() {
        let status = if finding["firing"] == true { "firing" } else { "resolved" };
        let (severity, key) = (text(finding, "/severity"), text(finding, "/key"));
        return format!("{when}  {status:8}  {severity:8}  {key}  {}", text(finding, "/summary"));
    }
    let word = if finding["reject"] == true { "refused" } else { "warned" };
    let record = finding.get("record").map(|record| one_line(&record.to_string())).unwrap_or_default();
    format!("{when}  {word:8}  {}  {}  {record}", text(finding, "/code"), text(finding, "/message"))
}
