//! `plugin reload`.

use serde_json::Value;

use crate::arguments::{Reload, Shared};
use crate::connection::Connection;
use crate::exit::{Exit, Failure};
use crate::output::{self, text};

pub(super) fn execute(arguments: &Reload, shared: &Shared) -> Result<Exit, Failure> {
    let envelope = Connection::to_running_host(shared)?.reload_plugin(&arguments.plugin)?;
    Ok(output::answer(&envelope, shared.json, |body| {
        for report in body.get("reloads").and_then(Value::as_array).into_iter().flatten() {
            output::line(&told(report));
        }
    }))
}

/// One line of what became of one copy.
fn told(report: &Value) -> String {
    let (plugin, outcome) = (text(report, "/plugin"), text(report, "/outcome"));
    let version = |side: &str| {
        let sha256: String = text(report, &format!("/{side}/sha256")).chars().take(12).collect();
        format!("{} ({sha256})", text(report, &format!("/{side}/version")))
    };
    match outcome.as_str() {
        "reloaded" => {
            let pause = report.get("pause_seconds").and_then(Value::as_f64).unwrap_or_default() * 1e6;
            let records = text(report, "/trial/records");
            let (from, to) = (version("from"), version("to"));
            format!(
                "{plugin}: reloaded, {from} → {to}; tried on {records} recent records, paused for {pause:.0} µs"
            )
        }
        "loaded" => format!("{plugin}: loaded, {}", version("to")),
        "unchanged" => format!("{plugin}: unchanged, its file holds the version that runs"),
        "unused" => format!("{plugin}: not loaded, no receiver names it"),
        other => format!("{plugin}: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_line_a_copy() {
        let report = json!({
            "plugin": "redact", "outcome": "reloaded", "pause_seconds": 0.000_25, "trial": {"records": 7},
            "from": {"version": "1.0.0", "sha256": "0123456789abcdef"}, "to": {"version": "1.1.0", "sha256": "fedcba9876543210"},
        });
        assert_eq!(
            told(&report),
            "redact: reloaded, 1.0.0 (0123456789ab) → 1.1.0 (fedcba987654); tried on 7 recent records, paused for 250 µs"
        );
        assert_eq!(
            told(&json!({"plugin": "p", "outcome": "unchanged"})),
            "p: unchanged, its file holds the version that runs"
        );
    }
}
