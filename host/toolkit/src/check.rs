//! Checks a component before it is installed: all findings at once, each with its remedy.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bridge_telemetry::plugins::package::{MANIFEST_FILE, Manifest, PackageError, package_faults};
use serde::Serialize;
use telemetry_core::extension::{FailureReason, PluginFailure};
use telemetry_core::{SystemClock, limits};
use telemetry_sandbox::{
    CONTRACT_VERSION, Component, Grants, LoadError, Plugin, PluginInfo, PluginSpec, Sandbox, SandboxError,
};

use crate::project::{Project, ProjectError};
use crate::run::{bare_ports, name_of, repeatable};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// The host takes it, but it is not as it should be.
    Warning,
    /// The host refuses it.
    Error,
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What part of the check it is of: `component`, `world`, `schema`, `config`, `limits`, `manifest`.
    pub part: &'static str,
    /// What was found, and what to do about it.
    pub message: String,
}

/// What a check found.
#[derive(Clone, Debug, Serialize)]
pub struct CheckReport {
    /// The component.
    pub component: PathBuf,
    /// All findings, the worst first.
    pub findings: Vec<Finding>,
    /// What the plugin is, as far as it could be asked.
    pub info: Option<PluginInfo>,
    /// Memory of a started instance in bytes; 0 when it did not start.
    pub memory_bytes: u64,
    /// Fuel that describing and starting took.
    pub start_fuel: u64,
}

impl CheckReport {
    /// Whether a host would take it.
    pub fn is_sound(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity < Severity::Error)
    }

    fn add(&mut self, severity: Severity, part: &'static str, message: impl Into<String>) {
        self.findings.push(Finding { severity, part, message: message.into() });
    }
}

/// A check could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// There is no such project or component.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// The runtime could not be started.
    #[error("the plugin runtime could not be started")]
    Sandbox(#[from] SandboxError),
}

/// Checks a component, given by its file or its project's folder.
pub fn check(path: &Path) -> Result<CheckReport, CheckError> {
    let (component, manifest) = located(path)?;
    let mut report = CheckReport {
        component: component.clone(),
        findings: Vec::new(),
        info: None,
        memory_bytes: 0,
        start_fuel: 0,
    };
    let sandbox = Sandbox::new(repeatable(), bare_ports(), Arc::new(SystemClock::default()))?;
    let name = manifest.as_ref().map_or_else(|| name_of(&component), |manifest| manifest.name.clone());
    match sandbox.world_faults(&component) {
        Ok(faults) if faults.is_empty() => look_inside(&sandbox, &component, &name, &mut report),
        Ok(faults) => {
            for fault in faults {
                report.add(Severity::Error, "world", fault.to_string());
            }
        }
        Err(error) => report.add(Severity::Error, "component", chain(&error)),
    }
    match &manifest {
        Some(manifest) => agree(path, manifest, &mut report),
        None => report.add(
            Severity::Note,
            "manifest",
            format!("there is no {MANIFEST_FILE} beside it: installing needs one"),
        ),
    }
    report.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    Ok(report)
}

/// The component, and the manifest that is about it.
fn located(path: &Path) -> Result<(PathBuf, Option<Manifest>), ProjectError> {
    if path.is_dir() {
        let project = Project::open(path)?;
        let component = project.built_component()?;
        return Ok((component, Some(project.manifest)));
    }
    if !path.is_file() {
        return Err(ProjectError::NotBuilt { path: path.to_owned() });
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let manifest = match Project::open(folder) {
        Ok(project) if Some(project.manifest.component.as_ref()) == path.file_name() => {
            Some(project.manifest)
        }
        Ok(_) | Err(ProjectError::NoManifest { .. }) => None,
        Err(error) => return Err(error),
    };
    Ok((path.to_owned(), manifest))
}

/// Asks the plugin what it is and starts it with its defaults.
fn look_inside(sandbox: &Sandbox, component: &Path, name: &str, report: &mut CheckReport) {
    match sandbox.inspect(Component::File(component.to_owned())) {
        Ok(info) => report.info = Some(info),
        Err(error @ LoadError::Schema { .. }) => report.add(Severity::Error, "schema", chain(&error)),
        Err(error) => report.add(Severity::Error, "component", chain(&error)),
    }
    let Some(info) = report.info.clone() else { return };
    if info.description.trim().is_empty() {
        report.add(
            Severity::Warning,
            "component",
            "it does not describe itself: operators choose by that line",
        );
    }
    if info.contract != CONTRACT_VERSION {
        let message = format!(
            "it is built for version {} of the contract, which this host still loads; build it against {CONTRACT_VERSION}",
            info.contract
        );
        report.add(Severity::Warning, "world", message);
    }
    let closed = info.config_schema.get("additionalProperties").is_some_and(|value| value == false);
    if info.config_schema.get("type").is_none_or(|kind| kind != "object") {
        report.add(Severity::Error, "schema", "the configuration's schema must have \"type\": \"object\"");
    } else if !closed {
        report.add(
            Severity::Warning,
            "schema",
            "the configuration's schema takes unknown keys, so that a slip in a key goes unnoticed: set \"additionalProperties\" to false (in Rust: deny_unknown_fields)",
        );
    }
    match sandbox.load(PluginSpec::new(name, Component::File(component.to_owned()))) {
        Ok(plugin) => started(&plugin, report),
        Err(LoadError::Config { faults }) => {
            let required = info.config_schema.get("required").is_some();
            let severity = if required { Severity::Note } else { Severity::Error };
            let message = format!("it does not start without configuration: {}", faults.join("; "));
            report.add(severity, "config", message);
        }
        Err(LoadError::Start(PluginFailure { reason: FailureReason::Config(reason), .. })) => report.add(
            Severity::Error,
            "config",
            format!(
                "its schema accepts its defaults, but its own init refuses them: {reason}; give defaults that work, or name the key under \"required\""
            ),
        ),
        Err(error) => report.add(Severity::Error, "component", chain(&error)),
    }
}

/// What a started plugin takes, against the default limits.
fn started(plugin: &Plugin, report: &mut CheckReport) {
    let status = plugin.status();
    report.memory_bytes = status.memory_bytes;
    report.start_fuel = status.fuel_used;
    if let Some(info) = &mut report.info {
        info.aggregates.clone_from(&plugin.info().aggregates);
    }
    let memory = limits::PLUGIN_MEMORY_BYTES;
    if status.memory_bytes > memory / 2 {
        report.add(
            Severity::Warning,
            "limits",
            format!(
                "a started instance has {} bytes of memory, the default limit is {memory}: raise limits.memory_bytes, or start smaller",
                status.memory_bytes
            ),
        );
    }
    let allowed = u64::try_from(limits::PLUGIN_INIT_DEADLINE.as_millis())
        .unwrap_or(u64::MAX)
        .saturating_mul(limits::FUEL_PER_MILLISECOND);
    if status.fuel_used > allowed / 2 {
        report.add(
            Severity::Warning,
            "limits",
            format!(
                "describing and starting burn {} of fuel; a busy host may end it at {allowed}",
                status.fuel_used
            ),
        );
    }
}

/// Judges the package at `path` as installing it does, and the manifest by what only authors can mend.
fn agree(path: &Path, manifest: &Manifest, report: &mut CheckReport) {
    for fault in package_faults(path, report.info.as_ref()) {
        report.add(Severity::Error, "manifest", format!("{}{}", chain(&fault), remedy(&fault)));
    }
    if manifest.sha256.is_none() {
        report.add(
            Severity::Warning,
            "manifest",
            "sha256 is missing: `bridge-telemetry plugin build` fills it in",
        );
    }
    let Some(info) = report.info.clone() else { return };
    let asks_http = !manifest.grants.http.is_empty();
    let has_http = info.imports.iter().any(|import| import.contains("/outbound-http"));
    if asks_http && !has_http {
        report.add(Severity::Warning, "manifest", "it asks for HTTP, but the component does not use it");
    }
    if has_http && !asks_http {
        report.add(
            Severity::Warning,
            "manifest",
            "the component uses HTTP, but the manifest asks for no origin: add [[grants.http]]",
        );
    }
}

/// What to do about a fault whose words do not say it.
fn remedy(fault: &PackageError) -> &'static str {
    match fault {
        PackageError::ManifestHash { .. } | PackageError::Disagreement { key: "contract", .. } => {
            "; `bridge-telemetry plugin build` notes what it built"
        }
        PackageError::Disagreement { key: "config_schema", .. } => {
            "; put the schema there that `bridge-telemetry plugin inspect` shows, or leave config_schema out"
        }
        _ => "",
    }
}

/// The grants that a manifest asks for, as a test case would have them.
pub(crate) fn requested(manifest: &Manifest) -> Grants {
    Grants {
        http: manifest.grants.http.iter().map(|wanted| wanted.origin.clone()).filter(|o| o != "*").collect(),
        private_addresses: manifest.grants.private_addresses.is_some(),
        secrets: manifest
            .grants
            .secrets
            .iter()
            .map(|wanted| wanted.name.clone())
            .filter(|n| n != "*")
            .collect(),
    }
}

/// An error with its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
