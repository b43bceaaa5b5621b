//! Shipped sink `console`: writes each alert to the plugin log, at a level that goes with its severity.
//!
//! It needs no grant and cannot fail, which makes it the receiver of last resort.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests"))]

use std::time::Duration;

use bridge_telemetry_plugin::{
    Alert, NoConfig, Outcome, Plugin, Result, Severity, Sink, export_sink, include_schema,
    log::{self, Level},
    number,
};

struct Console;

impl Plugin for Console {
    const NAME: &'static str = "console";
    type Config = NoConfig;
    const CONFIG_SCHEMA: Option<&'static str> = Some(include_schema!("../config.schema.json"));

    fn new(_: NoConfig) -> Result<Self> {
        Ok(Self)
    }
}

impl Sink for Console {
    fn deliver(&mut self, alert: &Alert, _: Duration) -> Result<Outcome> {
        log::write(level(alert), &line(alert), &alert.json);
        Ok(Outcome::delivered())
    }
}

/// A resolved alert is good news, whatever its severity.
fn level(alert: &Alert) -> Level {
    match alert.severity {
        _ if !alert.is_firing() => Level::Info,
        Severity::Info => Level::Info,
        Severity::Warning => Level::Warn,
        Severity::Error | Severity::Critical => Level::Error,
    }
}

/// One line: what a person wants to know first. The log entry's fields have the whole alert.
fn line(alert: &Alert) -> String {
    let (status, severity) = (alert.status.as_str(), alert.severity.as_str());
    let mut line = format!("alert {status} [{severity}] {}: {}", alert.monitor, alert.summary);
    if let Some(value) = alert.value {
        line.push_str(&format!(" (value {})", number::text(value)));
    }
    for (name, value) in &alert.labels {
        line.push_str(&format!(" {name}={value}"));
    }
    line
}

export_sink!(Console);

#[cfg(test)]
mod tests {
    use super::*;
    use bridge_telemetry_plugin::testing::{self, AlertBuilder};

    #[test]
    fn writes_one_line_with_the_alert_as_fields() {
        let firing = AlertBuilder::firing("threshold", "cpu|a")
            .severity(Severity::Critical)
            .summary("cpu 0.97 above 0.9")
            .value(0.97)
            .label("host", "a")
            .build();
        let resolved = AlertBuilder::resolved("threshold", "cpu|a").severity(Severity::Critical).build();
        let outcomes = Console.deliver_all(&[firing.clone(), resolved], Duration::from_secs(1)).unwrap();
        assert_eq!(outcomes, [Outcome::delivered(), Outcome::delivered()]);

        let logs = testing::logs();
        assert_eq!(logs[0].level, Level::Error);
        assert_eq!(
            logs[0].message,
            "alert firing [critical] threshold: cpu 0.97 above 0.9 (value 0.97) host=a"
        );
        assert_eq!(logs[0].fields_json, firing.json);
        assert_eq!(
            (logs[1].level, &*logs[1].message),
            (Level::Info, "alert resolved [critical] threshold: cpu|a")
        );
    }

    #[test]
    fn schemas_are_current() {
        testing::schema::check_config::<Console>(concat!(env!("CARGO_MANIFEST_DIR"), "/config.schema.json"));
    }
}
