//! Configuration (spec §4): one typed document, read from layers, checked as a whole.
//!
//! **Layers**, each winning over those before it: the defaults, a TOML, YAML or JSON file, `BRIDGE_TELEMETRY__…`
//! environment variables, explicit settings such as command-line flags. Objects merge key by key, everything else is
//! replaced whole; `null` (an empty YAML key) says nothing.
//!
//! **Faults** are collected: unknown keys with the nearest known one, wrong types, values out of range, names that
//! nothing defines. Each carries its key's full path and the place it came from: line and column of a file, the name
//! of a variable or flag.
//!
//! Names of plugins are right or wrong by what lies on the disk; only [`ConfigLayers::check`],
//! [`ConfigLayers::load_with_plugins`] and [`ConfigLayers::check_plugins`] look there. The last asks the plugins, too, what
//! their own configuration may be.
//!
//! Invariant: a [`Config`] that a [`ConfigLayers`] or [`Config::from_value`] gave back is valid; one that a program
//! built or changed is to be checked with [`Config::validate`].

mod alerting;
mod check;
mod component;
mod environment;
mod fault;
mod file;
mod grant;
#[cfg(test)]
mod layer_tests;
mod layers;
mod limits;
mod logger;
mod loops;
mod path;
mod plugin;
mod plugin_schema;
mod quantity;
mod resolve;
mod retention;
mod rollup;
mod root;
mod schema;
mod server;
mod storage;
mod supervision;
#[cfg(test)]
mod tests;
mod toml_text;
mod tree;
mod trust;
mod yaml_text;

pub(crate) use check::{check_name, check_origin};
pub(crate) use resolve::nearest;
pub(crate) use schema::tidy_schema;

pub use alerting::{AlertingConfig, CONSOLE_RECEIVER, ReceiverConfig, RouteConfig};
pub use environment::ENVIRONMENT_PREFIX;
pub use fault::{ConfigError, ConfigFault, Problem};
pub use grant::{Grants, SecretError, SecretSource, SecretText};
pub use layers::ConfigLayers;
pub use limits::PluginLimits;
pub use logger::{LogLevel, LoggerConfig};
pub use loops::LoopConfig;
pub use path::{KeyPath, PathSegment};
pub(crate) use plugin::{COMPONENT_EXTENSION, is_package};
pub use plugin::{OnBacklog, OnFailure, PluginConfig, PluginSettings, PluginsConfig};
pub use quantity::{ByteCount, Period};
pub use retention::{EventRetention, MetricRetention, RetentionPolicy};
pub use rollup::RollupConfig;
pub use root::Config;
pub use server::ServerConfig;
pub use storage::{Backend, Durability, StorageConfig};
pub use supervision::{ReloadConfig, RuntimeMetricsConfig};
pub use tree::Origin;
pub(crate) use trust::key_id;
pub use trust::{PluginPolicy, TrustedKey, TrustedKeyError};
