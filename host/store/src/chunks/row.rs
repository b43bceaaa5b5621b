//! The keys of chunk rows: `[0x10][series u32][first time i64][gen u16]`, sorted by series and time.

use crate::codec;
use crate::column::ValueColumn;
use crate::database::Rows;
use crate::error::Damage;
use crate::wire::{Reader, from_ordered, ordered};

const CHUNK: u8 = 0x10;
const KEY_BYTES: usize = 15;

/// No chunk's key is lower.
pub(crate) const FIRST_CHUNK_KEY: &[u8] = &[CHUNK];
/// Every chunk's key is lower.
pub(crate) const LAST_CHUNK_KEY: &[u8] = &[CHUNK + 1];

/// Where a chunk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ChunkKey {
    /// The series.
    pub(crate) series: u32,
    /// Its first sample's time.
    pub(crate) first_time: i64,
    /// Tells chunks of one series with one first time apart.
    pub(crate) generation: u16,
}

impl ChunkKey {
    /// The first key that a chunk of `series` could have.
    pub(crate) const fn first_of(series: u32) -> Self {
        Self { series, first_time: i64::MIN, generation: 0 }
    }

    /// The last key that a chunk of `series` could have.
    pub(crate) const fn last_of(series: u32) -> Self {
        Self { series, first_time: i64::MAX, generation: u16::MAX }
    }

    /// The key's bytes.
    pub(crate) fn encode(self) -> [u8; KEY_BYTES] {
        let mut key = [CHUNK; KEY_BYTES];
        let (_, rest) = key.split_at_mut(1);
        let (series, rest) = rest.split_at_mut(4);
        let (time, generation) = rest.split_at_mut(8);
        series.copy_from_slice(&self.series.to_be_bytes());
        time.copy_from_slice(&ordered(self.first_time));
        generation.copy_from_slice(&self.generation.to_be_bytes());
        key
    }

    /// Reads a key's bytes.
    pub(crate) fn decode(key: &[u8]) -> Result<Self, Damage> {
        let mut reader = Reader::new("chunk", key);
        if reader.byte()? != CHUNK {
            return Err(reader.damage("its key is not a chunk's"));
        }
        let series = u32::from_be_bytes(reader.array()?);
        let first_time = from_ordered(reader.array()?);
        let generation = u16::from_be_bytes(reader.array()?);
        reader.finish()?;
        Ok(Self { series, first_time, generation })
    }
}

/// Whether a row is as sealing and merging write it: the whole chunk is decoded.
pub(crate) fn check_row(key: &[u8], value: &[u8]) -> Result<(), Damage> {
    let key = ChunkKey::decode(key)?;
    let header = codec::decode(value, &mut Vec::new(), &mut ValueColumn::default())?;
    if header.first_time == key.first_time {
        Ok(())
    } else {
        Err(Damage::new("chunk", "it begins at another time than its key says"))
    }
}

/// The chunk where `rows` stands, if it is one of `series` and begins no later than `last_time`.
pub(crate) fn chunk_at<'r>(rows: &'r Rows<'_>, series: u32, last_time: i64) -> Option<(ChunkKey, &'r [u8])> {
    let (key, value) = rows.row()?;
    let key = ChunkKey::decode(key).ok()?;
    (key.series == series && key.first_time <= last_time).then_some((key, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_sort_by_series_time_generation(one: (u32, i64, u16), two: (u32, i64, u16)) {
            let key = |(series, first_time, generation)| ChunkKey { series, first_time, generation };
            prop_assert_eq!(one.cmp(&two), key(one).encode().cmp(&key(two).encode()));
            prop_assert_eq!(ChunkKey::decode(&key(one).encode()).unwrap(), key(one));
        }
    }
}
