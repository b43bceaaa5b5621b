//! Why a plugin is not loaded, replaced or stopped. What runs goes on in any case.

use serde::Serialize;
use serde_json::{Map, Value};
use telemetry_core::ErrorCode;
use telemetry_core::extension::PluginFailure;
use telemetry_sandbox::{LoadError, PluginKind};

use super::trial::TrialFailure;
use crate::envelope::{EnvelopeError, exception_details};
use crate::monitors::{AddMonitorError, EndMonitorError, HandoverError};
use crate::plugins::PluginLoadError;

/// How far a new version came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReloadStage {
    /// Its component was read, checked and compiled.
    Load,
    /// It was tried on recent records.
    Trial,
    /// It was started from the state of the one before.
    Handover,
}

/// A plugin was not loaded, replaced or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReloadError {
    /// No plugin and no receiver has this name.
    #[error("there is no plugin and no receiver \"{name}\"")]
    Unknown {
        /// The name.
        name: String,
    },
    /// Its settings switch it off.
    #[error("plugin \"{plugin}\" is disabled by plugins.settings.{plugin}.enabled")]
    Disabled {
        /// The plugin.
        plugin: String,
    },
    /// It was switched off by command.
    #[error("plugin \"{plugin}\" was disabled; bridge-telemetry plugin enable {plugin} switches it on")]
    SwitchedOff {
        /// The plugin.
        plugin: String,
    },
    /// The host is being closed.
    #[error("the host is being closed")]
    Closed,
    /// The component cannot be used.
    #[error(transparent)]
    Load(#[from] PluginLoadError),
    /// The new version is of another kind.
    #[error("plugin \"{plugin}\" is a {is}, and its new version is a {becomes}; restart the host for that")]
    Kind {
        /// The plugin.
        plugin: String,
        /// What it is.
        is: PluginKind,
        /// What the new one would be.
        becomes: PluginKind,
    },
    /// It failed when it was tried.
    #[error("plugin \"{plugin}\" failed its trial run")]
    Trial {
        /// The plugin.
        plugin: String,
        /// At what.
        #[source]
        source: TrialFailure,
    },
    /// It does not start from the state of the one before.
    #[error("plugin \"{plugin}\" does not start from the state of the version before")]
    State {
        /// The plugin.
        plugin: String,
        /// Why not.
        #[source]
        source: LoadError,
    },
    /// A monitor was not replaced.
    #[error("plugin \"{plugin}\" could not take its place")]
    Handover {
        /// The plugin.
        plugin: String,
        /// Why not.
        #[source]
        source: HandoverError,
    },
    /// A monitor was not added.
    #[error("plugin \"{plugin}\" could not be added")]
    Monitor {
        /// The plugin.
        plugin: String,
        /// Why not.
        #[source]
        source: AddMonitorError,
    },
    /// It was disabled or removed, and did not stop yet; that is tried again.
    #[error("plugin \"{plugin}\" has not stopped yet")]
    Stop {
        /// The plugin.
        plugin: String,
        /// Why not.
        #[source]
        source: EndMonitorError,
    },
    /// A sink has no receiver to deliver for.
    #[error(
        "plugin \"{plugin}\" could not be attached: no receiver \"{plugin}\" was there when the host was opened"
    )]
    NoReceiver {
        /// The receiver.
        plugin: String,
    },
}

impl ReloadError {
    /// How far the new version came; `None` when nothing was tried.
    pub const fn stage(&self) -> Option<ReloadStage> {
        match self {
            Self::Unknown { .. }
            | Self::Disabled { .. }
            | Self::SwitchedOff { .. }
            | Self::Closed
            | Self::Stop { .. } => None,
            Self::Load(_) | Self::Kind { .. } => Some(ReloadStage::Load),
            Self::Trial { .. } => Some(ReloadStage::Trial),
            _ => Some(ReloadStage::Handover),
        }
    }

    /// Whether the very same version may be taken the next time: what was in its way is not its own.
    pub(super) const fn may_pass(&self) -> bool {
        match self {
            Self::Handover { source, .. } => handover_may_pass(source),
            Self::Trial { source: TrialFailure::Store(_) | TrialFailure::Thread(_), .. }
            | Self::Monitor { source: AddMonitorError::Store(_) | AddMonitorError::Thread { .. }, .. } => {
                true
            }
            _ => false,
        }
    }

    fn plugin(&self) -> Option<&str> {
        match self {
            Self::Unknown { name } => Some(name),
            Self::Disabled { plugin }
            | Self::SwitchedOff { plugin }
            | Self::Kind { plugin, .. }
            | Self::Trial { plugin, .. }
            | Self::State { plugin, .. }
            | Self::Handover { plugin, .. }
            | Self::Monitor { plugin, .. }
            | Self::Stop { plugin, .. }
            | Self::NoReceiver { plugin } => Some(plugin),
            Self::Load(error) => Some(error.plugin()),
            Self::Closed => None,
        }
    }
}

impl EnvelopeError for ReloadError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Unknown { .. } => ErrorCode::NotFound,
            Self::Closed => ErrorCode::Overloaded,
            Self::Stop { source: EndMonitorError::Busy { .. }, .. } => ErrorCode::OperationTimeout,
            Self::Stop { source: EndMonitorError::Store(source), .. } => EnvelopeError::code(source),
            _ => ErrorCode::PluginFailure,
        }
    }

    fn details(&self) -> Map<String, Value> {
        let mut details = Map::new();
        if let Some(plugin) = self.plugin() {
            details.insert("plugin".to_owned(), plugin.into());
        }
        if let Some(stage) = self.stage() {
            details.insert("stage".to_owned(), serde_json::to_value(stage).unwrap_or_default());
            details.insert("reason".to_owned(), crate::envelope::cause_chain(self).into());
        }
        if let Self::Stop { plugin, .. } = self {
            details.extend(exception_details("EndMonitorError", plugin));
        }
        if let Self::Closed = self {
            details.insert("retry_after_ms".to_owned(), 1_000.into());
        }
        details
    }
}

/// Whether a monitor may be replaced the next time: what was in the way is neither version's own.
pub(super) const fn handover_may_pass(error: &HandoverError) -> bool {
    matches!(error, HandoverError::Busy { .. } | HandoverError::Checkpoint { .. })
}

/// A native failure where only a plugin's is expected.
pub(super) fn not_of_kind(plugin: &str, kind: PluginKind) -> PluginFailure {
    let reason = telemetry_core::extension::FailureReason::Unsupported(format!("it is no {kind}"));
    PluginFailure { plugin: plugin.to_owned(), reason }
}
