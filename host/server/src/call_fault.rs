//! Calls that the server has no answer of: it answers in the host's name, and the host counts them as its own faults.

use std::sync::Arc;
use std::time::Duration;

use bridge_telemetry::Host;
use bridge_telemetry::envelope::{Envelope, EnvelopeError, exception_details};
use serde_json::{Map, Value};
use telemetry_core::ErrorCode;
use tokio::task::JoinError;

use crate::answer::Answer;

/// Why a call of the host has no answer of its own.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallFault {
    /// It took longer than a request may.
    #[error(
        "the call took longer than the {limit:?} of server.request_timeout and goes on by itself; ask for less, or raise the time; a record is stored once if it is sent again with the same event_id"
    )]
    Late {
        /// The time it had.
        limit: Duration,
    },
    /// It panicked.
    #[error("the call could not be completed; this is a fault of the host, to be reported")]
    Broken(#[source] JoinError),
}

impl CallFault {
    /// The answer. The host is told meanwhile, on a thread that may block.
    pub(crate) fn answer(self, host: &Arc<Host>) -> Answer {
        let answer = Answer(Envelope::of_error(&self));
        let host = Arc::clone(host);
        tokio::task::spawn_blocking(move || host.report_fault(self.code(), &self));
        answer
    }
}

impl EnvelopeError for CallFault {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Late { .. } => ErrorCode::OperationTimeout,
            Self::Broken(_) => ErrorCode::UnexpectedError,
        }
    }

    fn details(&self) -> Map<String, Value> {
        match self {
            Self::Late { limit } => exception_details("timeout", &format!("{} s", limit.as_secs_f64())),
            Self::Broken(error) => exception_details("panic", &error.to_string()),
        }
    }
}
