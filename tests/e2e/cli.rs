//! The program itself: exit codes, what it prints, the host it runs, imports that are interrupted.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use bridge_telemetry_tests::{component_folder, host_binary, plugin};
use serde_json::{Value, json};

/// A working folder; the store and the log lie in it.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(host_binary().unwrap());
        command.current_dir(self.path()).args(arguments).args(["--data", "data"]);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// Runs with `--json`: the exit code and the one document on standard output.
    fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let output = self.command(arguments).arg("--json").stdin(Stdio::null()).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        let body = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text:?}, {told}"));
        (output.status.code().unwrap(), body)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    fn sum(&self, metric: &str, aggregation: &str) -> Value {
        let (exit, body) = self.json(&["get", metric, "--aggregation", aggregation]);
        assert_eq!(exit, 0, "{body}");
        body["metrics"][metric]["value"].clone()
    }
}

/// A running host; killed when the test is over.
struct Running {
    child: Child,
    summary: Value,
    _output: BufReader<std::process::ChildStdout>,
}

impl Running {
    fn start(place: &Place) -> Self {
        let mut child = place
            .command(&["run", "--listen", "127.0.0.1:0", "--no-system", "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        Self { child, summary: serde_json::from_str(&line).unwrap(), _output: output }
    }

    fn terminate(mut self) -> i32 {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn commands_open_the_store_where_no_host_runs() {
    let place = Place::new();
    let (exit, receipt) =
        place.json(&["record", "event", r#"{"event_type":"A","source":"s","data":{"n":1}}"#]);
    assert_eq!((exit, &receipt["status"]), (0, &json!("success")), "{receipt}");
    for (value, host) in [("1", "a"), ("2.5", "b"), ("-0.5", "b")] {
        let label = format!("host={host}");
        let (exit, body) = place.json(&["record", "metric", "load", value, "--context", &label]);
        assert_eq!(exit, 0, "{body}");
    }
    assert_eq!(place.sum("load", "SUM"), 3);
    let (_, body) = place.json(&["get", "load", "--aggregation", "COUNT", "--filter", "host=b"]);
    assert_eq!(body["metrics"]["load"]["value"], 2);
    let (_, body) = place.json(&["events", "--type", "A"]);
    assert_eq!(body["events"][0]["event_id"], receipt["event_id"], "{body}");
    let (exit, body) = place.json(&["health"]);
    assert_eq!(
        (exit, &body["status"], &body["stats"]["events_total"]),
        (0, &json!("healthy"), &json!(1)),
        "{body}"
    );
    let (exit, body) = place.json(&["alerts"]);
    assert_eq!((exit, &body["alerts"]), (0, &json!([])));
}

#[test]
fn exit_codes_tell_failures_apart() {
    let place = Place::new();
    let (exit, body) = place.json(&["record", "event", r#"{"source":"s"}"#]);
    assert_eq!((exit, &body["error"]["code"]), (1, &json!("INVALID_EVENT")));
    let (exit, body) = place.json(&["get", "--aggregation", "MEDIAN"]);
    assert_eq!((exit, &body["error"]["code"]), (1, &json!("INVALID_AGGREGATION")));
    assert_eq!(place.run(&["get", "--no-such-flag"]).status.code(), Some(2));
    place.write("wrong.toml", "[storage_config]\nmax_byts = 5\n");
    let output = place.run(&["health", "--config", "wrong.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("max_byts"));
    place.write("a_file", "");
    let (exit, body) = place.json(&["health", "--config", "absent.toml"]);
    assert_eq!(exit, 2, "{body}");
    let mut below_a_file = Command::new(host_binary().unwrap());
    below_a_file.current_dir(place.path()).args(["health", "--json", "--data", "a_file/store"]);
    let output = below_a_file.output().unwrap();
    let body: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (output.status.code(), &body["error"]["code"]),
        (Some(3), &json!("STORAGE_FAILURE")),
        "{body}"
    );
}

#[test]
fn a_configuration_is_checked_with_line_and_column() {
    let place = Place::new();
    place.write("wrong.toml", "[logger_config]\n\n  min_log_level = \"LOUD\"\n");
    let output = place.run(&["config", "check", "wrong.toml"]);
    assert_eq!(output.status.code(), Some(2));
    let told =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("3:") && told.contains("min_log_level"), "{told}");
    place.write("right.toml", "[logger_config]\nmin_log_level = \"DEBUG\"\n");
    assert_eq!(place.run(&["config", "check", "right.toml"]).status.code(), Some(0));
    let (exit, schema) = place.json(&["config", "schema"]);
    assert_eq!(exit, 0);
    assert!(schema["properties"]["retention_policy"].is_object(), "{schema}");
    let output = place.run(&["completions", "bash"]);
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("bridge-telemetry"));
}

#[test]
fn plugins_are_listed_and_inspected() {
    let place = Place::new();
    let folder = component_folder().unwrap();
    let (exit, body) = place.json(&["plugin", "list", "--plugins", folder.to_str().unwrap()]);
    assert_eq!(exit, 0, "{body}");
    let listed: Vec<_> = body["plugins"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert!(listed.contains(&json!("percentile")) && listed.contains(&json!("redact")), "{listed:?}");
    let (exit, body) = place.json(&["plugin", "inspect", plugin("redact").unwrap().to_str().unwrap()]);
    assert_eq!((exit, &body["plugin"]["name"]), (0, &json!("redact")), "{body}");
    assert!(body["plugin"]["config_schema"]["properties"]["patterns"].is_object(), "{body}");
}

#[test]
fn a_running_host_answers_the_commands_and_ends_with_everything_stored() {
    let place = Place::new();
    let running = Running::start(&place);
    let file: Value =
        serde_json::from_slice(&std::fs::read(place.path().join("data/host.json")).unwrap()).unwrap();
    assert_eq!(file["instance"], running.summary["instance"]);
    assert_eq!(file["address"], running.summary["address"]);
    // The store is locked: only the host itself can have answered.
    let (exit, receipt) = place.json(&["record", "event", r#"{"event_type":"A","source":"s"}"#]);
    assert_eq!(exit, 0, "{receipt}");
    assert_eq!(place.json(&["record", "metric", "m", "7"]).0, 0);
    let (_, health) = place.json(&["health"]);
    assert_eq!(health["stats"]["events_recorded"], 1, "the host counts since its own start: {health}");
    assert_eq!(running.terminate(), 0);
    assert!(!place.path().join("data/host.json").exists());
    assert_eq!(place.sum("m", "LAST"), 7);
    let (_, events) = place.json(&["events"]);
    assert_eq!(events["events"][0]["event_id"], receipt["event_id"]);
}

#[test]
fn the_address_of_a_host_that_is_gone_is_not_trusted() {
    let place = Place::new();
    let other = Place::new();
    assert_eq!(place.json(&["record", "metric", "m", "1"]).0, 0);
    // Another host took the address: it answers, but under another name.
    let running = Running::start(&other);
    let stale = json!({"address": running.summary["address"], "pid": 1, "instance": uuid::Uuid::new_v4()});
    place.write("data/host.json", &stale.to_string());
    assert_eq!(place.sum("m", "LAST"), 1);
    drop(running);
    assert_eq!(place.sum("m", "LAST"), 1);
}

#[test]
fn files_are_imported_once() {
    let place = Place::new();
    let now = bridge_telemetry::Clock::now(&bridge_telemetry::SystemClock::default());
    place.write("cpu.csv", &format!("timestamp,value,host\n{now},1.5,a\n{now},2.5,b\n"));
    for stored in [2, 0] {
        let (exit, body) = place.json(&["import", "cpu.csv"]);
        assert_eq!((exit, &body["stored"]), (0, &json!(stored)), "{body}");
    }
    assert_eq!(place.sum("cpu", "SUM"), 4);
    let lines =
        "{\"event_type\":\"A\",\"source\":\"s\"}\n{\"metric_name\":\"m\",\"metric_value\":1}\n{oops\n";
    place.write("mixed.jsonl", lines);
    let (exit, body) = place.json(&["import", "mixed.jsonl"]);
    assert_eq!((exit, &body["stored"], &body["refused"]), (0, &json!(2), &json!(1)), "{body}");
}

#[test]
fn an_import_that_was_killed_goes_on_and_counts_nothing_twice() {
    const RECORDS: usize = 30_000;
    let place = Place::new();
    let text: String = (0..RECORDS).map(|_| "{\"metric_name\":\"m\",\"metric_value\":1}\n").collect();
    place.write("m.jsonl", &text);
    let running = Running::start(&place);
    let mut import = place.command(&["import", "m.jsonl", "--json"]).stdout(Stdio::null()).spawn().unwrap();
    // Killed in the middle: some of it is stored, and not yet all.
    while place.sum("m", "COUNT").as_u64().unwrap_or(0) == 0 {
        assert!(import.try_wait().unwrap().is_none_or(|status| status.success()));
    }
    import.kill().unwrap();
    import.wait().unwrap();
    let (exit, body) = place.json(&["import", "m.jsonl"]);
    assert_eq!(exit, 0, "{body}");
    let told = body["stored"].as_u64().unwrap() + body["known"].as_u64().unwrap();
    assert_eq!(told, RECORDS as u64, "{body}");
    assert!(body["known"].as_u64().unwrap() > 0, "{body}");
    assert_eq!(place.sum("m", "COUNT"), RECORDS);
    assert_eq!(running.terminate(), 0);
}
