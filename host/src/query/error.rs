//! Why a query was not answered, with the contract's code and details.

use std::time::Duration;

use serde_json::{Map, Value, json};
use telemetry_core::aggregation::AggregationError;
use telemetry_core::extension::{FailureReason, PluginFailure};
use telemetry_core::filter::FilterError;
use telemetry_core::{ErrorCode, Timestamp};

use crate::envelope::{EnvelopeError, MalformedPayload, cause_chain};

/// A query was not answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The request is not a JSON object.
    #[error(transparent)]
    Malformed(#[from] MalformedPayload),
    /// No aggregation has this name, or it does not take these parameters.
    #[error("Unsupported aggregation method: {method}{}", in_brackets(reason.as_deref()))]
    UnsupportedAggregation {
        /// The method, as asked.
        method: String,
        /// What is wrong with its parameters, where the name is known.
        reason: Option<String>,
        /// Every name that is supported.
        supported: Vec<String>,
    },
    /// A side of the range is not an instant, or the range is not a pair.
    #[error("the time range cannot be used: {reason}")]
    TimeRange {
        /// What is wrong and how to mend it.
        reason: String,
    },
    /// The start of the range is after its end.
    #[error("the time range starts at {start}, after its end at {end}")]
    ReversedRange {
        /// The asked start.
        start: Timestamp,
        /// The asked end.
        end: Timestamp,
    },
    /// Another part of the query cannot be used.
    #[error("\"{field}\" cannot be used: {reason}")]
    Invalid {
        /// Which part.
        field: String,
        /// What is wrong and how to mend it.
        reason: String,
    },
    /// The answer, or what is needed to find it, is over a limit.
    #[error("the query needs more than {limit} {what}; {remedy}")]
    TooLarge {
        /// What is limited, in the plural.
        what: &'static str,
        /// How many of it there may be.
        limit: u64,
        /// How to ask for less.
        remedy: &'static str,
    },
    /// Other queries hold the memory that there is for all.
    #[error("other queries hold the memory that this one needs; try again in {retry_after:?}")]
    Overloaded {
        /// When to try again.
        retry_after: Duration,
    },
    /// It took too long.
    #[error("the query was not done within {limit:?}; ask for a shorter range or fewer series")]
    Deadline {
        /// The time it had.
        limit: Duration,
    },
    /// Whoever asked no longer waits for the answer.
    #[error("the query was cancelled")]
    Cancelled,
    /// The aggregation's plugin failed.
    #[error("the aggregation {aggregation} failed")]
    Plugin {
        /// The aggregation.
        aggregation: String,
        /// How its plugin failed.
        #[source]
        failure: PluginFailure,
    },
    /// The store could not read.
    #[error("what was asked for could not be read")]
    Retrieval(#[source] ReadError),
    /// A fault of the host itself.
    #[error("the aggregation {aggregation} broke off; this is a fault of the host")]
    Internal {
        /// The aggregation.
        aggregation: String,
        /// What it said.
        #[source]
        source: AggregationError,
    },
}

/// What went wrong below a reader of samples or events; the text is the store's.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ReadError(Box<dyn std::error::Error + Send + Sync>);

impl ReadError {
    /// Wraps the store's own error.
    pub fn new(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

impl QueryError {
    /// A part of the query that cannot be used.
    pub(crate) fn invalid(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), reason: reason.into() }
    }

    /// An aggregation that broke off while it worked.
    pub(crate) fn of_aggregation(aggregation: &str, error: AggregationError) -> Self {
        let aggregation = aggregation.to_owned();
        match error {
            AggregationError::Plugin(failure) => Self::Plugin { aggregation, failure },
            AggregationError::Limit { what, limit, .. } => Self::TooLarge {
                what,
                limit,
                remedy: "ask for a shorter range, fewer series or a longer step, or take a sketch such as percentile",
            },
            source => Self::Internal { aggregation, source },
        }
    }

    /// An aggregation that could not begin: what it was asked for may be the reason.
    pub(crate) fn of_binding(method: &str, error: AggregationError, supported: Vec<String>) -> Self {
        let method = method.to_owned();
        match error {
            AggregationError::Unsupported { reason, .. } => {
                Self::UnsupportedAggregation { method, reason, supported }
            }
            AggregationError::Plugin(PluginFailure {
                reason: FailureReason::Unsupported(reason) | FailureReason::Config(reason),
                ..
            }) => Self::UnsupportedAggregation { method, reason: Some(reason), supported },
            other => Self::of_aggregation(&method, other),
        }
    }

    /// The contract's code.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Malformed(error) => error.code(),
            Self::UnsupportedAggregation { .. } => ErrorCode::InvalidAggregation,
            Self::TimeRange { .. } | Self::ReversedRange { .. } => ErrorCode::InvalidTimeRange,
            Self::Invalid { .. } => ErrorCode::InvalidQuery,
            Self::TooLarge { .. } => ErrorCode::PayloadTooLarge,
            Self::Overloaded { .. } => ErrorCode::Overloaded,
            Self::Deadline { .. } | Self::Cancelled => ErrorCode::OperationTimeout,
            Self::Plugin { .. } => ErrorCode::PluginFailure,
            Self::Retrieval(_) => ErrorCode::RetrievalFailure,
            Self::Internal { .. } => ErrorCode::UnexpectedError,
        }
    }

    /// The contract's `details`.
    pub fn details(&self) -> Map<String, Value> {
        let details = match self {
            Self::Malformed(error) => return error.details(),
            Self::UnsupportedAggregation { method, reason, supported } => {
                let mut details = json!({"aggregation": method, "supported": supported});
                if let (Some(reason), Some(map)) = (reason, details.as_object_mut()) {
                    map.insert("reason".to_owned(), reason.as_str().into());
                }
                details
            }
            Self::TimeRange { reason } => json!({"reason": reason}),
            Self::ReversedRange { start, end } => json!({"start": start, "end": end}),
            Self::Invalid { field, reason } => json!({"field": field, "reason": reason}),
            Self::TooLarge { what, limit, .. } => json!({"what": what, "limit": limit}),
            Self::Overloaded { retry_after } => json!({"retry_after_ms": millis(*retry_after)}),
            Self::Deadline { limit } => {
                let limit = millis(*limit);
                json!({"exception_type": "QueryDeadline", "context": "get_metrics", "limit_ms": limit})
            }
            Self::Cancelled => json!({"exception_type": "QueryCancelled", "context": "get_metrics"}),
            Self::Plugin { failure, .. } => {
                let reason = &failure.reason;
                json!({"plugin": failure.plugin, "reason": reason.kind(), "message": reason.to_string()})
            }
            Self::Retrieval(error) => json!({"cause": cause_chain(error)}),
            Self::Internal { aggregation, .. } => {
                json!({"exception_type": "AggregationError", "context": aggregation})
            }
        };
        match details {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }
}

impl EnvelopeError for QueryError {
    fn code(&self) -> ErrorCode {
        QueryError::code(self)
    }
    fn details(&self) -> Map<String, Value> {
        QueryError::details(self)
    }
}

impl From<FilterError> for QueryError {
    fn from(error: FilterError) -> Self {
        Self::invalid(format!("filter.{}", error.key), error.reason)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn in_brackets(reason: Option<&str>) -> String {
    reason.map(|reason| format!(" ({reason})")).unwrap_or_default()
}
