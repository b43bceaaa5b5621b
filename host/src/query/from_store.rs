//! What the store answers instead of records, as a query's error.

use telemetry_store::StoreError;

use super::error::{QueryError, ReadError};

impl From<StoreError> for QueryError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::BadCursor { reason } => Self::invalid("cursor", reason),
            other => Self::Retrieval(ReadError::new(other)),
        }
    }
}
