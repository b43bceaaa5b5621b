//! `events`, and following them.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::Value;
use telemetry_core::{Clock, SystemClock};

use crate::arguments::{Events, Shared};
use crate::connection::Connection;
use crate::exit::{Exit, Failure};
use crate::output::{self, text};

/// How often a follower asks.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(500);
/// Ids that a follower remembers, to tell repeated events from new ones of the same instant.
const REMEMBERED: usize = 10_000;

pub(super) fn execute(connection: &Connection, events: &Events, shared: &Shared) -> Result<Exit, Failure> {
    if events.follow {
        return follow(connection, events, shared);
    }
    let limit = events.limit.to_string();
    let mut pairs = filters(events);
    pairs.extend(events.from.as_deref().map(|from| ("from", from)));
    pairs.extend(events.to.as_deref().map(|to| ("to", to)));
    pairs.push(("limit", &limit));
    let envelope = connection.events(&pairs)?;
    Ok(output::answer(&envelope, shared.json, |body| {
        let listed = body.get("events").and_then(Value::as_array).into_iter().flatten();
        listed.for_each(print);
        if body.get("next_cursor").is_some() {
            eprintln!("there are more; --limit shows more of them");
        }
    }))
}

fn filters(events: &Events) -> Vec<(&str, &str)> {
    let event_type = events.event_type.as_deref().map(|name| ("type", name));
    event_type.into_iter().chain(events.source.as_deref().map(|name| ("source", name))).collect()
}

/// Asks again and again from the time of the newest event seen. Events that are recorded with an older time than that
/// are not shown.
fn follow(connection: &Connection, events: &Events, shared: &Shared) -> Result<Exit, Failure> {
    let mut from = match &events.from {
        Some(from) => from.clone(),
        None => SystemClock::default().now().floor_to_millis().to_string(),
    };
    let mut seen = VecDeque::<String>::new();
    loop {
        let mut pairs = filters(events);
        pairs.extend([("from", from.as_str()), ("order", "oldest_first"), ("limit", "1000")]);
        let envelope = connection.events(&pairs)?;
        if !envelope.is_success() {
            return Ok(output::answer(&envelope, shared.json, |_| {}));
        }
        let mut fresh = false;
        let mut newest = from.clone();
        for event in envelope.body.get("events").and_then(Value::as_array).into_iter().flatten() {
            let id = text(event, "/event_id");
            newest = text(event, "/timestamp");
            if seen.contains(&id) {
                continue;
            }
            fresh = true;
            seen.push_back(id);
            if seen.len() > REMEMBERED {
                seen.pop_front();
            }
            if shared.json { output::line(&event.to_string()) } else { print(event) }
        }
        from = newest;
        if !fresh {
            std::thread::sleep(FOLLOW_INTERVAL);
        }
    }
}

fn print(event: &Value) {
    let data = event.get("data").map(Value::to_string).unwrap_or_default();
    output::line(&format!(
        "{}  {}  {}  {}  {}",
        text(event, "/timestamp"),
        text(event, "/event_type"),
        text(event, "/source"),
        output::printable(&data),
        text(event, "/event_id"),
    ));
}
