//! For the author's native unit tests: builders of batches and alerts, and a stand-in for the host.
//!
//! The stand-in keeps what the plugin logs, counts and stores, and answers its queries and HTTP requests as the test says. It
//! belongs to the test's thread, so tests that run side by side do not see each other. It searches for [`patterns`](crate::patterns)
//! with the crate `regex`, within no limits: no text is given up. By [`json_schemas`](crate::json_schemas) it judges with the crate
//! `jsonschema`, within no limits either, where the SDK's feature `json-schemas` is on. This module does not exist in components.

mod alert;
mod events;
pub(crate) mod host;
pub(crate) mod json_schemas;
pub(crate) mod patterns;
mod samples;
pub mod schema;
pub(crate) mod values;

pub use alert::AlertBuilder;
pub use events::EventBatchBuilder;
pub use host::{LogEntry, counter, gauge, http_requests, logs, on_http, on_query, reset, restart};
pub use samples::SampleBatchBuilder;

use crate::bindings::imports::types::TextColumn;

/// Adds one string to a column.
fn push(column: &mut TextColumn, text: &str) {
    column.bytes.extend_from_slice(text.as_bytes());
    column.ends.push(u32::try_from(column.bytes.len()).unwrap_or(u32::MAX));
}
