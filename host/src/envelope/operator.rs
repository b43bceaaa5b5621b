//! What only operators ask for, as JSON in and envelopes out: dead letters, and the clock after a jump.

use serde_json::{Map, Value};
use telemetry_core::ErrorCode;
use telemetry_store::StoreError;

use super::calls::one;
use super::dead_letter::{DeadLetterQuery, ReplayRequest, dead_letter_json};
use super::failure::{Envelope, EnvelopeError, cause_chain};
use super::payload::MalformedPayload;
use crate::alerts::ReplayError;
use crate::host::Host;
use crate::query::QueryError;

/// The operator's calls. Every call answers an envelope; none fails otherwise.
impl Host {
    /// Deliveries that were given up, oldest first: those of `receiver` and `alert_id`, at most `limit`. `total` counts
    /// all that were asked for.
    pub fn dead_letters_json<'a>(&self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Envelope {
        let query = DeadLetterQuery::from_pairs(pairs);
        self.answered("dead_letters", || match query.and_then(|query| Ok((self.dead_letters()?, query))) {
            Ok((mut letters, query)) => {
                letters.retain(|letter| query.includes(letter));
                let shown: Vec<Value> = letters.iter().take(query.limit).map(dead_letter_json).collect();
                Envelope::success(Map::from_iter([
                    ("dead_letters".to_owned(), shown.into()),
                    ("total".to_owned(), letters.len().into()),
                ]))
            }
            Err(error) => Envelope::of_error(&error),
        })
    }

    /// Sends dead letters on their way again, from `{"receiver", "alert_id"}`; of all alerts without `alert_id`.
    /// `replayed` says how many; what the outbox has no room for stays a dead letter.
    pub fn replay_dead_letters_json(&self, body: &[u8]) -> Envelope {
        let request = match ReplayRequest::from_json(body) {
            Ok(request) => request,
            Err(error) => return Envelope::of_error(&error),
        };
        self.answered("replay_dead_letters", || {
            match self.replay_dead_letters(request.alert_id, &request.receiver) {
                Ok(replayed) => one("replayed", replayed.into()),
                Err(error) => Envelope::of_error(&error),
            }
        })
    }

    /// Believes the clock after a jump; takes `{}` or nothing. `time` is the time by which records expire from now on.
    pub fn accept_clock_json(&self, body: &[u8]) -> Envelope {
        if let Err(error) = expect_nothing(body) {
            return Envelope::of_error(&error);
        }
        self.answered("accept_clock", || match self.accept_clock() {
            Ok(now) => one("time", now.to_string().into()),
            Err(error) => Envelope::of_error(&error),
        })
    }
}

/// A body that says nothing.
pub(super) fn expect_nothing(body: &[u8]) -> Result<(), QueryError> {
    if body.trim_ascii().is_empty() {
        return Ok(());
    }
    let request: Map<String, Value> = serde_json::from_slice(body).map_err(MalformedPayload::from)?;
    match request.keys().next() {
        Some(key) => Err(QueryError::invalid(key, "this request takes no keys")),
        None => Ok(()),
    }
}

impl EnvelopeError for ReplayError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NotFound { .. } | Self::UnknownReceiver { .. } => ErrorCode::NotFound,
            Self::OutboxFull { .. } => ErrorCode::Overloaded,
            Self::Store(error) => EnvelopeError::code(error),
        }
    }

    fn details(&self) -> Map<String, Value> {
        match self {
            Self::NotFound { alert_id, receiver } => Map::from_iter([
                ("receiver".to_owned(), receiver.as_str().into()),
                ("alert_id".to_owned(), alert_id.map(|id| id.to_string()).into()),
            ]),
            Self::UnknownReceiver { receiver } => {
                Map::from_iter([("receiver".to_owned(), receiver.as_str().into())])
            }
            Self::OutboxFull { retry_after } => {
                let millis = u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX);
                Map::from_iter([("retry_after_ms".to_owned(), millis.into())])
            }
            Self::Store(error) => error.details(),
        }
    }
}

/// The store's own failures, where no record and no query is at fault.
impl EnvelopeError for StoreError {
    fn code(&self) -> ErrorCode {
        if self.is_write_failure() { ErrorCode::StorageFailure } else { ErrorCode::RetrievalFailure }
    }

    fn details(&self) -> Map<String, Value> {
        Map::from_iter([("cause".to_owned(), cause_chain(self).into())])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_may_be_said_in_two_ways() {
        for body in [&b""[..], b" \n", b"{}"] {
            assert!(expect_nothing(body).is_ok());
        }
        assert_eq!(expect_nothing(b"{\"a\":1}").unwrap_err().code(), ErrorCode::InvalidQuery);
        assert_eq!(expect_nothing(b"[]").unwrap_err().code(), ErrorCode::MalformedPayload);
        assert_eq!(expect_nothing(b"\xff").unwrap_err().code(), ErrorCode::MalformedPayload);
    }
}
