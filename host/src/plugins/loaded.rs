//! What is loaded, sorted by what it extends; and what is not, with the reason.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::RwLock;
use telemetry_core::aggregation::AggregationSource;
use telemetry_sandbox::{LogRing, Plugin, PluginKind};

use super::error::PluginLoadError;
use super::history::PluginHistory;
use super::package::{LockEntry, LockError, RunningVersion};
use super::prepared::PackageReport;
use crate::config::{self, PluginSettings};
use crate::envelope::cause_chain;
use crate::recording::{OnFailure, ValidatorEntry};

/// Why a plugin, or a receiver's copy of a sink, is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Absence {
    /// It could not be loaded; its kind, as far as it is known.
    Failed { kind: Option<PluginKind>, reason: String },
    /// It was disabled by command, not by the configuration.
    Disabled,
    /// A receiver whose sink was disabled by command: its deliveries wait.
    Waiting { reason: String },
    /// A sink that no receiver names, with the SHA-256 of its component.
    Unused { sha256: String },
}

impl Absence {
    pub(super) fn kind(&self) -> Option<PluginKind> {
        match self {
            Self::Failed { kind, .. } => *kind,
            Self::Disabled => None,
            Self::Waiting { .. } | Self::Unused { .. } => Some(PluginKind::Sink),
        }
    }
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
    /// What is not there, by name: a plugin's, or a receiver's. A receiver with its sink's name is told, not the sink.
    pub(crate) absent: BTreeMap<String, Absence>,
    /// Removed by command before the host was opened, and not put back.
    pub(crate) removed: BTreeSet<String>,
    /// Of plugins and receivers' copies, by name: why each may be run, and what it may reach.
    pub(crate) packages: BTreeMap<String, PackageReport>,
    /// What became of each plugin and receiver since the host was opened.
    pub(crate) history: BTreeMap<String, PluginHistory>,
    /// Why it is not noted which versions run, or that one was taken back.
    pub(crate) version_fault: Option<String>,
    /// The last lines of the logs of what was stopped.
    pub(crate) logs: BTreeMap<String, Arc<LogRing>>,
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
        self.fail(name, kind, reason);
    }

    /// Keeps why a plugin, or a receiver's copy, could not be loaded; a kind that was known before is still.
    pub(super) fn fail(&mut self, name: &str, kind: Option<PluginKind>, reason: String) {
        let kind = kind.or_else(|| self.absent.get(name).and_then(Absence::kind));
        self.absent.insert(name.to_owned(), Absence::Failed { kind, reason });
    }

    /// Keeps that a receiver's deliveries wait for its sink to be enabled again.
    pub(super) fn note_waiting(&mut self, receiver: &str, error: &PluginLoadError) {
        let reason = cause_chain(error);
        tracing::warn!(source = "Bridge_Telemetry", plugin = receiver, "deliveries wait: {reason}");
        self.absent.insert(receiver.to_owned(), Absence::Waiting { reason });
    }

    /// Whether it could not be loaded.
    pub(crate) fn has_failed(&self, name: &str) -> bool {
        matches!(self.absent.get(name), Some(Absence::Failed { .. }))
    }

    /// Takes a plugin in the place of the one of its name, if there is one.
    pub(super) fn take(&mut self, plugin: Arc<Plugin>, settings: &PluginSettings) {
        let name = plugin.name().to_owned();
        self.absent.remove(&name);
        self.logs.remove(&name);
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
        self.absent.remove(&name);
        self.logs.remove(&name);
        self.receivers.insert(name, plugin);
    }

    /// Lets a plugin, or a receiver's copy, go; the last lines of its log stay to be read.
    pub(super) fn let_go(&mut self, name: &str, is_receiver: bool) {
        let gone = if is_receiver {
            self.receivers.remove(name)
        } else {
            let at = self.plugins.iter().position(|loaded| loaded.plugin.name() == name);
            at.map(|at| self.plugins.remove(at).plugin)
        };
        self.packages.remove(name);
        self.logs.extend(gone.map(|plugin| (name.to_owned(), plugin.log())));
    }

    /// In which versions plugins run, as far as their manifests tell.
    pub(crate) fn running_versions(&self) -> Vec<RunningVersion> {
        self.packages.values().filter_map(PackageReport::running).collect()
    }

    /// What `plugins.lock` said of each plugin that runs.
    pub(crate) fn lock_entries(&self) -> Vec<LockEntry> {
        self.packages.values().map(|package| package.entry.clone()).collect()
    }

    /// Keeps whether it could be noted which versions run.
    pub(crate) fn versions_noted(&mut self, noted: Result<(), LockError>) {
        let fault = noted.err().map(|error| cause_chain(&error));
        if let Some(reason) = &fault
            && fault != self.version_fault
        {
            tracing::warn!(
                source = "Bridge_Telemetry",
                "which versions of plugins run is not noted: {reason}"
            );
        }
        self.version_fault = fault;
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
