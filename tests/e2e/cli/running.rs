//! A host that runs as a process of its own, and the commands that talk to it.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use bridge_telemetry_tests::component_folder;
use serde_json::{Value, json};

use super::place::{Place, signal, told};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running host; killed when the test is over.
pub(crate) struct Running {
    child: Child,
    pub(crate) summary: Value,
    _output: BufReader<ChildStdout>,
}

impl Running {
    /// Without plugins, recording nothing of its own.
    pub(crate) fn start(place: &Place) -> Self {
        Self::of(place.command(&["run", "--no-system"]))
    }

    /// What `run` says, on a free port.
    pub(crate) fn of(mut run: Command) -> Self {
        let mut child = run
            .args(["--listen", "127.0.0.1:0", "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let summary = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        Self { child, summary, _output: output }
    }

    /// Ends it as an operator does; its exit code.
    pub(crate) fn terminate(mut self) -> i32 {
        signal(&self.child, "TERM");
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

/// Asks until the answer is there.
pub(crate) fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "{what} did not come");
        std::thread::yield_now();
    }
}

#[test]
fn a_running_host_answers_the_commands_and_ends_with_everything_stored() {
    let place = Place::new();
    let running = Running::start(&place);
    let file: Value = serde_json::from_str(&place.read("data/host.json")).unwrap();
    assert_eq!(file["instance"], running.summary["instance"]);
    assert_eq!(file["address"], running.summary["address"]);
    assert_eq!(file["pid"], running.child.id());
    // The store is locked: only the host itself can have answered.
    let (exit, receipt) = place.json(&["record", "event", r#"{"event_type":"A","source":"s"}"#]);
    assert_eq!(exit, 0, "{receipt}");
    assert_eq!(place.json(&["record", "metric", "m", "7"]).0, 0);
    let (_, health) = place.json(&["health"]);
    assert_eq!(health["stats"]["events_recorded"], 1, "the host counts since its own start: {health}");
    assert_eq!(place.json(&["plugin", "list"]), (0, json!({"status": "success", "plugins": []})));
    assert_eq!(place.json(&["alerts"]), (0, json!({"status": "success", "alerts": []})));
    let (exit, body) = place.json(&["record", "event", r#"{"source":"s"}"#]);
    assert_eq!((exit, &body["error"]["code"]), (1, &json!("INVALID_EVENT")));
    assert_eq!(place.aggregate("m", "LAST"), 7);
    assert_eq!(running.terminate(), 0);
    assert!(!place.path().join("data/host.json").exists());
    assert_eq!(place.aggregate("m", "LAST"), 7);
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
    assert_eq!(place.aggregate("m", "LAST"), 1);
    drop(running);
    assert_eq!(place.aggregate("m", "LAST"), 1);
}

#[test]
fn a_host_records_this_machine_and_tells_what_it_runs_with() {
    let place = Place::new();
    let folder = component_folder().unwrap();
    let mut child = place
        .command(&["run", "--listen", "127.0.0.1:0", "--plugins", folder.to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let summary: Vec<String> = std::iter::from_fn(|| output.by_ref().lines().next().map(Result::unwrap))
        .take_while(|line| !line.starts_with("Ctrl-C"))
        .collect();
    let file: Value = serde_json::from_str(&place.read("data/host.json")).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!(
        "Bridge Telemetry {version}
  listening   http://{}
  store       data (0 events, 0 samples)
  retention   events 7 days, metrics 30 days
  log         runtime/logs/bridge_telemetry.log
  plugin      console        sink
  plugin      error-rate     monitor
  plugin      ewma           aggregator
  plugin      json-schema    validator
  plugin      percentile     aggregator
  plugin      redact         validator
  plugin      router         sink        unused: no receiver names it
  plugin      threshold      monitor
  plugin      webhook        sink        unused: no receiver names it",
        file["address"].as_str().unwrap()
    );
    assert_eq!(summary.join("\n"), expected);

    wait_for("a sample of this machine", || {
        let (_, health) = place.json(&["health"]);
        (health["stats"]["metrics_recorded"].as_u64()? > 0).then_some(())
    });
    let names =
        ["cpu_usage_percent", "memory_used_bytes", "disk_usage_percent", "network_received_bytes", "load_1m"];
    let (_, body) = place.json(&[&["get"][..], &names, &["--group-by", "source"]].concat());
    for name in names {
        let group = &body["metrics"][name]["groups"][0];
        assert_eq!(group["by"]["source"], "system", "{name}: {body}");
        assert!(group["value"].as_f64().unwrap() >= 0.0, "{name}: {body}");
    }
    let (_, body) = place.json(&["get", "memory_used_bytes", "--aggregation", "percentile(q=0.5)"]);
    assert!(body["metrics"]["memory_used_bytes"]["value"].as_f64().unwrap() > 1e6, "{body}");

    signal(&child, "TERM");
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0));
    assert!(told(&ended).contains("stopped; everything is stored"), "{}", told(&ended));
    assert!(place.aggregate("memory_used_bytes", "COUNT").as_u64().unwrap() > 0);
}

#[test]
fn nothing_of_this_machine_is_recorded_where_that_is_not_wanted() {
    let place = Place::new();
    let running = Running::start(&place);
    assert_eq!(running.terminate(), 0);
    let (_, health) = place.json(&["health"]);
    assert_eq!(health["stats"]["metrics_total"], 0, "{health}");
}

#[test]
fn a_second_host_on_the_store_or_the_port_is_refused() {
    let place = Place::new();
    let running = Running::start(&place);
    let output = place.command(&["run", "--listen", "127.0.0.1:0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", told(&output));
    assert!(told(&output).contains("data is open elsewhere; stop the other host"), "{}", told(&output));
    let address = running.summary["address"].as_str().unwrap();
    let other = Place::new();
    let output = other.command(&["run", "--listen", address]).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", told(&output));
    assert!(told(&output).contains(address) && told(&output).contains("--listen"), "{}", told(&output));
    let output = other.run(&["run", "--listen", "0.0.0.0:0"]);
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
    assert!(told(&output).contains("loopback"), "{}", told(&output));
    assert_eq!(place.aggregate("m", "COUNT"), Value::Null, "the first host still answers");
}
