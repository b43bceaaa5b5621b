//! JSON for what is read once or seldom: configurations, parameters, contexts.
//!
//! serde_json is fast, and takes 40 KB of a component; parsers made for small programs still take 15 KB. What is here takes 5.
//! Read large events with [`Event::data_as`](crate::Event::data_as), which is serde_json.

mod deserializer;
mod fault;
mod raw;
mod reader;

use std::borrow::Cow;

use serde::Deserialize;

use crate::error::{PluginError, Result};
pub use fault::Fault;
pub use raw::Raw;
pub use reader::{Kind, Reader};

/// Reads one value of the author's own type. Texts without escapes may be borrowed.
///
/// ```
/// use bridge_telemetry_plugin::json;
///
/// #[derive(serde::Deserialize)]
/// struct Limit<'a> { metric: &'a str, highest: f64 }
///
/// let limit: Limit<'_> = json::from_str(r#"{"metric":"cpu","highest":0.5}"#)?;
/// assert_eq!((limit.metric, limit.highest), ("cpu", 0.5));
///
/// let wrong = json::from_str::<Vec<Limit<'_>>>(r#"[{"metric":"cpu","highest":"much"}]"#).err().unwrap();
/// assert_eq!(wrong.message(), "[0].highest: expected f64, found \"much\"");
/// # Ok::<(), bridge_telemetry_plugin::PluginError>(())
/// ```
///
/// # Errors
/// When the text is not JSON, or has not the form of `T`. The message begins with the path of what is wrong.
pub fn from_str<'de, T: Deserialize<'de>>(json: &'de str) -> Result<T> {
    read(json).map_err(PluginError::Other)
}

/// As [`from_str`], with the message alone.
pub(crate) fn read<'de, T: Deserialize<'de>>(json: &'de str) -> Result<T, String> {
    let mut reader = Reader::new(json);
    let value = T::deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    value.map_err(|fault| reader.locate(fault))
}

/// A member of an object: its name, and its value as text.
pub type Member<'a> = (Cow<'a, str>, Cow<'a, str>);

/// The members of an object as texts, in order, as filters and labels show them: texts bare, all else as it stands.
///
/// ```
/// let texts = bridge_telemetry_plugin::json::texts(r#"{"core":0,"host":"a","tags":["x"]}"#)?;
/// assert_eq!(texts, [("core", "0"), ("host", "a"), ("tags", "[\"x\"]")].map(|(name, text)| (name.into(), text.into())));
/// # Ok::<(), bridge_telemetry_plugin::PluginError>(())
/// ```
///
/// # Errors
/// When it is not a JSON object.
pub fn texts(object: &str) -> Result<Vec<Member<'_>>, Fault> {
    let mut reader = Reader::new(object);
    let mut members = Vec::new();
    let mut first = true;
    reader.open_object()?;
    while let Some(name) = reader.member(&mut first)? {
        let text = if reader.kind()? == Kind::Text { reader.text()? } else { reader.skip()?.into() };
        members.push((name, text));
    }
    reader.end().map(|()| members)
}

/// Adds a text to a JSON text, in quotes and escaped.
///
/// ```
/// let mut json = String::new();
/// bridge_telemetry_plugin::json::push_text(&mut json, "a \"b\"\n");
/// assert_eq!(json, r#""a \"b\"\n""#);
/// ```
pub fn push_text(json: &mut String, text: &str) {
    json.push('"');
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            '\0'..'\x20' => json.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => json.push(character),
        }
    }
    json.push('"');
}

#[cfg(test)]
mod tests;
