//! The configuration of a command: file, then environment, then flags.

use bridge_telemetry::config::{Config, ConfigError, ConfigFault, ConfigLayers};

use crate::arguments::Shared;
use crate::exit::Failure;
use crate::last_run::{LAST_RUN, LastRun};

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

/// The configuration of a command that stands in for a host, with the names in it that have no component: unless the command
/// names a configuration file or a plugin folder itself, the one with which a host last ran on its data directory.
pub(crate) fn config_of_last_run(shared: &Shared) -> Result<(Config, Vec<ConfigFault>), Failure> {
    if shared.config.is_some() || shared.plugins.is_some() {
        return Ok(layers(shared).load_with_plugins()?);
    }
    let own = config(shared)?;
    let directory = own.storage_config.connection_string;
    let mut run = LastRun::read(&directory);
    if own.plugins.directory.is_some() {
        run.plugins = None;
    }
    if run.is_empty() {
        return Ok(layers(shared).load_with_plugins()?);
    }
    let place = directory.join(LAST_RUN).display().to_string();
    let LastRun { config, plugins } = run;
    let flags = Shared { data: Some(directory), config, plugins, json: shared.json };
    layers(&flags).load_with_plugins().map_err(|error| {
        Failure::usage(anyhow::Error::new(error).context(format!(
            "the configuration of the host that ran last, as {place} remembers it, cannot be used; name one with --config or --plugins"
        )))
    })
}
