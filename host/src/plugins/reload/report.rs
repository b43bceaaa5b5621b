//! What became of an attempt to put a new version in a plugin's place.

use std::time::Duration;

use serde::{Serialize, Serializer};
use telemetry_core::Timestamp;
use telemetry_sandbox::{Plugin, PluginKind};

use super::error::ReloadStage;
use super::trial::TrialSummary;

/// Who asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReloadTrigger {
    /// A person or a program.
    Request,
    /// Its file changed, or what `plugins.lock` says of it.
    File,
    /// It failed too often after it had taken another's place.
    Failures,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReloadOutcome {
    /// It was not there before, and is loaded now.
    Loaded,
    /// The new version took the place of the one before.
    Reloaded,
    /// The component is the one that runs, and it is well.
    Unchanged,
    /// It is a sink that no receiver names.
    Unused,
    /// It was disabled by command, and has stopped.
    Disabled,
    /// It was removed by command, and has stopped.
    Removed,
    /// It was refused; the version before goes on, if there is one.
    Refused {
        /// How far it came.
        stage: ReloadStage,
        /// Why.
        reason: String,
    },
    /// The version before took its place again.
    RolledBack {
        /// Why.
        reason: String,
    },
    /// The version before should have taken its place again and could not: the new one stays, until the next try where what was
    /// in the way may pass.
    RollbackFailed {
        /// Why.
        reason: String,
    },
}

impl ReloadOutcome {
    pub(super) const fn level(&self) -> tracing::Level {
        match self {
            Self::Refused { .. } | Self::RolledBack { .. } | Self::RollbackFailed { .. } => {
                tracing::Level::ERROR
            }
            _ => tracing::Level::INFO,
        }
    }
}

impl std::fmt::Display for ReloadOutcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Loaded => f.write_str("loaded"),
            Self::Reloaded => f.write_str("reloaded: a new version took its place"),
            Self::Unchanged => f.write_str("unchanged: this version runs already"),
            Self::Unused => f.write_str("unused: no receiver names it"),
            Self::Disabled => f.write_str("disabled: it has stopped until it is enabled again"),
            Self::Removed => f.write_str("removed: it has stopped"),
            Self::Refused { reason, .. } => {
                write!(f, "a version was refused: {reason}")
            }
            Self::RolledBack { reason } => {
                write!(f, "the new version was taken back, the one before runs: {reason}")
            }
            Self::RollbackFailed { reason } => f.write_str(reason),
        }
    }
}

/// What became of the state of the version before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StateHandover {
    /// There was none.
    #[default]
    None,
    /// It was handed over.
    HandedOver,
    /// The version before could not save it, for this reason; the new one began without.
    Lost(String),
    /// The version before could not read the state of the new one, and went on from the state that it had left.
    Former,
}

/// A version of a plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PluginVersion {
    /// What it says of itself.
    pub version: String,
    /// SHA-256 of its component.
    pub sha256: String,
    /// Its number since the host was opened.
    pub generation: u64,
}

impl PluginVersion {
    pub(super) fn of(plugin: &Plugin, generation: u64) -> Self {
        let info = plugin.info();
        Self { version: info.version.clone(), sha256: info.sha256.clone(), generation }
    }
}

/// What became of an attempt to put a new version in a plugin's place, or to stop it.
#[derive(Clone, Debug, Serialize)]
pub struct ReloadReport {
    /// The plugin, or the receiver.
    pub plugin: String,
    /// Its kind, as far as it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<PluginKind>,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: ReloadOutcome,
    /// Who asked for it.
    pub trigger: ReloadTrigger,
    /// When.
    pub at: Timestamp,
    /// The version that ran before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<PluginVersion>,
    /// The version that runs now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<PluginVersion>,
    /// What the new version was shown before it was let in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trial: Option<TrialSummary>,
    /// What became of the state.
    pub state: StateHandover,
    /// For how long the plugin did nothing.
    #[serde(rename = "pause_seconds", serialize_with = "seconds")]
    pub pause: Duration,
}

impl ReloadReport {
    pub(super) fn new(plugin: &str, trigger: ReloadTrigger, at: Timestamp, outcome: ReloadOutcome) -> Self {
        Self {
            plugin: plugin.to_owned(),
            kind: None,
            outcome,
            trigger,
            at,
            from: None,
            to: None,
            trial: None,
            state: StateHandover::None,
            pause: Duration::ZERO,
        }
    }
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}
