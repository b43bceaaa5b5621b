//! `plugin.toml`, the manifest beside a component: what the plugin is, which bytes it is made of, what it asks for.
//!
//! ```toml
//! name = "pager"
//! version = "1.2.0"
//! kind = "sink"                             # validator, aggregator, monitor, sink
//! contract = "0.2.2"                        # version of the WIT package bridge:telemetry
//! component = "pager.wasm"                  # beside this file
//! sha256 = "9f86d081884c7d65…"              # of the component; filled in when the plugin is built or signed
//! description = "Pages whoever is on call"
//! licence = "MIT"
//! authors = ["Ada <ada@example.com>"]
//!
//! [[grants.http]]
//! origin = "https://pages.example.com"
//! reason = "pages are sent there"
//!
//! [[grants.secrets]]
//! name = "PAGER_TOKEN"
//! reason = "the pager's account"
//! ```
//!
//! Invariant: a [`Manifest`] that was parsed names no file outside its folder and asks for nothing that its kind cannot have.

use schemars::JsonSchema;
use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use telemetry_core::limits;
use telemetry_sandbox::PluginKind;

use super::manifest_check;
use super::requested::RequestedGrants;
use super::sha256::Sha256;

/// The manifest's file name.
pub const MANIFEST_FILE: &str = "plugin.toml";

/// A plugin's manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "plugin.toml")]
pub struct Manifest {
    /// The plugin's name, as it says itself; also the name of its folder below `plugins.directory`.
    pub name: String,
    /// Its version, by the rules of semantic versioning, as it says itself.
    #[schemars(with = "String")]
    pub version: Version,
    /// What it extends.
    pub kind: PluginKind,
    /// The version of the WIT package `bridge:telemetry` that its component is built against.
    #[schemars(with = "String")]
    pub contract: Version,
    /// The component's file, beside the manifest.
    pub component: String,
    /// The SHA-256 of the component. Building and signing fill it in; a signature counts only where it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256>,
    /// One line for people.
    pub description: String,
    /// The licence, as an SPDX expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authors: Vec<String>,
    /// A file beside the manifest with the JSON Schema of the plugin's configuration. It must be the one that the component
    /// tells; without it the component's own is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_schema: Option<String>,
    /// What it asks for beyond its inputs.
    #[serde(default)]
    pub grants: RequestedGrants,
}

/// A manifest that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// It is too long.
    #[error("{MANIFEST_FILE} has {bytes} bytes, the limit is {limit}")]
    TooLarge {
        /// How long it is.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// It is not text.
    #[error("{MANIFEST_FILE} is not UTF-8")]
    NotText,
    /// It is no TOML.
    #[error("{MANIFEST_FILE}:{line}:{column}: {message}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// A key is unknown or missing, or has a value of the wrong kind.
    #[error("{MANIFEST_FILE}:{line}:{column}: {path}: {message}")]
    Key {
        /// The key.
        path: String,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// Values that cannot be used.
    #[error("{MANIFEST_FILE}: {}", faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Values {
        /// All of them.
        faults: Vec<ManifestFault>,
    },
}

/// One value that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct ManifestFault {
    /// Its key.
    pub path: String,
    /// What is wrong.
    pub message: String,
}

impl Manifest {
    /// Parses and checks.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() as u64 > limits::MAX_MANIFEST_BYTES {
            return Err(ManifestError::TooLarge {
                bytes: bytes.len() as u64,
                limit: limits::MAX_MANIFEST_BYTES,
            });
        }
        let text = std::str::from_utf8(bytes).map_err(|_| ManifestError::NotText)?;
        let fault = |error: &toml::de::Error| {
            (place_in(text, error.span().map_or(0, |span| span.start)), error.message().to_owned())
        };
        let document = toml::Deserializer::parse(text).map_err(|error| {
            let ((line, column), message) = fault(&error);
            ManifestError::Syntax { line, column, message }
        })?;
        let manifest: Self = serde_path_to_error::deserialize(document).map_err(|error| {
            let path = match error.path().to_string() {
                root if root == "." => "the manifest".to_owned(),
                path => path,
            };
            let ((line, column), message) = fault(error.inner());
            ManifestError::Key { path, line, column, message }
        })?;
        let faults = manifest_check::faults(&manifest);
        if faults.is_empty() { Ok(manifest) } else { Err(ManifestError::Values { faults }) }
    }

    /// The JSON Schema of the file.
    pub fn schema() -> Value {
        let mut schema = schemars::schema_for!(Self).to_value();
        crate::config::tidy_schema(&mut schema);
        schema
    }
}

/// Line and column, both from 1, of a byte of `text`.
fn place_in(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before.get(line_start..).map_or(0, |rest| rest.chars().count());
    (before.matches('\n').count() + 1, column + 1)
}
