//! Validators refuse or normalise records before they are stored.

use std::sync::Arc;

use crate::batch::{EventBatch, SampleBatch};
use crate::context::Context;
use crate::extension::{Door, PluginFailure};
use crate::json::JsonObject;
use crate::subscription::Subscription;

/// One objection to one row of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowIssue {
    /// The row.
    pub row: u32,
    /// Whether the row is refused; otherwise the issue is a warning to the caller.
    pub reject: bool,
    /// A short machine-readable name.
    pub code: String,
    /// Where in the record.
    pub path: String,
    /// What is wrong.
    pub message: String,
}

/// Replaces parts of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRewrite {
    /// The row.
    pub row: u32,
    /// The new `data`.
    pub data: Option<JsonObject>,
    /// The new other top-level fields.
    pub extra: Option<JsonObject>,
}

/// Replaces the context of one of a batch's series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesRewrite {
    /// The batch's number of the series.
    pub series: u32,
    /// The new context.
    pub context: Context,
}

/// Sparse: a clean batch answers two empty lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventVerdict {
    /// Objections.
    pub issues: Vec<RowIssue>,
    /// Normalisations.
    pub rewrites: Vec<EventRewrite>,
}

/// Sparse: a clean batch answers two empty lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SampleVerdict {
    /// Objections.
    pub issues: Vec<RowIssue>,
    /// Normalisations.
    pub rewrites: Vec<SeriesRewrite>,
}

/// Refuses or normalises records before they are stored. Answers are checked: rows and series lie within the batch,
/// rewritten JSON parses and is no larger than what may be stored.
pub trait Validator: Send + Sync {
    /// The name under which issues and failures are reported.
    fn name(&self) -> &str;
    /// Which records it sees; always the same ones.
    fn subscription(&self) -> &Subscription;
    /// Shut while it would refuse to be called. `None` where it never does.
    fn door(&self) -> Option<Arc<Door>> {
        None
    }
    /// Judges events; `batch` holds only subscribed ones.
    fn validate_events(&self, batch: &EventBatch) -> Result<EventVerdict, PluginFailure>;
    /// Judges samples; `batch` holds only subscribed ones.
    fn validate_samples(&self, batch: &SampleBatch) -> Result<SampleVerdict, PluginFailure>;
}
