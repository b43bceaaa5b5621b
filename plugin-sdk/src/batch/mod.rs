//! Batches of records: columns inside, iterators of borrowed rows outside.
//!
//! A batch is checked once when it arrives from the host; after that no access can fail.

mod events;
mod samples;
mod text;
mod values;

pub use events::{Event, EventBatch};
pub use samples::{Sample, SampleBatch, Series};
pub use values::{EventValue, EventValues};

use crate::error::PluginError;

fn broken(what: &str) -> PluginError {
    PluginError::Other(format!("the host's batch breaks the contract: {what}"))
}
