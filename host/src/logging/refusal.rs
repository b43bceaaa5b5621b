//! Refused records in the log (spec §2): each one, until they become a flood; then a count of those left out.
//!
//! A refused event has the code INVALID_EVENT there, whatever its caller was answered; where that was another code, the
//! error's message begins with it.

use std::sync::Arc;

use parking_lot::Mutex;
use telemetry_core::{Clock, ErrorCode, limits};

use super::throttle::{LeftOut, Throttle};

const SOURCE: &str = "Bridge_Telemetry";

/// What was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// An event.
    Event,
    /// A sample of a metric.
    Metric,
}

/// Logs refused records through `tracing`. [`limits::REFUSALS_LOGGED_AT_ONCE`] are logged at once and
/// [`limits::REFUSALS_LOGGED_PER_SECOND`] a second over time; before the next one that is logged, and when the log of
/// refusals is dropped, a record tells how many were left out.
#[derive(Debug)]
pub struct RefusalLog {
    clock: Arc<dyn Clock>,
    throttle: Mutex<Throttle>,
}

impl RefusalLog {
    /// A log of refusals that has seen none.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let throttle = Throttle::new(
            limits::REFUSALS_LOGGED_AT_ONCE,
            limits::REFUSALS_LOGGED_PER_SECOND,
            clock.as_ref(),
        );
        Self { clock, throttle: Mutex::new(throttle) }
    }

    /// Logs a refusal: its code and `reason`, and the record as text. Both are what was answered and refused, or less where a
    /// validator might have masked something; `received` is only asked for when it is logged.
    pub fn log(&self, refused: Refused, code: ErrorCode, reason: &str, received: impl FnOnce() -> String) {
        // Not in the condition: the guard would live to the end of the block.
        let passed = self.throttle.lock().pass(self.clock.as_ref());
        let Some(left_out) = passed else { return };
        tell(left_out);
        let (logged, message) = match refused {
            Refused::Event => (ErrorCode::InvalidEvent, "Event validation failed."),
            Refused::Metric => (code, "Metric validation failed."),
        };
        let reason = if logged == code { reason.to_owned() } else { format!("{code}: {reason}") };
        tracing::error!(
            source = SOURCE,
            status = "ERROR",
            error_code = logged.as_str(),
            error_message = reason.as_str(),
            payload = received().as_str(),
            "{message}"
        );
    }

    /// Tells how many were left out so far, if any: for the owner's clockwork, so that the end of a flood is told
    /// without waiting for the next refusal.
    pub fn tell_left_out(&self) {
        let left_out = self.throttle.lock().take_left_out();
        tell(left_out);
    }
}

fn tell(left_out: LeftOut) {
    if let Some(since) = left_out.since {
        let payload = serde_json::json!({"left_out": left_out.count, "since": since}).to_string();
        tracing::warn!(
            source = SOURCE,
            status = "WARNING",
            payload = payload.as_str(),
            "Refused records were left out of the log because there were too many."
        );
    }
}

impl Drop for RefusalLog {
    fn drop(&mut self) {
        tell(self.throttle.get_mut().take_left_out());
    }
}
