//! A query for events from its JSON form and from query-string pairs.

use serde_json::{Map, Value};
use telemetry_core::{EventOrder, EventQuery, limits};

use super::error::QueryError;
use super::time::{checked, range_from_json, side_from_json, side_from_text};
use crate::envelope::MalformedPayload;

const PAIR_KEYS: &str = "type, source, from, to, limit, order, cursor";
const JSON_KEYS: &str = "event_type (or type), source, time_range (or from and to), limit, order, cursor";

/// Reads `type`, `source`, `from`, `to`, `limit`, `order` and `cursor`, as `GET /v1/events` takes them. Times are RFC 3339 or epoch
/// seconds, the order is `newest_first` (default) or `oldest_first`. An empty value counts as absent.
pub fn event_query_from_pairs<'a>(
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<EventQuery, QueryError> {
    let mut query = EventQuery::default();
    for (key, text) in pairs.into_iter().filter(|(_, text)| !text.is_empty()) {
        match key {
            "type" => query.event_type = Some(name(key, text)?),
            "source" => query.source = Some(name(key, text)?),
            "from" => query.range.start = Some(side_from_text(text)?),
            "to" => query.range.end = Some(side_from_text(text)?),
            "limit" => query.limit = Some(limit(text.parse().ok())?),
            "order" => query.order = order(text)?,
            "cursor" => query.cursor = Some(cursor(text)?),
            unknown => return Err(unknown_key(unknown, PAIR_KEYS)),
        }
    }
    query.range = checked(query.range)?;
    Ok(query)
}

/// Reads `{"event_type","source","time_range","limit","order","cursor"}`; the names of [`event_query_from_pairs`] are known as well.
/// Null counts as absent.
pub fn event_query_from_json(body: &[u8]) -> Result<EventQuery, QueryError> {
    let request: Map<String, Value> = serde_json::from_slice(body).map_err(MalformedPayload::from)?;
    let mut query = EventQuery::default();
    for (key, value) in request.iter().filter(|(_, value)| !value.is_null()) {
        match key.as_str() {
            "event_type" | "type" => query.event_type = Some(name(key, text(key, value)?)?),
            "source" => query.source = Some(name(key, text(key, value)?)?),
            "time_range" => query.range = range_from_json(value)?,
            "from" => query.range.start = side_from_json(value)?,
            "to" => query.range.end = side_from_json(value)?,
            "limit" => query.limit = Some(limit(value.as_u64())?),
            "order" => query.order = order(text(key, value)?)?,
            "cursor" => query.cursor = Some(cursor(text(key, value)?)?),
            unknown => return Err(unknown_key(unknown, JSON_KEYS)),
        }
    }
    query.range = checked(query.range)?;
    Ok(query)
}

fn text<'a>(key: &str, value: &'a Value) -> Result<&'a str, QueryError> {
    value.as_str().ok_or_else(|| QueryError::invalid(key, "it must be a string"))
}

fn name(key: &str, text: &str) -> Result<String, QueryError> {
    let limit = limits::MAX_NAME_BYTES;
    if text.len() > limit {
        return Err(QueryError::invalid(key, format!("it is longer than {limit} bytes")));
    }
    Ok(text.to_owned())
}

fn cursor(text: &str) -> Result<String, QueryError> {
    if text.len() > limits::MAX_CURSOR_BYTES {
        return Err(QueryError::invalid("cursor", "it is not one that a page before answered"));
    }
    Ok(text.to_owned())
}

fn limit(number: Option<u64>) -> Result<usize, QueryError> {
    let most = limits::MAX_EVENT_PAGE;
    match number.and_then(|number| usize::try_from(number).ok()) {
        Some(number) if (1..=most).contains(&number) => Ok(number),
        _ => Err(QueryError::invalid("limit", format!("it must be a whole number from 1 to {most}"))),
    }
}

fn order(text: &str) -> Result<EventOrder, QueryError> {
    match text {
        "newest_first" | "newest" => Ok(EventOrder::NewestFirst),
        "oldest_first" | "oldest" => Ok(EventOrder::OldestFirst),
        _ => Err(QueryError::invalid("order", "it must be newest_first or oldest_first")),
    }
}

fn unknown_key(key: &str, known: &str) -> QueryError {
    let shown: String = key.chars().take(64).collect();
    QueryError::invalid(shown, format!("a query for events has only the keys {known}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use telemetry_core::{ErrorCode, TimeRange, Timestamp};

    #[test]
    fn pairs_and_json_read_the_same() {
        let pairs = event_query_from_pairs([
            ("type", "COMMAND"),
            ("source", "s"),
            ("from", "1"),
            ("to", "1970-01-01T00:00:02Z"),
            ("limit", "7"),
            ("order", "oldest_first"),
            ("cursor", "c"),
        ])
        .unwrap();
        let expected = EventQuery {
            event_type: Some("COMMAND".to_owned()),
            source: Some("s".to_owned()),
            range: TimeRange::between(Timestamp::from_millis(1000), Timestamp::from_millis(2000)),
            limit: Some(7),
            order: EventOrder::OldestFirst,
            cursor: Some("c".to_owned()),
        };
        assert_eq!(pairs, expected);
        for request in [
            json!({"event_type": "COMMAND", "source": "s", "time_range": [1, 2], "limit": 7, "order": "oldest", "cursor": "c"}),
            json!({"type": "COMMAND", "source": "s", "from": 1, "to": 2, "limit": 7, "order": "oldest_first", "cursor": "c"}),
        ] {
            assert_eq!(event_query_from_json(request.to_string().as_bytes()).unwrap(), expected);
        }
        assert_eq!(event_query_from_pairs([("type", ""), ("limit", "")]).unwrap(), EventQuery::default());
        assert_eq!(event_query_from_json(b"{\"limit\":null}").unwrap(), EventQuery::default());
    }

    #[test]
    fn refusals() {
        let check = |key: &str, text: &str, code: ErrorCode| {
            assert_eq!(event_query_from_pairs([(key, text)]).unwrap_err().code(), code, "{key}={text}");
        };
        check("kind", "x", ErrorCode::InvalidQuery);
        check("limit", "0", ErrorCode::InvalidQuery);
        check("limit", "10001", ErrorCode::InvalidQuery);
        check("limit", "many", ErrorCode::InvalidQuery);
        check("order", "random", ErrorCode::InvalidQuery);
        check("type", &"x".repeat(600), ErrorCode::InvalidQuery);
        check("cursor", &"x".repeat(2000), ErrorCode::InvalidQuery);
        check("from", "noon", ErrorCode::InvalidTimeRange);
        let reversed = event_query_from_pairs([("from", "2"), ("to", "1")]);
        assert_eq!(reversed.unwrap_err().code(), ErrorCode::InvalidTimeRange);
        for (body, code) in [
            (json!({"type": 1}), ErrorCode::InvalidQuery),
            (json!({"nope": 1}), ErrorCode::InvalidQuery),
            (json!({"limit": 1.5}), ErrorCode::InvalidQuery),
            (json!({"time_range": 1}), ErrorCode::InvalidTimeRange),
            (json!("x"), ErrorCode::MalformedPayload),
        ] {
            assert_eq!(
                event_query_from_json(body.to_string().as_bytes()).unwrap_err().code(),
                code,
                "{body}"
            );
        }
    }
}
