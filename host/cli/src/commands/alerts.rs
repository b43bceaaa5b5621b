//! `alerts`, and the deliveries of alerts that were given up.

use serde_json::{Value, json};

use crate::arguments::{Alerts, Deliveries, Shared};
use crate::connection::Connection;
use crate::exit::{Exit, Failure};
use crate::output::{self, text};

pub(super) fn execute(connection: &Connection, alerts: &Alerts, shared: &Shared) -> Result<Exit, Failure> {
    match &alerts.deliveries {
        None => list(connection, alerts, shared),
        Some(Deliveries::DeadLetters { receiver, alert, limit }) => {
            let limit = limit.to_string();
            let mut pairs = vec![("limit", limit.as_str())];
            pairs.extend(receiver.as_deref().map(|receiver| ("receiver", receiver)));
            pairs.extend(alert.as_deref().map(|alert| ("alert_id", alert)));
            dead_letters(connection, &pairs, shared)
        }
        Some(Deliveries::Replay { receiver, alert }) => {
            replay(connection, receiver, alert.as_deref(), shared)
        }
    }
}

fn list(connection: &Connection, alerts: &Alerts, shared: &Shared) -> Result<Exit, Failure> {
    let envelope = connection.alerts(alerts.status)?;
    Ok(output::answer(&envelope, shared.json, |body| {
        let alerts = body.get("alerts").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if alerts.is_empty() {
            return output::line("no alerts");
        }
        output::table(
            ["STATUS", "SEVERITY", "MONITOR", "SINCE", "SEEN", "SUMMARY"],
            alerts.iter().map(|alert| {
                ["status", "severity", "monitor", "first_seen", "times_seen", "summary"]
                    .map(|name| text(alert, &format!("/{name}")))
            }),
        );
    }))
}

fn dead_letters(connection: &Connection, pairs: &[(&str, &str)], shared: &Shared) -> Result<Exit, Failure> {
    let envelope = connection.dead_letters(pairs)?;
    Ok(output::answer(&envelope, shared.json, |body| {
        let letters =
            body.get("dead_letters").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if letters.is_empty() {
            return output::line("no dead letters");
        }
        output::table(
            ["SINCE", "RECEIVER", "ALERT", "STATUS", "MONITOR", "ATTEMPTS", "REASON"],
            letters.iter().map(|letter| {
                let paths = [
                    "/since",
                    "/receiver",
                    "/alert/alert_id",
                    "/alert/status",
                    "/alert/monitor",
                    "/attempts",
                    "/reason",
                ];
                paths.map(|path| text(letter, path))
            }),
        );
        let total = body.get("total").and_then(Value::as_u64).unwrap_or(0);
        if total > letters.len() as u64 {
            eprintln!("there are {total} in all; --limit shows more of them");
        }
    }))
}

fn replay(
    connection: &Connection,
    receiver: &str,
    alert: Option<&str>,
    shared: &Shared,
) -> Result<Exit, Failure> {
    let request = json!({"receiver": receiver, "alert_id": alert});
    let envelope = connection.replay_dead_letters(request.to_string().as_bytes())?;
    Ok(output::answer(&envelope, shared.json, |body| {
        let when = match connection {
            Connection::Remote(_) => "on their way again",
            Connection::Local(_) => "they go out when the host runs",
        };
        output::line(&format!("{} deliveries: {when}", text(body, "/replayed")));
    }))
}
