//! `logger_config`: where the log goes and how much of it is kept.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::quantity::ByteCount;

/// The JSON-lines log (spec §2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LoggerConfig {
    /// The log file; its directory is made if it is absent. Full files are kept beside it as `.1` (newest), `.2`, …
    pub log_path: PathBuf,
    /// Whether a copy for people goes to standard error.
    pub enable_console: bool,
    /// Records below this level are not written.
    pub min_log_level: LogLevel,
    /// Size at which the file is rotated; at least 1 KiB.
    pub max_log_size: ByteCount,
    /// Full files that are kept; with 0 a full file is emptied.
    #[schemars(range(min = 0, max = telemetry_core::limits::MAX_ROTATED_LOG_FILES))]
    pub log_rotation_count: u32,
}

impl Default for LoggerConfig {
    fn default() -> Self {
        Self {
            log_path: PathBuf::from("runtime/logs/bridge_telemetry.log"),
            enable_console: true,
            min_log_level: LogLevel::Info,
            max_log_size: ByteCount(10 << 20),
            log_rotation_count: 5,
        }
    }
}

/// How grave a record of the log is.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum LogLevel {
    /// For those who look for a fault.
    Debug,
    /// What happens in the normal course.
    #[default]
    Info,
    /// Something unexpected that was dealt with.
    Warning,
    /// An operation failed.
    Error,
    /// The host cannot go on with its task.
    Fatal,
}

impl LogLevel {
    /// The name in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
