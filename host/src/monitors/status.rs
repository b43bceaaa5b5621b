//! What operators see of a monitor.

use serde::Serialize;

/// What a monitor is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MonitorState {
    /// It follows the log.
    #[default]
    Running,
    /// It failed and waits to be tried again.
    Failing,
    /// It is in quarantine and waits for its retry.
    Quarantined,
    /// It was stopped with its host.
    Stopped,
}

/// One monitor since the start of the host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MonitorStatus {
    /// Its name.
    pub monitor: String,
    /// What it is doing.
    pub state: MonitorState,
    /// The first record that its durable checkpoint does not cover.
    pub cursor: u64,
    /// Records behind the end of the log.
    pub lag: u64,
    /// Alerts that fire.
    pub firing: usize,
    /// Failures.
    pub failures: u64,
    /// Records that were skipped because they kill it.
    pub poison_records: u64,
    /// Records that the log lost before it read them.
    pub gap_records: u64,
    /// Signals that were left out because too many alerts fired.
    pub left_out_signals: u64,
    /// Checkpoints made.
    pub checkpoints: u64,
    /// Why it failed last, or why its checkpoint could not be stored.
    pub last_error: Option<String>,
}
