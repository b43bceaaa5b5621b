//! A chunk's header: what is known of its samples without decoding them, under a checksum of its own.

use telemetry_core::aggregation::SeriesDigest;
use telemetry_core::limits;

use super::{CHUNK, digest};
use crate::error::Damage;
use crate::wire::{Reader, put_varint};

/// The chunk format that this release writes.
const VERSION: u8 = 1;

/// Lanes and forms in the header's second byte.
pub(super) const FLOATS: u8 = 1;
pub(super) const INTEGERS: u8 = 2;
pub(super) const TEXTS: u8 = 4;
const WHOLE_DIGEST: u8 = 8;
const KNOWN_FLAGS: u8 = FLOATS | INTEGERS | TEXTS | WHOLE_DIGEST;

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
        match reader.byte()? {
            VERSION => {}
            version => return Err(Damage::new(CHUNK, format!("version {version} is not known"))),
        }
        let header = Self::read_fields(&mut reader)?;
        let covered = chunk.len().saturating_sub(reader.rest().len());
        let sum = u32::from_le_bytes(reader.array()?);
        if sum != crc32c::crc32c(chunk.get(..covered).unwrap_or_default()) {
            return Err(Damage::new(CHUNK, "its header's checksum does not match"));
        }
        Ok((header, reader.rest()))
    }

    pub(super) fn read_fields(reader: &mut Reader<'_>) -> Result<Self, Damage> {
        let flags = reader.byte()?;
        let lanes = flags & (FLOATS | INTEGERS | TEXTS);
        let count = reader.varint32()?;
        if flags & !KNOWN_FLAGS != 0 || lanes == 0 || count == 0 || count as usize > limits::MAX_CHUNK_SAMPLES
        {
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
        let first_time = i64::from_le_bytes(reader.array()?);
        let last_time = first_time.wrapping_add(reader.varint()?.cast_signed());
        let sealed_sequence = reader.varint()?;
        let (mut first_number, mut last_number) = (first_time, last_time);
        if mixed_with_text {
            first_number = first_time.wrapping_add(reader.varint()?.cast_signed());
            last_number = last_time.wrapping_sub(reader.varint()?.cast_signed());
        }
        let digest = if numbers == 0 {
            None
        } else {
            let whole = flags & WHOLE_DIGEST != 0;
            Some(digest::read(reader, whole, u64::from(numbers), first_number, last_number)?)
        };
        let length = |value: u32| value as usize;
        let (time_bytes, value_bytes) = (length(reader.varint32()?), length(reader.varint32()?));
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
        let whole = self.digest.as_ref().is_some_and(digest::is_whole);
        out.push(VERSION);
        out.push(self.lanes | if whole { WHOLE_DIGEST } else { 0 });
        put_varint(out, u64::from(self.count));
        let mixed_with_text = self.text_count > 0 && self.text_count < self.count;
        if mixed_with_text {
            put_varint(out, u64::from(self.text_count));
        }
        out.extend_from_slice(&self.first_time.to_le_bytes());
        put_varint(out, self.last_time.wrapping_sub(self.first_time).cast_unsigned());
        put_varint(out, self.sealed_sequence);
        if let Some(digest) = &self.digest {
            if mixed_with_text {
                let (first, last) = (digest.first_time.nanos(), digest.last_time.nanos());
                put_varint(out, first.wrapping_sub(self.first_time).cast_unsigned());
                put_varint(out, self.last_time.wrapping_sub(last).cast_unsigned());
            }
            digest::put(digest, whole, out);
        }
        put_varint(out, self.time_bytes as u64);
        put_varint(out, self.value_bytes as u64);
        let sum = crc32c::crc32c(out);
        out.extend_from_slice(&sum.to_le_bytes());
    }
}
