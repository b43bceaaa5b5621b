//! JSON for what is read once or seldom: configurations, parameters, contexts.
//!
//! serde_json is fast, and its numbers and messages are a third of a small component. What is here takes a tenth of that: a
//! component that reads JSON with nothing else stays below 100 KB. Read large events with [`Event::data_as`](crate::Event::data_as),
//! which is serde_json.

mod deserializer;
mod fault;
mod reader;

use std::borrow::Cow;

use json_event_parser::{JsonEvent, WriterJsonSerializer};
use serde::Deserialize;

use crate::error::{PluginError, Result};
use fault::Fault;
use reader::Reader;

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
/// assert_eq!(wrong.message(), "[0].highest: expected f64, found the text \"much\"");
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

/// The members of an object as texts, in order, as filters and labels show them: texts bare, all else as compact JSON.
///
/// ```
/// let texts = bridge_telemetry_plugin::json::texts(r#"{"core":0,"host":"a","tags":["x"]}"#)?;
/// assert_eq!(texts, [("core", "0"), ("host", "a"), ("tags", "[\"x\"]")].map(|(name, text)| (name.into(), text.into())));
/// # Ok::<(), bridge_telemetry_plugin::PluginError>(())
/// ```
///
/// # Errors
/// When it is not a JSON object.
pub fn texts(object: &str) -> Result<Vec<(Cow<'_, str>, Cow<'_, str>)>> {
    let mut reader = Reader::new(object);
    members(&mut reader).map_err(|fault| PluginError::Other(reader.locate(fault)))
}

fn members<'de>(reader: &mut Reader<'de>) -> Result<Vec<(Cow<'de, str>, Cow<'de, str>)>, Fault> {
    match reader.take()? {
        JsonEvent::StartObject => {}
        found => return Err(fault::mismatch(&found, &"an object")),
    }
    let mut members = Vec::new();
    while let JsonEvent::ObjectKey(name) = reader.take()? {
        let text = match reader.take()? {
            JsonEvent::String(text) | JsonEvent::Number(text) => text,
            JsonEvent::Boolean(true) => "true".into(),
            JsonEvent::Boolean(false) => "false".into(),
            JsonEvent::Null => "null".into(),
            start => compact(reader, start)?.into(),
        };
        members.push((name, text));
    }
    reader.end()?;
    Ok(members)
}

/// An array or object whose first event was taken already, as compact JSON.
fn compact<'de>(reader: &mut Reader<'de>, start: JsonEvent<'de>) -> Result<String, Fault> {
    let mut depth = 0_usize;
    let mut event = start;
    let mut writer = WriterJsonSerializer::new(Vec::new());
    loop {
        match event {
            JsonEvent::StartArray | JsonEvent::StartObject => depth += 1,
            JsonEvent::EndArray | JsonEvent::EndObject => depth = depth.saturating_sub(1),
            _ => {}
        }
        writer.serialize_event(event).map_err(|_| Fault::new("it cannot be written again"))?;
        if depth == 0 {
            break;
        }
        event = reader.take()?;
    }
    let bytes = writer.finish().map_err(|_| Fault::new("it cannot be written again"))?;
    String::from_utf8(bytes).map_err(|_| Fault::new("it cannot be written again"))
}

#[cfg(test)]
mod tests;
