//! The rows of the family `meta`: who the store is, which partitions it has, and how far sealing has come.

use telemetry_core::aggregation::{KeptStates, StateIdentity};

use crate::envelope;
use crate::error::Damage;
use crate::families::Class;
use crate::rollups::read_states_row;
use crate::wire::{Reader, from_ordered, ordered, put_signed, put_varint};

/// The newest store format that this release reads and writes.
pub(crate) const FORMAT: u32 = 4;

/// Key of [`Identity`].
pub(crate) const IDENTITY_KEY: &[u8] = &[0x01];
/// Begins the keys of partitions: class, first instant.
const PARTITION: u8 = 0x02;
/// Begins the keys of the oldest instant that is kept: class.
const FLOOR: u8 = 0x03;
/// Key of [`Progress`].
pub(crate) const PROGRESS_KEY: &[u8] = &[0x04];
/// Key of the last known time.
pub(crate) const CLOCK_KEY: &[u8] = &[0x05];
/// Begins the keys of [`SealNote`]s: a running number.
const SEAL_NOTE: u8 = 0x06;
/// Key of the first series id that was not given out.
pub(crate) const NEXT_SERIES_KEY: &[u8] = &[0x07];
/// Begins the keys of kinds of kept states: fingerprint.
const KEPT_STATES: u8 = 0x08;

const VERSION: u8 = 1;

/// Whether a row is as this module writes it.
pub(crate) fn check_row(key: &[u8], value: &[u8]) -> Result<(), Damage> {
    match key {
        IDENTITY_KEY => Identity::decode(value).map(drop),
        PROGRESS_KEY => Progress::decode(value).map(drop),
        CLOCK_KEY | NEXT_SERIES_KEY | [FLOOR, _] => read_number("number", value).map(drop),
        [PARTITION, ..] => partition_of_key(key).and_then(|_| PartitionRow::decode(value)).map(drop),
        [SEAL_NOTE, ..] => SealNote::number(key).and_then(|_| SealNote::decode(value)).map(drop),
        [KEPT_STATES, ..] => read_kept_states(key, value).map(drop),
        _ => Err(Damage::new("row", "its kind is not known")),
    }
}

/// Bounds of the keys of all kinds of kept states.
pub(crate) fn kept_states_keys() -> (Vec<u8>, Vec<u8>) {
    (vec![KEPT_STATES], vec![KEPT_STATES + 1])
}

/// Key of a kind of kept states.
pub(crate) fn kept_states_key(fingerprint: u64) -> Vec<u8> {
    let mut key = vec![KEPT_STATES];
    key.extend_from_slice(&fingerprint.to_be_bytes());
    key
}

/// A kind of kept states.
pub(crate) fn read_kept_states(key: &[u8], value: &[u8]) -> Result<(StateIdentity, KeptStates), Damage> {
    let (identity, states) = read_states_row(value)?;
    if key == kept_states_key(states.fingerprint) {
        Ok((identity, states))
    } else {
        Err(Damage::new("kind of kept states", "its fingerprint is not its key's"))
    }
}

/// Who the store is. Written once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The store's format; a newer one is refused.
    pub(crate) format: u32,
    /// Tells this store's ids from others'.
    pub(crate) tag: u16,
}

impl Identity {
    /// The row's value.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut payload = Vec::new();
        put_varint(&mut payload, u64::from(self.format));
        put_varint(&mut payload, u64::from(self.tag));
        envelope::wrap(VERSION, &payload)
    }

    /// Reads the row's value. Fields that a newer format added are ignored, so that its format is known at least.
    pub(crate) fn decode(value: &[u8]) -> Result<Self, Damage> {
        let (_, payload) = envelope::open_any("identity", value)?;
        let mut reader = Reader::new("identity", payload);
        let format = reader.varint32()?;
        let tag = u16::try_from(reader.varint()?).map_err(|_| reader.damage("its tag is too large"))?;
        Ok(Self { format, tag })
    }
}

/// Bounds of all partition keys.
pub(crate) fn partition_keys() -> (Vec<u8>, Vec<u8>) {
    (vec![PARTITION], vec![PARTITION + 1])
}

/// Key of a partition.
pub(crate) fn partition_key(class: Class, start: i64) -> Vec<u8> {
    let mut key = vec![PARTITION, class.number()];
    key.extend_from_slice(&ordered(start));
    key
}

/// Class and first instant of a partition's key.
pub(crate) fn partition_of_key(key: &[u8]) -> Result<(Class, i64), Damage> {
    let mut reader = Reader::new("partition", key.get(1..).unwrap_or_default());
    let class = Class::from_number(reader.byte()?).ok_or_else(|| reader.damage("its class is not known"))?;
    let start = from_ordered(reader.array()?);
    reader.finish()?;
    Ok((class, start))
}

/// A partition's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PartitionRow {
    /// The first instant after it.
    pub(crate) end: i64,
    /// Whether it was brought into its final form after it closed.
    pub(crate) folded: bool,
}

impl PartitionRow {
    /// The row's value.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut payload = Vec::new();
        put_signed(&mut payload, self.end);
        payload.push(u8::from(self.folded));
        envelope::wrap(VERSION, &payload)
    }

    /// Reads the row's value.
    pub(crate) fn decode(value: &[u8]) -> Result<Self, Damage> {
        let mut reader = Reader::new("partition", envelope::open("partition", VERSION, value)?);
        let row = Self { end: reader.signed()?, folded: reader.byte()? != 0 };
        reader.finish()?;
        Ok(row)
    }
}

/// Key of the oldest instant that is kept of a class.
pub(crate) fn floor_key(class: Class) -> [u8; 2] {
    [FLOOR, class.number()]
}

/// The value of a single signed number.
pub(crate) fn number(value: i64) -> Vec<u8> {
    let mut payload = Vec::new();
    put_signed(&mut payload, value);
    envelope::wrap(VERSION, &payload)
}

/// Reads [`number`].
pub(crate) fn read_number(what: &'static str, value: &[u8]) -> Result<i64, Damage> {
    let mut reader = Reader::new(what, envelope::open(what, VERSION, value)?);
    let number = reader.signed()?;
    reader.finish()?;
    Ok(number)
}

/// How far the store has come. Replay starts after `watermark`; the counts are as of `counted`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Every sample up to here is in a chunk.
    pub(crate) watermark: u64,
    /// The log begins after this sequence number.
    pub(crate) trimmed: u64,
    /// The last sequence number when this was written, and the one up to which `counts` go.
    pub(crate) counted: u64,
    /// Records in each partition: class, first instant, count.
    pub(crate) counts: Vec<(Class, i64, u64)>,
}

impl Progress {
    /// The row's value.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut payload = Vec::new();
        for number in [self.watermark, self.trimmed, self.counted, self.counts.len() as u64] {
            put_varint(&mut payload, number);
        }
        for (class, start, count) in &self.counts {
            payload.push(class.number());
            put_signed(&mut payload, *start);
            put_varint(&mut payload, *count);
        }
        envelope::wrap(VERSION, &payload)
    }

    /// Reads the row's value.
    pub(crate) fn decode(value: &[u8]) -> Result<Self, Damage> {
        let mut reader = Reader::new("progress", envelope::open("progress", VERSION, value)?);
        let (watermark, trimmed, counted) = (reader.varint()?, reader.varint()?, reader.varint()?);
        let mut counts = Vec::new();
        for _ in 0..reader.count()? {
            let class =
                Class::from_number(reader.byte()?).ok_or_else(|| reader.damage("a class is not known"))?;
            counts.push((class, reader.signed()?, reader.varint()?));
        }
        reader.finish()?;
        Ok(Self { watermark, trimmed, counted, counts })
    }
}

/// Which series one sealing commit took out of the head, and up to where: replay must not bring those samples back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SealNote {
    /// The series, ascending, each with the sequence number up to which its samples are in chunks: exactly, or replay would
    /// lose samples or count them twice.
    pub(crate) series: Vec<(u32, u64)>,
}

impl SealNote {
    /// Key of the `number`-th note.
    pub(crate) fn key(number: u64) -> Vec<u8> {
        let mut key = vec![SEAL_NOTE];
        key.extend_from_slice(&number.to_be_bytes());
        key
    }

    /// The running number of a note's key.
    pub(crate) fn number(key: &[u8]) -> Result<u64, Damage> {
        let mut reader = Reader::new("seal note", key.get(1..).unwrap_or_default());
        let number = u64::from_be_bytes(reader.array()?);
        reader.finish()?;
        Ok(number)
    }

    /// The greatest of the sequence numbers: once the watermark has passed it, the note says nothing any more.
    pub(crate) fn last(&self) -> u64 {
        self.series.iter().map(|(_, sequence)| *sequence).max().unwrap_or(0)
    }

    /// Bounds of all notes' keys.
    pub(crate) fn keys() -> (Vec<u8>, Vec<u8>) {
        (vec![SEAL_NOTE], vec![SEAL_NOTE + 1])
    }

    /// The row's value.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut payload = Vec::new();
        let last = self.last();
        put_varint(&mut payload, last);
        put_varint(&mut payload, self.series.len() as u64);
        let mut before = 0_u32;
        for (series, sequence) in &self.series {
            put_varint(&mut payload, u64::from(series.wrapping_sub(before)));
            put_varint(&mut payload, last.saturating_sub(*sequence));
            before = *series;
        }
        envelope::wrap(VERSION, &payload)
    }

    /// Reads the row's value.
    pub(crate) fn decode(value: &[u8]) -> Result<Self, Damage> {
        let mut reader = Reader::new("seal note", envelope::open("seal note", VERSION, value)?);
        let last = reader.varint()?;
        let mut series = Vec::new();
        let mut before = 0_u32;
        for _ in 0..reader.count()? {
            before = before.wrapping_add(reader.varint32()?);
            let sequence = last
                .checked_sub(reader.varint()?)
                .ok_or_else(|| reader.damage("a series is sealed further than the note goes"))?;
            series.push((before, sequence));
        }
        reader.finish()?;
        Ok(Self { series })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back() {
        let identity = Identity { format: FORMAT, tag: 0x1234 };
        assert_eq!(Identity::decode(&identity.encode()).unwrap(), identity);
        let row = PartitionRow { end: -5, folded: true };
        assert_eq!(PartitionRow::decode(&row.encode()).unwrap(), row);
        let key = partition_key(Class::Metrics, -7);
        assert_eq!(partition_of_key(&key).unwrap(), (Class::Metrics, -7));
        let progress = Progress {
            watermark: 1 << 40,
            trimmed: 7,
            counted: u64::MAX,
            counts: vec![(Class::Events, 86_400, 3), (Class::Metrics, -1, 0)],
        };
        assert_eq!(Progress::decode(&progress.encode()).unwrap(), progress);
        let note = SealNote { series: vec![(1, 9), (2, 7), (900, 0), (u32::MAX, 9)] };
        assert_eq!(SealNote::decode(&note.encode()).unwrap(), note);
        assert_eq!(SealNote::number(&SealNote::key(77)).unwrap(), 77);
        assert_eq!(read_number("clock", &number(-3)).unwrap(), -3);
    }

    #[test]
    fn damage_is_noticed() {
        let value = Progress::default().encode();
        assert!(Progress::decode(&value[..value.len() - 1]).is_err());
        assert!(partition_of_key(&[PARTITION, 9, 0]).is_err());
    }
}
