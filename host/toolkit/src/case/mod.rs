//! Test cases: a configuration and what the plugin is shown, step by step.
//!
//! A case is `tests/NAME.toml`, what is expected of it `tests/NAME.expected.json`. Times that the file leaves out are one second
//! apart, so that a case is the same at every run.

mod document;
mod records;

use std::path::{Path, PathBuf};

use serde_json::Value;
use telemetry_core::aggregation::AggregationSpec;
use telemetry_core::extension::AlertForDelivery;
use telemetry_core::{EventBatch, SampleBatch, Timestamp};
use telemetry_sandbox::{Grants, HttpAnswer, HttpFault};

/// What an expected result's file is called after the case's name.
const EXPECTED: &str = "expected.json";

/// A test case.
#[derive(Clone, Debug)]
pub struct Case {
    /// The file's name without its ending.
    pub name: String,
    /// Where it was read.
    pub path: PathBuf,
    /// The plugin's configuration.
    pub config: Value,
    /// What the plugin is granted.
    pub grants: Grants,
    /// Answers to a monitor's queries, in order.
    pub query_answers: Vec<Value>,
    /// When it begins.
    pub start: Timestamp,
    /// What the plugin is shown, in order.
    pub steps: Vec<Step>,
}

/// What a plugin is shown.
#[derive(Clone, Debug)]
pub enum Step {
    /// Events, offered to a validator or shown to a monitor.
    Events(EventBatch),
    /// Samples, offered to a validator or shown to a monitor.
    Samples(SampleBatch),
    /// Samples for an aggregation.
    Aggregate {
        /// Which one, with its parameters.
        function: AggregationSpec,
        /// The samples; each series is a group.
        samples: SampleBatch,
    },
    /// A monitor's tick.
    Tick(Timestamp),
    /// The plugin's state is saved and given to a fresh instance.
    Restart,
    /// Alerts for a sink.
    Alerts {
        /// The alerts.
        alerts: Vec<AlertForDelivery>,
        /// What the far side answers to the sink's requests, in order.
        answers: Vec<Result<HttpAnswer, HttpFault>>,
    },
}

/// A case cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaseError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file is no case.
    #[error("{}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the place.
        reason: String,
    },
}

impl Case {
    /// Reads a case.
    pub fn read(path: &Path) -> Result<Self, CaseError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| CaseError::Read { path: path.to_owned(), source })?;
        document::case(path, &text).map_err(|reason| CaseError::Malformed { path: path.to_owned(), reason })
    }

    /// All cases of a folder by name; none when there is no such folder.
    pub fn all(folder: &Path) -> Result<Vec<Self>, CaseError> {
        let listing = match std::fs::read_dir(folder) {
            Ok(listing) => listing,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(CaseError::Read { path: folder.to_owned(), source }),
        };
        let mut paths: Vec<PathBuf> = listing
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
            .collect();
        paths.sort();
        paths.iter().map(|path| Self::read(path)).collect()
    }

    /// Where its expected result stands.
    pub fn expected_path(&self) -> PathBuf {
        self.path.with_extension(EXPECTED)
    }
}
