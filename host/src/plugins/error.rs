//! Why a plugin could not be loaded.

use std::path::PathBuf;

use telemetry_sandbox::LoadError;

use super::package::PackageError;
use crate::config::SecretError;

/// Why a plugin could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PluginLoadError {
    /// The folder cannot be read.
    #[error("the plugin folder {} cannot be read; set plugins.directory to a folder of components", directory.display())]
    Directory {
        /// The folder.
        directory: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The settings are for a plugin that has no component.
    #[error("plugins.settings names \"{plugin}\": {reason}")]
    NoComponent {
        /// The plugin.
        plugin: String,
        /// What is missing, and the remedy.
        reason: String,
    },
    /// The component or its configuration cannot be used.
    #[error("plugin \"{plugin}\" could not be loaded")]
    Component {
        /// The plugin.
        plugin: String,
        /// Why.
        #[source]
        source: LoadError,
    },
    /// The package is not there as it was installed or signed, or nobody vouches for it.
    #[error("plugin \"{plugin}\" is refused")]
    Package {
        /// The plugin.
        plugin: String,
        /// Why.
        #[source]
        source: PackageError,
    },
    /// A secret that its grants name cannot be read.
    #[error("a secret of plugin \"{plugin}\" cannot be read")]
    Secret {
        /// The plugin.
        plugin: String,
        /// Why.
        #[source]
        source: SecretError,
    },
    /// A receiver's plugin has no component, or is no sink.
    #[error("receiver \"{receiver}\" names the plugin \"{plugin}\": {reason}")]
    Receiver {
        /// The receiver.
        receiver: String,
        /// The plugin it names.
        plugin: String,
        /// What is wrong, and the remedy.
        reason: String,
    },
}

impl PluginLoadError {
    /// The plugin or receiver that it is about; the folder's name when it is about all.
    pub(super) fn plugin(&self) -> &str {
        match self {
            Self::Directory { .. } => "plugins.directory",
            Self::NoComponent { plugin, .. }
            | Self::Component { plugin, .. }
            | Self::Package { plugin, .. }
            | Self::Secret { plugin, .. } => plugin,
            Self::Receiver { receiver, .. } => receiver,
        }
    }
}
