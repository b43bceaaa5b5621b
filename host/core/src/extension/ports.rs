//! What the host offers to plugins beyond log and counters. The runtime calls these; the host implements them.

use crate::time::Timestamp;

/// A port could not do what a plugin asked of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PortError {
    /// The request is not understood.
    #[error("unsupported: {0}")]
    Unsupported(String),
    /// May succeed when tried again.
    #[error("failed for now: {0}")]
    Transient(String),
    /// Over a quota.
    #[error("over the quota of {limit} {what}")]
    Quota {
        /// What is limited.
        what: &'static str,
        /// How much of it there is.
        limit: u64,
    },
}

/// The committed key-value space of one plugin. Monitors' writes are buffered by the runtime and committed with their
/// checkpoint; sinks write through.
pub trait KeyValuePort: Send + Sync {
    /// The committed value of a key.
    fn get(&self, plugin: &str, key: &str) -> Result<Option<Vec<u8>>, PortError>;
    /// Stores or (with `None`) deletes a key.
    fn write(&self, plugin: &str, key: &str, value: Option<&[u8]>) -> Result<(), PortError>;
}

/// Aggregate queries, as `get_metrics` takes and answers them.
pub trait QueryPort: Send + Sync {
    /// Answers a request in the JSON form of `POST /v1/query` as of `as_of`: later samples are not seen.
    fn get_metrics(&self, request_json: &str, as_of: Timestamp) -> Result<String, PortError>;
}
