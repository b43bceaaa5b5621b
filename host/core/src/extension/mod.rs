//! The traits that extend the host. Built-in extensions and sandboxed plugins implement the same ones.

mod door;
mod failure;
mod monitor;
mod ports;
mod sink;
mod validator;

pub use door::Door;
pub use failure::{FailureReason, PluginFailure};
pub use monitor::{KeyValueWrite, Monitor, MonitorCheckpoint, SavedState};
pub use ports::{KeyValuePort, PortError, QueryPort};
pub use sink::{AlertForDelivery, DeliveryOutcome, Sink};
pub use validator::{EventRewrite, EventVerdict, RowIssue, SampleVerdict, SeriesRewrite, Validator};
