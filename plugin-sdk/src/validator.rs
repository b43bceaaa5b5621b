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

/// New parts of one event. One that would then have more than 4 MiB as compact JSON, or a part that nests more than 100 deep, is
/// refused, with the code `rewrite_too_large`, and echoed and logged without these parts.
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
    /// By row: the same one is found again, however many there are.
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

    /// The new parts so far, by row.
    pub fn rewrites(&self) -> &[EventRewrite] {
        &self.rewrites
    }

    /// Whether every event is fine as it is.
    pub fn is_clean(&self) -> bool {
        self.issues.is_empty() && self.rewrites.is_empty()
    }

    /// Changes the rewrite of this event.
    fn rewrite(&mut self, event: Event<'_>, change: impl FnOnce(&mut EventRewrite)) {
        let row = event.row();
        let at = self.rewrites.binary_search_by_key(&row, |rewrite| rewrite.row).unwrap_or_else(|at| {
            self.rewrites.insert(at, EventRewrite { row, data_json: None, extra_json: None });
            at
        });
        if let Some(rewrite) = self.rewrites.get_mut(at) {
            change(rewrite);
        }
    }
}

/// The new context of one of a batch's series. Samples whose context would then have more than 8 KiB as compact JSON, or 128 keys, or
/// nest more than 100 deep, are refused, with the code `rewrite_too_large`, and echoed and logged without it.
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
    /// By series, as those of events are by row.
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
        match self.rewrites.binary_search_by_key(&series, |rewrite| rewrite.series) {
            Ok(at) => {
                if let Some(there) = self.rewrites.get_mut(at) {
                    there.context_json = context_json;
                }
            }
            Err(at) => self.rewrites.insert(at, SeriesRewrite { series, context_json }),
        }
    }

    /// The objections so far.
    pub fn issues(&self) -> &[Issue] {
        &self.issues
    }

    /// The new contexts so far, by series.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{EventBatchBuilder, SampleBatchBuilder};

    #[test]
    fn an_event_has_one_rewrite_in_whatever_order_they_come() {
        let batch =
            EventBatchBuilder::new().event("A", "s", "{}").event("B", "s", "{}").event("C", "s", "{}");
        let batch = batch.build();
        let events: Vec<_> = batch.events().collect();
        let mut verdict = EventVerdict::default();
        verdict.replace_data_json(events[2], "{\"first\":1}".to_owned());
        verdict.replace_data_json(events[0], "{}".to_owned());
        verdict.replace_extra_json(events[2], "{\"e\":1}".to_owned());
        verdict.replace_data_json(events[1], "{}".to_owned());
        verdict.replace_data_json(events[2], "{\"last\":1}".to_owned());
        assert_eq!(verdict.rewrites().iter().map(|rewrite| rewrite.row).collect::<Vec<_>>(), [0, 1, 2]);
        let last = &verdict.rewrites()[2];
        assert_eq!(last.data_json.as_deref(), Some("{\"last\":1}"));
        assert_eq!(last.extra_json.as_deref(), Some("{\"e\":1}"));
    }

    #[test]
    fn a_series_has_one_context_in_whatever_order_they_come() {
        let batch = SampleBatchBuilder::new().sample("a", "{}", 0, 1.0).sample("b", "{}", 0, 1.0).build();
        let series: Vec<_> = batch.series().collect();
        let mut verdict = SampleVerdict::default();
        for (at, context) in [(1, "{\"n\":1}"), (0, "{\"n\":2}"), (1, "{\"n\":3}")] {
            verdict.replace_context_json(series[at], context.to_owned());
        }
        let found = verdict.rewrites().iter().map(|rewrite| (rewrite.series, &*rewrite.context_json));
        assert_eq!(found.collect::<Vec<_>>(), [(0, "{\"n\":2}"), (1, "{\"n\":3}")]);
    }
}
