//! Requests that are refused before the host sees them: counted by reason for health, and logged until they become a flood.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bridge_telemetry::envelope::Envelope;
use serde_json::{Map, Value};
use telemetry_core::limits;

use crate::answer::Answer;

const SOURCE: &str = "Bridge_Telemetry";
/// Where health shows the counts, in its `stats`.
const HEALTH_KEY: &str = "refused_requests";

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    ForeignHost,
    ContentType,
    BodyTooLarge,
    BodyBroken,
    BodyLate,
    ReadersBusy,
}

impl Reason {
    const ALL: [Self; 6] = [
        Self::ForeignHost,
        Self::ContentType,
        Self::BodyTooLarge,
        Self::BodyBroken,
        Self::BodyLate,
        Self::ReadersBusy,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::ForeignHost => "foreign_host",
            Self::ContentType => "content_type",
            Self::BodyTooLarge => "body_too_large",
            Self::BodyBroken => "body_broken",
            Self::BodyLate => "body_late",
            Self::ReadersBusy => "readers_busy",
        }
    }
}

/// The refused requests of one server. Of each reason [`limits::REFUSED_REQUESTS_LOGGED`] are logged in each
/// [`limits::REFUSED_REQUESTS_PERIOD`]; with the next one that is logged, or at the end, the log tells how many were left out.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    seen: Mutex<BTreeMap<Reason, Seen>>,
}

/// Refusals for one reason.
#[derive(Debug, Default)]
struct Seen {
    count: u64,
    /// When the period began in which `logged` were logged.
    since: Option<Instant>,
    logged: u32,
    left_out: u64,
}

impl Refusals {
    /// Counts and logs a refusal and what is answered to it.
    pub(crate) fn note(&self, reason: Reason, answer: &Answer) {
        // Not in the condition: the guard would live to the end of the block.
        let passed = self.lock().entry(reason).or_default().pass(Instant::now());
        let Some(left_out) = passed else { return };
        tell_left_out(reason, left_out);
        let error = |name: &str| answer.0.body.pointer(&format!("/error/{name}"));
        let text = |name: &str| error(name).and_then(Value::as_str).unwrap_or_default();
        let details: String = error("details")
            .map(Value::to_string)
            .unwrap_or_default()
            .chars()
            .take(limits::LOGGED_SUMMARY_CHARS)
            .collect();
        tracing::warn!(
            source = SOURCE,
            status = "WARNING",
            error_code = text("code"),
            error_message = text("message"),
            reason = reason.name(),
            details = details.as_str(),
            "A request was refused."
        );
    }

    /// Health with the count of each reason.
    pub(crate) fn shown_in(&self, mut health: Envelope) -> Envelope {
        if let Some(stats) = health.body.get_mut("stats").and_then(Value::as_object_mut) {
            stats.insert(HEALTH_KEY.to_owned(), Value::Object(self.counts()));
        }
        health
    }

    fn counts(&self) -> Map<String, Value> {
        let seen = self.lock();
        let count = |reason: Reason| seen.get(&reason).map_or(0, |seen| seen.count);
        Reason::ALL.iter().map(|reason| (reason.name().to_owned(), count(*reason).into())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Reason, Seen>> {
        // Whoever panicked left whole counts behind.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Refusals {
    fn drop(&mut self) {
        for (reason, seen) in self.lock().iter() {
            tell_left_out(*reason, seen.left_out);
        }
    }
}

impl Seen {
    /// Counts one more. When it is to be logged, how many were left out before it.
    fn pass(&mut self, now: Instant) -> Option<u64> {
        self.count = self.count.saturating_add(1);
        let over = |since| now.saturating_duration_since(since) >= limits::REFUSED_REQUESTS_PERIOD;
        if self.since.is_none_or(over) {
            self.since = Some(now);
            self.logged = 0;
        }
        if self.logged >= limits::REFUSED_REQUESTS_LOGGED {
            self.left_out = self.left_out.saturating_add(1);
            return None;
        }
        self.logged = self.logged.saturating_add(1);
        Some(std::mem::take(&mut self.left_out))
    }
}

fn tell_left_out(reason: Reason, count: u64) {
    if count > 0 {
        tracing::warn!(
            source = SOURCE,
            status = "WARNING",
            reason = reason.name(),
            left_out = count,
            "Refused requests were left out of the log because there were too many."
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use telemetry_core::ErrorCode;

    #[test]
    fn a_flood_is_counted_and_not_logged() {
        let (mut seen, start) = (Seen::default(), Instant::now());
        let logged = (0..1_000).filter(|_| seen.pass(start).is_some()).count();
        assert_eq!((logged, seen.count), (limits::REFUSED_REQUESTS_LOGGED as usize, 1_000));
        let later = start + limits::REFUSED_REQUESTS_PERIOD;
        let left_out = 1_000 - u64::from(limits::REFUSED_REQUESTS_LOGGED);
        assert_eq!(seen.pass(later), Some(left_out), "told with the next that is logged");
        assert_eq!(seen.pass(later), Some(0));
    }

    #[test]
    fn health_shows_every_reason() {
        let refusals = Refusals::default();
        let answer = Answer::error(ErrorCode::PayloadTooLarge, "too large", Map::new());
        refusals.note(Reason::BodyTooLarge, &answer);
        refusals.note(Reason::BodyTooLarge, &answer);
        let health =
            refusals.shown_in(Envelope { body: json!({"stats": {"events_recorded": 1}}), error: None });
        let counts = json!({
            "foreign_host": 0, "content_type": 0, "body_too_large": 2, "body_broken": 0, "body_late": 0,
            "readers_busy": 0,
        });
        assert_eq!(health.body["stats"], json!({"events_recorded": 1, "refused_requests": counts}));
        let failed = refusals.shown_in(answer.0);
        assert!(failed.body.get("stats").is_none());
    }
}
