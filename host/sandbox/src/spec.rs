//! What the runtime is given: its own options, the host's ports, and the description of each plugin.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use telemetry_core::extension::{KeyValuePort, QueryPort};
use telemetry_core::limits;

use crate::compiler::Compiler;
use crate::engine::Execution;
use crate::grants::{Grants, Secrets};
use crate::http::{HttpPort, NamePort};
use crate::limits::PluginLimits;
use crate::supervisor::SupervisionPolicy;

/// Options of the runtime.
#[derive(Clone, Debug)]
pub struct SandboxOptions {
    /// Where compiled code is kept; it must be writable by this user alone. Nothing is kept when absent.
    pub cache_directory: Option<PathBuf>,
    /// Largest component in bytes.
    pub max_component_bytes: u64,
    /// Instances of a validator or aggregation at most, unless its limits say otherwise; one per core when absent.
    pub instances_per_plugin: Option<NonZeroU32>,
    /// Time for a plugin's `describe`, `init`, `snapshot` and what it is asked once.
    pub init_deadline: Duration,
    /// Time that one call may spend in the host's key-value spaces and queries before the next of them is refused.
    pub port_time: Duration,
    /// How often deadlines are looked at.
    pub epoch_tick: Duration,
    /// When failures lead to what.
    pub supervision: SupervisionPolicy,
    /// How guests run.
    pub execution: Execution,
    /// Answers the HTTP requests that the grants allow, in place of the network.
    pub http: Option<Arc<dyn HttpPort>>,
    /// Answers for the hosts of these requests, in place of the system's resolver.
    pub names: Option<Arc<dyn NamePort>>,
    /// Where components are compiled.
    pub compiler: Compiler,
}

impl Default for SandboxOptions {
    fn default() -> Self {
        Self {
            cache_directory: None,
            max_component_bytes: limits::MAX_COMPONENT_BYTES,
            instances_per_plugin: None,
            init_deadline: limits::PLUGIN_INIT_DEADLINE,
            port_time: limits::MAX_PORT_TIME,
            epoch_tick: limits::EPOCH_TICK,
            supervision: SupervisionPolicy::default(),
            execution: Execution::default(),
            http: None,
            names: None,
            compiler: Compiler::default(),
        }
    }
}

/// What the host offers to plugins.
#[derive(Clone)]
pub struct Ports {
    /// The plugins' key-value spaces.
    pub key_value: Arc<dyn KeyValuePort>,
    /// Aggregate queries.
    pub query: Arc<dyn QueryPort>,
}

impl std::fmt::Debug for Ports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ports").finish_non_exhaustive()
    }
}

/// Where a plugin's compiled WebAssembly comes from.
#[derive(Clone, Debug)]
pub enum Component {
    /// A file.
    File(PathBuf),
    /// The bytes themselves.
    Bytes(Vec<u8>),
}

impl From<&Path> for Component {
    fn from(file: &Path) -> Self {
        Self::File(file.to_owned())
    }
}

impl From<&PathBuf> for Component {
    fn from(file: &PathBuf) -> Self {
        Self::File(file.clone())
    }
}

impl From<Vec<u8>> for Component {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

/// One plugin as configured.
#[derive(Clone, Debug)]
pub struct PluginSpec {
    /// Its name in the configuration, in failures, health and logs.
    pub name: String,
    /// The component.
    pub component: Component,
    /// Its own configuration; null is an empty object.
    pub config: Value,
    /// What it may use.
    pub limits: PluginLimits,
    /// What it is given.
    pub grants: Grants,
    /// The secrets there are; the grants say which of them it may name.
    pub secrets: Secrets,
}

impl PluginSpec {
    /// A plugin with default limits, no grants and an empty configuration.
    pub fn new(name: impl Into<String>, component: Component) -> Self {
        Self {
            name: name.into(),
            component,
            config: Value::Null,
            limits: PluginLimits::default(),
            grants: Grants::default(),
            secrets: Secrets::default(),
        }
    }

    /// The same plugin with this configuration.
    pub fn with_config(mut self, config: Value) -> Self {
        self.config = config;
        self
    }
}
