//! `health`.

use serde_json::Value;

use crate::arguments::Shared;
use crate::connection::Connection;
use crate::exit::{Exit, Failure};
use crate::output::{self, text};

pub(super) fn execute(connection: &Connection, shared: &Shared) -> Result<Exit, Failure> {
    let envelope = connection.health()?;
    Ok(output::answer(&envelope, shared.json, |body| {
        output::line(&format!(
            "{}, version {}, up {} s",
            text(body, "/status"),
            text(body, "/version"),
            text(body, "/uptime_seconds")
        ));
        for issue in body.get("issues").and_then(Value::as_array).into_iter().flatten() {
            output::line(&format!("  ! {}", output::one_line(issue.as_str().unwrap_or_default())));
        }
        let stats = body.get("stats").and_then(Value::as_object);
        let shown = stats.into_iter().flatten().filter(|(_, value)| !(value.is_object() || value.is_array()));
        output::table(["", ""], shown.map(|(name, value)| [name.clone(), value.to_string()]));
    }))
}
