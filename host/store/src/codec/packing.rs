//! Up to 128 unsigned residuals as bits of one width.
//!
//! A full block of 128 uses the interleaved layout of `BitPacker4x` (four lanes, unpacked with SIMD); a shorter one is a plain
//! bit stream, lowest bit first. Widths above 32 store the low 32 bits of each value plainly and pack the rest.

use bitpacking::{BitPacker, BitPacker4x};

use super::CHUNK;
use crate::error::Damage;

/// Values of a full block: what `BitPacker4x` packs at once.
pub(super) const BLOCK_VALUES: usize = BitPacker4x::BLOCK_LEN;
/// Widest residual in bits.
pub(super) const MAX_WIDTH: u32 = 64;
/// Widest value that a shifted eight-byte read always covers.
const WORD_WIDTH: u32 = 56;
/// The longest bit stream (127 values of 64 bits) and room for one read beyond its end.
const STREAM_BYTES: usize = BLOCK_VALUES * 8 + 16;

/// The bytes that `count` values of `width` bits take.
pub(super) const fn packed_bytes(count: usize, width: u32) -> usize {
    count.saturating_mul(width as usize).div_ceil(8)
}

/// Appends `values`, at most [`BLOCK_VALUES`], each cut to its lowest `width` bits.
pub(super) fn pack(values: &[u64], width: u32, out: &mut Vec<u8>) {
    match <&[u64; BLOCK_VALUES]>::try_from(values) {
        Ok(block) if width <= 32 => pack_block(&block.map(|value| low(value) & mask32(width)), width, out),
        Ok(block) => {
            block.iter().for_each(|value| out.extend_from_slice(&low(*value).to_le_bytes()));
            let above = width.min(MAX_WIDTH) - 32;
            pack_block(&block.map(|value| low(value >> 32) & mask32(above)), above, out);
        }
        Err(_) => pack_stream(values, width, out),
    }
}

/// Appends `base` plus each of `count` residuals to `out`. `bytes` holds exactly [`packed_bytes`].
pub(super) fn unpack(
    bytes: &[u8],
    count: usize,
    width: u32,
    base: i64,
    out: &mut Vec<i64>,
) -> Result<(), Damage> {
    if width > MAX_WIDTH || count > BLOCK_VALUES || bytes.len() != packed_bytes(count, width) {
        return Err(Damage::new(CHUNK, "a packed block has the wrong size"));
    }
    if width == 0 {
        out.extend(std::iter::repeat_n(base, count));
    } else if count < BLOCK_VALUES {
        unpack_stream(bytes, count, width, base, out);
    } else if width <= 32 {
        let mut lows = [0_u32; BLOCK_VALUES];
        BitPacker4x::new().decompress(bytes, &mut lows, width as u8);
        out.extend(lows.iter().map(|low| base.wrapping_add(i64::from(*low))));
    } else {
        let (plain, packed) = bytes.split_at_checked(BLOCK_VALUES * 4).unwrap_or((bytes, &[]));
        let mut highs = [0_u32; BLOCK_VALUES];
        BitPacker4x::new().decompress(packed, &mut highs, (width - 32) as u8);
        let (lows, _) = plain.as_chunks::<4>();
        out.extend(highs.iter().zip(lows).map(|(high, low)| {
            let residual = u64::from(*high) << 32 | u64::from(u32::from_le_bytes(*low));
            base.wrapping_add(residual.cast_signed())
        }));
    }
    Ok(())
}

fn pack_block(block: &[u32; BLOCK_VALUES], width: u32, out: &mut Vec<u8>) {
    let mut packed = [0_u8; BLOCK_VALUES * 4];
    let length = BitPacker4x::new().compress(block, &mut packed, width as u8);
    out.extend_from_slice(packed.get(..length).unwrap_or_default());
}

fn pack_stream(values: &[u64], width: u32, out: &mut Vec<u8>) {
    let mask = u128::from(mask64(width));
    let (mut pending, mut bits) = (0_u128, 0_u32);
    for value in values {
        pending |= (u128::from(*value) & mask) << bits;
        bits += width;
        while bits >= 8 {
            out.push((pending & 0xFF) as u8);
            pending >>= 8;
            bits -= 8;
        }
    }
    if bits > 0 {
        out.push((pending & 0xFF) as u8);
    }
}

fn unpack_stream(bytes: &[u8], count: usize, width: u32, base: i64, out: &mut Vec<i64>) {
    // A copy with room behind its end lets every value be read in one piece.
    let mut stream = [0_u8; STREAM_BYTES];
    let Some(place) = stream.get_mut(..bytes.len()) else { return };
    place.copy_from_slice(bytes);
    let (mask, width) = (mask64(width), width as usize);
    let read = |bit: usize| -> u64 {
        let from = stream.get(bit / 8..).unwrap_or_default();
        if width <= WORD_WIDTH as usize {
            from.first_chunk().map_or(0, |word| u64::from_le_bytes(*word) >> (bit % 8))
        } else {
            from.first_chunk().map_or(0, |word| (u128::from_le_bytes(*word) >> (bit % 8)) as u64)
        }
    };
    out.extend((0..count).map(|index| base.wrapping_add((read(index * width) & mask).cast_signed())));
}

const fn low(value: u64) -> u32 {
    (value & 0xFFFF_FFFF) as u32
}

const fn mask32(width: u32) -> u32 {
    if width >= 32 { u32::MAX } else { (1 << width) - 1 }
}

/// The lowest `width` bits.
pub(super) const fn mask64(width: u32) -> u64 {
    if width >= 64 { u64::MAX } else { (1 << width) - 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_width_and_length(
            values in prop::collection::vec(any::<u64>(), 0..=BLOCK_VALUES),
            full: bool,
            width in 0..=MAX_WIDTH,
            base: i64,
        ) {
            let mut values = values;
            if full {
                values.resize(BLOCK_VALUES, 0x0123_4567_89AB_CDEF);
            }
            values.iter_mut().for_each(|value| *value &= mask64(width));
            let mut bytes = Vec::new();
            pack(&values, width, &mut bytes);
            prop_assert_eq!(bytes.len(), packed_bytes(values.len(), width));
            let mut back = Vec::new();
            unpack(&bytes, values.len(), width, base, &mut back).unwrap();
            let expected: Vec<_> = values.iter().map(|value| base.wrapping_add(value.cast_signed())).collect();
            prop_assert_eq!(back, expected);
        }

        #[test]
        fn wrong_sizes_are_damage(bytes: Vec<u8>, count in 0_usize..300, width in 0_u32..80) {
            let mut back = Vec::new();
            let fits = width <= MAX_WIDTH && count <= BLOCK_VALUES && bytes.len() == packed_bytes(count, width);
            prop_assert_eq!(unpack(&bytes, count, width, 0, &mut back).is_ok(), fits);
        }
    }
}
