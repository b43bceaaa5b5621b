//! Loads every enabled plugin and every receiver's copy of its sink.
//!
//! All components are looked at first, so that it is known which of them have to be compiled; sinks that nobody names
//! are not.

use std::collections::BTreeMap;
use std::sync::Arc;

use telemetry_sandbox::{ComponentOutline, Plugin, PluginKind, Sandbox};
use telemetry_store::Store;

use super::error::PluginLoadError;
use super::loaded::{Absence, LoadedPlugins};
use super::package::{PluginPackages, note_put_back, note_running};
use super::prepared::{PackageReport, Prepared, verified};
use super::progress::Progress;
use crate::builder::HostError;
use crate::config::{Config, ReceiverConfig};

/// Of a plugin that is switched off by command.
pub(super) const DISABLED: &str = "it was disabled; bridge-telemetry plugin enable switches it on";

/// Loads all plugins of the configuration.
pub(crate) fn load_plugins(
    config: &Config,
    sandbox: &Sandbox,
    store: &Store,
    progress: &mut Progress,
) -> Result<LoadedPlugins, HostError> {
    let disabled = PluginPackages::of(&config.plugins).disabled();
    let disabled = disabled.map_err(|source| directory(config, source))?;
    if let Some(plugin) = disabled.iter().find(|name| config.plugins.settings_of(name).required) {
        let reason = format!("it is required, and {DISABLED}");
        return Err(PluginLoadError::NoComponent { plugin: plugin.clone(), reason }.into());
    }
    let removed = PluginPackages::of(&config.plugins).removed();
    let mut loaded = LoadedPlugins::default();
    loaded.removed = removed;
    loaded.absent.extend(disabled.iter().map(|name| (name.clone(), Absence::Disabled)));
    refuse_names_without_component(config, &mut loaded)?;
    let found = find(config, sandbox, &mut loaded)?;
    let receivers = receivers(config, &found, &disabled);
    for component in found.values() {
        let named = || receivers.iter().any(|(_, receiver)| receiver.plugin == component.name);
        if component.outline.kind == PluginKind::Sink && !named() {
            let sha256 = component.outline.sha256.clone();
            loaded.absent.insert(component.name.clone(), Absence::Unused { sha256 });
        } else if !component.outline.is_compiled {
            progress.plan(&component.outline.sha256);
        }
    }
    let loader = Loader { config, sandbox, store, found: &found, disabled };
    loader.load_plugins(&mut loaded, progress)?;
    loader.load_receivers(&receivers, &mut loaded, progress)?;
    let noted = note_running(&config.plugins, &loaded.running_versions());
    let noted = noted.and_then(|()| note_put_back(&config.plugins, &loaded.lock_entries()));
    loaded.versions_noted(noted);
    Ok(loaded)
}

/// An enabled plugin's component.
struct Found {
    name: String,
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
    let packages = PluginPackages::of(&config.plugins);
    for name in packages.enabled().map_err(|source| directory(config, source))? {
        match outline(config, &name, sandbox) {
            Ok(outline) => drop(found.insert(name.clone(), Found { name, outline })),
            Err(error) if config.plugins.settings_of(&name).required => return Err(error.into()),
            Err(error) => loaded.note_failure(&name, None, &error),
        }
    }
    Ok(found)
}

/// What a plugin's component is, as far as its bytes tell. They are read and checked again when it is loaded: many large
/// components need not be in memory at once.
fn outline(config: &Config, name: &str, sandbox: &Sandbox) -> Result<ComponentOutline, PluginLoadError> {
    let outline = sandbox.outline(verified(config, name)?.component);
    outline.map_err(|source| PluginLoadError::Component { plugin: name.to_owned(), source })
}

/// The receivers that are to be had. A host without plugins needs no console: only a receiver that somebody configured
/// can be missing, and one whose sink is disabled.
fn receivers(
    config: &Config,
    found: &BTreeMap<String, Found>,
    disabled: &[String],
) -> BTreeMap<String, ReceiverConfig> {
    let mut receivers = config.alerting.all_receivers();
    receivers.retain(|name, receiver| {
        config.alerting.receivers.contains_key(name)
            || found.contains_key(&receiver.plugin)
            || disabled.contains(&receiver.plugin)
    });
    receivers
}

struct Loader<'a> {
    config: &'a Config,
    sandbox: &'a Sandbox,
    store: &'a Store,
    found: &'a BTreeMap<String, Found>,
    disabled: Vec<String>,
}

impl Loader<'_> {
    /// Loads all plugins but sinks: those are loaded once for each receiver.
    fn load_plugins(&self, loaded: &mut LoadedPlugins, progress: &mut Progress) -> Result<(), HostError> {
        for Found { name, outline } in self.found.values() {
            if outline.kind == PluginKind::Sink {
                continue;
            }
            progress.before_loading(name, &outline.sha256)?;
            let settings = self.config.plugins.settings_of(name);
            let prepared = Prepared::plugin(self.config, name, outline.kind);
            match self.load(outline, prepared) {
                Ok((plugin, package)) => {
                    loaded.packages.insert(name.clone(), package);
                    loaded.take(Arc::new(plugin), &settings);
                }
                Err(error) if settings.required => return Err(error.into()),
                Err(error) => loaded.note_failure(name, Some(outline.kind), &error),
            }
        }
        Ok(())
    }

    fn load(
        &self,
        outline: &ComponentOutline,
        prepared: Result<Prepared, PluginLoadError>,
    ) -> Result<(Plugin, PackageReport), PluginLoadError> {
        prepared?.load(&outline.sha256, self.sandbox, self.store)
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
                Ok(Found { outline, .. }) => {
                    progress.before_loading(name, &outline.sha256)?;
                    self.load(outline, Prepared::receiver(self.config, name, receiver))
                }
            };
            match plugin {
                Ok((plugin, package)) => {
                    loaded.packages.insert(name.clone(), package);
                    loaded.take_receiver(Arc::new(plugin));
                }
                Err(error) if self.disabled.contains(&receiver.plugin) => loaded.note_waiting(name, &error),
                // What is wrong with its component is told under this very name.
                Err(_) if *name == receiver.plugin && loaded.has_failed(name) => {}
                Err(error) => loaded.note_failure(name, kind, &error),
            }
        }
        Ok(())
    }

    /// The component of a receiver's sink.
    fn sink_of(&self, name: &str, receiver: &ReceiverConfig) -> Result<&Found, PluginLoadError> {
        let Some(found) = self.found.get(&receiver.plugin) else {
            let is_disabled = self.disabled.contains(&receiver.plugin);
            return Err(without_sink(self.config, name, &receiver.plugin, is_disabled));
        };
        match found.outline.kind {
            PluginKind::Sink => Ok(found),
            kind => Err(PluginLoadError::Receiver {
                receiver: name.to_owned(),
                plugin: receiver.plugin.clone(),
                reason: format!("it is a {kind}, and only a sink can deliver"),
            }),
        }
    }
}

/// Why a receiver has no sink: there is no component, it is disabled by command, or it cannot be used.
pub(super) fn without_sink(
    config: &Config,
    receiver: &str,
    plugin: &str,
    is_disabled: bool,
) -> PluginLoadError {
    let components = config.plugins.in_directory().unwrap_or_default();
    let reason = config.plugins.component_fault(plugin, &components);
    let disabled = is_disabled.then(|| DISABLED.to_owned());
    let reason = reason.or(disabled).unwrap_or_else(|| "its component cannot be used".to_owned());
    PluginLoadError::Receiver { receiver: receiver.to_owned(), plugin: plugin.to_owned(), reason }
}
