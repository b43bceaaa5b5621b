//! What is wrong with a JSON text.

use std::fmt::{self, Display};

use serde::de::{Error, Expected, Unexpected};

use crate::error::PluginError;

/// Why a JSON text cannot be read, in words.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault(Box<Message>);

/// Boxed, so that results that carry a fault are small, and so is the code that hands them on.
#[derive(Debug, PartialEq, Eq)]
struct Message(String);

impl Fault {
    #[cold]
    #[inline(never)]
    pub(super) fn new(message: &str) -> Self {
        Self::from(message.to_owned())
    }

    /// What is wrong.
    pub(super) fn message(&self) -> &str {
        &self.0.0
    }
}

impl From<String> for Fault {
    #[cold]
    #[inline(never)]
    fn from(message: String) -> Self {
        Self(Box::new(Message(message)))
    }
}

impl Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.message())
    }
}

impl std::error::Error for Fault {}

impl From<Fault> for PluginError {
    fn from(fault: Fault) -> Self {
        Self::Other(fault.0.0)
    }
}

/// serde's own words for what was found would bring the printing of floats into every component, 20 KB of it; and what is written
/// here stands in it once, not at each field.
impl Error for Fault {
    #[cold]
    fn custom<T: Display>(message: T) -> Self {
        Self::from(message.to_string())
    }

    #[cold]
    #[inline(never)]
    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        mismatch(&shown(&found), expected)
    }

    #[cold]
    #[inline(never)]
    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        mismatch(&shown(&found), expected)
    }

    #[cold]
    #[inline(never)]
    fn missing_field(field: &'static str) -> Self {
        Self::from(format!("missing field `{field}`"))
    }

    #[cold]
    #[inline(never)]
    fn duplicate_field(field: &'static str) -> Self {
        Self::from(format!("duplicate field `{field}`"))
    }

    #[cold]
    #[inline(never)]
    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        unknown("field", field, expected)
    }

    #[cold]
    #[inline(never)]
    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        unknown("variant", variant, expected)
    }
}

fn unknown(what: &str, name: &str, expected: &[&str]) -> Fault {
    let mut message = format!("unknown {what} `{name}`, expected ");
    for (index, known) in expected.iter().enumerate() {
        message += if index == 0 { "`" } else { ", `" };
        message += known;
        message.push('`');
    }
    if expected.is_empty() {
        message += "none";
    }
    Fault::from(message)
}

/// What a type's own visitor refuses.
fn shown(found: &Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(true) => "true".to_owned(),
        Unexpected::Bool(false) => "false".to_owned(),
        Unexpected::Unsigned(number) => number.to_string(),
        Unexpected::Signed(number) => number.to_string(),
        Unexpected::Str(text) => format!("\"{text}\""),
        Unexpected::Float(_) => "a number".to_owned(),
        Unexpected::Seq => "an array".to_owned(),
        Unexpected::Map => "an object".to_owned(),
        Unexpected::Unit | Unexpected::Option => "null".to_owned(),
        _ => "something else".to_owned(),
    }
}

/// Another value than the type needs: `found`, as it stands in the text.
#[cold]
#[inline(never)]
pub(super) fn mismatch(found: &str, expected: &dyn Expected) -> Fault {
    let found = match found.as_bytes().first() {
        Some(b'[') => "an array",
        Some(b'{') => "an object",
        _ => found,
    };
    Fault::from(format!("expected {expected}, found {found}"))
}
