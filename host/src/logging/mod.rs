//! The log (spec §2): JSON lines in a file that is rotated by size, and a copy for people on standard error.
//!
//! It is a [`tracing`] layer: whatever the process logs through `tracing` becomes a record
//! `{"eventId","timestamp","source","status","payload","logLevel","message","errorDetails"}`:
//!
//! | field of the `tracing` event or of a span around it | becomes |
//! |---|---|
//! | the message | `message` |
//! | `source` | `source`; the event's target when absent |
//! | `status` | `status`; when absent ERROR at levels ERROR and FATAL, WARNING at WARNING, else SUCCESS |
//! | `payload` (JSON text; spans do not pass it on) | `payload`; as a JSON string when it is not JSON |
//! | `error_code`; `error_message` or `error` | `errorDetails.errorCode`, `.errorMessage`; without either `errorDetails` is null |
//! | `fatal = true` at level ERROR | level FATAL |
//! | all others | keys of `payload`; where `payload` is given, `key=value` behind the message |
//!
//! `TRACE` is below every level and not written. Texts are escaped so that a record is one line and neither it nor its
//! console copy can move a cursor, ring a bell or turn the reading direction.
//!
//! **Direct writes.** A record is one `write` of a whole line to a file opened for appending, under a lock: when the
//! call returns the line is with the operating system, in the order of the calls, and survives `kill -9`. A queue with
//! a thread of its own would lose its content then, and would need a rule for what to drop when full; the log is not
//! on the path of a successful recording, so its few microseconds are not worth that. A record that cannot be written
//! never fails its caller: it is counted in [`LogStats`] and noted in the log as soon as writing works again.
//!
//! Several hosts in one process have logs of their own: each [`LogHandle`] stands for one, and [`LogSetup::dispatch`]
//! gives a subscriber that only reaches the code run within it.

mod console;
mod escape;
mod fields;
mod file;
mod handle;
#[cfg(test)]
mod kill_tests;
mod layer;
mod payload;
mod record;
mod refusal;
mod rotation;
mod setup;
#[cfg(test)]
mod tests;
mod throttle;
mod token_bucket;

pub use console::Console;
pub use handle::{LogHandle, LogStats};
pub use refusal::{RefusalLog, Refused};
pub use setup::{LogError, LogSetup, install, layer};

pub(crate) use throttle::{LeftOut, Throttle};
