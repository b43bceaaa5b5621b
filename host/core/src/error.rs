//! The contract's error codes, and the issues that validators raise.

use serde::{Deserialize, Serialize};

/// Every error code of the contract (spec §1, Errors), with its HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[allow(
    missing_docs,
    reason = "each is the contract's name in camel case; the table in the specification describes them"
)]
pub enum ErrorCode {
    InvalidEvent,
    InvalidTimestamp,
    LoopDetected,
    StackExhaustion,
    InvalidMetricName,
    InvalidMetricValue,
    InvalidAggregation,
    InvalidTimeRange,
    InvalidQuery,
    MalformedPayload,
    PayloadTooLarge,
    NotFound,
    Overloaded,
    PluginFailure,
    StorageFailure,
    RetrievalFailure,
    OperationTimeout,
    IoError,
    PermissionDenied,
    UnexpectedError,
}

impl ErrorCode {
    /// All codes.
    pub const ALL: [ErrorCode; 20] = [
        Self::InvalidEvent,
        Self::InvalidTimestamp,
        Self::LoopDetected,
        Self::StackExhaustion,
        Self::InvalidMetricName,
        Self::InvalidMetricValue,
        Self::InvalidAggregation,
        Self::InvalidTimeRange,
        Self::InvalidQuery,
        Self::MalformedPayload,
        Self::PayloadTooLarge,
        Self::NotFound,
        Self::Overloaded,
        Self::PluginFailure,
        Self::StorageFailure,
        Self::RetrievalFailure,
        Self::OperationTimeout,
        Self::IoError,
        Self::PermissionDenied,
        Self::UnexpectedError,
    ];

    /// The contract's string.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidEvent => "INVALID_EVENT",
            Self::InvalidTimestamp => "INVALID_TIMESTAMP",
            Self::LoopDetected => "LOOP_DETECTED",
            Self::StackExhaustion => "STACK_EXHAUSTION",
            Self::InvalidMetricName => "INVALID_METRIC_NAME",
            Self::InvalidMetricValue => "INVALID_METRIC_VALUE",
            Self::InvalidAggregation => "INVALID_AGGREGATION",
            Self::InvalidTimeRange => "INVALID_TIME_RANGE",
            Self::InvalidQuery => "INVALID_QUERY",
            Self::MalformedPayload => "MALFORMED_PAYLOAD",
            Self::PayloadTooLarge => "PAYLOAD_TOO_LARGE",
            Self::NotFound => "NOT_FOUND",
            Self::Overloaded => "OVERLOADED",
            Self::PluginFailure => "PLUGIN_FAILURE",
            Self::StorageFailure => "STORAGE_FAILURE",
            Self::RetrievalFailure => "RETRIEVAL_FAILURE",
            Self::OperationTimeout => "OPERATION_TIMEOUT",
            Self::IoError => "IO_ERROR",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::UnexpectedError => "UNEXPECTED_ERROR",
        }
    }

    /// The HTTP status with which the server answers.
    pub const fn http_status(self) -> u16 {
        match self {
            Self::PayloadTooLarge => 413,
            Self::NotFound => 404,
            Self::Overloaded => 429,
            Self::StorageFailure | Self::RetrievalFailure => 503,
            Self::PluginFailure
            | Self::OperationTimeout
            | Self::IoError
            | Self::PermissionDenied
            | Self::UnexpectedError => 500,
            _ => 400,
        }
    }

    /// Whether the fault is the host's own and not the caller's; three of one such code ask for a restart (spec §2).
    pub const fn is_host_fault(self) -> bool {
        self.http_status() >= 500
    }
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An objection to one record, by the built-in shape check or by a validator plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidationIssue {
    /// Where: a field's path such as `data.command_id`; empty for the whole record.
    pub field: String,
    /// A short machine-readable name.
    pub code: String,
    /// What is wrong and how to mend it.
    pub message: String,
    /// Who objects: `host` or the plugin's name.
    pub validator: String,
}

impl ValidationIssue {
    /// An issue raised by the host itself.
    pub fn of_host(field: impl Into<String>, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), code: code.into(), message: message.into(), validator: "host".to_owned() }
    }
}
