//! The tables of a `pco` chunk in fewer bits.
//!
//! The library writes every bin of a table with its lower bound in full width. Bins ascend and mostly follow each other without
//! a gap, so that a bound is known from the one before but for its last bits. On a day of a slow series the tables are a tenth
//! of the chunk. Reading makes the library's own bytes again, and leaves to it to judge them.

use pco::metadata::{Bin, ChunkMeta, DeltaEncoding, DynBins, Mode};

use super::CHUNK;
use super::packing::mask64;
use crate::error::Damage;
use crate::wire::{Reader, put_bytes, put_varint};

/// The library's format that is taken apart here: the bytes of its header.
const LIBRARY_FORMAT: [u8; 2] = [4, 1];
/// First byte: the library's bytes as they are. Else the lower four bits are one more than the number of times that differences
/// were taken, the upper four bits the binary logarithm of the sum of weights.
const AS_THEY_ARE: u8 = 0;
/// Bits of the library's fields.
const VARIANT_BITS: u32 = 4;
const ORDER_BITS: u32 = 3;
const WEIGHT_SUM_BITS: u32 = 4;
const COUNT_BITS: u32 = 15;
/// Bits that the width of a number has here.
const WIDTH_BITS: u32 = 7;
/// How a bin's width differs from the one before.
const CHANGE_BITS: u32 = 2;
const SAME: u64 = 0;
const WIDER: u64 = 1;
const NARROWER: u64 = 2;
const OTHER: u64 = 3;

/// One bin of any type: so many in the sum of weights, from `lower` on, of `width` bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Row {
    weight: u64,
    lower: u64,
    width: u32,
}

/// Appends the tables that `meta` tells of; `bytes` are those that the library makes of them.
pub(super) fn put(meta: &ChunkMeta, bytes: &[u8], out: &mut Vec<u8>) {
    if !bytes.starts_with(&LIBRARY_FORMAT) || short_form(meta, out).is_none() {
        out.push(AS_THEY_ARE);
        put_bytes(out, bytes);
    }
}

/// The library's bytes of tables whose numbers have `bits` bits.
pub(super) fn read(reader: &mut Reader<'_>, bits: u32) -> Result<Vec<u8>, Damage> {
    let first = reader.byte()?;
    let Some(order) = (first & 0xF).checked_sub(1) else { return Ok(reader.bytes()?.to_vec()) };
    let sum_log = u32::from(first >> 4);
    let count = reader.varint32()?;
    if count >= 1 << COUNT_BITS || u32::from(order) >= 1 << ORDER_BITS {
        return Err(reader.damage("its tables make no sense"));
    }
    let mut library = BitWriter::default();
    // No mode, then the differences, of which a second variable, which there is none of, has no part.
    library.put(0, VARIANT_BITS);
    if order == 0 {
        library.put(0, VARIANT_BITS);
    } else {
        library.put(1, VARIANT_BITS);
        library.put(u64::from(order), ORDER_BITS);
        library.put(0, 1);
    }
    library.put(u64::from(sum_log), WEIGHT_SUM_BITS);
    library.put(u64::from(count), COUNT_BITS);
    let mut source = BitReader::new(reader.rest());
    let mut before = Row::default();
    let mut left = 1_u64 << sum_log;
    for place in 0..count {
        let row = read_row(&mut source, before, (sum_log, bits), (place == 0, place + 1 == count), left)?;
        left = left.checked_sub(row.weight).ok_or_else(|| reader.damage("its weights are too great"))?;
        library.put(row.weight - 1, sum_log);
        library.put(row.lower, bits);
        library.put(u64::from(row.width), width_bits(bits));
        before = row;
    }
    reader.take(source.bytes_read())?;
    Ok([&LIBRARY_FORMAT[..], &library.finish()].concat())
}

fn short_form(meta: &ChunkMeta, out: &mut Vec<u8>) -> Option<()> {
    let order = match meta.delta_encoding {
        DeltaEncoding::NoOp => 0,
        DeltaEncoding::Consecutive { order, secondary_uses_delta: false } => u8::try_from(order).ok()?,
        _ => return None,
    };
    let variables = &meta.per_latent_var;
    if meta.mode != Mode::Classic || variables.delta.is_some() || variables.secondary.is_some() {
        return None;
    }
    let sum_log = variables.primary.ans_size_log;
    let (rows, bits) = rows(&variables.primary.bins)?;
    let mut bytes = BitWriter::default();
    let mut before = Row::default();
    let mut left = 1_u64 << sum_log;
    for (place, row) in rows.iter().enumerate() {
        let is_last = place + 1 == rows.len();
        left = left.checked_sub(row.weight)?;
        if is_last && left != 0 {
            return None;
        }
        put_row(&mut bytes, before, *row, (sum_log, bits), (place == 0, is_last));
        before = *row;
    }
    out.push((order + 1) | u8::try_from(sum_log).ok()? << 4);
    put_varint(out, rows.len() as u64);
    out.extend_from_slice(&bytes.finish());
    Some(())
}

fn put_row(
    bytes: &mut BitWriter,
    before: Row,
    row: Row,
    (sum_log, bits): (u32, u32),
    (is_first, is_last): (bool, bool),
) {
    if !is_last {
        bytes.put(row.weight.wrapping_sub(1), sum_log);
    }
    let change = match row.width.wrapping_sub(before.width).cast_signed() {
        0 => SAME,
        1 => WIDER,
        -1 => NARROWER,
        _ => OTHER,
    };
    bytes.put(change, CHANGE_BITS);
    if change == OTHER {
        bytes.put(u64::from(row.width), WIDTH_BITS);
    }
    if is_first {
        put_number(bytes, row.lower);
        return;
    }
    let distance = row.lower.wrapping_sub(before.lower) & mask64(bits);
    let follows = follows(before.width);
    let fits = distance >= follows.0 && distance - follows.0 <= mask64(follows.1);
    bytes.put(u64::from(fits), 1);
    if fits {
        bytes.put(distance - follows.0, follows.1);
    } else {
        put_number(bytes, distance);
    }
}

fn read_row(
    source: &mut BitReader<'_>,
    before: Row,
    (sum_log, bits): (u32, u32),
    (is_first, is_last): (bool, bool),
    left: u64,
) -> Result<Row, Damage> {
    let weight = if is_last { left } else { source.take(sum_log)?.wrapping_add(1) };
    let width = match source.take(CHANGE_BITS)? {
        SAME => before.width,
        WIDER => before.width + 1,
        NARROWER => before.width.saturating_sub(1),
        _ => (source.take(WIDTH_BITS)? & 0x7F) as u32,
    };
    let follows = follows(before.width);
    let distance = if !is_first && source.take(1)? == 1 {
        source.take(follows.1)?.wrapping_add(follows.0)
    } else {
        let width = (source.take(WIDTH_BITS)? & 0x7F) as u32;
        source.take(width)?
    };
    if weight == 0 || width > bits {
        return Err(Damage::new(CHUNK, "a bin in its tables makes no sense"));
    }
    Ok(Row { weight, lower: before.lower.wrapping_add(distance) & mask64(bits), width })
}

/// The least distance, and the bits above it, from a bin of this width to one that follows it without a gap: the bin before
/// has more values than half of those that its width has room for.
const fn follows(width: u32) -> (u64, u32) {
    match width {
        0 => (1, 0),
        1..=64 => ((1 << (width - 1)) + 1, width - 1),
        _ => (0, 64),
    }
}

fn put_number(bytes: &mut BitWriter, number: u64) {
    let width = u64::BITS - number.leading_zeros();
    bytes.put(u64::from(width), WIDTH_BITS);
    bytes.put(number, width);
}

/// How many bits the library takes for the width of a bin whose numbers have `bits` bits.
const fn width_bits(bits: u32) -> u32 {
    u32::BITS - bits.leading_zeros()
}

fn rows(bins: &DynBins) -> Option<(Vec<Row>, u32)> {
    fn of<L: Into<u64> + Copy + pco::data_types::Latent>(bins: &[Bin<L>]) -> Vec<Row> {
        let row = |bin: &Bin<L>| Row {
            weight: u64::from(bin.weight),
            lower: bin.lower.into(),
            width: bin.offset_bits,
        };
        bins.iter().map(row).collect()
    }
    match bins {
        DynBins::U16(bins) => Some((of(bins), u16::BITS)),
        DynBins::U32(bins) => Some((of(bins), u32::BITS)),
        DynBins::U64(bins) => Some((of(bins), u64::BITS)),
        _ => None,
    }
}

/// Appends numbers as bits, lowest first.
#[derive(Default)]
struct BitWriter {
    bytes: Vec<u8>,
    pending: u128,
    bits: u32,
}

impl BitWriter {
    fn put(&mut self, number: u64, width: u32) {
        self.pending |= u128::from(number & mask64(width)) << self.bits;
        self.bits += width;
        while self.bits >= 8 {
            self.bytes.push((self.pending & 0xFF) as u8);
            self.pending >>= 8;
            self.bits -= 8;
        }
    }

    /// All bytes, the last one filled up with zeros.
    fn finish(mut self) -> Vec<u8> {
        if self.bits > 0 {
            self.bytes.push((self.pending & 0xFF) as u8);
        }
        self.bytes
    }
}

/// Reads what [`BitWriter`] wrote.
struct BitReader<'a> {
    bytes: &'a [u8],
    bit: usize,
}

impl<'a> BitReader<'a> {
    const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, bit: 0 }
    }

    fn take(&mut self, width: u32) -> Result<u64, Damage> {
        let end = self.bit.saturating_add(width as usize);
        if end > self.bytes.len().saturating_mul(8) || width > u64::BITS {
            return Err(Damage::new(CHUNK, "its tables end too early"));
        }
        let from = self.bytes.get(self.bit / 8..).unwrap_or_default();
        let mut word = [0_u8; 16];
        let length = from.len().min(word.len());
        if let (Some(place), Some(from)) = (word.get_mut(..length), from.get(..length)) {
            place.copy_from_slice(from);
        }
        let shifted = u128::from_le_bytes(word) >> (self.bit % 8);
        self.bit = end;
        Ok((shifted & u128::from(mask64(width))) as u64)
    }

    const fn bytes_read(&self) -> usize {
        self.bit.div_ceil(8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pco::data_types::Number;
    use pco::wrapped::FileCompressor;
    use pco::{ChunkConfig, DeltaSpec, ModeSpec};
    use proptest::prelude::*;

    /// The library's bytes, and the short ones.
    fn check<T: Number>(values: &[T], spec: DeltaSpec, bits: u32) -> (usize, usize) {
        let config = ChunkConfig::default().with_mode_spec(ModeSpec::Classic).with_delta_spec(spec);
        let file = FileCompressor::default();
        let chunk = file.chunk_compressor(values, &config).unwrap();
        let bytes = chunk.write_meta(file.write_header(Vec::new()).unwrap()).unwrap();
        let mut short = Vec::new();
        put(chunk.meta(), &bytes, &mut short);
        let mut reader = Reader::new(CHUNK, &short);
        assert_eq!(read(&mut reader, bits).unwrap(), bytes);
        assert!(reader.is_done());
        (bytes.len(), short.len())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_librarys_bytes_come_back(
            values in prop::collection::vec((0_u64..300, 0_u32..64), 1..900),
            wide: bool,
            order in 0_usize..4,
        ) {
            let spec = || if order == 3 { DeltaSpec::TryLookback } else { DeltaSpec::TryConsecutive(order) };
            let value = |(near, shift): &(u64, u32)| if wide { near << (shift % 50) } else { *near };
            let long: Vec<u64> = values.iter().map(value).collect();
            check(&long, spec(), 64);
            check(&long.iter().map(|value| *value as u32).collect::<Vec<_>>(), spec(), 32);
            check(&long.iter().map(|value| *value as u16).collect::<Vec<_>>(), spec(), 16);
        }

        #[test]
        fn any_bytes_are_damage_at_worst(bytes: Vec<u8>, bits in prop::sample::select(vec![16_u32, 32, 64])) {
            let _ = read(&mut Reader::new(CHUNK, &bytes), bits);
        }
    }

    #[test]
    fn tables_take_half() {
        // About as noise around a level is: the sum of some even numbers.
        let noise = |place: u64| {
            (1..=6).map(|part| (place * part).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56).sum::<u64>()
        };
        let values: Vec<u32> = (0..3000).map(|place| noise(place) as u32).collect();
        let (library, short) = check(&values, DeltaSpec::NoOp, 32);
        assert!(library > 30 && short * 2 < library, "{short} of {library}");
    }
}
