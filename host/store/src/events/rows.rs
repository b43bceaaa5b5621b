//! Keys of the rows of an events partition.
//!
//! | key | value |
//! |---|---|
//! | `01` time i64, sequence u64 | the event |
//! | `02` type u32, time i64, sequence u64 | empty |
//! | `03` source u32, time i64, sequence u64 | empty |
//! | `04` given id, 16 bytes | time i64, sequence u64 |
//! | `05` kind u8 (2 type, 3 source), number u32 | the name |

use telemetry_core::Timestamp;
use uuid::Uuid;

use crate::envelope;
use crate::error::Damage;
use crate::wire::{Reader, from_ordered, ordered};

const EVENT: u8 = 0x01;
const BY_ID: u8 = 0x04;
const NAME: u8 = 0x05;
const VERSION: u8 = 1;
const BY_ID_ROW: &str = "event by id";

/// Time and sequence, as they end every key.
pub(super) type Place = [u8; 16];

/// Where an event is: unique in its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EventKey {
    /// When it happened; tells its partition.
    pub(crate) timestamp: Timestamp,
    /// Its place in the log.
    pub(crate) sequence: u64,
}

/// What events are indexed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The event's type.
    Type,
    /// Who recorded it.
    Source,
}

impl Kind {
    /// The first byte of the index's keys.
    const fn byte(self) -> u8 {
        match self {
            Self::Type => 0x02,
            Self::Source => 0x03,
        }
    }
}

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PlacedKey {
    Event,
    /// Of the index by type or source.
    Index,
    /// Of a given id.
    Id,
    Name,
}

impl PlacedKey {
    /// Tells it by the key's first byte and length.
    pub(super) fn read(key: &[u8]) -> Result<Self, Damage> {
        let (type_index, source_index) = (Kind::Type.byte(), Kind::Source.byte());
        match (key.first(), key.len()) {
            (Some(&EVENT), 17) => Ok(Self::Event),
            (Some(&kind), 21) if kind == type_index || kind == source_index => Ok(Self::Index),
            (Some(&BY_ID), 17) => Ok(Self::Id),
            (Some(&NAME), 6) => Ok(Self::Name),
            _ => Err(Damage::new("row", "its kind or its key's length is not known")),
        }
    }
}

impl EventKey {
    /// The end of every key of this event.
    pub(super) fn place(self) -> Place {
        let mut place = [0; 16];
        let (time, sequence) = place.split_at_mut(8);
        time.copy_from_slice(&ordered(self.timestamp.nanos()));
        sequence.copy_from_slice(&self.sequence.to_be_bytes());
        place
    }

    /// The event at `place`.
    pub(super) fn at(place: Place) -> Self {
        let [time, sequence] =
            [place.first_chunk(), place.last_chunk()].map(|half| half.copied().unwrap_or_default());
        Self { timestamp: Timestamp::from_nanos(from_ordered(time)), sequence: u64::from_be_bytes(sequence) }
    }
}

/// What the keys of all events begin with.
pub(super) fn event_prefix() -> Vec<u8> {
    vec![EVENT]
}

/// What the keys of events with this type or source begin with.
pub(super) fn index_prefix(kind: Kind, number: u32) -> Vec<u8> {
    [&[kind.byte()], &number.to_be_bytes()[..]].concat()
}

/// A key with this prefix and end.
pub(super) fn key(prefix: &[u8], place: &[u8]) -> Vec<u8> {
    [prefix, place].concat()
}

/// Key of the row that finds an event by the id that its caller gave.
pub(super) fn id_key(id: Uuid) -> [u8; 17] {
    let mut key = [BY_ID; 17];
    if let Some(place) = key.last_chunk_mut() {
        *place = id.into_bytes();
    }
    key
}

/// The value of an [`id_key`] row.
pub(super) fn id_value(key: EventKey) -> Vec<u8> {
    envelope::wrap(VERSION, &key.place())
}

/// Reads the value of an [`id_key`] row.
pub(super) fn read_id_value(value: &[u8]) -> Result<EventKey, Damage> {
    let mut reader = Reader::new(BY_ID_ROW, envelope::open(BY_ID_ROW, VERSION, value)?);
    let place = reader.array()?;
    reader.finish()?;
    Ok(EventKey::at(place))
}

/// What the keys of the names of one kind begin with.
pub(super) fn name_prefix(kind: Kind) -> Vec<u8> {
    vec![NAME, kind.byte()]
}

/// Key of a name.
pub(super) fn name_key(kind: Kind, number: u32) -> Vec<u8> {
    key(&name_prefix(kind), &number.to_be_bytes())
}

/// The number of a name's key.
pub(super) fn number_of_name(key: &[u8]) -> Result<u32, Damage> {
    match key {
        [NAME, _, a, b, c, d] => Ok(u32::from_be_bytes([*a, *b, *c, *d])),
        _ => Err(Damage::new("name", "its key has the wrong length")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn places_sort_like_keys(one: (i64, u64), two: (i64, u64)) {
            let key = |(nanos, sequence)| EventKey { timestamp: Timestamp::from_nanos(nanos), sequence };
            let (one, two) = (key(one), key(two));
            prop_assert_eq!(one.cmp(&two), one.place().cmp(&two.place()));
            prop_assert_eq!(EventKey::at(one.place()), one);
            prop_assert_eq!(read_id_value(&id_value(one)).unwrap(), one);
        }
    }
}
