//! Loads every enabled plugin and every receiver's copy of its sink.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use telemetry_core::aggregation::AggregationSource;
use telemetry_sandbox::{LoadError, Plugin, PluginKind, Sandbox};

use super::spec::{plugin_spec, receiver_spec};
use crate::config::{self, Config, PluginSettings, SecretError};
use crate::envelope::cause_chain;
use crate::recording::{OnFailure, ValidatorEntry};

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
    /// The component or its configuration cannot be used.
    #[error("plugin \"{plugin}\" could not be loaded")]
    Component {
        /// The plugin.
        plugin: String,
        /// Why.
        #[source]
        source: LoadError,
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
    #[error("receiver \"{receiver}\" names the plugin \"{plugin}\", which {reason}")]
    Receiver {
        /// The receiver.
        receiver: String,
        /// The plugin it names.
        plugin: String,
        /// What is wrong.
        reason: &'static str,
    },
}

/// A plugin that is not there.
#[derive(Clone, Debug)]
pub(crate) struct FailedPlugin {
    pub(crate) name: String,
    pub(crate) reason: String,
}

/// What was loaded.
#[derive(Default)]
pub(crate) struct LoadedPlugins {
    pub(crate) plugins: Vec<Arc<Plugin>>,
    /// By receiver's name.
    pub(crate) receivers: BTreeMap<String, Arc<Plugin>>,
    pub(crate) failed: Vec<FailedPlugin>,
    pub(crate) validators: Vec<ValidatorEntry>,
    pub(crate) aggregations: Vec<Arc<dyn AggregationSource>>,
    /// Sinks that are there to be named by receivers.
    pub(crate) idle_sinks: Vec<String>,
}

/// Loads all plugins of the configuration.
pub(crate) fn load_plugins(config: &Config, sandbox: &Sandbox) -> Result<LoadedPlugins, PluginLoadError> {
    let files = config.plugins.enabled().map_err(|source| PluginLoadError::Directory {
        directory: config.plugins.directory.clone().unwrap_or_default(),
        source,
    })?;
    let mut loaded = LoadedPlugins::default();
    let mut ordered = Vec::new();
    for (name, file) in &files {
        let settings = config.plugins.settings_of(name);
        match load_one(sandbox, name, file, &settings) {
            Ok(None) => loaded.idle_sinks.push(name.clone()),
            Ok(Some(plugin)) => ordered.push((settings.order, name.clone(), Arc::new(plugin), settings)),
            Err(error) if settings.required => return Err(error),
            Err(error) => loaded.note_failure(name, &error),
        }
    }
    ordered.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    for (_, _, plugin, settings) in ordered {
        loaded.take(plugin, &settings);
    }
    load_receivers(config, sandbox, &files, &mut loaded);
    Ok(loaded)
}

/// `None` for a sink: those are loaded once for each receiver.
fn load_one(
    sandbox: &Sandbox,
    name: &str,
    file: &Path,
    settings: &PluginSettings,
) -> Result<Option<Plugin>, PluginLoadError> {
    let component = |source| PluginLoadError::Component { plugin: name.to_owned(), source };
    let info = sandbox.inspect(file).map_err(component)?;
    if info.kind == PluginKind::Sink {
        return Ok(None);
    }
    let spec = plugin_spec(name, file.to_owned(), settings)
        .map_err(|source| PluginLoadError::Secret { plugin: name.to_owned(), source })?;
    sandbox.load(spec).map(Some).map_err(component)
}

fn load_receivers(
    config: &Config,
    sandbox: &Sandbox,
    files: &[(String, PathBuf)],
    loaded: &mut LoadedPlugins,
) {
    let files: BTreeMap<&str, &PathBuf> = files.iter().map(|(name, file)| (name.as_str(), file)).collect();
    for (name, receiver) in config.alerting.all_receivers() {
        // A host without plugins needs no console: only a receiver that somebody configured can be missing.
        if !config.alerting.receivers.contains_key(&name) && !files.contains_key(receiver.plugin.as_str()) {
            continue;
        }
        let fault = |reason| PluginLoadError::Receiver {
            receiver: name.clone(),
            plugin: receiver.plugin.clone(),
            reason,
        };
        let settings = config.plugins.settings_of(&receiver.plugin);
        let result = match files.get(receiver.plugin.as_str()) {
            None => Err(fault("has no component in plugins.directory")),
            Some(file) => receiver_spec(&name, (*file).clone(), &settings, &receiver)
                .map_err(|source| PluginLoadError::Secret { plugin: receiver.plugin.clone(), source })
                .and_then(|spec| {
                    sandbox.load(spec).map_err(|source| PluginLoadError::Component {
                        plugin: receiver.plugin.clone(),
                        source,
                    })
                }),
        };
        match result {
            Ok(plugin) if plugin.info().kind == PluginKind::Sink => {
                loaded.receivers.insert(name, Arc::new(plugin));
            }
            Ok(_) => loaded.note_failure(&name, &fault("is no sink")),
            Err(error) => loaded.note_failure(&name, &error),
        }
    }
}

impl LoadedPlugins {
    fn note_failure(&mut self, name: &str, error: &PluginLoadError) {
        let reason = cause_chain(error);
        tracing::error!(source = "Bridge_Telemetry", plugin = name, "{reason}");
        self.failed.push(FailedPlugin { name: name.to_owned(), reason });
    }

    fn take(&mut self, plugin: Arc<Plugin>, settings: &PluginSettings) {
        if let Some(validator) = plugin.validator() {
            let on_failure = match settings.on_failure {
                config::OnFailure::Reject => OnFailure::Reject,
                config::OnFailure::Accept => OnFailure::Accept,
            };
            self.validators.push(ValidatorEntry { validator, on_failure });
        }
        self.aggregations.extend(plugin.aggregations());
        self.plugins.push(plugin);
    }

    pub(crate) fn monitors(&self) -> impl Iterator<Item = &Arc<Plugin>> {
        self.plugins.iter().filter(|plugin| plugin.info().kind == PluginKind::Monitor)
    }
}
