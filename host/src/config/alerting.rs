//! `alerting`: who is told what.
//!
//! ```toml
//! [alerting]
//! default_receivers = ["console"]
//! [alerting.receivers.on-call]
//! plugin = "webhook"
//! config = { url = "https://hooks.example.com/alerts" }
//! grants = { http = ["https://hooks.example.com"] }
//! [[alerting.routes]]
//! match = { severity = "critical", host = { regex = "db.*" } }
//! receivers = ["on-call", "console"]
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use telemetry_core::LabelFilter;
use telemetry_core::filter::FilterError;

use super::grant::Grants;
use super::limits::PluginLimits;
use super::plugin::PluginConfig;

/// The receiver that is always there, made of the plugin of the same name, unless `receivers` defines it otherwise.
pub const CONSOLE_RECEIVER: &str = "console";

/// Receivers of alerts, and which alerts go to whom (spec §7).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AlertingConfig {
    /// By name. `console` is always there.
    pub receivers: BTreeMap<String, ReceiverConfig>,
    /// Tried in order; the first that matches decides, unless it says `continue`.
    pub routes: Vec<RouteConfig>,
    /// Receivers of alerts that no route matches.
    pub default_receivers: Vec<String>,
}

impl Default for AlertingConfig {
    fn default() -> Self {
        Self {
            receivers: BTreeMap::new(),
            routes: Vec::new(),
            default_receivers: vec![CONSOLE_RECEIVER.to_owned()],
        }
    }
}

impl AlertingConfig {
    /// All receivers: the configured ones, and `console`.
    pub fn all_receivers(&self) -> BTreeMap<String, ReceiverConfig> {
        let mut receivers = self.receivers.clone();
        receivers.entry(CONSOLE_RECEIVER.to_owned()).or_insert_with(|| ReceiverConfig {
            plugin: CONSOLE_RECEIVER.to_owned(),
            ..ReceiverConfig::default()
        });
        receivers
    }
}

/// A sink plugin with settings: the named end of a delivery. `limits` and `grants`, where given, replace those of
/// `plugins.settings.PLUGIN`; the keys of `config` go over those of the plugin's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceiverConfig {
    /// The sink plugin's name.
    pub plugin: String,
    /// What this receiver's copy of the plugin is configured with.
    #[serde(default)]
    pub config: PluginConfig,
    /// What it may use.
    #[serde(default)]
    pub limits: Option<PluginLimits>,
    /// What it may reach.
    #[serde(default)]
    pub grants: Option<Grants>,
}

/// Sends alerts whose labels match to receivers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteConfig {
    /// By label: a text, a list of texts, `{"regex": "…"}` (matched whole) or `{"not": …}`. All must match; without
    /// any, every alert matches. `monitor`, `key`, `severity` and `status` are the alert's own, whatever its labels say.
    #[serde(default, rename = "match")]
    pub matches: BTreeMap<String, Value>,
    /// Who gets the alert.
    pub receivers: Vec<String>,
    /// Whether the routes after this one are tried as well.
    #[serde(default, rename = "continue")]
    pub goes_on: bool,
}

impl RouteConfig {
    /// `matches`, ready to be used. A configuration that was checked does not fail here.
    pub fn filters(&self) -> Result<Vec<LabelFilter>, FilterError> {
        self.matches.iter().map(|(key, value)| LabelFilter::parse(key, value)).collect()
    }
}
