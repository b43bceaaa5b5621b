//! JSON Schemas that a plugin wrote: for its configuration, for the parameters of its aggregates, or for events that it judges by them.

mod budget;
mod expansion;
mod expressions;
mod places;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Instant;

use jsonschema::error::ValidationErrorKind;
use jsonschema_regex::is_valid_ecma_regex;
use serde_json::Value;
use telemetry_core::limits;

use self::budget::{Budget, Cause};
use crate::text::shown;

/// Most faults that are reported of one document which an operator wrote.
const MAX_FAULTS: usize = 8;
/// The keyword of a fault that is no fault of the document: judging it took, or would take, too much.
pub(crate) const LIMIT: &str = "limit";

/// What a schema finds wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaFault {
    /// Where, as a JSON Pointer (RFC 6901); empty for the whole document.
    pub pointer: String,
    /// The keyword of the schema that is not fitted, or `limit`.
    pub keyword: String,
    /// What, for a person.
    pub message: String,
}

impl SchemaFault {
    pub(crate) fn of_all(keyword: &str, message: String) -> Self {
        Self { pointer: String::new(), keyword: keyword.to_owned(), message }
    }
}

impl fmt::Display for SchemaFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.pointer.is_empty() { "(top)" } else { &self.pointer };
        write!(f, "{path}: {}", self.message)
    }
}

/// The time to judge was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Late;

/// A compiled schema.
#[allow(unreachable_pub, reason = "the generated bindings name it to all")]
#[derive(Debug)]
pub struct Schema {
    pub(crate) text: Value,
    validator: jsonschema::Validator,
    /// Bytes that it is taken to need.
    memory: usize,
    /// What searching for its patterns costs for each byte of a text.
    weight: usize,
    /// Whether it compares the items of arrays with each other.
    has_unique: bool,
}

impl Schema {
    /// Compiles a schema; it may refer to nothing outside itself.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > limits::MAX_PLUGIN_SCHEMA_BYTES {
            return Err(format!("it is longer than {} bytes", limits::MAX_PLUGIN_SCHEMA_BYTES));
        }
        let bytes = text.len();
        let text: Value = serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?;
        let compile = || {
            let counted = budget::counted(&text)?;
            // Patterns match in linear time, whatever the plugin's author wrote.
            let patterns = jsonschema::PatternOptions::regex()
                .size_limit(limits::MAX_SCHEMA_REGEX_BYTES)
                .dfa_size_limit(limits::MAX_SCHEMA_REGEX_BYTES);
            let options = jsonschema::options()
                .with_pattern_options(patterns)
                // The validator's own takes the square of their length.
                .with_format("regex", |text| {
                    text.len() <= limits::MAX_PATTERN_EXPRESSION_BYTES && is_valid_ecma_regex(text)
                });
            let options = budget::counting(options);
            let validator = options.build(&counted.schema).map_err(|error| refusal(&error))?;
            Ok::<_, String>((validator, counted))
        };
        let budget = Budget {
            steps: limits::MAX_SCHEMA_COMPILE_STEPS,
            stack: limits::MAX_SCHEMA_COMPILE_STACK_BYTES,
            end: None,
        };
        let compiled = budget::within(budget, compile).unwrap_or_else(|cause| {
            Err(match cause {
                Cause::Exhausted | Cause::Late => "it takes too much to compile".to_owned(),
                Cause::Panicked => "it cannot be compiled".to_owned(),
            })
        });
        // It may repeat what the plugin's author wrote.
        let (validator, counted) =
            compiled.map_err(|reason| shown(reason, limits::MAX_PLUGIN_MESSAGE_BYTES))?;
        let memory = [
            (bytes, limits::SCHEMA_BYTES_PER_BYTE),
            (counted.schemas, limits::SCHEMA_OBJECT_BYTES),
            (counted.pattern_bytes, 1),
        ];
        let memory = memory
            .into_iter()
            .fold(0_usize, |sum, (count, each)| sum.saturating_add(count.saturating_mul(each)));
        Ok(Self { text, validator, memory, weight: counted.weight, has_unique: counted.has_unique })
    }

    /// Bytes that it is taken to need.
    pub(crate) fn memory(&self) -> usize {
        self.memory
    }

    /// What is wrong with a document; that it takes too much to find out is a fault as well.
    pub(crate) fn faults(&self, document: &Value) -> Vec<SchemaFault> {
        let length = document.to_string().len();
        let end = Instant::now().checked_add(limits::MAX_HOST_TIME);
        let faults = self.judge(document, length, MAX_FAULTS, end, text_of);
        faults.unwrap_or_else(|Late| limit("judging it takes too long"))
    }

    /// The same of a document whose values may be secrets: no message repeats one. It was written in `length` bytes. At most `most`
    /// faults, and none after `end`.
    pub(crate) fn masked_faults(
        &self,
        document: &Value,
        length: usize,
        most: usize,
        end: Option<Instant>,
    ) -> Result<Vec<SchemaFault>, Late> {
        if most == 0 {
            return Ok(Vec::new());
        }
        self.judge(document, length, most, end, masked_text_of)
    }

    fn judge(
        &self,
        document: &Value,
        length: usize,
        most: usize,
        end: Option<Instant>,
        text: fn(&jsonschema::ValidationError<'_>) -> String,
    ) -> Result<Vec<SchemaFault>, Late> {
        // Nothing stops a search that has begun.
        if longest_text(document).saturating_mul(self.weight) > limits::MAX_SCHEMA_PATTERN_STEPS {
            return Ok(limit("it has a text, or names, too long for the patterns of its schema"));
        }
        // Its hashes can be made alike for as many items as one likes.
        if self.has_unique && longest_array(document) > limits::MAX_UNIQUE_ITEMS {
            return Ok(limit(format!(
                "it has an array of more than {} items, too many to compare with each other",
                limits::MAX_UNIQUE_ITEMS
            )));
        }
        let budget = |steps| Budget { steps, stack: limits::MAX_SCHEMA_STACK_BYTES, end };
        match budget::within(budget(limits::MAX_SCHEMA_STEPS), || self.validator.is_valid(document)) {
            Ok(true) => Ok(Vec::new()),
            // All faults are collected before the first is handed out.
            Ok(false) => {
                let all = || self.validator.iter_errors(document);
                let first = || all().take(most).map(|error| fault(&error, text)).collect();
                budget::within(budget(fault_steps(length)), first).or_else(|cause| {
                    told(cause, || {
                        "it does not fit its schema, and it takes too long to say where".to_owned()
                    })
                })
            }
            Err(cause) => told(cause, || {
                format!(
                    "its schema takes more than {} steps, or nests too deep, to judge it",
                    limits::MAX_SCHEMA_STEPS
                )
            }),
        }
    }
}

/// Why there is no judgement.
fn told(cause: Cause, exhausted: impl FnOnce() -> String) -> Result<Vec<SchemaFault>, Late> {
    match cause {
        Cause::Exhausted => Ok(limit(exhausted())),
        Cause::Late => Err(Late),
        Cause::Panicked => Ok(limit("its schema cannot be applied")),
    }
}

fn limit(message: impl Into<String>) -> Vec<SchemaFault> {
    vec![SchemaFault::of_all(LIMIT, message.into())]
}

/// Steps of naming what is wrong with a document of so many bytes: a fault may repeat much of it.
fn fault_steps(length: usize) -> u64 {
    let kilobytes = u64::try_from(length / 1024).unwrap_or(u64::MAX);
    let steps = limits::MAX_SCHEMA_FAULT_STEPS / kilobytes.saturating_add(1);
    steps.max(limits::MIN_SCHEMA_FAULT_STEPS)
}

/// The most bytes that are searched at once: of a text, or of all names of an object, since nothing is counted between them.
fn longest_text(document: &Value) -> usize {
    match document {
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(longest_text).max().unwrap_or(0),
        Value::Object(members) => {
            let names: usize = members.keys().map(|name| name.len().saturating_add(1)).sum();
            members.values().map(longest_text).fold(names, usize::max)
        }
        _ => 0,
    }
}

/// Items of the longest array.
fn longest_array(document: &Value) -> usize {
    match document {
        Value::Array(values) => values.iter().map(longest_array).fold(values.len(), usize::max),
        Value::Object(members) => members.values().map(longest_array).max().unwrap_or(0),
        _ => 0,
    }
}

/// Why a schema is none, without the counting keyword.
fn refusal(error: &jsonschema::ValidationError<'_>) -> String {
    let texts = [error.to_string(), error.masked().to_string()];
    let text = texts.into_iter().find(|text| !text.contains(budget::KEYWORD));
    text.unwrap_or_else(|| format!("it does not fit the keyword {}", error.kind().keyword()))
}

fn fault(
    error: &jsonschema::ValidationError<'_>,
    text: fn(&jsonschema::ValidationError<'_>) -> String,
) -> SchemaFault {
    SchemaFault {
        pointer: shown(error.instance_path().to_string(), limits::MAX_PLUGIN_MESSAGE_BYTES),
        keyword: error.kind().keyword().to_owned(),
        message: shown(text(error), limits::MAX_PLUGIN_MESSAGE_BYTES),
    }
}

/// What an error says, without the counting keyword: only of `not` the schema is shown.
fn text_of(error: &jsonschema::ValidationError<'_>) -> String {
    match error.kind() {
        ValidationErrorKind::Not { .. } => excluded(&error.instance().to_string()),
        ValidationErrorKind::PropertyNames { error } => text_of(error),
        _ => error.to_string(),
    }
}

/// The same without values. Names of members are shown, as they are in paths.
fn masked_text_of(error: &jsonschema::ValidationError<'_>) -> String {
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
