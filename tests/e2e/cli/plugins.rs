//! `plugin reload` and `plugin logs`, against a running host.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use bridge_telemetry_tests::{guest, plugin};
use serde_json::{Value, json};

use super::place::{Place, told};
use super::running::Running;

fn place_with(component: &std::path::Path) -> Place {
    let place = Place::new();
    std::fs::create_dir(place.path().join("plugins")).unwrap();
    std::fs::copy(component, place.path().join("plugins/guard.wasm")).unwrap();
    place
}

fn run(place: &Place) -> Running {
    let mut command = place.command(&["run", "--no-system", "--plugins", "plugins"]);
    command.env("BRIDGE_TELEMETRY__PLUGINS__RELOAD__WATCH", "false");
    command.env("BRIDGE_TELEMETRY__PLUGINS__POLICY", "any");
    Running::of(command)
}

#[test]
fn a_plugin_of_a_running_host_is_reloaded() {
    let place = place_with(&plugin("redact").unwrap());
    let (exit, body) = place.json(&["plugin", "reload", "guard"]);
    assert_eq!(exit, 3, "no host runs: {body}");
    let _running = run(&place);
    let reload = || place.run(&["plugin", "reload", "guard"]);
    let output = reload();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "guard: unchanged, its file holds the version that runs\n"
    );
    std::fs::copy(guest("evil").unwrap(), place.path().join("plugins/guard.wasm")).unwrap();
    let output = reload();
    let line = String::from_utf8(output.stdout).unwrap();
    assert!(line.starts_with("guard: reloaded, 0.8.0 (") && line.contains("→ 6.6.6 ("), "{line}");
    let (_, listed) = place.json(&["plugin", "list"]);
    assert_eq!(listed["plugins"][0]["generation"], 2);

    std::fs::write(place.path().join("plugins/guard.wasm"), b"nothing").unwrap();
    let output = reload();
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output).contains("error: PLUGIN_FAILURE"), "{}", told(&output));
    let list = place.run(&["plugin", "list"]);
    let text = String::from_utf8(list.stdout).unwrap();
    assert!(text.contains("6.6.6 (no. 2)") && text.contains("truncated or corrupt"), "{text}");
    let (exit, body) = place.json(&["plugin", "reload", "no/body"]);
    assert_eq!((exit, &body["error"]["code"]), (1, &json!("NOT_FOUND")));
}

#[test]
fn a_plugins_log_is_shown_and_followed() {
    let place = place_with(&guest("evil").unwrap());
    let _running = run(&place);
    let print = || place.json(&["record", "event", r#"{"event_type":"print","source":"s"}"#]).0;
    assert_eq!(print(), 0);
    let shown = String::from_utf8(place.run(&["plugin", "logs", "guard"]).stdout).unwrap();
    assert_eq!(shown.lines().count(), 3, "{shown}");
    assert!(shown.contains("WARN   to standard error"), "{shown}");
    let (exit, body) = place.json(&["plugin", "logs", "guard", "--lines", "1"]);
    assert_eq!((exit, &body["lines"][0]["message"]), (0, &json!("to the log")));
    assert_eq!(place.json(&["plugin", "logs", "nobody"]).0, 1);

    let mut follower = place
        .command(&["plugin", "logs", "guard", "--follow", "--json", "--lines", "1"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    let mut number = || -> u64 {
        let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        line["number"].as_u64().unwrap()
    };
    assert_eq!(number(), 3);
    assert_eq!(print(), 0);
    assert_eq!([number(), number(), number()], [4, 5, 6]);
    follower.kill().unwrap();
    follower.wait().unwrap();
}
