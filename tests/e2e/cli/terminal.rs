//! What people see: the program on a terminal of its own (made by `script`).

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use bridge_telemetry_tests::{component_folder, host_binary};

use super::place::Place;

/// The program in a terminal.
struct Terminal {
    child: Child,
    keys: ChildStdin,
    screen: ChildStdout,
    seen: String,
}

impl Terminal {
    fn start(place: &Place, arguments: &str) -> Self {
        // No shell may stand between: it would get the keys' signals, too, and answer for the program.
        let line = format!("exec {} {arguments} --data data", host_binary().unwrap().display());
        let mut child = Command::new("script")
            .args(["--quiet", "--return", "--command", &line, "/dev/null"])
            .current_dir(place.path())
            .env("TERM", "xterm")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (keys, screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, keys, screen, seen: String::new() }
    }

    /// Reads until all of these texts were shown.
    fn wait_for(&mut self, texts: &[&str]) {
        let mut part = [0; 4096];
        while !texts.iter().all(|text| self.seen.contains(text)) {
            let read = self.screen.read(&mut part).unwrap();
            assert!(read > 0, "{texts:?} not in {}", self.seen);
            self.seen.push_str(&String::from_utf8_lossy(&part[..read]));
        }
    }

    fn press_ctrl_c(&mut self) {
        self.keys.write_all(b"\x03").unwrap();
        self.keys.flush().unwrap();
    }

    /// Its exit code, and the rest of what it showed.
    fn end(mut self) -> (i32, String) {
        let mut rest = Vec::new();
        self.screen.read_to_end(&mut rest).unwrap();
        self.seen.push_str(&String::from_utf8_lossy(&rest));
        (self.child.wait().unwrap().code().unwrap(), std::mem::take(&mut self.seen))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_live_line_tells_how_the_host_does_until_ctrl_c() {
    let place = Place::new();
    let mut terminal = Terminal::start(&place, "run --listen 127.0.0.1:0");
    terminal.wait_for(&["Ctrl-C stops it.", "healthy  ·", "samples (", "alerts firing"]);
    terminal.press_ctrl_c();
    let (exit, seen) = terminal.end();
    assert_eq!(exit, 0, "{seen}");
    assert!(seen.contains("stopped; everything is stored"), "{seen}");
}

#[test]
fn ctrl_c_while_plugins_are_compiled_ends_the_start() {
    let place = Place::new();
    let folder = component_folder().unwrap();
    let mut terminal =
        Terminal::start(&place, &format!("run --listen 127.0.0.1:0 --plugins {}", folder.display()));
    terminal.wait_for(&["compiling error-rate … (1 of 7)"]);
    terminal.press_ctrl_c();
    let (exit, seen) = terminal.end();
    assert_eq!(exit, 0, "{seen}");
    assert!(seen.contains("stopped before the host was open; nothing was recorded"), "{seen}");
    assert!(!seen.contains("listening"), "{seen}");
}

#[test]
fn an_import_shows_how_far_it_is() {
    let place = Place::new();
    let text: String = (0..5_000).map(|_| "{\"metric_name\":\"m\",\"metric_value\":1}\n").collect();
    place.write("m.jsonl", &text);
    let (exit, seen) = Terminal::start(&place, "import m.jsonl").end();
    assert_eq!(exit, 0, "{seen}");
    for text in ["█", " %", " stored, 0 known, 0 refused", " left", "5000 stored, 0 known already, 0 refused"]
    {
        assert!(seen.contains(text), "{text:?} not in {seen}");
    }
}
