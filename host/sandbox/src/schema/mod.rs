//! JSON Schemas that a plugin wrote: for its configuration, for the parameters of its aggregates, or for events that it judges by them.

mod anchors;
mod budget;
mod constant;
mod counted;
mod expansion;
mod expressions;
mod judging;
mod measure;
mod places;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use jsonschema::{EmailOptions, PatternOptions, ValidationError, ValidationOptions};
use jsonschema_regex::is_valid_ecma_regex;
use serde::de::IgnoredAny;
use serde_json::Value;
use telemetry_core::limits;

use self::budget::{Budget, Cause, Copied};
use self::counted::Counted;
pub(crate) use self::judging::{Late, limit};
use crate::text::shown;

/// What a schema finds wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaFault {
    /// Where, as a JSON Pointer (RFC 6901) that is made safe to show; empty for the whole document.
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

/// A compiled schema. Cloning shares it.
#[allow(unreachable_pub, reason = "the generated bindings name it to all")]
#[derive(Clone, Debug)]
pub struct Schema {
    compiled: Arc<Compiled>,
}

#[derive(Debug)]
struct Compiled {
    validator: jsonschema::Validator,
    /// Bytes that it is taken to need.
    memory: usize,
    /// What searching for all that one `unevaluatedProperties` merges costs for each byte of a name.
    name_steps: u64,
    /// Whether it compares the items of arrays with each other.
    has_unique: bool,
    /// What is copied for a fault.
    copied: Copied,
    /// Bytes of the longest path within it.
    longest_path: usize,
}

impl Schema {
    /// Compiles a schema; it may refer to nothing outside itself.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        Self::read(text).map(|(schema, _)| schema)
    }

    /// The same, and the schema as it is written.
    pub(crate) fn read(text: &str) -> Result<(Self, Value), String> {
        let measured = Measured::of(text)?;
        Ok((measured.compiled(None)?, measured.written))
    }

    /// Bytes that it is taken to need.
    pub(crate) fn memory(&self) -> usize {
        self.compiled.memory
    }
}

/// A schema of which is known what it takes, before it is compiled.
pub(crate) struct Measured {
    written: Value,
    counted: Counted,
    memory: usize,
}

impl Measured {
    /// The schema with this text; the error says why it is none.
    pub(crate) fn of(text: &str) -> Result<Self, String> {
        if text.len() > limits::MAX_PLUGIN_SCHEMA_BYTES {
            return Err(format!("it is longer than {} bytes", limits::MAX_PLUGIN_SCHEMA_BYTES));
        }
        let text_bytes = text.len().saturating_mul(limits::SCHEMA_BYTES_PER_BYTE);
        let written: Value =
            serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?;
        let counted = budget::within(Budget::default(), || counted::counted(&written));
        let counted = counted.unwrap_or_else(|cause| Err(unfinished(cause))).map_err(safe)?;
        let memory = text_bytes.saturating_add(counted.memory);
        Ok(Self { written, counted, memory })
    }

    /// Bytes that it is taken to need when it is compiled.
    pub(crate) fn memory(&self) -> usize {
        self.memory
    }

    /// The same, compiled until some time at most; the error says why it cannot be.
    pub(crate) fn compiled(&self, end: Option<Instant>) -> Result<Schema, String> {
        let longest = Instant::now().checked_add(limits::MAX_SCHEMA_COMPILE_TIME);
        let budget = Budget {
            steps: limits::MAX_SCHEMA_COMPILE_STEPS,
            stack: limits::MAX_SCHEMA_COMPILE_STACK_BYTES,
            end: [end, longest].into_iter().flatten().min(),
            ..Budget::default()
        };
        let Counted { name_steps, has_unique, copied, longest_path, .. } = self.counted;
        let validator =
            budget::within(budget, || options().build(&self.counted.schema)).map_err(unfinished)?;
        let validator = validator.map_err(|error| safe(refusal(&error)))?;
        let (memory, name_steps) = (self.memory, name_steps as u64);
        let compiled = Compiled { validator, memory, name_steps, has_unique, copied, longest_path };
        Ok(Schema { compiled: Arc::new(compiled) })
    }
}

/// Why compiling came to no end.
fn unfinished(cause: Cause) -> String {
    match cause {
        Cause::Exhausted | Cause::TooLong | Cause::Late => "it takes too much to compile".to_owned(),
        Cause::Panicked => "it cannot be compiled".to_owned(),
    }
}

/// Why a schema is none: that may repeat what the plugin's author wrote.
fn safe(reason: String) -> String {
    shown(reason, limits::MAX_PLUGIN_MESSAGE_BYTES)
}

/// How schemas are compiled.
fn options() -> ValidationOptions<'static> {
    // Patterns match in linear time, whatever the plugin's author wrote.
    let patterns = PatternOptions::regex()
        .size_limit(limits::MAX_SCHEMA_REGEX_BYTES)
        .dfa_size_limit(limits::SCHEMA_PATTERN_CACHE_BYTES);
    let options = jsonschema::options()
        .with_pattern_options(patterns)
        // A name before an address is none of it.
        .with_email_options(EmailOptions::default().without_display_text())
        // The validator's own keeps all values of such a text.
        .with_content_media_type("application/json", |text| serde_json::from_str::<IgnoredAny>(text).is_ok())
        // The validator's own takes the square of their length.
        .with_format("regex", |text| {
            text.len() <= limits::MAX_PATTERN_EXPRESSION_BYTES && is_valid_ecma_regex(text)
        });
    constant::with_constants(budget::counting(options))
}

/// Why a schema is none, without the counting keyword.
fn refusal(error: &ValidationError<'_>) -> String {
    let texts = [error.to_string(), error.masked().to_string()];
    let text = texts.into_iter().find(|text| !text.contains(budget::KEYWORD));
    text.unwrap_or_else(|| format!("it does not fit the keyword {}", error.kind().keyword()))
}
