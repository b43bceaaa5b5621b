//! A column of strings: a dictionary of the distinct ones, and each value's place in it.

use std::collections::HashMap;
use std::ops::Range;

use telemetry_core::limits;

use super::{CHUNK, Effort, integers};
use crate::error::Damage;
use crate::wire::{Reader, put_bytes, put_varint};

/// The dictionary's strings, each with its length in front.
const PLAIN: u8 = 0;
/// The same as one zstd frame.
const ZSTD: u8 = 1;

/// Dictionaries below this size are not worth a zstd frame's own bytes.
const ZSTD_MIN_BYTES: usize = 128;
const SEAL_LEVEL: i32 = 1;
const COMPACT_LEVEL: i32 = 9;

/// Appends a dictionary of `values` and their places in it.
pub(super) fn encode(values: &[&str], effort: Effort, out: &mut Vec<u8>) -> Result<(), Damage> {
    let mut places: HashMap<&str, i64> = HashMap::new();
    let mut strings = Vec::new();
    let mut column = Vec::with_capacity(values.len());
    for value in values {
        let next = places.len() as i64;
        column.push(*places.entry(value).or_insert_with(|| {
            put_bytes(&mut strings, value.as_bytes());
            next
        }));
    }
    if strings.len() > limits::MAX_CHUNK_TEXT_BYTES {
        return Err(Damage::new(CHUNK, format!("{} bytes of text are too many", strings.len())));
    }
    put_varint(out, places.len() as u64);
    put_varint(out, strings.len() as u64);
    let level = if effort == Effort::Compact { COMPACT_LEVEL } else { SEAL_LEVEL };
    let compressed =
        if strings.len() < ZSTD_MIN_BYTES { None } else { zstd::bulk::compress(&strings, level).ok() };
    match compressed.filter(|compressed| compressed.len() < strings.len()) {
        Some(compressed) => {
            out.push(ZSTD);
            put_bytes(out, &compressed);
        }
        None => {
            out.push(PLAIN);
            out.extend_from_slice(&strings);
        }
    }
    integers::encode(&column, effort, out);
    Ok(())
}

/// A decoded column of strings.
pub(super) struct Texts {
    strings: Vec<u8>,
    ranges: Vec<Range<usize>>,
    places: Vec<i64>,
}

impl Texts {
    /// Reads `count` strings.
    pub(super) fn decode(reader: &mut Reader<'_>, count: usize) -> Result<Self, Damage> {
        let distinct = usize::try_from(reader.varint()?).unwrap_or(usize::MAX);
        let length = usize::try_from(reader.varint()?).unwrap_or(usize::MAX);
        // Each string has a length of at least one byte in front of it.
        if distinct > count || length > limits::MAX_CHUNK_TEXT_BYTES || distinct > length {
            return Err(Damage::new(CHUNK, "a dictionary is too large"));
        }
        let strings = match reader.byte()? {
            PLAIN => reader.take(length)?.to_vec(),
            ZSTD => zstd::bulk::decompress(reader.bytes()?, length)
                .map_err(|error| Damage::new(CHUNK, format!("a dictionary does not decompress: {error}")))?,
            _ => return Err(Damage::new(CHUNK, "an unknown form of dictionary")),
        };
        let ranges = ranges(&strings, distinct)?;
        let mut places = Vec::new();
        integers::decode(reader, count, &mut places)?;
        Ok(Self { strings, ranges, places })
    }

    /// The strings in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Result<&str, Damage>> {
        self.places.iter().map(|place| {
            usize::try_from(*place)
                .ok()
                .and_then(|place| self.ranges.get(place))
                .and_then(|range| self.strings.get(range.clone()))
                .and_then(|bytes| std::str::from_utf8(bytes).ok())
                .ok_or_else(|| Damage::new(CHUNK, "a string is not in the dictionary"))
        })
    }
}

fn ranges(strings: &[u8], distinct: usize) -> Result<Vec<Range<usize>>, Damage> {
    let mut reader = Reader::new(CHUNK, strings);
    let mut ranges = Vec::with_capacity(distinct);
    for _ in 0..distinct {
        let text = reader.text()?;
        // Each place of the column may be of the longest text: without this limit, a few bytes could stand for gigabytes.
        if text.len() > limits::MAX_TEXT_VALUE_BYTES {
            return Err(reader.damage("a text in it is too long"));
        }
        let end = strings.len().saturating_sub(reader.rest().len());
        ranges.push(end.saturating_sub(text.len())..end);
    }
    reader.finish()?;
    Ok(ranges)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(values: &[&str], effort: Effort) -> usize {
        let mut bytes = Vec::new();
        encode(values, effort, &mut bytes).unwrap();
        let mut reader = Reader::new(CHUNK, &bytes);
        let texts = Texts::decode(&mut reader, values.len()).unwrap();
        assert!(reader.is_done());
        assert_eq!(texts.iter().collect::<Result<Vec<_>, _>>().unwrap(), values);
        bytes.len()
    }

    proptest! {
        #[test]
        fn come_back(values in prop::collection::vec("[a-cé]{0,3}", 0..200), compact: bool) {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            check(&values, if compact { Effort::Compact } else { Effort::Seal });
        }

        #[test]
        fn any_bytes_are_damage_at_worst(bytes: Vec<u8>, count in 0_usize..100) {
            if let Ok(texts) = Texts::decode(&mut Reader::new(CHUNK, &bytes), count) {
                prop_assert!(texts.iter().count() <= count);
            }
        }
    }

    #[test]
    fn a_text_that_admission_refuses_is_damage() {
        let long = "x".repeat(limits::MAX_TEXT_VALUE_BYTES);
        check(&[&long, &long], Effort::Seal);
        let (mut bytes, too_long) = (Vec::new(), format!("{long}x"));
        encode(&[too_long.as_str(); 500], Effort::Seal, &mut bytes).unwrap();
        assert!(bytes.len() < 200, "a few bytes stand for two megabytes");
        assert!(Texts::decode(&mut Reader::new(CHUNK, &bytes), 500).is_err());
    }

    #[test]
    fn repeated_strings_are_stored_once() {
        let values: Vec<&str> =
            (0..1000).map(|index| if index % 2 == 0 { "running" } else { "stopped" }).collect();
        assert!(check(&values, Effort::Seal) < 1000 / 8 + 60);
        let long = "x".repeat(4000);
        assert!(check(&[&long, &long], Effort::Seal) < 100);
    }
}
