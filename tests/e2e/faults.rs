//! The host's own faults from real causes: damaged and full disks, stores that cannot be opened, time that runs out,
//! panics. Each is answered by a typed error that names cause and remedy, shown by health, and costs nothing that was
//! stored before.

mod codes;
mod damage;
mod deadline;
mod full_disk;
mod opening;
mod panics;
mod restart_request;

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use bridge_telemetry::envelope::{EnvelopeError, cause_chain};
use bridge_telemetry::{Clock, Config, Host, HostBuilder, HostError, ManualClock};
use bridge_telemetry_tests::host_binary;
use serde_json::{Value, json};
use telemetry_core::ErrorCode;

use crate::fixture::{code, event, metric, start};

/// That the host records and finds again what it records.
fn serves(host: &Host) {
    let answer = event(host, json!({"event_type": "AFTERWARDS", "source": "s", "data": {"id": unique()}}));
    assert_eq!(code(&answer), "success", "{}", answer.body);
    let found = host.event_json(answer.body["event_id"].as_str().unwrap());
    assert_eq!(found.body["event"]["event_type"], "AFTERWARDS", "{}", found.body);
    let answer = metric(host, json!({"metric_name": "afterwards", "metric_value": 1}));
    assert_eq!(code(&answer), "success", "{}", answer.body);
}

/// Tells events apart for the loop guard.
fn unique() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// That health names the fault and is no longer healthy.
fn shown_by_health(host: &Host, what: &str) {
    let health = host.health_json().body;
    assert_ne!(health["status"], "healthy", "{health}");
    let issues = health["issues"].as_array().unwrap();
    assert!(issues.iter().any(|issue| issue.as_str().unwrap().contains(what)), "{what}: {issues:?}");
}

/// Why a host with this configuration cannot be opened.
fn refusal(config: Value) -> HostError {
    let clock = Arc::new(ManualClock::at(start())) as Arc<dyn Clock>;
    let builder = HostBuilder::new(Config::from_value(config).unwrap()).clock(clock);
    match builder.without_background().open() {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    }
}

/// Checks an error of opening: its code, and what its message says of cause and remedy.
fn check_refusal(error: &HostError, expected: ErrorCode, words: &[&str]) {
    let message = cause_chain(error);
    assert_eq!(error.code(), expected, "{message}");
    for word in words {
        assert!(message.contains(word), "{word}: {message}");
    }
}

/// Runs a command of the program in `folder`: its exit code and the document on standard output.
fn command(folder: &Path, arguments: &[&str]) -> (i32, Value) {
    let mut command = Command::new(host_binary().unwrap());
    command.current_dir(folder).args(arguments).arg("--json").stdin(Stdio::null());
    let output = command.output().unwrap();
    let body = serde_json::from_slice(&output.stdout);
    (output.status.code().unwrap(), body.unwrap_or_else(|error| panic!("{error}: {output:?}")))
}
