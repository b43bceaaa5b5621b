//! The recording API: admission, loop check, validators, one append, then counters and subscribers.
//!
//! Invariant: success is answered only after [`telemetry_store::Store::append`] did; a refused record leaves the store as
//! it was.

mod counters;
mod error;
mod events;
mod given_ids;
mod import;
mod metrics;
mod passage;
mod receipt;
mod recorder;
mod round;
mod subscribers;
mod validation;
mod withheld;
mod write;

pub use counters::RecordingCounters;
pub use error::RecordError;
pub use import::{IMPORT_EVENT_TYPE, ImportBatch, ImportOutcome};
pub use receipt::Receipt;
pub use subscribers::{RecordRef, SubscriberId};

pub(crate) use recorder::{Recorder, RecorderParts};
pub(crate) use validation::{OnFailure, ValidatorChain, ValidatorEntry};
