//! The live line while the host runs; silent where standard error is no terminal.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use bridge_telemetry::Host;
use bridge_telemetry::alerts::AlertFilter;
use serde_json::Value;

use crate::live_line::LiveLine;
use crate::output::text;

/// How often the line is renewed.
const INTERVAL: Duration = Duration::from_secs(1);

/// Shows how the host does until `stop` is closed.
pub(crate) fn show_until_stopped(line: &LiveLine, host: &Arc<Host>, stop: &Receiver<()>) {
    let mut last = None;
    while stop.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
        if !line.is_visible() {
            continue;
        }
        let health = host.health_json().body;
        let records = |name: &str| health.pointer(name).and_then(Value::as_u64).unwrap_or(0);
        let (events, metrics) = (records("/stats/events_recorded"), records("/stats/metrics_recorded"));
        let rate = last.map_or(0, |last| (events + metrics).saturating_sub(last));
        last = Some(events + metrics);
        let firing = host
            .alerts(AlertFilter::Firing)
            .map_or_else(|_| "?".to_owned(), |alerts| alerts.len().to_string());
        line.show(format!(
            "{}  ·  {events} events, {metrics} samples ({rate}/s)  ·  {firing} alerts firing  ·  storage {} %",
            text(&health, "/status"),
            text(&health, "/stats/storage_usage_percentage"),
        ));
    }
    line.clear();
}
