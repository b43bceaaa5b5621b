//! A chunk's header: what is known of its samples without decoding them, under a checksum of its own.

use telemetry_core::aggregation::SeriesDigest;
use telemetry_core::limits;

use super::{CHUNK, digest};
use crate::error::Damage;
use crate::wire::{Reader, put_signed, put_varint};

/// The chunk format that this release writes.
const VERSION: u8 = 2;
/// The one before, which it reads as well.
const OLD_VERSION: u8 = 1;
/// Bytes of the checksum behind the blocks.
pub(super) const BLOCKS_SUM_BYTES: usize = 4;

/// Lanes and forms in the header's second byte.
pub(super) const FLOATS: u8 = 1;
pub(super) const INTEGERS: u8 = 2;
pub(super) const TEXTS: u8 = 4;
/// The digest is short: whole numbers in the version before, decimals in this one.
const SHORT_DIGEST: u8 = 8;
/// Which of [`UNITS`] times count in; from version 2 on.
const UNIT_SHIFT: u32 = 4;
const OLD_FLAGS: u8 = FLOATS | INTEGERS | TEXTS | SHORT_DIGEST;
const KNOWN_FLAGS: u8 = OLD_FLAGS | 3 << UNIT_SHIFT;
/// Nanoseconds: those of a second, of a millisecond, of a microsecond, one.
pub(super) const UNITS: [i64; 4] = [1_000_000_000, 1_000_000, 1_000, 1];

/// What is known of a chunk without its blocks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ChunkHeader {
    /// Samples; at least one.
    pub(crate) count: u32,
    /// Those of them that are text.
    pub(crate) text_count: u32,
    /// The time of the first sample.
    pub(crate) first_time: i64,
    /// The time of the last sample.
    pub(crate) last_time: i64,
    /// The sequence number of the last record that the chunk was sealed from.
    pub(crate) sealed_sequence: u64,
    /// Of the numeric samples; `None` when all are text.
    pub(crate) digest: Option<SeriesDigest>,
    pub(super) lanes: u8,
    pub(super) time_bytes: usize,
    pub(super) value_bytes: usize,
}

impl ChunkHeader {
    /// Reads the header of a chunk and checks its checksum; the blocks behind it are not looked at.
    pub(crate) fn read(chunk: &[u8]) -> Result<Self, Damage> {
        Self::split(chunk).map(|(header, _)| header)
    }

    /// The header, and what follows it.
    pub(super) fn split(chunk: &[u8]) -> Result<(Self, &[u8]), Damage> {
        let mut reader = Reader::new(CHUNK, chunk);
        let version = reader.byte()?;
        if !matches!(version, VERSION | OLD_VERSION) {
            return Err(Damage::new(CHUNK, format!("version {version} is not known")));
        }
        let mut header = Self::read_fields(&mut reader, version)?;
        let covered = chunk.len().saturating_sub(reader.rest().len());
        let sum = u32::from_le_bytes(reader.array()?);
        if sum != crc32c::crc32c(chunk.get(..covered).unwrap_or_default()) {
            return Err(Damage::new(CHUNK, "its header's checksum does not match"));
        }
        if version != OLD_VERSION {
            let blocks = reader.rest().len().checked_sub(BLOCKS_SUM_BYTES);
            let value_bytes = blocks.and_then(|blocks| blocks.checked_sub(header.time_bytes));
            header.value_bytes = value_bytes.ok_or_else(|| reader.damage("it ends too early"))?;
        }
        Ok((header, reader.rest()))
    }

    /// All but the length of the values, which is what is left of the chunk from version 2 on.
    pub(super) fn read_fields(reader: &mut Reader<'_>, version: u8) -> Result<Self, Damage> {
        let is_old = version == OLD_VERSION;
        let flags = reader.byte()?;
        let known = if is_old { OLD_FLAGS } else { KNOWN_FLAGS };
        let lanes = flags & (FLOATS | INTEGERS | TEXTS);
        let count = reader.varint32()?;
        if flags & !known != 0 || lanes == 0 || count == 0 || count as usize > limits::MAX_CHUNK_SAMPLES {
            return Err(reader.damage("its header makes no sense"));
        }
        let mixed_with_text = lanes & TEXTS != 0 && lanes != TEXTS;
        let text_count = match lanes {
            TEXTS => count,
            _ if mixed_with_text => reader.varint32()?,
            _ => 0,
        };
        let numbers = count.checked_sub(text_count).filter(|numbers| (*numbers == 0) == (lanes == TEXTS));
        let numbers = numbers.ok_or_else(|| reader.damage("its counts make no sense"))?;
        let unit = UNITS.get(usize::from(flags >> UNIT_SHIFT)).copied().unwrap_or(1);
        let (first_time, span) = if is_old {
            (i64::from_le_bytes(reader.array()?), reader.varint()?.cast_signed())
        } else {
            (reader.signed()?.wrapping_mul(unit), reader.varint()?.cast_signed().wrapping_mul(unit))
        };
        let last_time = first_time.wrapping_add(span);
        let sealed_sequence = reader.varint()?;
        let (mut first_number, mut last_number) = (first_time, last_time);
        if mixed_with_text {
            first_number = first_time.wrapping_add(reader.varint()?.cast_signed());
            last_number = last_time.wrapping_sub(reader.varint()?.cast_signed());
        }
        let digest = if numbers == 0 {
            None
        } else {
            let form = match flags & SHORT_DIGEST {
                0 => digest::Form::Plain,
                _ if is_old => digest::Form::Whole,
                _ => digest::Form::Decimal,
            };
            Some(digest::read(reader, form, u64::from(numbers), first_number, last_number)?)
        };
        let time_bytes = reader.varint32()? as usize;
        let value_bytes = if is_old { reader.varint32()? as usize } else { 0 };
        Ok(Self {
            count,
            text_count,
            first_time,
            last_time,
            sealed_sequence,
            digest,
            lanes,
            time_bytes,
            value_bytes,
        })
    }

    /// Appends the header with its checksum to the empty `out`.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        let mut digest_bytes = Vec::new();
        let form = self.digest.as_ref().map(|digest| digest::put(digest, &mut digest_bytes));
        let span = self.last_time.wrapping_sub(self.first_time);
        let fits = |unit: &i64| self.first_time % unit == 0 && span >= 0 && span % unit == 0;
        let (place, unit) = (0_u8..).zip(UNITS).find(|(_, unit)| fits(unit)).unwrap_or((3, 1));
        out.push(VERSION);
        out.push(
            self.lanes
                | if form == Some(digest::Form::Decimal) { SHORT_DIGEST } else { 0 }
                | place << UNIT_SHIFT,
        );
        put_varint(out, u64::from(self.count));
        let mixed_with_text = self.text_count > 0 && self.text_count < self.count;
        if mixed_with_text {
            put_varint(out, u64::from(self.text_count));
        }
        put_signed(out, self.first_time / unit);
        put_varint(out, (span / unit).cast_unsigned());
        put_varint(out, self.sealed_sequence);
        if let (true, Some(digest)) = (mixed_with_text, &self.digest) {
            let (first, last) = (digest.first_time.nanos(), digest.last_time.nanos());
            put_varint(out, first.wrapping_sub(self.first_time).cast_unsigned());
            put_varint(out, self.last_time.wrapping_sub(last).cast_unsigned());
        }
        out.extend_from_slice(&digest_bytes);
        put_varint(out, self.time_bytes as u64);
        let sum = crc32c::crc32c(out);
        out.extend_from_slice(&sum.to_le_bytes());
    }
}
