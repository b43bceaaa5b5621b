//! Dead letters at the JSON edge: how they are listed, and the request to send them on their way again.

use serde_json::{Map, Value, json};
use telemetry_core::{DeadLetter, limits};
use uuid::Uuid;

use super::payload::MalformedPayload;
use crate::query::QueryError;

/// Which dead letters to list; an absent part names all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DeadLetterQuery {
    alert_id: Option<Uuid>,
    receiver: Option<String>,
    /// Most letters of the answer.
    pub(super) limit: usize,
}

impl DeadLetterQuery {
    /// Reads `receiver`, `alert_id` and `limit`. An empty value counts as absent.
    pub(super) fn from_pairs<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, QueryError> {
        let mut query = Self { alert_id: None, receiver: None, limit: limits::DEFAULT_DEAD_LETTERS };
        for (key, text) in pairs.into_iter().filter(|(_, text)| !text.is_empty()) {
            match key {
                "receiver" => query.receiver = Some(text.to_owned()),
                "alert_id" => query.alert_id = Some(alert_id(text)?),
                "limit" => query.limit = limit(text)?,
                unknown => return Err(unknown_key(unknown, "receiver, alert_id, limit")),
            }
        }
        Ok(query)
    }

    pub(super) fn includes(&self, letter: &DeadLetter) -> bool {
        let delivery = &letter.delivery;
        self.receiver.as_ref().is_none_or(|receiver| *receiver == delivery.receiver)
            && self.alert_id.is_none_or(|id| id == delivery.alert.alert_id)
    }
}

/// The letters to send again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ReplayRequest {
    pub(super) receiver: String,
    /// All alerts when absent.
    pub(super) alert_id: Option<Uuid>,
}

impl ReplayRequest {
    /// Reads `{"receiver", "alert_id"}`; null counts as absent.
    pub(super) fn from_json(body: &[u8]) -> Result<Self, QueryError> {
        let request: Map<String, Value> = serde_json::from_slice(body).map_err(MalformedPayload::from)?;
        let (mut receiver, mut asked) = (None, None);
        for (key, value) in request.iter().filter(|(_, value)| !value.is_null()) {
            let text = value.as_str().ok_or_else(|| QueryError::invalid(key, "it must be a string"))?;
            match key.as_str() {
                "receiver" => receiver = Some(text.to_owned()),
                "alert_id" => asked = Some(alert_id(text)?),
                unknown => return Err(unknown_key(unknown, "receiver, alert_id")),
            }
        }
        let missing = || QueryError::invalid("receiver", "it must name the receiver to deliver to");
        Ok(Self { receiver: receiver.ok_or_else(missing)?, alert_id: asked })
    }
}

/// A dead letter as it is listed.
pub(super) fn dead_letter_json(letter: &DeadLetter) -> Value {
    let delivery = &letter.delivery;
    json!({
        "alert": delivery.alert,
        "receiver": delivery.receiver,
        "reason": letter.reason,
        "since": letter.since,
        "attempts": delivery.attempts,
        "forwarded_by": delivery.forwarded_by,
        "idempotency_key": delivery.idempotency_key,
    })
}

fn alert_id(text: &str) -> Result<Uuid, QueryError> {
    Uuid::parse_str(text).map_err(|_| QueryError::invalid("alert_id", "it must be a UUID"))
}

fn limit(text: &str) -> Result<usize, QueryError> {
    let most = limits::MAX_DEAD_LETTERS;
    match text.parse() {
        Ok(number) if (1..=most).contains(&number) => Ok(number),
        _ => Err(QueryError::invalid("limit", format!("it must be a whole number from 1 to {most}"))),
    }
}

fn unknown_key(key: &str, known: &str) -> QueryError {
    QueryError::invalid(key, format!("only these are known: {known}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_names_its_receiver() {
        let id = Uuid::from_u128(7);
        let body = json!({"receiver": "ops", "alert_id": id}).to_string();
        let request = ReplayRequest::from_json(body.as_bytes()).unwrap();
        assert_eq!(request, ReplayRequest { receiver: "ops".to_owned(), alert_id: Some(id) });
        let all = ReplayRequest::from_json(br#"{"receiver":"ops","alert_id":null}"#).unwrap();
        assert_eq!(all.alert_id, None);
        for wrong in [
            &br#"{}"#[..],
            br#"{"receiver":5}"#,
            br#"{"receiver":"ops","alert_id":"x"}"#,
            br#"{"receiver":"ops","other":"x"}"#,
        ] {
            let error = ReplayRequest::from_json(wrong).unwrap_err();
            assert!(matches!(error, QueryError::Invalid { .. }), "{error:?}");
        }
        assert!(matches!(ReplayRequest::from_json(b"[]"), Err(QueryError::Malformed(_))));
    }

    #[test]
    fn a_listing_has_a_limit() {
        assert_eq!(DeadLetterQuery::from_pairs([]).unwrap().limit, limits::DEFAULT_DEAD_LETTERS);
        for wrong in ["0", "-1", "10001", "many"] {
            assert!(DeadLetterQuery::from_pairs([("limit", wrong)]).is_err(), "{wrong}");
        }
        assert!(DeadLetterQuery::from_pairs([("status", "firing")]).is_err());
    }
}
