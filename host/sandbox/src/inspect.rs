//! What a plugin is, as it says itself and as its component shows.

use serde::Serialize;
use serde_json::Value;

use crate::convert::CheckedAggregate;
use crate::schema::{Schema, SchemaFault};
use crate::world::PluginKind;

/// What a plugin is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PluginInfo {
    /// The author's name for it.
    pub name: String,
    /// Its kind.
    pub kind: PluginKind,
    /// The version of the plugin contract that it was built for.
    pub contract: &'static str,
    /// Its version.
    pub version: String,
    /// One line for people.
    pub description: String,
    /// JSON Schema of its configuration.
    pub config_schema: Value,
    /// What the component imports.
    pub imports: Vec<String>,
    /// SHA-256 of the component, in hexadecimal.
    pub sha256: String,
    /// Size of the component in bytes.
    pub component_bytes: u64,
    /// Its aggregate functions; known only of a loaded aggregator, empty otherwise.
    pub aggregates: Vec<AggregateInfo>,
}

impl PluginInfo {
    /// What its schema finds wrong with a configuration.
    pub fn config_faults(&self, config: &Value) -> Vec<SchemaFault> {
        match Schema::parse(&self.config_schema.to_string()) {
            Ok(schema) => schema.faults(config),
            Err(message) => vec![SchemaFault::of_all("limit", message)],
        }
    }
}

/// One aggregate function of a plugin.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AggregateInfo {
    /// The name that queries call it by.
    pub name: String,
    /// One line for people who write queries.
    pub description: String,
    /// JSON Schema of its parameters.
    pub parameters_schema: Value,
    /// Whether partial states can be merged.
    pub mergeable: bool,
    /// Whether the result depends on sample times.
    pub needs_timestamps: bool,
}

impl AggregateInfo {
    pub(crate) fn of(checked: &CheckedAggregate) -> Self {
        Self {
            name: checked.name.clone(),
            description: checked.description.clone(),
            parameters_schema: checked.parameters_schema.clone(),
            mergeable: checked.mergeable,
            needs_timestamps: checked.needs_timestamps,
        }
    }
}
