//! Why a record was refused, with the contract's code and details.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use telemetry_core::admission::AdmissionError;
use telemetry_core::extension::PluginFailure;
use telemetry_core::{ErrorCode, Timestamp, ValidationIssue};
use telemetry_store::StoreError;

use crate::envelope::{EnvelopeError, MalformedPayload};

/// A record was refused; nothing of it is stored.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The shape check or a validator objected.
    #[error("Event validation failed.")]
    Invalid {
        /// Every objection of the check that refused it.
        issues: Vec<ValidationIssue>,
        /// The record as it came, with the rewrites made so far.
        received: Value,
    },
    /// A metric's name or value, a time or a size is outside the contract.
    #[error(transparent)]
    Admission(#[from] AdmissionError),
    /// The same content came too often in too short a time.
    #[error("Event appears to be in an infinite loop")]
    Loop {
        /// How often the content was seen before within the window.
        repeats: u32,
        /// The window in records.
        window: u32,
    },
    /// Recording was nested too deeply by native subscribers.
    #[error("recording is nested {depth} deep; the limit is {limit}")]
    Recursion {
        /// The depth that was asked for.
        depth: u32,
        /// The deepest that is allowed.
        limit: u32,
    },
    /// The call has more records than one batch may have.
    #[error("the batch has {size} records, the limit is {limit}; send it in parts")]
    BatchTooLarge {
        /// Records of the call.
        size: usize,
        /// Most records of a call.
        limit: usize,
    },
    /// Back-pressure.
    #[error("the host is overloaded; try again in {retry_after:?}")]
    Overloaded {
        /// When to try again.
        retry_after: Duration,
    },
    /// A validator failed and is configured to refuse then.
    #[error("a validator could not judge the record")]
    Plugin(#[from] PluginFailure),
    /// The store could not write; nothing was stored.
    #[error("the record could not be stored")]
    Storage(#[source] Arc<StoreError>),
    /// What came is not the JSON of a record.
    #[error(transparent)]
    Malformed(#[from] Arc<MalformedPayload>),
    /// A fault of the host itself.
    #[error("the host lost track of {what}; this is a fault of the host, the record may be stored")]
    Unexpected {
        /// What was lost.
        what: &'static str,
    },
}

impl RecordError {
    /// The contract's code.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Invalid { .. } => ErrorCode::InvalidEvent,
            Self::Admission(error) => error.code(),
            Self::Loop { .. } => ErrorCode::LoopDetected,
            Self::Recursion { .. } => ErrorCode::StackExhaustion,
            Self::BatchTooLarge { .. } => ErrorCode::PayloadTooLarge,
            Self::Overloaded { .. } => ErrorCode::Overloaded,
            Self::Plugin(_) => ErrorCode::PluginFailure,
            Self::Malformed(error) => error.code(),
            Self::Unexpected { .. } => ErrorCode::UnexpectedError,
            Self::Storage(error) => match **error {
                StoreError::Expired { .. } | StoreError::TooManyPartitions { .. } => {
                    ErrorCode::InvalidTimestamp
                }
                StoreError::TooLarge { .. } => ErrorCode::PayloadTooLarge,
                _ => ErrorCode::StorageFailure,
            },
        }
    }

    /// Why, in full: the error with its causes, and of each objection where and what it is.
    pub fn reason(&self) -> String {
        match self {
            Self::Invalid { issues, .. } => {
                let each = issues.iter().map(|issue| format!("{}: {}", issue.field, issue.message));
                each.collect::<Vec<_>>().join("; ")
            }
            other => crate::envelope::cause_chain(other),
        }
    }

    /// The contract's `details`.
    pub fn details(&self) -> Map<String, Value> {
        let details = match self {
            Self::Malformed(error) => return error.details(),
            Self::Invalid { issues, received } => {
                json!({"validation_errors": issues, "received_event": received})
            }
            Self::Admission(AdmissionError::Timestamp { timestamp, oldest, newest }) => {
                json!({"timestamp": timestamp, "oldest": oldest, "newest": newest})
            }
            Self::Admission(AdmissionError::TooLarge { what, size, limit }) => {
                json!({"what": what, "size": size, "limit": limit})
            }
            Self::Loop { repeats, window } => json!({"repeats": repeats, "window": window}),
            Self::Recursion { depth, limit } => json!({"depth": depth, "limit": limit}),
            Self::BatchTooLarge { size, limit } => json!({"size": size, "limit": limit}),
            Self::Overloaded { retry_after } => json!({"retry_after_ms": millis(*retry_after)}),
            Self::Plugin(failure) => {
                json!({"plugin": failure.plugin, "reason": failure.reason.kind(), "message": failure.reason.to_string()})
            }
            Self::Storage(error) => match &**error {
                StoreError::Expired { timestamp, oldest, .. } => {
                    json!({"timestamp": timestamp, "oldest": oldest, "newest": Value::Null})
                }
                other => json!({"cause": crate::envelope::cause_chain(other)}),
            },
            Self::Unexpected { what } => json!({"exception_type": "Unexpected", "context": what}),
            Self::Admission(_) => Value::Null,
        };
        match details {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }

    /// An event whose shape is wrong in one place.
    pub fn invalid_field(field: &str, code: &str, message: impl Into<String>, received: Value) -> Self {
        Self::Invalid { issues: vec![ValidationIssue::of_host(field, code, message)], received }
    }

    /// One call's outcomes and records no longer correspond.
    pub(crate) fn lost() -> Self {
        Self::Unexpected { what: "a record's outcome" }
    }

    /// The refusal of a time that the store no longer keeps.
    pub(crate) fn too_old(timestamp: Timestamp, oldest: Timestamp, newest: Timestamp) -> Self {
        Self::Admission(AdmissionError::Timestamp { timestamp, oldest, newest })
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl From<MalformedPayload> for RecordError {
    fn from(error: MalformedPayload) -> Self {
        Self::Malformed(Arc::new(error))
    }
}
