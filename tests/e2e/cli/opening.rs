//! Starting: what is told while plugins are compiled, and an end in the midst of it.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Stdio};

use bridge_telemetry_tests::component_folder;

use super::place::{Place, signal, told};

/// `run` that has to compile plugins, and begins to.
fn compiling(place: &Place) -> (Child, BufReader<ChildStderr>) {
    let folder = component_folder().unwrap();
    let mut child = place
        .command(&["run", "--listen", "127.0.0.1:0", "--json", "--plugins", folder.to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("compiling") {
        line.clear();
        assert!(told.read_line(&mut line).unwrap() > 0, "nothing was told");
    }
    // Neither of the sinks that no receiver names is compiled.
    assert_eq!(line, "compiling error-rate … (1 of 7)\n");
    (child, told)
}

#[test]
fn a_signal_while_plugins_are_compiled_ends_the_start_and_leaves_the_store_free() {
    for name in ["INT", "TERM"] {
        let place = Place::new();
        let (child, mut rest) = compiling(&place);
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        let mut text = String::new();
        rest.read_to_string(&mut text).unwrap();
        assert_eq!(output.status.code(), Some(0), "as when a host is ended that runs: {text}");
        assert!(text.contains("stopped before the host was open; nothing was recorded"), "{text}");
        assert_eq!(output.stdout, b"", "no host, no summary");
        assert!(!place.path().join("data/host.json").exists());
        let (exit, health) = place.json(&["health"]);
        assert_eq!(exit, 0, "{health}");
        let stats = &health["stats"];
        assert!(stats["events_total"] == 0 && stats["metrics_total"] == 0, "{health}");
    }
}

#[test]
fn compiled_plugins_are_kept() {
    let place = Place::new();
    let folder = component_folder().unwrap();
    for name in ["ewma", "console"] {
        let package = folder.join(name);
        let (exit, body) =
            place.json(&["plugin", "install", package.to_str().unwrap(), "--plugins", "plugins"]);
        assert_eq!(exit, 0, "{body}");
    }
    let opened = || place.run(&["health", "--json", "--plugins", "plugins"]);
    assert_eq!(told(&opened()), "compiling ewma … (1 of 2)\ncompiling console … (2 of 2)\n");
    assert_eq!(told(&opened()), "");
}
