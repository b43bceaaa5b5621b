//! Errors as returned objects, and the success of single and batch calls.

use serde_json::{Map, Value, json};
use telemetry_core::ErrorCode;

use crate::recording::{Receipt, RecordError};

/// An answer at the JSON edge, with the code of its error, if it is one.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    /// The contract's object.
    pub body: Value,
    /// The error's code; `None` for success and for a batch that was stored in part.
    pub error: Option<ErrorCode>,
}

/// An error that has a place in the contract's table.
pub trait EnvelopeError: std::error::Error {
    /// The contract's code.
    fn code(&self) -> ErrorCode;
    /// The contract's details.
    fn details(&self) -> Map<String, Value>;
}

impl EnvelopeError for RecordError {
    fn code(&self) -> ErrorCode {
        RecordError::code(self)
    }
    fn details(&self) -> Map<String, Value> {
        RecordError::details(self)
    }
}

/// `{"status":"error","error":{…}}`
pub fn error_envelope(code: ErrorCode, message: &str, details: Map<String, Value>) -> Envelope {
    let body =
        json!({"status": "error", "error": {"code": code.as_str(), "message": message, "details": details}});
    Envelope { body, error: Some(code) }
}

impl Envelope {
    /// A success; `fields` follow the status.
    pub fn success(fields: Map<String, Value>) -> Self {
        let mut body = Map::new();
        body.insert("status".to_owned(), "success".into());
        body.extend(fields);
        Self { body: Value::Object(body), error: None }
    }

    /// A typed error as an envelope; the message carries the whole chain of causes.
    pub fn of_error<E: EnvelopeError + 'static>(error: &E) -> Self {
        error_envelope(error.code(), &cause_chain(error), error.details())
    }

    /// The answer to one record.
    pub fn of_record(outcome: Result<Receipt, RecordError>) -> Self {
        match outcome {
            Err(error) => Self::of_error(&error),
            Ok(receipt) => match serde_json::to_value(receipt) {
                Ok(Value::Object(fields)) => Self::success(fields),
                _ => Self::success(Map::new()),
            },
        }
    }

    /// The answer to an array of records: `success`, `partial` or `error`, and one envelope each.
    pub fn of_batch(outcomes: Vec<Envelope>) -> Self {
        let failed = outcomes.iter().filter(|outcome| outcome.error.is_some()).count();
        let status = match failed {
            0 => "success",
            _ if failed < outcomes.len() => "partial",
            _ => "error",
        };
        let error = if status == "error" { outcomes.iter().find_map(|outcome| outcome.error) } else { None };
        let results: Vec<Value> = outcomes.into_iter().map(|outcome| outcome.body).collect();
        Self { body: json!({"status": status, "results": results}), error }
    }

    /// Whether the call did what was asked, at least in part.
    pub fn is_success(&self) -> bool {
        self.error.is_none()
    }
}

/// An error with all its causes, outermost first.
pub fn cause_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(": ");
        text.push_str(&source.to_string());
        cause = source.source();
    }
    text
}
