//! The configuration of a command: file, then environment, then flags.

use bridge_telemetry::config::{Config, ConfigError, ConfigLayers};

use crate::arguments::Shared;

/// The layers that every command has; a command may add flags of its own.
pub(crate) fn layers(shared: &Shared) -> ConfigLayers {
    let mut layers = ConfigLayers::new().process_environment();
    if let Some(file) = &shared.config {
        layers = layers.file(file);
    }
    if let Some(data) = &shared.data {
        layers =
            layers.set(["storage_config", "connection_string"], data.to_string_lossy().as_ref(), "--data");
    }
    if let Some(plugins) = &shared.plugins {
        layers = layers.set(["plugins", "directory"], plugins.to_string_lossy().as_ref(), "--plugins");
    }
    layers
}

/// The configuration of a command without flags of its own.
pub(crate) fn config(shared: &Shared) -> Result<Config, ConfigError> {
    layers(shared).load()
}
