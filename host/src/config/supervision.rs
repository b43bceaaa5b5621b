//! `plugins.reload` and `plugins.runtime_metrics`: what a running host does about its plugins by itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telemetry_core::limits;

use super::quantity::Period;

/// Whether changed components are taken over while the host runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReloadConfig {
    /// Whether the files of plugins are watched: a component that changed is tried and takes the place of the one before, a
    /// new one of `plugins.directory` is loaded, and what is disabled or removed by command is stopped. Asking for a reload works
    /// in any case.
    pub watch: bool,
    /// How often the files are looked at; at least 100 ms. A change counts when it was seen twice alike.
    pub interval: Period,
}

impl Default for ReloadConfig {
    fn default() -> Self {
        Self { watch: true, interval: Period(limits::PLUGIN_WATCH_INTERVAL) }
    }
}

/// The plugins' own figures as metrics in the store, with the label `source` = `plugin_runtime`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RuntimeMetricsConfig {
    /// Whether they are recorded.
    pub enabled: bool,
    /// How often; at least 100 ms.
    pub interval: Period,
}

impl Default for RuntimeMetricsConfig {
    fn default() -> Self {
        Self { enabled: true, interval: Period(limits::PLUGIN_METRICS_INTERVAL) }
    }
}
