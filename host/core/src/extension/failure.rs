//! How an extension can fail: always by name, never by a panic of the host.

use std::time::Duration;

/// An extension did not answer, or answered what cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("plugin \"{plugin}\" failed: {reason}")]
pub struct PluginFailure {
    /// The plugin's name in the configuration.
    pub plugin: String,
    /// What happened.
    pub reason: FailureReason,
}

/// What happened inside or at the boundary of a plugin.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FailureReason {
    /// It trapped: a panic, an out-of-bounds access, an unreachable instruction, an exhausted stack.
    #[error("it trapped: {0}")]
    Trap(String),
    /// It did not answer in time.
    #[error("it did not answer within {0:?}")]
    Deadline(Duration),
    /// It asked for more of a resource than it may have.
    #[error("it needs more {what} than its limit of {limit}")]
    Limit {
        /// Which resource.
        what: &'static str,
        /// The limit, in the resource's unit.
        limit: u64,
    },
    /// Its answer breaks the contract.
    #[error("its answer cannot be used: {0}")]
    Output(String),
    /// Its configuration is unusable.
    #[error("its configuration is unusable: {0}")]
    Config(String),
    /// It answered that it does not support what was asked.
    #[error("it does not support this: {0}")]
    Unsupported(String),
    /// It answered an error that may pass.
    #[error("it failed for now: {0}")]
    Transient(String),
    /// It answered another error.
    #[error("it answered an error: {0}")]
    Other(String),
    /// It is in quarantine after repeated failures.
    #[error("it is in quarantine after repeated failures; next try in {retry_in:?}")]
    Quarantined {
        /// When it will be tried again.
        retry_in: Duration,
    },
    /// All its instances were busy for too long.
    #[error("all its instances were busy for {0:?}")]
    Busy(Duration),
}

impl FailureReason {
    /// A short machine-readable name.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Trap(_) => "trap",
            Self::Deadline(_) => "deadline",
            Self::Limit { .. } => "limit",
            Self::Output(_) => "output",
            Self::Config(_) => "config",
            Self::Unsupported(_) => "unsupported",
            Self::Transient(_) => "transient",
            Self::Other(_) => "error",
            Self::Quarantined { .. } => "quarantined",
            Self::Busy(_) => "busy",
        }
    }
}
