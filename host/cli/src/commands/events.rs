//! `events`, and following them.

use std::time::Duration;

use serde_json::Value;
use telemetry_core::{Clock, SystemClock, Timestamp};

use crate::arguments::{Events, Shared};
use crate::connection::Connection;
use crate::exit::{Exit, Failure};
use crate::follower::Follower;
use crate::output::{self, text};

/// How often a follower asks.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(500);
/// Events that a follower asks for at once.
const FOLLOWED_PAGE: &str = "1000";

pub(super) fn execute(events: &Events, shared: &Shared) -> Result<Exit, Failure> {
    if events.follow {
        return follow(&Connection::to_running_host(shared)?, events, shared);
    }
    let connection = Connection::open(shared)?;
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

/// Asks again and again, each time for some of the latest time.
fn follow(connection: &Connection, events: &Events, shared: &Shared) -> Result<Exit, Failure> {
    let clock = SystemClock::default();
    let from = match &events.from {
        Some(from) => Timestamp::parse(from)
            .map_err(|error| Failure::usage(anyhow::anyhow!("--from {from}: {error}")))?,
        None => clock.now().floor_to_millis(),
    };
    let mut follower = Follower::starting(from);
    loop {
        let from = follower.ask(clock.now().floor_to_millis()).to_string();
        let (mut cursor, mut fresh) = (None::<String>, false);
        loop {
            let mut pairs = filters(events);
            pairs.extend([("from", from.as_str()), ("order", "oldest_first"), ("limit", FOLLOWED_PAGE)]);
            pairs.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let envelope = connection.events(&pairs)?;
            if !envelope.is_success() {
                return Ok(output::answer(&envelope, shared.json, |_| {}));
            }
            for event in envelope.body.get("events").and_then(Value::as_array).into_iter().flatten() {
                if follower.is_new(event) {
                    fresh = true;
                    if shared.json { output::line(&event.to_string()) } else { print(event) }
                }
            }
            cursor = envelope.body.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
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
        output::one_line(&data),
        text(event, "/event_id"),
    ));
}
