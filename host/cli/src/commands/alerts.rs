//! `alerts`.

use serde_json::Value;

use crate::arguments::{Alerts, Shared};
use crate::connection::Connection;
use crate::exit::{Exit, Failure};
use crate::output::{self, text};

pub(super) fn execute(connection: &Connection, alerts: &Alerts, shared: &Shared) -> Result<Exit, Failure> {
    let envelope = connection.alerts(alerts.status)?;
    Ok(output::answer(&envelope, shared.json, |body| {
        let alerts = body.get("alerts").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if alerts.is_empty() {
            return output::line("no alerts");
        }
        output::table(
            ["STATUS", "SEVERITY", "MONITOR", "SINCE", "SEEN", "SUMMARY"],
            alerts.iter().map(|alert| {
                let cell = |name: &str| text(alert, &format!("/{name}"));
                [
                    cell("status"),
                    cell("severity"),
                    cell("monitor"),
                    cell("first_seen"),
                    cell("times_seen"),
                    cell("summary"),
                ]
            }),
        );
    }))
}
