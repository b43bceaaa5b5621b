//! Loads every enabled plugin and every receiver's copy of its sink.
//!
//! All components are looked at first, so that it is known which of them have to be compiled; sinks that nobody names
//! are not.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use telemetry_sandbox::{ComponentOutline, LoadError, Plugin, PluginKind, PluginSpec, Sandbox};

use super::error::PluginLoadError;
use super::loaded::LoadedPlugins;
use super::progress::Progress;
use super::spec::{plugin_spec, receiver_spec};
use crate::builder::HostError;
use crate::config::{Config, PluginSettings, ReceiverConfig, SecretError};

/// Loads all plugins of the configuration.
pub(crate) fn load_plugins(
    config: &Config,
    sandbox: &Sandbox,
    progress: &mut Progress,
) -> Result<LoadedPlugins, HostError> {
    let mut loaded = LoadedPlugins::default();
    refuse_names_without_component(config, &mut loaded)?;
    let found = find(config, sandbox, &mut loaded)?;
    let receivers = receivers(config, &found);
    for component in found.values() {
        let named = || receivers.iter().any(|(_, receiver)| receiver.plugin == component.name);
        if component.outline.kind == PluginKind::Sink && !named() {
            loaded.unused_sinks.insert(component.name.clone(), component.outline.sha256.clone());
        } else if !component.outline.is_compiled {
            progress.plan(&component.outline.sha256);
        }
    }
    let loader = Loader { config, sandbox, found: &found };
    loader.load_plugins(&mut loaded, progress)?;
    loader.load_receivers(&receivers, &mut loaded, progress)?;
    Ok(loaded)
}

/// An enabled plugin's component.
struct Found {
    name: String,
    file: PathBuf,
    outline: ComponentOutline,
}

/// Settings are for a plugin: a name that is no plugin's is as likely a slip as one that cannot be loaded.
fn refuse_names_without_component(config: &Config, loaded: &mut LoadedPlugins) -> Result<(), HostError> {
    let components = config.plugins.in_directory().map_err(|source| directory(config, source))?;
    for (name, settings) in &config.plugins.settings {
        if settings.component.is_some() {
            // A file that is missing shows when it is read.
            continue;
        }
        let Some(reason) = config.plugins.component_fault(name, &components) else { continue };
        let error = PluginLoadError::NoComponent { plugin: name.clone(), reason };
        if !settings.enabled {
            tracing::warn!(source = "Bridge_Telemetry", plugin = name, "{error}");
        } else if settings.required {
            return Err(error.into());
        } else {
            loaded.note_failure(name, None, &error);
        }
    }
    Ok(())
}

fn directory(config: &Config, source: std::io::Error) -> PluginLoadError {
    PluginLoadError::Directory { directory: config.plugins.directory.clone().unwrap_or_default(), source }
}

fn find(
    config: &Config,
    sandbox: &Sandbox,
    loaded: &mut LoadedPlugins,
) -> Result<BTreeMap<String, Found>, HostError> {
    let mut found = BTreeMap::new();
    for (name, file) in config.plugins.enabled().map_err(|source| directory(config, source))? {
        match sandbox.outline(&file) {
            Ok(outline) => drop(found.insert(name.clone(), Found { name, file, outline })),
            Err(source) => {
                let error = PluginLoadError::Component { plugin: name.clone(), source };
                if config.plugins.settings_of(&name).required {
                    return Err(error.into());
                }
                loaded.note_failure(&name, None, &error);
            }
        }
    }
    Ok(found)
}

/// The receivers that are to be had. A host without plugins needs no console: only a receiver that somebody configured
/// can be missing.
fn receivers(config: &Config, found: &BTreeMap<String, Found>) -> BTreeMap<String, ReceiverConfig> {
    let mut receivers = config.alerting.all_receivers();
    receivers.retain(|name, receiver| {
        config.alerting.receivers.contains_key(name) || found.contains_key(&receiver.plugin)
    });
    receivers
}

struct Loader<'a> {
    config: &'a Config,
    sandbox: &'a Sandbox,
    found: &'a BTreeMap<String, Found>,
}

impl Loader<'_> {
    /// Loads all plugins but sinks: those are loaded once for each receiver.
    fn load_plugins(&self, loaded: &mut LoadedPlugins, progress: &mut Progress) -> Result<(), HostError> {
        for Found { name, file, outline } in self.found.values() {
            if outline.kind == PluginKind::Sink {
                continue;
            }
            progress.before_loading(name, &outline.sha256)?;
            let settings = self.config.plugins.settings_of(name);
            match self.load_plugin(name, file, &settings) {
                Ok(plugin) => loaded.take(Arc::new(plugin), &settings),
                Err(error) if settings.required => return Err(error.into()),
                Err(error) => loaded.note_failure(name, Some(outline.kind), &error),
            }
        }
        Ok(())
    }

    fn load_plugin(
        &self,
        name: &str,
        file: &Path,
        settings: &PluginSettings,
    ) -> Result<Plugin, PluginLoadError> {
        self.load(name, plugin_spec(name, file.to_owned(), settings))
    }

    fn load(&self, plugin: &str, spec: Result<PluginSpec, SecretError>) -> Result<Plugin, PluginLoadError> {
        let spec = spec.map_err(|source| PluginLoadError::Secret { plugin: plugin.to_owned(), source })?;
        let failed = |source: LoadError| PluginLoadError::Component { plugin: plugin.to_owned(), source };
        self.sandbox.load(spec).map_err(failed)
    }

    fn load_receivers(
        &self,
        receivers: &BTreeMap<String, ReceiverConfig>,
        loaded: &mut LoadedPlugins,
        progress: &mut Progress,
    ) -> Result<(), HostError> {
        for (name, receiver) in receivers {
            let kind = self.found.get(&receiver.plugin).map(|found| found.outline.kind);
            let plugin = match self.sink_of(name, receiver) {
                Err(error) => Err(error),
                Ok(Found { file, outline, .. }) => {
                    progress.before_loading(name, &outline.sha256)?;
                    let settings = self.config.plugins.settings_of(&receiver.plugin);
                    self.load(&receiver.plugin, receiver_spec(name, file.clone(), &settings, receiver))
                }
            };
            match plugin {
                Ok(plugin) => loaded.take_receiver(Arc::new(plugin)),
                Err(error) => loaded.note_failure(name, kind, &error),
            }
        }
        Ok(())
    }

    /// The component of a receiver's sink.
    fn sink_of(&self, name: &str, receiver: &ReceiverConfig) -> Result<&Found, PluginLoadError> {
        let fault = |reason| PluginLoadError::Receiver {
            receiver: name.to_owned(),
            plugin: receiver.plugin.clone(),
            reason,
        };
        let Some(found) = self.found.get(&receiver.plugin) else {
            let components = self.config.plugins.in_directory().unwrap_or_default();
            let reason = self.config.plugins.component_fault(&receiver.plugin, &components);
            return Err(fault(reason.unwrap_or_else(|| "its component cannot be used".to_owned())));
        };
        match found.outline.kind {
            PluginKind::Sink => Ok(found),
            kind => Err(fault(format!("it is a {kind}, and only a sink can deliver"))),
        }
    }
}
