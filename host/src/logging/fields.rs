//! The fields of a `tracing` event or span, sorted into the parts of a record.

use std::error::Error;
use std::fmt::{self, Write as _};

use serde_json::{Map, Number, Value};
use telemetry_core::limits;
use tracing::Metadata;
use tracing::field::{Field, Visit};

use super::payload::{BoundedText, Payload};
use super::record::{ErrorDetails, LogRecord, status_of};
use crate::config::LogLevel;

/// What was said, by meaning.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    message: Option<String>,
    source: Option<String>,
    status: Option<String>,
    error_code: Option<String>,
    error_message: Option<String>,
    fatal: bool,
    payload: Option<BoundedText>,
    others: Map<String, Value>,
}

impl Fields {
    /// What the spans around an event say, as far as the event does not say it itself. Call it for the innermost span
    /// first. Message, payload and gravity are the event's own.
    pub(super) fn inherit(&mut self, span: &Fields) {
        let take = |own: &mut Option<String>, outer: &Option<String>| {
            if own.is_none() {
                own.clone_from(outer);
            }
        };
        take(&mut self.source, &span.source);
        take(&mut self.status, &span.status);
        take(&mut self.error_code, &span.error_code);
        take(&mut self.error_message, &span.error_message);
        for (key, value) in &span.others {
            if !self.others.contains_key(key) {
                self.others.insert(key.clone(), value.clone());
            }
        }
    }

    /// How grave the event is; `None` for levels that are not written.
    pub(super) fn level(&self, level: tracing::Level) -> Option<LogLevel> {
        match level {
            tracing::Level::ERROR if self.fatal => Some(LogLevel::Fatal),
            tracing::Level::ERROR => Some(LogLevel::Error),
            tracing::Level::WARN => Some(LogLevel::Warning),
            tracing::Level::INFO => Some(LogLevel::Info),
            tracing::Level::DEBUG => Some(LogLevel::Debug),
            _ => None,
        }
    }

    /// The record that these fields make.
    pub(super) fn into_record(self, level: LogLevel, metadata: &Metadata<'_>) -> LogRecord {
        let mut message = self.message.unwrap_or_default();
        let payload = match self.payload {
            Some(given) => {
                for (key, value) in &self.others {
                    let _ = write!(message, " {key}={value}");
                }
                Payload::of_text(given)
            }
            None => Payload::of_fields(&self.others),
        };
        let error = (self.error_code.is_some() || self.error_message.is_some()).then(|| ErrorDetails {
            error_message: self.error_message.unwrap_or_else(|| message.clone()),
            error_code: self.error_code,
        });
        LogRecord {
            level,
            source: self.source.unwrap_or_else(|| metadata.target().to_owned()),
            status: self.status.unwrap_or_else(|| status_of(level).to_owned()),
            message,
            payload,
            error,
        }
    }

    fn take(&mut self, field: &Field, text: BoundedText) {
        match field.name() {
            "payload" => self.payload = Some(text),
            "message" => self.message = Some(text.into_text()),
            "source" => self.source = Some(text.into_text()),
            "status" => self.status = Some(text.into_text()),
            "error_code" => self.error_code = Some(text.into_text()),
            "error_message" => self.error_message = Some(text.into_text()),
            // The usual name; an explicit `error_message` wins, whatever their order.
            "error" => {
                self.error_message.get_or_insert_with(|| text.into_text());
            }
            name => {
                self.others.insert(name.to_owned(), Value::String(text.into_text()));
            }
        }
    }

    fn take_value(&mut self, field: &Field, value: Value) {
        match field.name() {
            "payload" | "message" | "source" | "status" | "error_code" | "error_message" | "error" => {
                self.take(field, BoundedText::of(&value.to_string(), limit_of(field)));
            }
            name => {
                self.others.insert(name.to_owned(), value);
            }
        }
    }
}

fn limit_of(field: &Field) -> usize {
    match field.name() {
        "payload" => limits::MAX_LOGGED_PAYLOAD_BYTES,
        _ => limits::MAX_LOGGED_TEXT_BYTES,
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, BoundedText::of(value, limit_of(field)));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = BoundedText::new(limit_of(field));
        // A `Debug` that fails leaves what it wrote until then.
        let _ = write!(text, "{value:?}");
        self.take(field, text);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = BoundedText::new(limit_of(field));
        let _ = write!(text, "{value}");
        let mut source = value.source();
        while let Some(cause) = source {
            let _ = write!(text, ": {cause}");
            source = cause.source();
        }
        self.take(field, text);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        if field.name() == "fatal" {
            self.fatal = value;
        } else {
            self.take_value(field, value.into());
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.take_value(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.take_value(field, value.into());
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.take_value(
            field,
            Number::from_i128(value).map_or_else(|| value.to_string().into(), Value::Number),
        );
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.take_value(
            field,
            Number::from_u128(value).map_or_else(|| value.to_string().into(), Value::Number),
        );
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.take_value(
            field,
            Number::from_f64(value).map_or_else(|| value.to_string().into(), Value::Number),
        );
    }
}
