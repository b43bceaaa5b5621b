//! What was loaded, sorted by what it extends; and what was not, with the reason.

use std::collections::BTreeMap;
use std::sync::Arc;

use telemetry_core::aggregation::AggregationSource;
use telemetry_sandbox::{Plugin, PluginKind};

use super::error::PluginLoadError;
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

/// What was loaded.
#[derive(Default)]
pub(crate) struct LoadedPlugins {
    pub(crate) plugins: Vec<Arc<Plugin>>,
    /// By receiver's name.
    pub(crate) receivers: BTreeMap<String, Arc<Plugin>>,
    pub(crate) failed: Vec<FailedPlugin>,
    pub(crate) validators: Vec<ValidatorEntry>,
    pub(crate) aggregations: Vec<Arc<dyn AggregationSource>>,
    /// Disabled by command, not by the configuration.
    pub(crate) disabled: Vec<String>,
    /// Of plugins and receivers' copies, by name: why each may be run, and what it may reach.
    pub(crate) packages: BTreeMap<String, PackageReport>,
    /// Sinks that no receiver names, with the SHA-256 of their components.
    pub(crate) unused_sinks: BTreeMap<String, String>,
}

impl LoadedPlugins {
    pub(super) fn note_failure(&mut self, name: &str, kind: Option<PluginKind>, error: &PluginLoadError) {
        let reason = cause_chain(error);
        tracing::error!(source = "Bridge_Telemetry", plugin = name, "{reason}");
        self.failed.push(FailedPlugin { name: name.to_owned(), kind, reason });
    }

    pub(super) fn take(&mut self, plugin: Arc<Plugin>, settings: &PluginSettings) {
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
