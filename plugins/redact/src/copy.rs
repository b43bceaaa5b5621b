//! A JSON text on its way to another: events are read, and written unless they are left out.

use std::fmt::Display;

use bridge_telemetry_plugin::{PluginError, Result};
use json_event_parser::{JsonEvent, SliceJsonParser, WriterJsonSerializer};

pub(crate) struct Copy<'a> {
    parser: SliceJsonParser<'a>,
    writer: WriterJsonSerializer<Vec<u8>>,
}

impl<'a> Copy<'a> {
    pub(crate) fn of(json: &'a str) -> Self {
        let writer = WriterJsonSerializer::new(Vec::with_capacity(json.len()));
        Self { parser: SliceJsonParser::new(json.as_bytes()), writer }
    }

    /// The next event.
    pub(crate) fn next(&mut self) -> Result<JsonEvent<'a>> {
        self.parser.parse_next().map_err(|error| broken(error.message()))
    }

    /// Passes over the rest of a value of which `start` was read already.
    pub(crate) fn skip(&mut self, start: &JsonEvent<'_>) -> Result<()> {
        let change = |event: &JsonEvent<'_>| match event {
            JsonEvent::StartArray | JsonEvent::StartObject => 1,
            JsonEvent::EndArray | JsonEvent::EndObject => -1,
            _ => 0,
        };
        let mut depth = change(start);
        while depth > 0 {
            depth += change(&self.next()?);
        }
        Ok(())
    }

    /// Adds an event to the copy.
    pub(crate) fn write(&mut self, event: JsonEvent<'_>) -> Result<()> {
        self.writer.serialize_event(event).map_err(broken)
    }

    /// The copy.
    pub(crate) fn finish(self) -> Result<String> {
        String::from_utf8(self.writer.finish().map_err(broken)?).map_err(broken)
    }
}

fn broken(reason: impl Display) -> PluginError {
    PluginError::other(format!("the host's JSON cannot be read: {reason}"))
}
