//! Integers as blocks of 128, each the block's base and bit-packed residuals above it.
//!
//! Residuals that would widen the whole block are patches: their bits above the block's width stand apart. Arithmetic wraps,
//! so that every `i64` fits.

use super::CHUNK;
use super::packing::{BLOCK_VALUES, MAX_WIDTH, pack, packed_bytes, unpack};
use crate::error::Damage;
use crate::wire::{Reader, put_signed, put_varint};

/// Set in a block's control byte, beside the width, when patches follow.
const PATCHED: u8 = 0x80;
/// Most patches of a block: beyond this a wider block is smaller.
const MAX_PATCHES: usize = 24;
/// Low outliers that a second choice of base leaves to the patches.
const LOW_OUTLIERS: usize = 3;

/// How a block will be written.
#[derive(Clone, Copy)]
struct Plan {
    base: i64,
    width: u32,
    cost: usize,
}

/// Appends all blocks of `values`.
pub(super) fn encode(values: &[i64], out: &mut Vec<u8>) {
    let mut before = 0_i64;
    for block in values.chunks(BLOCK_VALUES) {
        let plan = choose(block);
        write(block, plan, before, out);
        before = plan.base;
    }
}

/// Appends `count` values to `out`.
pub(super) fn decode(reader: &mut Reader<'_>, count: usize, out: &mut Vec<i64>) -> Result<(), Damage> {
    let mut before = 0_i64;
    let mut left = count;
    while left > 0 {
        let block = left.min(BLOCK_VALUES);
        before = read(reader, block, before, out)?;
        left -= block;
    }
    Ok(())
}

fn choose(block: &[i64]) -> Plan {
    let least = block.iter().copied().min().unwrap_or(0);
    let plan = plan(block, least);
    if plan.width <= 1 || block.len() <= LOW_OUTLIERS * 4 {
        return plan;
    }
    // A few low outliers (a counter's reset among its steps) would lift every residual: leave them to the patches. A base
    // above them saves a bit only where the lowest quarter of what the width spans holds no others.
    let quarter = 1_u64 << plan.width.saturating_sub(2);
    let low = block.iter().filter(|value| residual(**value, least) < quarter).count();
    if low > LOW_OUTLIERS {
        return plan;
    }
    let mut sorted = [0_i64; BLOCK_VALUES];
    let Some(sorted) = sorted.get_mut(..block.len()) else { return plan };
    sorted.copy_from_slice(block);
    let (_, above_outliers, _) = sorted.select_nth_unstable(LOW_OUTLIERS);
    let other = self::plan(block, *above_outliers);
    if other.cost < plan.cost { other } else { plan }
}

fn plan(block: &[i64], base: i64) -> Plan {
    let longest = bit_length(block.iter().map(|value| residual(*value, base)).max().unwrap_or(0));
    let widest = Plan { base, width: longest, cost: packed_bytes(block.len(), longest) };
    // So many fill the width that there is nothing to patch: mostly so, and faster to count than to sort by length.
    let half = 1_u64.checked_shl(longest.saturating_sub(1)).unwrap_or(0);
    if block.iter().filter(|value| residual(**value, base) >= half).count() > MAX_PATCHES {
        return widest;
    }
    let mut lengths = [0_usize; MAX_WIDTH as usize + 1];
    for value in block {
        if let Some(count) = lengths.get_mut(bit_length(residual(*value, base)) as usize) {
            *count += 1;
        }
    }
    let mut best = widest;
    let mut patches = 0_usize;
    for width in (0..longest).rev() {
        patches += lengths.get(width as usize + 1).copied().unwrap_or(0);
        if patches > MAX_PATCHES {
            break;
        }
        let patch_bytes = 1 + (longest - width).div_ceil(7) as usize;
        let cost = packed_bytes(block.len(), width) + 1 + patches * patch_bytes;
        if cost < best.cost {
            best = Plan { base, width, cost };
        }
    }
    best
}

fn write(block: &[i64], plan: Plan, before: i64, out: &mut Vec<u8>) {
    let mut residuals = [0_u64; BLOCK_VALUES];
    let Some(residuals) = residuals.get_mut(..block.len()) else { return };
    for (place, value) in residuals.iter_mut().zip(block) {
        *place = residual(*value, plan.base);
    }
    let patches =
        || (0_u8..).zip(residuals.iter()).filter(|(_, residual)| bit_length(**residual) > plan.width);
    let count = patches().count() as u8;
    let patched = if count > 0 { PATCHED } else { 0 };
    out.push(plan.width as u8 | patched);
    put_signed(out, plan.base.wrapping_sub(before));
    if count > 0 {
        out.push(count);
        out.extend(patches().map(|(position, _)| position));
        for (_, residual) in patches() {
            put_varint(out, residual >> plan.width);
        }
    }
    pack(residuals, plan.width, out);
}

fn read(reader: &mut Reader<'_>, count: usize, before: i64, out: &mut Vec<i64>) -> Result<i64, Damage> {
    let control = reader.byte()?;
    let width = u32::from(control & !PATCHED);
    let base = before.wrapping_add(reader.signed()?);
    let start = out.len();
    if control & PATCHED == 0 {
        unpack(reader.take(packed_bytes(count, width))?, count, width, base, out)?;
        return Ok(base);
    }
    let patches = usize::from(reader.byte()?);
    let positions = reader.take(patches)?;
    let mut highs = [0_u64; u8::MAX as usize];
    let highs = highs.get_mut(..patches).unwrap_or_default();
    for high in &mut *highs {
        *high = reader.varint()?;
    }
    unpack(reader.take(packed_bytes(count, width))?, count, width, base, out)?;
    for (position, high) in positions.iter().zip(highs) {
        let place = out.get_mut(start.saturating_add(usize::from(*position)));
        let place = place.ok_or_else(|| Damage::new(CHUNK, "a patch lies outside its block"))?;
        *place = place.wrapping_add(high.checked_shl(width).unwrap_or(0).cast_signed());
    }
    Ok(base)
}

const fn residual(value: i64, base: i64) -> u64 {
    value.wrapping_sub(base).cast_unsigned()
}

const fn bit_length(value: u64) -> u32 {
    MAX_WIDTH - value.leading_zeros()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(values: &[i64]) -> usize {
        let mut bytes = Vec::new();
        encode(values, &mut bytes);
        let mut reader = Reader::new(CHUNK, &bytes);
        let mut back = Vec::new();
        decode(&mut reader, values.len(), &mut back).unwrap();
        assert!(reader.is_done());
        assert_eq!(back, values);
        bytes.len()
    }

    proptest! {
        #[test]
        fn any_integers(values in prop::collection::vec(any::<i64>(), 0..600)) {
            check(&values);
        }

        #[test]
        fn near_integers_with_outliers(
            base: i64,
            steps in prop::collection::vec((0_i64..16, prop::option::weighted(0.05, any::<i64>())), 0..600),
        ) {
            let values: Vec<_> =
                steps.iter().map(|(near, outlier)| outlier.unwrap_or(base.wrapping_add(*near))).collect();
            check(&values);
        }

        #[test]
        fn any_bytes_are_damage_at_worst(bytes: Vec<u8>, count in 0_usize..400) {
            let mut out = Vec::new();
            let _ = decode(&mut Reader::new(CHUNK, &bytes), count, &mut out);
            prop_assert!(out.len() <= count);
        }
    }

    #[test]
    fn outliers_do_not_widen_a_block() {
        let mut values: Vec<i64> = (0..128).map(|index| index % 2).collect();
        assert_eq!(check(&values), 1 + 1 + 16);
        values[70] = 1 << 40;
        assert!(check(&values) < 16 + 12);
        values[70] = -5_000_000;
        assert!(check(&values) < 16 + 18);
    }
}
