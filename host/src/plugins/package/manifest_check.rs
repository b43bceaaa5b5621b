//! What no single value of a manifest shows.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use telemetry_core::limits;
use telemetry_sandbox::PluginKind;

use super::manifest::{MANIFEST_FILE, Manifest, ManifestFault};
use super::requested::{ANY, RequestedGrants};
use crate::config::{ByteCount, check_name, check_origin};

/// Faults found so far.
#[derive(Default)]
struct Findings(Vec<ManifestFault>);

impl Findings {
    fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(ManifestFault { path: path.into(), message: message.into() });
    }

    fn line(&mut self, path: impl Into<String>, text: &str) {
        let path = path.into();
        if text.trim().is_empty() {
            self.add(path, "must not be empty");
        } else if text.len() > limits::MAX_MANIFEST_LINE_BYTES {
            self.add(path, format!("must have at most {} bytes", limits::MAX_MANIFEST_LINE_BYTES));
        } else if text.chars().any(char::is_control) {
            self.add(path, "must be one line without control characters");
        }
    }
}

/// All that is wrong with a manifest whose values are well-formed.
pub(super) fn faults(manifest: &Manifest) -> Vec<ManifestFault> {
    let mut findings = Findings::default();
    if let Err(message) = check_name(&manifest.name) {
        findings.add("name", message);
    }
    if let Err(message) = plain_file_name(&manifest.component) {
        findings.add("component", message);
    } else if !manifest.component.ends_with(".wasm") {
        findings.add("component", "must end with .wasm");
    }
    findings.line("description", &manifest.description);
    if let Some(licence) = &manifest.licence {
        findings.line("licence", licence);
    }
    if manifest.authors.len() > limits::MAX_MANIFEST_AUTHORS {
        findings.add("authors", format!("must be at most {}", limits::MAX_MANIFEST_AUTHORS));
    }
    for (index, author) in manifest.authors.iter().enumerate() {
        findings.line(format!("authors[{index}]"), author);
    }
    if let Some(schema) = &manifest.config_schema {
        if let Err(message) = plain_file_name(schema) {
            findings.add("config_schema", message);
        } else if *schema == manifest.component || schema == MANIFEST_FILE {
            findings.add("config_schema", "must be a file of its own");
        }
    }
    check_grants(&manifest.grants, manifest.kind, &mut findings);
    findings.0
}

fn check_grants(grants: &RequestedGrants, kind: PluginKind, findings: &mut Findings) {
    let most = limits::MAX_REQUESTED_GRANTS;
    let mut seen = BTreeSet::new();
    for (index, request) in grants.http.iter().enumerate() {
        let path = format!("grants.http[{index}]");
        if request.origin != ANY
            && let Err(message) = check_origin(&request.origin)
        {
            findings.add(format!("{path}.origin"), message);
        }
        if !seen.insert(request.origin.as_str()) {
            findings.add(format!("{path}.origin"), "is requested twice");
        }
        findings.line(format!("{path}.reason"), &request.reason);
    }
    let mut seen = BTreeSet::new();
    for (index, request) in grants.secrets.iter().enumerate() {
        let path = format!("grants.secrets[{index}]");
        if request.name != ANY
            && let Err(message) = check_name(&request.name)
        {
            findings.add(format!("{path}.name"), message);
        }
        if !seen.insert(request.name.as_str()) {
            findings.add(format!("{path}.name"), "is requested twice");
        }
        findings.line(format!("{path}.reason"), &request.reason);
    }
    for (path, count) in [("grants.http", grants.http.len()), ("grants.secrets", grants.secrets.len())] {
        if count > most {
            findings.add(path, format!("must be at most {most}"));
        }
        if count > 0 && kind != PluginKind::Sink {
            findings.add(path, format!("a {kind} cannot reach out, only a sink can"));
        }
    }
    if let Some(request) = &grants.private_addresses {
        findings.line("grants.private_addresses.reason", &request.reason);
        if grants.http.is_empty() {
            findings.add("grants.private_addresses", "there is no use for it without grants.http");
        }
    }
    if let Some(request) = &grants.key_value {
        findings.line("grants.key_value.reason", &request.reason);
        let most = ByteCount(limits::PLUGIN_KEY_VALUE_BYTES);
        if request.bytes == ByteCount(0) || request.bytes > most {
            findings.add("grants.key_value.bytes", format!("must be above 0 and at most {most}"));
        }
        if !matches!(kind, PluginKind::Monitor | PluginKind::Sink) {
            findings.add("grants.key_value", format!("a {kind} has no key-value space"));
        }
    }
}

/// A file's name and nothing more: no folder, no way up, nothing hidden.
pub(super) fn plain_file_name(name: &str) -> Result<(), String> {
    let mut parts = Path::new(name).components();
    let plain = matches!((parts.next(), parts.next()), (Some(Component::Normal(only)), None) if only == name)
        && !name.starts_with('.')
        && !name.contains(['/', '\\'])
        && !name.chars().any(char::is_control)
        && name.len() <= limits::MAX_FILE_NAME_BYTES;
    if plain { Ok(()) } else { Err(format!("{name:?} is not the plain name of a file beside the manifest")) }
}
