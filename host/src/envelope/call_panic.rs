//! A call that panicked: at the JSON edge an answer like any other failure, never the end of the caller's thread.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Map, json};
use telemetry_core::{ErrorCode, limits};

use super::failure::{Envelope, EnvelopeError};
use crate::host::Host;

/// A call broke off: a fault of the host, or of what the embedding program gave it.
#[derive(Debug, thiserror::Error)]
#[error(
    "{call} broke off: {reason}; this is a fault of the host, to be reported; what was asked may be done in part, so look before asking again"
)]
struct CallPanic {
    call: &'static str,
    reason: String,
}

impl CallPanic {
    fn new(call: &'static str, panic: &(dyn Any + Send)) -> Self {
        let words = panic.downcast_ref::<&str>().copied();
        let words = words.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        let words = words.unwrap_or("a panic without words");
        let reason = words.get(..words.floor_char_boundary(limits::MAX_REASON_BYTES)).unwrap_or_default();
        Self { call, reason: reason.to_owned() }
    }
}

impl EnvelopeError for CallPanic {
    fn code(&self) -> ErrorCode {
        ErrorCode::UnexpectedError
    }

    fn details(&self) -> Map<String, serde_json::Value> {
        Map::from_iter([
            ("exception_type".to_owned(), json!("panic")),
            ("context".to_owned(), json!(self.call)),
        ])
    }
}

impl Host {
    /// What `work` answers; a panic of it is reported and answered. Locks of the host are not poisoned, and what a call
    /// holds it lets go when it unwinds, so that other calls go on.
    pub(super) fn answered(&self, call: &'static str, work: impl FnOnce() -> Envelope) -> Envelope {
        catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
            let error = CallPanic::new(call, panic.as_ref());
            // Reporting asks the clock and calls the embedding program, either of which may be what panicked.
            let _ = catch_unwind(AssertUnwindSafe(|| self.report_fault(error.code(), &error)));
            Envelope::of_error(&error)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_panic_has_words() {
        let words = |panic: &(dyn Any + Send)| CallPanic::new("health_check", panic).reason;
        assert_eq!(words(&"static"), "static");
        assert_eq!(words(&"made".to_owned()), "made");
        assert_eq!(words(&5), "a panic without words");
        assert_eq!(words(&"é".repeat(5_000)).len(), limits::MAX_REASON_BYTES);
    }
}
