//! The events of a JSON text one after the other, and where in the text they are.

use std::borrow::Cow;

use json_event_parser::{JsonEvent, SliceJsonParser};

use super::fault::Fault;

/// Deepest nesting that is read: reading goes down by recursion, and a component's stack is small.
const MAX_DEPTH: usize = 128;

/// A step from a value to one within it.
pub(super) enum Step<'de> {
    Member(Cow<'de, str>),
    Element(usize),
}

pub(crate) struct Reader<'de> {
    parser: SliceJsonParser<'de>,
    /// Looked at, but not taken yet.
    next: Option<JsonEvent<'de>>,
    /// Where it is. After a failure it stays where that happened.
    path: Vec<Step<'de>>,
}

impl<'de> Reader<'de> {
    pub(crate) const fn new(json: &'de str) -> Self {
        Self { parser: SliceJsonParser::new(json.as_bytes()), next: None, path: Vec::new() }
    }

    /// The next event.
    pub(crate) fn take(&mut self) -> Result<JsonEvent<'de>, Fault> {
        if let Some(event) = self.next.take() {
            return Ok(event);
        }
        self.parser.parse_next().map_err(|error| Fault {
            message: format!("not JSON: {} at character {}", error.message(), error.location().start.offset),
        })
    }

    /// The next event, which stays the next one.
    pub(super) fn peek(&mut self) -> Result<&JsonEvent<'de>, Fault> {
        let event = self.take()?;
        Ok(self.next.insert(event))
    }

    /// That nothing comes behind the value.
    pub(crate) fn end(&mut self) -> Result<(), Fault> {
        match self.take()? {
            JsonEvent::Eof => Ok(()),
            _ => Err(Fault::new("something stands behind the value")),
        }
    }

    /// Passes over one value.
    pub(super) fn skip(&mut self) -> Result<(), Fault> {
        let mut depth = 0_usize;
        loop {
            match self.take()? {
                JsonEvent::StartArray | JsonEvent::StartObject => depth += 1,
                JsonEvent::EndArray | JsonEvent::EndObject => depth = depth.saturating_sub(1),
                JsonEvent::Eof => return Err(Fault::new("it ends too early")),
                _ => {}
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }

    /// Goes to a value within the present one.
    pub(super) fn enter(&mut self, step: Step<'de>) -> Result<(), Fault> {
        self.path.push(step);
        if self.path.len() > MAX_DEPTH { Err(Fault::new("it is nested too deeply")) } else { Ok(()) }
    }

    /// Goes back to the value that holds the present one.
    pub(super) fn leave(&mut self) {
        self.path.pop();
    }

    /// The message with the place in front.
    #[cold]
    pub(crate) fn locate(&self, fault: Fault) -> String {
        let mut place = String::new();
        for step in &self.path {
            match step {
                Step::Element(index) => place += &format!("[{index}]"),
                Step::Member(name) => {
                    if !place.is_empty() {
                        place.push('.');
                    }
                    place += name;
                }
            }
        }
        if !place.is_empty() {
            place += ": ";
        }
        place += &fault.message;
        place
    }
}
