//! What the store answers instead of records, as a query's error.

use telemetry_store::StoreError;

use super::error::{QueryError, ReadError};
use crate::alerts::StoreFailure;

impl From<StoreError> for QueryError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::BadCursor { reason } => Self::invalid("cursor", reason),
            other => Self::Retrieval(ReadError::new(other)),
        }
    }
}

impl From<StoreFailure> for QueryError {
    fn from(failure: StoreFailure) -> Self {
        Self::Retrieval(ReadError::new(failure))
    }
}
