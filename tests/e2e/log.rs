//! The log (spec §2), line by line, as a host writes it: its records, rotation, levels, refusals, repeated errors, and
//! what happens when it cannot be written.

mod content;
mod file;
mod process;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bridge_telemetry::logging::LogSetup;
use bridge_telemetry::{Clock, Config, Host, HostBuilder, ManualClock};
use serde_json::{Value, json};
use tracing::Dispatch;

use crate::fixture::{in_memory, start};

/// A host with a log of its own, which reaches what is run within [`Logged::run`].
struct Logged {
    folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
    dispatch: Dispatch,
    host: Arc<Host>,
}

impl Logged {
    /// A host in memory; `logger` goes over the log's settings.
    fn new(logger: Value) -> Self {
        Self::of(in_memory(), logger)
    }

    fn of(mut config: Value, logger: Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        config["logger_config"] = json!({"log_path": folder.path().join("t.log"), "enable_console": false});
        for (key, value) in logger.as_object().unwrap() {
            config["logger_config"][key] = value.clone();
        }
        let config = Config::from_value(config).unwrap();
        let clock = Arc::new(ManualClock::at(start()));
        let shared = Arc::clone(&clock) as Arc<dyn Clock>;
        let (dispatch, handle) =
            LogSetup::new(&config.logger_config, Arc::clone(&shared)).dispatch().unwrap();
        let builder = HostBuilder::new(config).clock(shared).log(handle).without_background();
        let host = tracing::dispatcher::with_default(&dispatch, || builder.open().unwrap());
        Self { folder, clock, dispatch, host: Arc::new(host) }
    }

    fn run<T>(&self, work: impl FnOnce(&Host) -> T) -> T {
        tracing::dispatcher::with_default(&self.dispatch, || work(&self.host))
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("t.log")
    }

    fn records(&self) -> Vec<Value> {
        records_in(&self.path())
    }

    /// The records that `work` makes.
    fn logged(&self, work: impl FnOnce(&Host)) -> Vec<Value> {
        let before = self.records().len();
        self.run(work);
        self.records().split_off(before)
    }
}

/// The records of a file: every line is one.
fn records_in(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}
