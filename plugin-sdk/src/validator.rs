//! Validators refuse or normalise records before they are stored.

use crate::JsonObject;
use crate::batch::{Event, EventBatch, Sample, SampleBatch, Series};
use crate::error::Result;
use crate::plugin::Plugin;
use crate::subscription::Subscription;

/// A plugin that refuses or normalises records before they are stored; exported with
/// [`export_validator!`](crate::export_validator).
///
/// Implement [`validate_event`](Validator::validate_event) or [`validate_sample`](Validator::validate_sample) to judge row by
/// row; implement the batch forms instead where work can be shared between rows. Judge each row by itself: the host splits and
/// joins batches as it likes, and several instances may work side by side.
///
/// See the [crate's front page](crate) for a complete one.
pub trait Validator: Plugin {
    /// What it wants to see; asked once.
    fn subscribe(&self) -> Subscription;

    /// Judges one event.
    ///
    /// # Errors
    /// When the validator itself fails. What is wrong with the event is no error but an objection in `verdict`.
    fn validate_event(&mut self, event: Event<'_>, verdict: &mut EventVerdict) -> Result<()> {
        let _ = (event, verdict);
        Ok(())
    }

    /// Judges one sample.
    ///
    /// # Errors
    /// As for [`Validator::validate_event`].
    fn validate_sample(&mut self, sample: Sample<'_>, verdict: &mut SampleVerdict) -> Result<()> {
        let _ = (sample, verdict);
        Ok(())
    }

    /// Judges a batch of events; event by event unless implemented.
    ///
    /// # Errors
    /// As for [`Validator::validate_event`].
    fn validate_events(&mut self, batch: &EventBatch, verdict: &mut EventVerdict) -> Result<()> {
        batch.events().try_for_each(|event| self.validate_event(event, verdict))
    }

    /// Judges a batch of samples; sample by sample unless implemented.
    ///
    /// # Errors
    /// As for [`Validator::validate_event`].
    fn validate_samples(&mut self, batch: &SampleBatch, verdict: &mut SampleVerdict) -> Result<()> {
        batch.samples().try_for_each(|sample| self.validate_sample(sample, verdict))
    }
}

/// One objection to one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// The row of the batch.
    pub row: u32,
    /// Whether the row is refused for this; otherwise it is a warning to the caller.
    pub reject: bool,
    /// A short machine-readable name, such as `missing_field`.
    pub code: String,
    /// Where in the record, as a JSON pointer such as `/data/command_id`; empty for the whole record.
    pub path: String,
    /// What is wrong, for a person.
    pub message: String,
}

/// New parts of one event.
#[derive(Clone, Debug, PartialEq)]
pub struct EventRewrite {
    /// The row of the batch.
    pub row: u32,
    /// The new `data` as JSON text, if it changes: an object.
    pub data_json: Option<String>,
    /// The new other top-level fields as JSON text, if they change: an object.
    pub extra_json: Option<String>,
}

/// The answer about a batch of events: empty when all are fine as they are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventVerdict {
    pub(crate) issues: Vec<Issue>,
    pub(crate) rewrites: Vec<EventRewrite>,
}

impl EventVerdict {
    /// Refuses the event. It may be objected to more than once; the caller gets all the reasons.
    pub fn reject(
        &mut self,
        event: Event<'_>,
        code: impl Into<String>,
        path: impl Into<String>,
        message: impl Into<String>,
    ) {
        self.issues.push(issue(event.row(), true, code, path, message));
    }

    /// Accepts the event and warns the caller.
    pub fn warn(
        &mut self,
        event: Event<'_>,
        code: impl Into<String>,
        path: impl Into<String>,
        message: impl Into<String>,
    ) {
        self.issues.push(issue(event.row(), false, code, path, message));
    }

    /// Stores the event with this `data` instead of its own.
    pub fn replace_data(&mut self, event: Event<'_>, data: JsonObject) {
        self.replace_data_json(event, to_json(data));
    }

    /// As [`replace_data`](Self::replace_data), with the object as JSON text.
    pub fn replace_data_json(&mut self, event: Event<'_>, data: String) {
        self.rewrite(event, |rewrite| rewrite.data_json = Some(data));
    }

    /// Stores the event with these other top-level fields instead of its own.
    pub fn replace_extra(&mut self, event: Event<'_>, extra: JsonObject) {
        self.replace_extra_json(event, to_json(extra));
    }

    /// As [`replace_extra`](Self::replace_extra), with the object as JSON text.
    pub fn replace_extra_json(&mut self, event: Event<'_>, extra: String) {
        self.rewrite(event, |rewrite| rewrite.extra_json = Some(extra));
    }

    /// The objections so far.
    pub fn issues(&self) -> &[Issue] {
        &self.issues
    }

    /// The new parts so far.
    pub fn rewrites(&self) -> &[EventRewrite] {
        &self.rewrites
    }

    /// Whether every event is fine as it is.
    pub fn is_clean(&self) -> bool {
        self.issues.is_empty() && self.rewrites.is_empty()
    }

    /// Changes the rewrite of this event: usually the last one, since rows come in order.
    fn rewrite(&mut self, event: Event<'_>, change: impl FnOnce(&mut EventRewrite)) {
        let row = event.row();
        match self.rewrites.iter_mut().rfind(|rewrite| rewrite.row == row) {
            Some(rewrite) => change(rewrite),
            None => {
                let mut rewrite = EventRewrite { row, data_json: None, extra_json: None };
                change(&mut rewrite);
                self.rewrites.push(rewrite);
            }
        }
    }
}

/// The new context of one of a batch's series.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesRewrite {
    /// The series' number in the batch.
    pub series: u32,
    /// The new context as JSON text: an object.
    pub context_json: String,
}

/// The answer about a batch of samples: empty when all are fine as they are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SampleVerdict {
    pub(crate) issues: Vec<Issue>,
    pub(crate) rewrites: Vec<SeriesRewrite>,
}

impl SampleVerdict {
    /// Refuses the sample. It may be objected to more than once; the caller gets all the reasons.
    pub fn reject(
        &mut self,
        sample: Sample<'_>,
        code: impl Into<String>,
        path: impl Into<String>,
        message: impl Into<String>,
    ) {
        self.issues.push(issue(sample.row(), true, code, path, message));
    }

    /// Accepts the sample and warns the caller.
    pub fn warn(
        &mut self,
        sample: Sample<'_>,
        code: impl Into<String>,
        path: impl Into<String>,
        message: impl Into<String>,
    ) {
        self.issues.push(issue(sample.row(), false, code, path, message));
    }

    /// Stores all samples that this batch has of the series with another context.
    pub fn replace_context(&mut self, series: Series<'_>, context: JsonObject) {
        self.replace_context_json(series, to_json(context));
    }

    /// As [`replace_context`](Self::replace_context), with the object as JSON text.
    pub fn replace_context_json(&mut self, series: Series<'_>, context_json: String) {
        let series = series.number();
        match self.rewrites.iter_mut().rfind(|rewrite| rewrite.series == series) {
            Some(rewrite) => rewrite.context_json = context_json,
            None => self.rewrites.push(SeriesRewrite { series, context_json }),
        }
    }

    /// The objections so far.
    pub fn issues(&self) -> &[Issue] {
        &self.issues
    }

    /// The new contexts so far.
    pub fn rewrites(&self) -> &[SeriesRewrite] {
        &self.rewrites
    }

    /// Whether every sample is fine as it is.
    pub fn is_clean(&self) -> bool {
        self.issues.is_empty() && self.rewrites.is_empty()
    }
}

fn to_json(object: JsonObject) -> String {
    serde_json::Value::Object(object).to_string()
}

fn issue(
    row: u32,
    reject: bool,
    code: impl Into<String>,
    path: impl Into<String>,
    message: impl Into<String>,
) -> Issue {
    Issue { row, reject, code: code.into(), path: path.into(), message: message.into() }
}
