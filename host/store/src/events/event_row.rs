//! The value of an event's row.

use telemetry_core::JsonObject;
use uuid::Uuid;

use crate::envelope;
use crate::error::Damage;
use crate::wire::{Reader, put_bytes, put_varint};

const VERSION: u8 = 1;
const ROW: &str = "event";
const GIVEN_ID: u8 = 1;
const TYPE_TEXT: u8 = 2;
const SOURCE_TEXT: u8 = 4;
const DATA: u8 = 8;
const EXTRA: u8 = 16;
const KNOWN_FLAGS: u8 = GIVEN_ID | TYPE_TEXT | SOURCE_TEXT | DATA | EXTRA;
/// Bytes of a host-made id's counter: the rest of the id is in the key and the store's tag.
const COUNTER_BYTES: usize = 5;

/// An event's id, as its row keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowId {
    /// The caller's.
    Given(Uuid),
    /// The host's: its 40-bit counter.
    Made(u64),
}

/// A type or source, as a row keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowName<'a> {
    /// Its number in the partition.
    Number(u32),
    /// Itself: the partition has as many numbered names as it may.
    Text(&'a str),
}

/// What an event's row holds beside its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EventRow<'a> {
    pub(super) id: RowId,
    pub(super) event_type: RowName<'a>,
    pub(super) source: RowName<'a>,
    pub(super) data: &'a str,
    pub(super) extra: &'a str,
}

impl<'a> EventRow<'a> {
    /// The row's value.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        envelope::begin(out, VERSION);
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        let (has_data, has_extra) = (self.data != "{}", self.extra != "{}");
        out.push(
            flag(matches!(self.id, RowId::Given(_)), GIVEN_ID)
                | flag(matches!(self.event_type, RowName::Text(_)), TYPE_TEXT)
                | flag(matches!(self.source, RowName::Text(_)), SOURCE_TEXT)
                | flag(has_data, DATA)
                | flag(has_extra, EXTRA),
        );
        match self.id {
            RowId::Given(id) => out.extend_from_slice(id.as_bytes()),
            RowId::Made(counter) => {
                let [_, _, _, counter @ ..] = counter.to_be_bytes();
                out.extend_from_slice(&counter);
            }
        }
        for name in [self.event_type, self.source] {
            match name {
                RowName::Number(number) => put_varint(out, u64::from(number)),
                RowName::Text(text) => put_bytes(out, text.as_bytes()),
            }
        }
        if has_data {
            put_bytes(out, self.data.as_bytes());
        }
        if has_extra {
            put_bytes(out, self.extra.as_bytes());
        }
        envelope::finish(out);
    }

    /// Reads the row's value.
    pub(super) fn decode(value: &'a [u8]) -> Result<Self, Damage> {
        let mut reader = Reader::new(ROW, envelope::open(ROW, VERSION, value)?);
        let flags = reader.byte()?;
        if flags & !KNOWN_FLAGS != 0 {
            return Err(reader.damage("its flags are not known"));
        }
        let id = if flags & GIVEN_ID != 0 {
            RowId::Given(Uuid::from_bytes(reader.array()?))
        } else {
            RowId::Made(counter_of(reader.array()?))
        };
        let mut name = |flag: u8| {
            if flags & flag == 0 {
                reader.varint32().map(RowName::Number)
            } else {
                reader.text().map(RowName::Text)
            }
        };
        let (event_type, source) = (name(TYPE_TEXT)?, name(SOURCE_TEXT)?);
        let data = if flags & DATA == 0 { "{}" } else { reader.text()? };
        let extra = if flags & EXTRA == 0 { "{}" } else { reader.text()? };
        reader.finish()?;
        Ok(Self { id, event_type, source, data, extra })
    }

    /// Whether the value may be that of a host-made id with this counter: a look at the first bytes, without the checksum.
    pub(super) fn may_have_counter(value: &[u8], counter: u64) -> bool {
        let payload = value.get(envelope::ENVELOPE_BYTES..).and_then(<[u8]>::split_first);
        payload.is_some_and(|(flags, rest)| {
            flags & GIVEN_ID == 0 && rest.first_chunk().is_some_and(|found| counter_of(*found) == counter)
        })
    }

    /// Data and extra fields.
    pub(super) fn objects(&self) -> Result<(JsonObject, JsonObject), Damage> {
        let object =
            |text: &str| JsonObject::from_trusted(text).map_err(|error| Damage::new(ROW, error.to_string()));
        Ok((object(self.data)?, object(self.extra)?))
    }
}

fn counter_of([a, b, c, d, e]: [u8; COUNTER_BYTES]) -> u64 {
    u64::from_be_bytes([0, 0, 0, a, b, c, d, e])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn come_back(
            id in prop_oneof![
                any::<u128>().prop_map(|id| RowId::Given(Uuid::from_u128(id))),
                (0_u64..1 << 40).prop_map(RowId::Made),
            ],
            numbers: (u32, u32),
            texts: (Option<String>, Option<String>),
            data in prop::option::of(".{0,40}"),
            extra in prop::option::of(".{0,40}"),
        ) {
            let name = |number, text: &'static Option<String>| match text {
                None => RowName::Number(number),
                Some(text) => RowName::Text(text.as_str()),
            };
            let texts: &'static (Option<String>, Option<String>) = Box::leak(Box::new(texts));
            let row = EventRow {
                id,
                event_type: name(numbers.0, &texts.0),
                source: name(numbers.1, &texts.1),
                data: data.as_deref().unwrap_or("{}"),
                extra: extra.as_deref().unwrap_or("{}"),
            };
            let mut value = vec![1, 2, 3];
            row.encode(&mut value);
            prop_assert_eq!(EventRow::decode(&value).unwrap(), row);
            if let RowId::Made(counter) = id {
                prop_assert!(EventRow::may_have_counter(&value, counter));
                prop_assert!(!EventRow::may_have_counter(&value, counter ^ 1));
            }
        }

        #[test]
        fn any_payload_is_damage_at_worst(payload: Vec<u8>) {
            let _ = EventRow::decode(&envelope::wrap(VERSION, &payload));
            let _ = EventRow::decode(&payload);
            let _ = EventRow::may_have_counter(&payload, 1);
        }
    }

    /// The bytes of FORMAT.md.
    #[test]
    fn the_format_stays() {
        let check = |row: EventRow<'_>, expected: &[u8]| {
            let mut value = Vec::new();
            row.encode(&mut value);
            assert_eq!(value.escape_ascii().to_string(), expected.escape_ascii().to_string());
        };
        let (event_type, source) = (RowName::Number(3), RowName::Number(300));
        let (data, extra) = (r#"{"n":42}"#, "{}");
        check(
            EventRow { id: RowId::Made(1), event_type, source, data, extra },
            b"\x01\x0c\x85~F\x08\x00\x00\x00\x00\x01\x03\xac\x02\x08{\"n\":42}",
        );
        let (id, event_type) = (RowId::Given(Uuid::from_u128(7)), RowName::Text("T"));
        check(EventRow { id, event_type, source: RowName::Text("S"), data: "{}", extra: data }, b"\x01\"\x86qi\x17\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07\x01T\x01S\x08{\"n\":42}");
    }
}
