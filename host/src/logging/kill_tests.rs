//! What a log that returned has written survives the end of its process.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use telemetry_core::Clock;
use tracing::dispatcher::with_default;

use super::LogSetup;
use crate::config::{ByteCount, LoggerConfig};

/// The child of the next test: logs for ever and says after each record that it is logged.
#[test]
#[ignore = "run by lines_that_were_acknowledged_survive_a_kill"]
fn child_that_logs_for_ever() {
    let Some(path) = std::env::var_os("BRIDGE_TELEMETRY_TEST_LOG") else { return };
    let config = LoggerConfig {
        log_path: PathBuf::from(path),
        enable_console: false,
        max_log_size: ByteCount(64 << 10),
        log_rotation_count: 1_000,
        ..LoggerConfig::default()
    };
    let clock: Arc<dyn Clock> = Arc::new(telemetry_core::SystemClock::default());
    let (dispatch, _) = LogSetup::new(&config, clock).dispatch().unwrap();
    with_default(&dispatch, || {
        for n in 0_u64.. {
            tracing::info!(n, filler = "z".repeat(usize::try_from(n % 9_000).unwrap()).as_str(), "x");
            println!("#{n}");
        }
    });
}

#[test]
fn lines_that_were_acknowledged_survive_a_kill() {
    for wanted in [1, 200, 700] {
        let directory = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "--include-ignored",
                "--nocapture",
                "logging::kill_tests::child_that_logs_for_ever",
            ])
            .env("BRIDGE_TELEMETRY_TEST_LOG", directory.path().join("t.log"))
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut acknowledged = None;
        for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
            acknowledged = line.split('#').nth(1).and_then(|n| n.parse::<u64>().ok()).or(acknowledged);
            if acknowledged >= Some(wanted) {
                // SIGKILL: nothing of the child runs any more.
                let _ = child.kill();
            }
        }
        child.wait().unwrap();
        let mut found = std::collections::BTreeSet::new();
        let mut torn = 0;
        for entry in std::fs::read_dir(directory.path()).unwrap() {
            for line in std::fs::read_to_string(entry.unwrap().path()).unwrap().lines() {
                match serde_json::from_str::<Value>(line) {
                    Ok(record) => drop(found.insert(record["payload"]["n"].as_u64().unwrap())),
                    Err(_) => torn += 1,
                }
            }
        }
        assert!(torn <= 1, "{torn} torn lines");
        for n in 0..=acknowledged.unwrap() {
            assert!(found.contains(&n), "record {n} of {acknowledged:?} is lost");
        }
    }
}
