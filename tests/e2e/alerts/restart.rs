//! Alerts over restarts: nothing is lost, nothing comes twice, and the right ones hear the end.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use bridge_telemetry::alerts::AlertFilter;
use bridge_telemetry_tests::host_binary;
use serde_json::{Value, json};
use telemetry_core::AlertStatus;
use telemetry_core::limits::MAX_DELIVERY_BACKOFF;

use super::hook::Hook;
use super::{Scene, shipped, to_hook, watching_cpu};
use crate::fixture::in_folder;

const PAUSE: u64 = 2 * MAX_DELIVERY_BACKOFF.as_secs();

fn config(folder: &Path, hook: &Hook) -> Value {
    to_hook(watching_cpu(in_folder(folder), json!({})), hook)
}

fn without(mut config: Value, monitor: &str) -> Value {
    config["plugins"]["settings"].as_object_mut().unwrap().remove(monitor).unwrap();
    config
}

fn with_receivers(mut config: Value, receivers: Value, told: &[&str]) -> Value {
    config["alerting"] = json!({"receivers": receivers, "default_receivers": told});
    config
}

/// What the disk holds at this moment, as a host that is killed now would leave it.
fn crash_image(from: &Path) -> tempfile::TempDir {
    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let target = to.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                copy(&entry.path(), &target);
            } else {
                std::fs::copy(entry.path(), target).unwrap();
            }
        }
    }
    let image = tempfile::tempdir().unwrap();
    copy(from, image.path());
    image
}

/// One alert, told with one key however often, and nothing waits.
fn settled(scene: &Scene, hook: &Hook, requests: usize) {
    scene.drain();
    let received = hook.received();
    assert_eq!(received.len(), requests);
    assert!(received.iter().all(|request| request.key() == received[0].key()), "{received:?}");
    assert_eq!((scene.alerts().len(), scene.pending()), (1, 0));
}

#[test]
fn a_delivery_that_waits_when_the_host_is_closed_is_made_later() {
    let (folder, hook) = (tempfile::tempdir().unwrap(), Hook::start());
    let scene = Scene::open(config(folder.path(), &hook));
    hook.next(500);
    scene.cpu("a", 1.0);
    scene.drain();
    let before = scene.alerts();
    let scene = scene.reopen(config(folder.path(), &hook));
    assert_eq!((scene.pending(), scene.alerts()), (1, before.clone()));
    scene.drain();
    assert_eq!(hook.received().len(), 1, "its pause outlives the host");
    scene.pass(PAUSE);
    settled(&scene, &hook, 2);
    let scene = scene.reopen(config(folder.path(), &hook));
    scene.pass(PAUSE);
    settled(&scene, &hook, 2);
    assert_eq!(scene.alerts(), before);
    scene.cpu("a", 0.0);
    scene.drain();
    assert_eq!(hook.received()[2].status(), "resolved");
}

#[test]
fn a_delivery_survives_a_host_that_dies() {
    let (folder, hook) = (tempfile::tempdir().unwrap(), Hook::start());
    let scene = Scene::open(config(folder.path(), &hook));
    hook.next(500);
    scene.cpu("a", 1.0);
    scene.drain();
    let image = crash_image(folder.path());
    let clock = scene.clock.clone();
    let after = Scene::at(config(image.path(), &hook), &clock);
    assert_eq!((after.pending(), after.alerts()), (1, scene.alerts()));
    after.pass(PAUSE);
    settled(&after, &hook, 2);
}

#[test]
fn records_that_no_monitor_saw_before_the_host_died_are_watched() {
    let (folder, hook) = (tempfile::tempdir().unwrap(), Hook::start());
    let scene = Scene::open(config(folder.path(), &hook));
    scene.cpu("a", 0.5);
    scene.drain();
    scene.cpu("a", 1.0);
    let image = crash_image(folder.path());
    for _ in 0..2 {
        let after = Scene::at(config(image.path(), &hook), &scene.clock);
        settled(&after, &hook, 1);
    }
}

#[test]
fn dead_letters_survive_and_can_be_replayed() {
    let (folder, hook) = (tempfile::tempdir().unwrap(), Hook::start());
    let scene = Scene::open(config(folder.path(), &hook));
    hook.next(400);
    scene.cpu("a", 1.0);
    scene.drain();
    let scene = scene.reopen(config(folder.path(), &hook));
    let letters = scene.host.dead_letters().unwrap();
    assert_eq!((letters.len(), scene.outbox()["dead_letters"].clone()), (1, json!(1)));
    assert_eq!(scene.host.replay_dead_letters(letters[0].delivery.alert.alert_id, "ops").unwrap(), 1);
    let scene = scene.reopen(config(folder.path(), &hook));
    settled(&scene, &hook, 2);
}

#[test]
fn a_monitor_that_is_removed_resolves_its_alerts_at_the_next_start() {
    for disabled in [false, true] {
        let (folder, hook) = (tempfile::tempdir().unwrap(), Hook::start());
        let full = shipped(config(folder.path(), &hook), "error-rate", json!({"config": {"minimum": 1}}));
        let scene = Scene::open(full.clone());
        scene.cpu("a", 1.0);
        scene.cpu("b", 1.0);
        scene.event("ERROR", 1);
        scene.drain();
        assert_eq!((hook.received().len(), scene.firing().len()), (3, 3));
        let reduced = if disabled {
            let mut config = full;
            config["plugins"]["settings"]["threshold"]["enabled"] = json!(false);
            config
        } else {
            without(full, "threshold")
        };
        let scene = scene.reopen(reduced.clone());
        scene.drain();
        let told: Vec<_> = hook.received()[3..]
            .iter()
            .map(|it| (it.label("host").to_owned(), it.status().to_owned()))
            .collect();
        assert_eq!(told, [("a".to_owned(), "resolved".to_owned()), ("b".to_owned(), "resolved".to_owned())]);
        let firing: Vec<_> = scene.firing().into_iter().map(|alert| alert.monitor).collect();
        assert_eq!(firing, ["error-rate"], "the others go on");
        let scene = scene.reopen(reduced);
        scene.drain();
        assert_eq!(hook.received().len(), 5, "once");
    }
}

#[test]
fn a_monitor_that_cannot_be_loaded_today_keeps_its_alerts() {
    let (folder, hook) = (tempfile::tempdir().unwrap(), Hook::start());
    let whole = config(folder.path(), &hook);
    let scene = Scene::open(whole.clone());
    scene.cpu("a", 1.0);
    scene.drain();
    let broken = folder.path().join("broken.wasm");
    std::fs::write(&broken, b"nothing").unwrap();
    let mut without_component = whole.clone();
    without_component["plugins"]["settings"]["threshold"]["component"] = json!(broken);
    without_component["plugins"]["settings"]["threshold"]["required"] = json!(false);
    let scene = scene.reopen(without_component);
    scene.cpu("a", 0.0);
    scene.drain();
    assert_eq!((hook.received().len(), scene.firing().len()), (1, 1));
    let scene = scene.reopen(whole);
    scene.drain();
    assert_eq!(hook.received()[1].status(), "resolved", "it goes on where it was");
    assert_eq!(scene.alerts()[0].status, AlertStatus::Resolved);
}

#[test]
fn who_was_told_of_an_alert_is_told_of_its_end_and_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = [Hook::start(), Hook::start()];
    let receivers = json!({"first": first.receiver(), "second": second.receiver()});
    let base = config(folder.path(), &first);
    let told_first = with_receivers(base.clone(), receivers.clone(), &["first"]);
    let told_second = with_receivers(base, receivers, &["second"]);
    let scene = Scene::open(told_first);
    scene.cpu("a", 1.0);
    scene.cpu("gone", 1.0);
    scene.drain();
    assert_eq!((first.received().len(), second.received().len()), (2, 0));
    let scene = scene.reopen(told_second.clone());
    scene.cpu("a", 0.0);
    scene.cpu("b", 1.0);
    scene.drain();
    assert_eq!((first.received()[2].status(), first.received()[2].label("host")), ("resolved", "a"));
    assert_eq!((second.received().len(), second.received()[0].label("host")), (1, "b"));
    // Also of an end that comes from the removal of the monitor.
    let scene = scene.reopen(without(told_second, "threshold"));
    scene.drain();
    assert_eq!((first.received()[3].status(), first.received()[3].label("host")), ("resolved", "gone"));
    assert_eq!((second.received()[1].status(), second.received()[1].label("host")), ("resolved", "b"));
    assert_eq!((first.received().len(), second.received().len(), scene.pending()), (4, 2, 0));
}

#[test]
fn a_receiver_that_was_told_and_is_gone_leaves_a_dead_letter() {
    let (folder, hook) = (tempfile::tempdir().unwrap(), Hook::start());
    let base = config(folder.path(), &hook);
    let scene = Scene::open(with_receivers(base.clone(), json!({"old": hook.receiver()}), &["old"]));
    scene.cpu("a", 1.0);
    scene.drain();
    let scene = scene.reopen(with_receivers(base, json!({"new": hook.receiver()}), &["new"]));
    scene.cpu("a", 0.0);
    scene.drain();
    assert_eq!(hook.received().len(), 1);
    let letters = scene.host.dead_letters().unwrap();
    assert_eq!((letters.len(), &*letters[0].reason), (1, "there is no receiver \"old\""));
}

/// The running program; killed when it is dropped.
struct Program {
    child: Child,
    _output: BufReader<ChildStdout>,
}

impl Program {
    fn start(folder: &Path) -> Self {
        let arguments = ["run", "--listen", "127.0.0.1:0", "--no-system", "--json"];
        let mut command = command(folder, &arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        // Its summary says that it serves.
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert!(line.contains("address"), "{line}");
        Self { child, _output: output }
    }

    /// `kill -9`.
    fn kill(&mut self) {
        // It may have ended by itself, which the test then notices.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(host_binary().unwrap());
    command.current_dir(folder).args(arguments).args(["--data", "data", "--config", "host.json"]);
    command
}

#[test]
fn the_program_killed_with_a_delivery_that_waits_makes_it_when_it_runs_again() {
    let (folder, hook) = (tempfile::tempdir().unwrap(), Hook::start());
    let mut config = watching_cpu(json!({}), json!({}));
    config = to_hook(config, &hook);
    std::fs::write(folder.path().join("host.json"), config.to_string()).unwrap();
    hook.always(500, None);
    let record = |value: &str| {
        let output = command(folder.path(), &["record", "metric", "cpu", value, "--json"]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    let mut program = Program::start(folder.path());
    record("0.1");
    record("1.0");
    hook.wait_for(1);
    program.kill();
    hook.always(200, None);
    let failed = hook.received().len();
    let mut program = Program::start(folder.path());
    let received = hook.wait_for(failed + 1);
    assert!(received.iter().all(|request| request.key() == received[0].key()), "{received:?}");
    record("0.0");
    let received = hook.wait_for(failed + 2);
    assert_eq!(received.last().unwrap().status(), "resolved");
    program.kill();
    let output = command(folder.path(), &["alerts", "--json"]).output().unwrap();
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(listed["alerts"].as_array().unwrap().len(), 1, "{listed}");
}

#[test]
fn a_visitor_that_is_configured_otherwise_leaves_monitors_and_deliveries_alone() {
    let (folder, hook) = (tempfile::tempdir().unwrap(), Hook::start());
    let scene = Scene::open(config(folder.path(), &hook));
    hook.next(500);
    scene.cpu("a", 1.0);
    scene.drain();
    // Read by nobody yet when the host closes.
    scene.cpu("b", 1.0);
    let before = scene.alerts();
    assert_eq!((before.len(), scene.pending()), (1, 1));
    let Scene { host, clock } = scene;
    host.close();
    drop(host);
    let visited = bridge_telemetry::Config::from_value(in_folder(folder.path())).unwrap();
    let visitor = bridge_telemetry::HostBuilder::new(visited)
        .clock(clock.clone())
        .without_background()
        .as_visitor()
        .open()
        .unwrap();
    assert_eq!(visitor.alerts(AlertFilter::Firing).unwrap(), before);
    visitor.record_metric(bridge_telemetry::MetricDraft::new("other", 1.0)).unwrap();
    visitor.close();
    drop(visitor);
    let scene = Scene::at(config(folder.path(), &hook), &clock);
    assert_eq!(scene.pending(), 1);
    scene.pass(PAUSE);
    scene.drain();
    assert_eq!(scene.firing().len(), 2, "the monitor goes on where it was");
    assert_eq!((hook.received().len(), scene.pending()), (3, 0));
}
