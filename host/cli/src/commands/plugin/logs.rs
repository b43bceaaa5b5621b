//! `plugin logs`, and following them.

use std::time::Duration;

use serde_json::Value;

use crate::arguments::{Logs, Shared};
use crate::connection::Connection;
use crate::exit::{Exit, Failure};
use crate::output::{self, text};

/// How often a follower asks.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(500);
/// Lines that a follower asks for at once: all that are kept.
const FOLLOWED_LINES: &str = "1000";

pub(super) fn execute(arguments: &Logs, shared: &Shared) -> Result<Exit, Failure> {
    let connection = Connection::to_running_host(shared)?;
    let limit = arguments.lines.to_string();
    let envelope = connection.plugin_log(&arguments.plugin, &[("limit", &limit)])?;
    if !arguments.follow {
        return Ok(output::answer(&envelope, shared.json, |body| lines(body).for_each(print)));
    }
    if !envelope.is_success() {
        return Ok(output::answer(&envelope, shared.json, |_| {}));
    }
    show(&envelope.body, shared);
    let mut last = number(&envelope.body);
    loop {
        std::thread::sleep(FOLLOW_INTERVAL);
        let after = last.to_string();
        let envelope =
            connection.plugin_log(&arguments.plugin, &[("after", &after), ("limit", FOLLOWED_LINES)])?;
        if !envelope.is_success() {
            return Ok(output::answer(&envelope, shared.json, |_| {}));
        }
        show(&envelope.body, shared);
        last = number(&envelope.body).max(last);
    }
}

fn lines(body: &Value) -> impl Iterator<Item = &Value> {
    body.get("lines").and_then(Value::as_array).into_iter().flatten()
}

fn number(body: &Value) -> u64 {
    body.get("last").and_then(Value::as_u64).unwrap_or_default()
}

fn show(body: &Value, shared: &Shared) {
    for line in lines(body) {
        if shared.json { output::line(&line.to_string()) } else { print(line) }
    }
}

fn print(line: &Value) {
    let fields = line.get("fields").map(|_| format!("  {}", text(line, "/fields"))).unwrap_or_default();
    output::line(&format!(
        "{}  {:<5}  {}{fields}",
        text(line, "/timestamp"),
        text(line, "/level"),
        text(line, "/message"),
    ));
}
