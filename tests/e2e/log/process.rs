//! The log of the program: through restarts and kills, and its copy on the console.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use bridge_telemetry_tests::host_binary;
use serde_json::{Value, json};

use super::records_in;

/// A running host, its address and what it writes to standard error.
struct Running {
    child: Child,
    address: String,
}

impl Running {
    fn start(folder: &Path, settings: &str, variables: &[(&str, &str)]) -> Self {
        std::fs::write(folder.join("config.toml"), settings).unwrap();
        let mut child = Command::new(host_binary().unwrap())
            .args(["run", "--listen", "127.0.0.1:0", "--no-system", "--json", "--data", "data"])
            .args(["--config", "config.toml"])
            .envs(variables.iter().copied())
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let summary: Value = serde_json::from_str(&line).unwrap();
        Self { child, address: summary["address"].as_str().unwrap().to_owned() }
    }

    /// Sends an event that is refused.
    fn refuse(&self, source: &str) {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let url = format!("http://{}/v1/events", self.address);
        let body = json!({"event_type": "", "source": source}).to_string();
        let answer = agent.post(url).content_type("application/json").send(body).unwrap();
        assert_eq!(answer.status().as_u16(), 400);
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it; answers what it wrote to standard error.
    fn terminate(mut self) -> String {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
        let mut told = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
        told
    }
}

fn refused_sources(path: &Path) -> Vec<String> {
    let records = records_in(path);
    let refused = records.iter().filter(|record| record["message"] == "Event validation failed.");
    refused.map(|record| record["payload"]["source"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn it_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("logs/deep/t.log");
    let settings = "[logger_config]\nlog_path = \"logs/deep/t.log\"\nenable_console = false\n";
    let first = Running::start(folder.path(), settings, &[]);
    first.refuse("first");
    first.kill();
    assert_eq!(refused_sources(&log), ["first"], "it was with the system before the answer");
    // As a kill in the middle of a line would leave it.
    let whole = std::fs::read_to_string(&log).unwrap();
    std::fs::write(&log, whole.clone() + "{\"eventId\":\"cut").unwrap();
    let second = Running::start(folder.path(), settings, &[]);
    second.refuse("second");
    assert_eq!(second.terminate(), "", "no console was asked for");
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(text.starts_with(&whole));
    std::fs::write(&log, text.replace("{\"eventId\":\"cut\n", "")).unwrap();
    assert_eq!(refused_sources(&log), ["first", "second"]);
    let ids: Vec<String> = records_in(&log).iter().map(|record| record["eventId"].to_string()).collect();
    assert!(ids.is_sorted(), "{ids:?}");
}

#[test]
fn a_copy_for_people_is_plain_in_a_pipe_and_coloured_where_colour_is_asked_for() {
    let settings = "[logger_config]\nlog_path = \"t.log\"\nenable_console = true\n";
    for (variables, coloured) in [(&[][..], false), (&[("CLICOLOR_FORCE", "1")][..], true)] {
        let folder = tempfile::tempdir().unwrap();
        let running = Running::start(folder.path(), settings, variables);
        running.refuse("evil\u{1b}]0;title\u{7}");
        let told = running.terminate();
        let line = told.lines().find(|line| line.contains("Event validation failed.")).unwrap();
        assert!(line.contains("[INVALID_EVENT: ") && line.contains("ERROR"), "{line:?}");
        assert_eq!(line.contains("\u{1b}[31m"), coloured, "{line:?}");
        assert!(!line.contains("\u{1b}]") && !line.contains('\u{7}'), "{line:?}");
        assert_eq!(refused_sources(&folder.path().join("t.log")).len(), 1);
    }
}

#[test]
fn the_level_of_the_environment_wins() {
    let folder = tempfile::tempdir().unwrap();
    let settings =
        "[logger_config]\nlog_path = \"t.log\"\nmin_log_level = \"DEBUG\"\nenable_console = false\n";
    let fatal = ("BRIDGE_TELEMETRY__LOGGER_CONFIG__MIN_LOG_LEVEL", "FATAL");
    let running = Running::start(folder.path(), settings, &[fatal]);
    running.refuse("s");
    running.terminate();
    assert_eq!(std::fs::read_to_string(folder.path().join("t.log")).unwrap(), "");
}
