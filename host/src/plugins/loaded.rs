//! What is loaded, sorted by what it extends; and what is not, with the reason.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;
use telemetry_core::aggregation::AggregationSource;
use telemetry_sandbox::{Plugin, PluginKind};

use super::error::PluginLoadError;
use super::history::PluginHistory;
use super::prepared::PackageReport;
use crate::config::{self, PluginSettings};
use crate::envelope::cause_chain;
use crate::recording::{OnFailure, ValidatorEntry};

/// A plugin, or a receiver's copy of one, that is not there.
#[derive(Clone, Debug)]
pub(crate) struct FailedPlugin {
    pub(crate) name: String,
    /// As far as its component tells.
    pub(crate) kind: Option<PluginKind>,
    pub(crate) reason: String,
}

/// A plugin with what its settings say of its place among the others.
#[derive(Clone)]
pub(crate) struct LoadedPlugin {
    pub(crate) plugin: Arc<Plugin>,
    order: i32,
    on_failure: OnFailure,
}

/// What is loaded.
#[derive(Default)]
pub(crate) struct LoadedPlugins {
    /// By order, then by name.
    plugins: Vec<LoadedPlugin>,
    /// By receiver's name.
    pub(crate) receivers: BTreeMap<String, Arc<Plugin>>,
    pub(crate) failed: Vec<FailedPlugin>,
    /// Disabled by command, not by the configuration.
    pub(crate) disabled: Vec<String>,
    /// Of plugins and receivers' copies, by name: why each may be run, and what it may reach.
    pub(crate) packages: BTreeMap<String, PackageReport>,
    /// Sinks that no receiver names, with the SHA-256 of their components.
    pub(crate) unused_sinks: BTreeMap<String, String>,
    /// What became of each plugin and receiver since the host was opened.
    pub(crate) history: BTreeMap<String, PluginHistory>,
}

/// The plugins of a running host as they are now.
#[derive(Default)]
pub(crate) struct LivePlugins(RwLock<LoadedPlugins>);

impl LivePlugins {
    pub(crate) fn new(loaded: LoadedPlugins) -> Self {
        Self(RwLock::new(loaded))
    }

    /// Looks at them; nothing may be called that waits for a plugin.
    pub(crate) fn read<R>(&self, look: impl FnOnce(&LoadedPlugins) -> R) -> R {
        look(&self.0.read())
    }

    /// Changes them; the same holds.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut LoadedPlugins) -> R) -> R {
        change(&mut self.0.write())
    }
}

impl LoadedPlugins {
    pub(super) fn note_failure(&mut self, name: &str, kind: Option<PluginKind>, error: &PluginLoadError) {
        let reason = cause_chain(error);
        tracing::error!(source = "Bridge_Telemetry", plugin = name, "{reason}");
        self.failed.push(FailedPlugin { name: name.to_owned(), kind, reason });
    }

    /// Takes a plugin in the place of the one of its name, if there is one.
    pub(super) fn take(&mut self, plugin: Arc<Plugin>, settings: &PluginSettings) {
        let name = plugin.name().to_owned();
        self.failed.retain(|failed| failed.name != name);
        self.disabled.retain(|disabled| *disabled != name);
        self.plugins.retain(|loaded| loaded.plugin.name() != name);
        let on_failure = match settings.on_failure {
            config::OnFailure::Reject => OnFailure::Reject,
            config::OnFailure::Accept => OnFailure::Accept,
        };
        let order = settings.order;
        let place = |loaded: &LoadedPlugin| (loaded.order, loaded.plugin.name()) < (order, name.as_str());
        let at = self.plugins.partition_point(place);
        self.plugins.insert(at, LoadedPlugin { plugin, order, on_failure });
    }

    /// Takes a receiver's copy of a sink in the place of the one before.
    pub(super) fn take_receiver(&mut self, plugin: Arc<Plugin>) {
        let name = plugin.name().to_owned();
        self.failed.retain(|failed| failed.name != name);
        self.receivers.insert(name, plugin);
    }

    /// The plugin of this name that is no sink.
    pub(crate) fn plugin(&self, name: &str) -> Option<&Arc<Plugin>> {
        self.plugins().find(|plugin| plugin.name() == name)
    }

    /// All plugins but sinks, by order.
    pub(crate) fn plugins(&self) -> impl Iterator<Item = &Arc<Plugin>> {
        self.plugins.iter().map(|loaded| &loaded.plugin)
    }

    /// Everything that runs: plugins, then receivers.
    pub(crate) fn running(&self) -> impl Iterator<Item = &Arc<Plugin>> {
        self.plugins().chain(self.receivers.values())
    }

    /// The validators in their order.
    pub(crate) fn validators(&self) -> Vec<ValidatorEntry> {
        let entry = |loaded: &LoadedPlugin| {
            let validator = loaded.plugin.validator()?;
            Some(ValidatorEntry { validator, on_failure: loaded.on_failure })
        };
        self.plugins.iter().filter_map(entry).collect()
    }

    /// The aggregate functions in their plugins' order.
    pub(crate) fn aggregations(&self) -> Vec<Arc<dyn AggregationSource>> {
        self.plugins().filter_map(|plugin| plugin.aggregations()).collect()
    }

    pub(crate) fn monitors(&self) -> impl Iterator<Item = &Arc<Plugin>> {
        self.plugins().filter(|plugin| plugin.info().kind == PluginKind::Monitor)
    }
}
