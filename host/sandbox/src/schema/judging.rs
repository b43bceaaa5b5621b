//! Judging documents, and telling what is wrong with them.

use std::time::Instant;

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;
use telemetry_core::limits;

use super::budget::{self, Budget, Cause, Copied, Telling};
use super::measure::{bytes_of, longest_path, most_compared, most_names};
use super::{Schema, SchemaFault};
use crate::text::shown;

/// Most faults that are reported of one document which an operator wrote.
const MAX_FAULTS: usize = 8;
/// The keyword of a fault that is no fault of the document: judging it took, or would take, too much.
const LIMIT: &str = "limit";

/// The time to judge was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Late;

/// How a document is judged.
#[derive(Clone, Copy)]
struct Manner {
    /// Most faults that are told.
    most: usize,
    /// When it ends.
    end: Option<Instant>,
    /// Steps of searches that are made at once.
    search: u64,
    /// What is said of a fault.
    text: fn(&ValidationError<'_>) -> String,
}

impl Schema {
    /// What is wrong with a document; that it takes too much to find out is a fault as well.
    pub(crate) fn faults(&self, document: &Value) -> Vec<SchemaFault> {
        let end = Instant::now().checked_add(limits::MAX_HOST_TIME);
        let manner =
            Manner { most: MAX_FAULTS, end, search: limits::MAX_SCHEMA_PATTERN_STEPS, text: text_of };
        self.judge(document, manner).unwrap_or_else(|Late| limit("judging it takes too long"))
    }

    /// The same of a document whose values may be secrets: no message repeats one. At most `most` faults, and none after `end`.
    pub(crate) fn masked_faults(
        &self,
        document: &Value,
        most: usize,
        end: Option<Instant>,
    ) -> Result<Vec<SchemaFault>, Late> {
        if most == 0 {
            return Ok(Vec::new());
        }
        let search = limits::MAX_JUDGED_PATTERN_STEPS;
        self.judge(document, Manner { most, end, search, text: masked_text_of })
    }

    fn judge(&self, document: &Value, manner: Manner) -> Result<Vec<SchemaFault>, Late> {
        let Manner { most, end, search, text } = manner;
        let too_long = || limit("it has a text, or names, too long for the patterns of its schema");
        // Nothing stops a search that has begun, or a comparison.
        if self.searches_too_much(document, search) {
            return Ok(too_long());
        }
        if self.compiled.has_unique && most_compared(document) > limits::MAX_COMPARED_VALUES {
            return Ok(limit("it has an array of too many arrays or objects to compare with each other"));
        }
        let (steps, stack) = (limits::MAX_SCHEMA_STEPS, limits::MAX_SCHEMA_STACK_BYTES);
        let (budget, validator) = (Budget { steps, search, stack, end }, &self.compiled.validator);
        match budget::within(budget, || validator.is_valid(document)) {
            Ok(true) => Ok(Vec::new()),
            Ok(false) => {
                // All faults are collected before the first is handed out.
                let all = || validator.iter_errors(document);
                let first = || all().take(most).map(|error| fault(&error, text)).collect::<Vec<_>>();
                let told = budget::telling(budget, self.telling(document), first);
                let unclear = || limit("it does not fit its schema, and it takes too long to say where");
                match told {
                    Ok(faults) if faults.is_empty() => Ok(unclear()),
                    Ok(faults) => Ok(faults),
                    Err(cause) => why_none(cause, unclear, too_long),
                }
            }
            Err(cause) => {
                let exhausted = || {
                    limit(format!(
                        "its schema takes more than {} steps, or nests too deep, to judge it",
                        limits::MAX_SCHEMA_STEPS
                    ))
                };
                why_none(cause, exhausted, too_long)
            }
        }
    }

    /// Whether one of its objects has names that are searched for too long for what one `unevaluatedProperties` merges. All other searches
    /// are counted when they are made.
    fn searches_too_much(&self, document: &Value, most: u64) -> bool {
        let each = self.compiled.name_steps;
        each > 0 && each.saturating_mul(most_names(document) as u64) > most
    }

    /// What telling a document's faults may take.
    fn telling(&self, document: &Value) -> Telling {
        Telling {
            bytes: limits::MAX_FAULTS_BYTES,
            fault: limits::FAULT_BYTES.saturating_add(longest_path(document) as u64),
            path: self.compiled.longest_path as u64,
            copied: self.compiled.copied,
            document: if self.compiled.copied == Copied::Whole { bytes_of(document) as u64 } else { 0 },
        }
    }
}

/// Why there is no judgement.
fn why_none(
    cause: Cause,
    exhausted: impl FnOnce() -> Vec<SchemaFault>,
    too_long: impl FnOnce() -> Vec<SchemaFault>,
) -> Result<Vec<SchemaFault>, Late> {
    match cause {
        Cause::Exhausted => Ok(exhausted()),
        Cause::TooLong => Ok(too_long()),
        Cause::Late => Err(Late),
        Cause::Panicked => Ok(limit("its schema cannot be applied")),
    }
}

/// The one fault of a document that takes too much to judge.
pub(crate) fn limit(message: impl Into<String>) -> Vec<SchemaFault> {
    vec![SchemaFault::of_all(LIMIT, message.into())]
}

fn fault(error: &ValidationError<'_>, text: fn(&ValidationError<'_>) -> String) -> SchemaFault {
    SchemaFault {
        pointer: shown(error.instance_path().to_string(), limits::MAX_PLUGIN_MESSAGE_BYTES),
        keyword: error.kind().keyword().to_owned(),
        message: shown(text(error), limits::MAX_PLUGIN_MESSAGE_BYTES),
    }
}

/// What an error says, without the counting keyword: only of `not` the schema is shown.
fn text_of(error: &ValidationError<'_>) -> String {
    match error.kind() {
        ValidationErrorKind::Not { .. } => excluded(&error.instance().to_string()),
        ValidationErrorKind::PropertyNames { error } => text_of(error),
        _ => error.to_string(),
    }
}

/// The same without values. Names of members are shown, as they are in paths.
fn masked_text_of(error: &ValidationError<'_>) -> String {
    match error.kind() {
        ValidationErrorKind::Not { .. } => excluded("value"),
        // The instance of the error within is the name alone.
        ValidationErrorKind::PropertyNames { error } => text_of(error),
        _ => error.masked().to_string(),
    }
}

fn excluded(what: &str) -> String {
    format!("{what} is what the keyword \"not\" excludes")
}
