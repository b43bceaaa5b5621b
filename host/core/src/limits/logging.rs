//! The log.

use std::time::Duration;

/// Smallest size at which the log may be rotated: below, every other line would rotate it.
pub const MIN_LOG_FILE_BYTES: u64 = 1 << 10;
/// Most rotated log files that are kept: each rotation renames them all.
pub const MAX_ROTATED_LOG_FILES: u32 = 1_000;
/// Largest message, source or error text of a log record in bytes; what is longer is cut. A payload has its own limit.
pub const MAX_LOGGED_TEXT_BYTES: usize = 16 << 10;
/// Most bytes of a payload that the console copy shows: a screen's worth; the file has all of it.
pub const MAX_CONSOLE_PAYLOAD_BYTES: usize = 1 << 10;
/// How often it is looked whether the log file was moved or removed by somebody else.
pub const LOG_FILE_CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Pause after a rotation that failed, in which the file may grow beyond its size.
pub const LOG_ROTATION_RETRY: Duration = Duration::from_secs(10);
/// Refused records that are logged at once; together with the rate below, a fault is seen in full and a flood is not.
pub const REFUSALS_LOGGED_AT_ONCE: u32 = 50;
/// Refused records that are logged in a second, over time.
pub const REFUSALS_LOGGED_PER_SECOND: u32 = 10;
/// Faults of the host with one code that are logged at once: a failing disk must not fill itself with its own log.
pub const FAULTS_LOGGED_AT_ONCE: u32 = 10;
/// Faults of the host with one code that are logged in a second, over time.
pub const FAULTS_LOGGED_PER_SECOND: u32 = 1;
/// Requests refused by the HTTP interface for one reason that are logged in [`REFUSED_REQUESTS_PERIOD`]: whoever they come from,
/// they must not fill the disk.
pub const REFUSED_REQUESTS_LOGGED: u32 = 10;
/// See [`REFUSED_REQUESTS_LOGGED`].
pub const REFUSED_REQUESTS_PERIOD: Duration = Duration::from_secs(60);
