//! What stands at some places in the `data` of a batch's events, found by the host.

use super::events::{Event, EventBatch};
use super::{broken, text::TextArena};
use crate::bindings::imports::event_values::ValueTable;
use crate::error::{PluginError, Result};

/// What stands at one place of one event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum EventValue<'a> {
    /// Nothing: there is no such place.
    Missing,
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(f64),
    /// An integer from 2^53 on: the nearest double, and its digits.
    Integer(f64, &'a str),
    /// A string.
    Text(&'a str),
    /// An array, as JSON.
    Array(&'a str),
    /// An object, as JSON.
    Object(&'a str),
}

impl<'a> EventValue<'a> {
    /// The string, if it is one.
    #[inline]
    pub fn as_str(self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if it is one.
    #[inline]
    pub fn as_f64(self) -> Option<f64> {
        match self {
            Self::Number(number) | Self::Integer(number, _) => Some(number),
            _ => None,
        }
    }

    /// Whether it is true, if it is one of the two.
    #[inline]
    pub fn as_bool(self) -> Option<bool> {
        match self {
            Self::Bool(is) => Some(is),
            _ => None,
        }
    }
}

/// What stands at some places in each of a batch's events; made by [`EventBatch::values`].
#[derive(Clone, Debug, PartialEq)]
pub struct EventValues {
    places: usize,
    kinds: Vec<u8>,
    numbers: Vec<f64>,
    texts: TextArena,
}

impl EventValues {
    /// What stands in an event at the place of this number among those that were asked for, from 0; nothing beyond them.
    // A plugin looks at each value of each event; called, it is a tenth of what a validator takes.
    #[inline(always)]
    pub fn get(&self, event: Event<'_>, place: usize) -> EventValue<'_> {
        if place >= self.places {
            return EventValue::Missing;
        }
        let value = event.row() as usize * self.places + place;
        let number = || self.numbers.get(value).copied().unwrap_or_default();
        let text = || self.texts.get(value);
        match self.kinds.get(value) {
            Some(1) => EventValue::Null,
            Some(2) => EventValue::Bool(false),
            Some(3) => EventValue::Bool(true),
            Some(4) if text().is_empty() => EventValue::Number(number()),
            Some(4) => EventValue::Integer(number(), text()),
            Some(5) => EventValue::Text(text()),
            Some(6) => EventValue::Array(text()),
            Some(7) => EventValue::Object(text()),
            _ => EventValue::Missing,
        }
    }

    fn checked(table: ValueTable, events: usize, places: usize) -> Result<Self> {
        let texts = TextArena::checked(table.texts.bytes, table.texts.ends)?;
        let count = events.checked_mul(places);
        let of = |length: usize| Some(length) == count;
        if !of(table.kinds.len())
            || !of(texts.len())
            || !(table.numbers.is_empty() || of(table.numbers.len()))
        {
            return Err(broken("there is not one value for each event and place"));
        }
        Ok(Self { places, kinds: table.kinds, numbers: table.numbers, texts })
    }
}

impl EventBatch {
    /// What stands at `places` in the `data` of each event: JSON pointers (RFC 6901), such as `/command_id` or `/tags/0`.
    ///
    /// The host finds them, in one pass for all plugins that ask for the same: in batches a validator takes half the time that it takes
    /// parsing `data`; for one event a call parsing is faster. Ask once for all places that matter, where [`validate_events`](crate::Validator::validate_events) or
    /// [`on_events`](crate::Monitor::on_events) gets its batch.
    ///
    /// ```
    /// use bridge_telemetry_plugin::EventValue;
    /// use bridge_telemetry_plugin::testing::EventBatchBuilder;
    ///
    /// let batch = EventBatchBuilder::new().event("COMMAND_RECEIVED", "bridge", r#"{"id":"c1","priority":3}"#).build();
    /// let values = batch.values(&["/id", "/priority", "/parameters/speed"])?;
    /// for event in batch.events() {
    ///     assert_eq!(values.get(event, 0).as_str(), Some("c1"));
    ///     assert_eq!(values.get(event, 1), EventValue::Number(3.0));
    ///     assert_eq!(values.get(event, 2), EventValue::Missing);
    /// }
    /// # Ok::<(), bridge_telemetry_plugin::PluginError>(())
    /// ```
    ///
    /// # Errors
    /// When a place is no JSON pointer, or more is asked for than the host allows: 64 places of 256 bytes and 16 steps each, 16 MiB of values, and
    /// 64 times in one call.
    pub fn values(&self, places: &[&str]) -> Result<EventValues> {
        EventValues::checked(read(self, places)?, self.len(), places.len())
    }
}

#[cfg(target_arch = "wasm32")]
fn read(_: &EventBatch, places: &[&str]) -> Result<ValueTable> {
    let places: Vec<String> = places.iter().map(|place| (*place).into()).collect();
    crate::bindings::imports::event_values::read(&places).map_err(PluginError::from)
}

#[cfg(not(target_arch = "wasm32"))]
fn read(batch: &EventBatch, places: &[&str]) -> Result<ValueTable> {
    match places.iter().find(|place| !place.is_empty() && !place.starts_with('/')) {
        Some(place) => Err(PluginError::unsupported(format!("\"{place}\" is no JSON pointer"))),
        None => crate::testing::values::read(batch, places),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::imports::types::TextColumn;
    use crate::testing::EventBatchBuilder;

    #[test]
    fn every_kind_of_value() {
        let data =
            r#"{"t":"a\"","n":-0.5,"i":9007199254740993,"b":true,"f":false,"z":null,"a":[1],"o":{"x/y":2}}"#;
        let batch = EventBatchBuilder::new().event("e", "s", data).event("e", "s", "{}").build();
        let places = ["/t", "/n", "/i", "/b", "/f", "/z", "/a", "/o", "/o/x~1y", "/no"];
        let values = batch.values(&places).unwrap();
        let of = |row: usize| {
            let event = batch.events().nth(row).unwrap();
            (0..=places.len()).map(|place| values.get(event, place)).collect::<Vec<_>>()
        };
        let expected = [
            EventValue::Text("a\""),
            EventValue::Number(-0.5),
            EventValue::Integer(9_007_199_254_740_992.0, "9007199254740993"),
            EventValue::Bool(true),
            EventValue::Bool(false),
            EventValue::Null,
            EventValue::Array("[1]"),
            EventValue::Object(r#"{"x/y":2}"#),
            EventValue::Number(2.0),
            EventValue::Missing,
            EventValue::Missing,
        ];
        assert_eq!(of(0), expected);
        assert_eq!(of(1), [EventValue::Missing; 11]);
        assert!(batch.values(&["t"]).unwrap_err().message().contains("JSON pointer"));
    }

    #[test]
    fn a_table_of_another_size_is_refused() {
        let table = |kinds: usize, numbers: usize, texts: usize| ValueTable {
            kinds: vec![0; kinds],
            numbers: vec![0.0; numbers],
            texts: TextColumn { bytes: Vec::new(), ends: vec![0; texts] },
        };
        assert!(EventValues::checked(table(6, 0, 6), 3, 2).is_ok());
        assert!(EventValues::checked(table(6, 6, 6), 3, 2).is_ok());
        for broken in [table(5, 0, 6), table(6, 5, 6), table(6, 6, 7)] {
            assert!(EventValues::checked(broken, 3, 2).is_err());
        }
    }
}
