//! The whole configuration document.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use telemetry_core::limits;

use super::alerting::AlertingConfig;
use super::fault::{ConfigError, ConfigFault, Problem};
use super::layers::ConfigLayers;
use super::logger::LoggerConfig;
use super::loops::LoopConfig;
use super::path::KeyPath;
use super::plugin::PluginsConfig;
use super::retention::RetentionPolicy;
use super::rollup::RollupConfig;
use super::schema;
use super::server::ServerConfig;
use super::storage::StorageConfig;
use super::tree::Origin;

/// The configuration of a host. Every key is optional.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The JSON-lines log.
    pub logger_config: LoggerConfig,
    /// The storage engine.
    pub storage_config: StorageConfig,
    /// How long records are kept.
    pub retention_policy: RetentionPolicy,
    /// Loop detection.
    #[serde(rename = "loop")]
    pub loops: LoopConfig,
    /// Depth at which recording from within a native subscriber is refused. Not above 100: the calls nest on the
    /// thread's stack.
    #[schemars(range(min = 1, max = limits::MAX_RECURSION_DEPTH))]
    pub max_recursion_depth: u32,
    /// Plugins and their settings.
    pub plugins: PluginsConfig,
    /// Receivers of alerts and routes to them.
    pub alerting: AlertingConfig,
    /// Aggregations whose states are kept, so that long ranges are answered from buckets.
    pub rollups: Vec<RollupConfig>,
    /// The HTTP interface.
    pub server: ServerConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            logger_config: LoggerConfig::default(),
            storage_config: StorageConfig::default(),
            retention_policy: RetentionPolicy::default(),
            loops: LoopConfig::default(),
            max_recursion_depth: limits::MAX_RECURSION_DEPTH,
            plugins: PluginsConfig::default(),
            alerting: AlertingConfig::default(),
            rollups: Vec::new(),
            server: ServerConfig::default(),
        }
    }
}

impl Config {
    /// From a document such as a Python dict or parsed JSON; checked.
    pub fn from_value(value: Value) -> Result<Self, ConfigError> {
        ConfigLayers::new().value(value).load()
    }

    /// Checks a configuration that a program built or changed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let value = serde_json::to_value(self).map_err(|error| {
            // The only values that have no JSON are paths that are not UTF-8.
            ConfigError::of(vec![ConfigFault {
                path: KeyPath::default(),
                origin: Origin::Program,
                problem: Problem::Type { message: error.to_string() },
            }])
        })?;
        Self::from_value(value).map(|_| ())
    }

    /// The JSON Schema of the document.
    pub fn schema() -> Value {
        schema::generated().clone()
    }
}
