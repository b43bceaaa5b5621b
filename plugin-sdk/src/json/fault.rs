//! What is wrong with a JSON text. Only the words: the reader knows the place.

use std::fmt::{self, Display, Write as _};

use json_event_parser::JsonEvent;
use serde::de::{Error, Expected, Unexpected};

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) message: String,
}

impl Fault {
    pub(crate) fn new(message: &str) -> Self {
        Self { message: message.to_owned() }
    }
}

impl Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

/// serde's own words for what was found would bring the printing of floats into every component, 20 KB of it.
impl Error for Fault {
    #[cold]
    fn custom<T: Display>(message: T) -> Self {
        Self { message: message.to_string() }
    }

    #[cold]
    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        wrong(&found, expected)
    }

    #[cold]
    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        wrong(&found, expected)
    }
}

/// What a type's own visitor refuses.
fn wrong(found: &Unexpected<'_>, expected: &dyn Expected) -> Fault {
    let mut message = format!("expected {expected}, found ");
    // Writing to a String cannot fail.
    let _ = match found {
        Unexpected::Bool(value) => write!(message, "{value}"),
        Unexpected::Unsigned(number) => write!(message, "{number}"),
        Unexpected::Signed(number) => write!(message, "{number}"),
        Unexpected::Str(text) | Unexpected::Other(text) => quoted(&mut message, text),
        Unexpected::Float(_) => message.write_str("a number"),
        Unexpected::Seq => message.write_str("an array"),
        Unexpected::Map => message.write_str("an object"),
        Unexpected::Unit | Unexpected::Option => message.write_str("null"),
        _ => message.write_str("something else"),
    };
    Fault { message }
}

/// A value of another sort than the type needs.
#[cold]
pub(crate) fn mismatch(found: &JsonEvent<'_>, expected: &dyn Expected) -> Fault {
    let mut message = format!("expected {expected}, found ");
    let _ = match found {
        JsonEvent::Null => message.write_str("null"),
        JsonEvent::Boolean(value) => write!(message, "{value}"),
        JsonEvent::Number(number) => message.write_str(number),
        JsonEvent::String(text) | JsonEvent::ObjectKey(text) => quoted(&mut message, text),
        JsonEvent::StartArray => message.write_str("an array"),
        JsonEvent::StartObject => message.write_str("an object"),
        JsonEvent::EndArray | JsonEvent::EndObject | JsonEvent::Eof => message.write_str("nothing more"),
    };
    Fault { message }
}

fn quoted(message: &mut String, text: &str) -> fmt::Result {
    write!(message, "the text \"{text}\"")
}
