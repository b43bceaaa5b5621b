//! Refused events in the log (spec §2): each one, until they become a flood; then a count of those left out.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use telemetry_core::{Clock, ErrorCode, Timestamp, limits};

use super::token_bucket::TokenBucket;

const SOURCE: &str = "Bridge_Telemetry";

/// Logs refused events through `tracing`. [`limits::REFUSALS_LOGGED_AT_ONCE`] are logged at once and
/// [`limits::REFUSALS_LOGGED_PER_SECOND`] a second over time; before the next one that is logged, and when the log of
/// refusals is dropped, a record tells how many were left out.
#[derive(Debug)]
pub struct RefusalLog {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    bucket: TokenBucket,
    left_out: LeftOut,
}

/// Refusals that were not logged one by one.
#[derive(Clone, Copy, Debug, Default)]
struct LeftOut {
    count: u64,
    since: Option<Timestamp>,
}

impl RefusalLog {
    /// A log of refusals that has seen none.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let bucket = TokenBucket::new(
            limits::REFUSALS_LOGGED_AT_ONCE,
            limits::REFUSALS_LOGGED_PER_SECOND,
            clock.monotonic(),
        );
        Self { clock, state: Mutex::new(State { bucket, left_out: LeftOut::default() }) }
    }

    /// Logs a refusal: its code, its reason and the event as it was refused; `received` is only asked for when it is
    /// logged.
    pub fn log(&self, code: ErrorCode, reason: &str, received: impl FnOnce() -> Value) {
        let left_out = {
            let mut state = self.state.lock();
            if !state.bucket.take(self.clock.monotonic()) {
                state.left_out.count = state.left_out.count.saturating_add(1);
                state.left_out.since.get_or_insert_with(|| self.clock.now().floor_to_millis());
                return;
            }
            std::mem::take(&mut state.left_out)
        };
        left_out.tell();
        tracing::error!(
            source = SOURCE,
            status = "ERROR",
            error_code = code.as_str(),
            error_message = reason,
            payload = received().to_string().as_str(),
            "Event validation failed."
        );
    }

    /// Tells how many were left out so far, if any: for the owner's clockwork, so that the end of a flood is told
    /// without waiting for the next refusal.
    pub fn tell_left_out(&self) {
        let left_out = std::mem::take(&mut self.state.lock().left_out);
        left_out.tell();
    }
}

impl LeftOut {
    fn tell(self) {
        if let Some(since) = self.since {
            let payload = serde_json::json!({"left_out": self.count, "since": since}).to_string();
            tracing::warn!(
                source = SOURCE,
                status = "WARNING",
                payload = payload.as_str(),
                "Refused events were left out of the log because there were too many."
            );
        }
    }
}

impl Drop for RefusalLog {
    fn drop(&mut self) {
        self.state.get_mut().left_out.tell();
    }
}
