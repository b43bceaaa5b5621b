//! A working folder with a store of its own, in which the program is run.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use bridge_telemetry_tests::host_binary;
use serde_json::Value;

/// A working folder; the store and the log lie in it.
pub(crate) struct Place(tempfile::TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// The program with these arguments alone.
    pub(crate) fn bare(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(host_binary().unwrap());
        command.current_dir(self.path()).args(arguments).stdin(Stdio::null());
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with("BRIDGE_TELEMETRY__") {
                command.env_remove(variable);
            }
        }
        command
    }

    /// The program on the store of this place.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.bare(arguments);
        command.args(["--data", "data"]);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs with `--json`: the exit code and the one document on standard output.
    pub(crate) fn json(&self, arguments: &[&str]) -> (i32, Value) {
        document(self.command(arguments).arg("--json"))
    }

    /// The same with something on standard input.
    pub(crate) fn json_with_input(&self, arguments: &[&str], input: &[u8]) -> (i32, Value) {
        let mut child = self
            .command(arguments)
            .arg("--json")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut pipe = child.stdin.take().unwrap();
        let input = input.to_vec();
        // The program reads no more than it can use.
        let writer = std::thread::spawn(move || drop(pipe.write_all(&input)));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        parsed(&output)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap()
    }

    /// One aggregate of one metric.
    pub(crate) fn aggregate(&self, metric: &str, aggregation: &str) -> Value {
        let (exit, body) = self.json(&["get", metric, "--aggregation", aggregation]);
        assert_eq!(exit, 0, "{body}");
        body["metrics"][metric]["value"].clone()
    }
}

/// Runs a command: its exit code and the one JSON document on standard output.
pub(crate) fn document(command: &mut Command) -> (i32, Value) {
    parsed(&command.output().unwrap())
}

fn parsed(output: &Output) -> (i32, Value) {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let told = told(output);
    let body = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text:?}, {told}"));
    (output.status.code().unwrap(), body)
}

/// What the program said on standard error.
pub(crate) fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Sends a signal by its name.
pub(crate) fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status();
    assert!(sent.unwrap().success());
}
