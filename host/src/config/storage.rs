//! `storage_config`: where records are kept, how durably, and how much of them.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telemetry_store::StoreOptions;

use super::quantity::ByteCount;

/// The storage engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StorageConfig {
    /// The kind of store.
    pub backend: Backend,
    /// The directory of the store; made if it is absent. Not used by `memory`.
    pub connection_string: PathBuf,
    /// Size at which the oldest data goes, whatever its age; at least 64 MiB. No cap when absent: the percentage in
    /// health is then of the file system.
    pub max_bytes: Option<ByteCount>,
    /// Budget of write buffers, caches, heads and index together; at least 16 MiB.
    pub memory_bytes: ByteCount,
    /// What an acknowledged record survives.
    pub durability: Durability,
    /// Active series of one metric. Samples of further ones count in the metric's totals without their context.
    #[schemars(range(min = 1))]
    pub max_series_per_metric: u32,
    /// Active series of all metrics together. Samples of further ones count in their metric's totals without context.
    #[schemars(range(min = 1))]
    pub max_series: u32,
    /// Size at which the durable log drops what a slow monitor has not read yet, and reports the gap; at least 16 MiB.
    pub max_log_bytes: ByteCount,
    /// Free space of the file system below which records are refused.
    pub min_free_bytes: ByteCount,
}

impl Default for StorageConfig {
    fn default() -> Self {
        // The engine's own defaults, so that there is one place for them.
        let store = StoreOptions::default();
        Self {
            backend: Backend::default(),
            connection_string: PathBuf::from("runtime/data/telemetry_store"),
            max_bytes: store.max_bytes.map(ByteCount),
            memory_bytes: ByteCount(store.memory_bytes),
            durability: match store.durability {
                telemetry_store::Durability::Process => Durability::Process,
                telemetry_store::Durability::Power => Durability::Power,
            },
            max_series_per_metric: store.max_series_per_metric,
            max_series: store.max_series,
            max_log_bytes: ByteCount(store.max_log_bytes),
            min_free_bytes: ByteCount(store.min_free_bytes),
        }
    }
}

/// The kind of store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    /// Embedded RocksDB in a directory.
    #[default]
    TimeseriesDb,
    /// The same engine in memory; everything is gone when the host stops.
    Memory,
}

/// What an acknowledged record survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// The end of the process, also by `kill -9`; on the disk at most 100 ms later.
    #[default]
    Process,
    /// A power failure: every answer waits for the disk.
    Power,
}
