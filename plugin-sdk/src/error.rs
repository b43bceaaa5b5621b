//! The one error of a plugin's calls. The host acts on the kind and shows the message to a person.

use std::fmt;

use crate::bindings::imports::types;

/// The result of everything that a plugin is asked to do.
pub type Result<T, E = PluginError> = std::result::Result<T, E>;

/// Why a call could not be answered.
///
/// The message is for a person: say what is wrong and what would help.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PluginError {
    /// The configuration is unusable; the message says which key and why.
    InvalidConfig(String),
    /// The plugin does not know this name, version or parameter.
    Unsupported(String),
    /// May succeed when tried again.
    Transient(String),
    /// Anything else.
    Other(String),
}

impl PluginError {
    /// The configuration is unusable.
    pub fn invalid_config(message: impl Into<String>) -> Self {
        Self::InvalidConfig(message.into())
    }

    /// The plugin does not know what it is asked for.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::Unsupported(message.into())
    }

    /// May succeed when tried again.
    pub fn transient(message: impl Into<String>) -> Self {
        Self::Transient(message.into())
    }

    /// Anything else.
    pub fn other(message: impl Into<String>) -> Self {
        Self::Other(message.into())
    }

    /// The message without the kind.
    pub fn message(&self) -> &str {
        match self {
            Self::InvalidConfig(message)
            | Self::Unsupported(message)
            | Self::Transient(message)
            | Self::Other(message) => message,
        }
    }
}

impl fmt::Display for PluginError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::InvalidConfig(_) => "invalid configuration: ",
            Self::Unsupported(_) => "unsupported: ",
            Self::Transient(_) => "failed for now: ",
            Self::Other(_) => "",
        };
        formatter.write_str(kind)?;
        formatter.write_str(self.message())
    }
}

impl std::error::Error for PluginError {}

impl From<serde_json::Error> for PluginError {
    fn from(error: serde_json::Error) -> Self {
        Self::Other(error.to_string())
    }
}

impl From<types::PluginError> for PluginError {
    fn from(error: types::PluginError) -> Self {
        match error {
            types::PluginError::InvalidConfig(message) => Self::InvalidConfig(message),
            types::PluginError::Unsupported(message) => Self::Unsupported(message),
            types::PluginError::Transient(message) => Self::Transient(message),
            types::PluginError::Other(message) => Self::Other(message),
        }
    }
}

impl From<PluginError> for types::PluginError {
    fn from(error: PluginError) -> Self {
        match error {
            PluginError::InvalidConfig(message) => Self::InvalidConfig(message),
            PluginError::Unsupported(message) => Self::Unsupported(message),
            PluginError::Transient(message) => Self::Transient(message),
            PluginError::Other(message) => Self::Other(message),
        }
    }
}
