//! The answer to a record that is stored.

use serde::Serialize;
use telemetry_core::{Timestamp, ValidationIssue};
use uuid::Uuid;

/// A record is stored, as durably as configured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Receipt {
    /// The record's id; it finds the record again.
    pub event_id: Uuid,
    /// The record's time; for an id that was known, the first one.
    pub timestamp: Timestamp,
    /// Objections of validators that did not refuse the record.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<ValidationIssue>,
}
