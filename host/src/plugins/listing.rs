//! What operators see of the plugins.

use std::sync::Arc;

use serde::Serialize;
use telemetry_sandbox::{Plugin, PluginKind, PluginStatus};

use super::history::PluginHistory;
use super::lag::Lags;
use super::loaded::{Absence, LoadedPlugins};
use super::prepared::PackageReport;

/// Whether a plugin works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PluginState {
    /// It is loaded; its status says how it does.
    Loaded,
    /// It could not be loaded.
    Failed,
    /// A sink that no receiver names.
    Unused,
    /// It is switched off, by command or in the configuration; or a receiver whose sink is.
    Disabled,
    /// No host was asked; one would load it.
    Ready,
}

/// One plugin, or one receiver's copy of a sink.
#[derive(Clone, Debug, Serialize)]
pub struct PluginListing {
    /// Its name in the configuration; a receiver's for a sink.
    pub name: String,
    /// Whether it works.
    pub load: PluginState,
    /// What it extends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<PluginKind>,
    /// Its own version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What it says of itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The SHA-256 of its component.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Aggregate functions that it offers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aggregates: Vec<String>,
    /// Why it could not be loaded, or is not used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why it may be run, and what it may reach.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub package: Option<PackageReport>,
    /// Records that wait for it as a monitor, or deliveries as a receiver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag_records: Option<u64>,
    /// Which version it is, and what became of the last one that was tried.
    #[serde(flatten)]
    pub history: PluginHistory,
    /// State, calls, failures and time used.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub status: Option<PluginStatus>,
}

impl PluginListing {
    pub(super) fn not_running(name: &str, load: PluginState, kind: Option<PluginKind>, reason: &str) -> Self {
        Self {
            name: name.to_owned(),
            load,
            kind,
            version: None,
            description: None,
            sha256: None,
            aggregates: Vec::new(),
            reason: Some(reason.to_owned()),
            package: None,
            lag_records: None,
            history: PluginHistory::default(),
            status: None,
        }
    }

    fn of_absent(name: &str, absence: &Absence) -> Self {
        let (load, reason) = match absence {
            Absence::Failed { reason, .. } => (PluginState::Failed, reason.as_str()),
            Absence::Disabled => (PluginState::Disabled, "bridge-telemetry plugin enable switches it on"),
            Absence::Waiting { reason } => (PluginState::Disabled, reason.as_str()),
            Absence::Unused { .. } => (PluginState::Unused, "no receiver names it"),
        };
        let sha256 = match absence {
            Absence::Unused { sha256 } => Some(sha256.clone()),
            _ => None,
        };
        Self { sha256, ..Self::not_running(name, load, absence.kind(), reason) }
    }

    fn of_plugin(name: &str, plugin: &Arc<Plugin>, loaded: &LoadedPlugins, lags: &Lags) -> Self {
        let info = plugin.info();
        Self {
            name: name.to_owned(),
            load: PluginState::Loaded,
            kind: Some(info.kind),
            version: Some(info.version.clone()),
            description: Some(info.description.clone()),
            sha256: Some(info.sha256.clone()),
            aggregates: info.aggregates.iter().map(|aggregate| aggregate.name.clone()).collect(),
            reason: None,
            package: loaded.packages.get(name).cloned(),
            lag_records: lags.of_plugin(plugin),
            history: PluginHistory::default(),
            status: Some(plugin.status()),
        }
    }
}

/// Every plugin and receiver, there or not, by name.
pub(crate) fn plugin_listings(loaded: &LoadedPlugins, lags: &Lags) -> Vec<PluginListing> {
    let plugins = loaded.plugins().map(|plugin| (plugin.name(), plugin));
    let receivers = loaded.receivers.iter().map(|(name, plugin)| (name.as_str(), plugin));
    let running = plugins.chain(receivers);
    let running = running.map(|(name, plugin)| PluginListing::of_plugin(name, plugin, loaded, lags));
    let absent = loaded.absent.iter().map(|(name, absence)| PluginListing::of_absent(name, absence));
    let mut listings: Vec<_> = running.chain(absent).collect();
    for listing in &mut listings {
        if let Some(history) = loaded.history.get(&listing.name) {
            listing.history = history.clone();
        }
    }
    listings.sort_by(|a, b| a.name.cmp(&b.name));
    listings
}
