//! A column of integers in the smallest of its forms. Every other column rests on this one: times, decimals, bit patterns,
//! places in a dictionary.

use std::ops::Range;

use super::CHUNK;
use super::convert::{Convert, Unchanged};
use super::pages::{self, Layout, Width};
use super::{Effort, frames, streams};
use crate::error::Damage;
use crate::wire::{Reader, put_signed, put_varint};

/// All values are one: the value.
const CONSTANT: u8 = 0;
/// Each value is the one before plus a fixed step: first value, step.
pub(super) const STEPS: u8 = 1;
/// Blocks of the values.
const VALUES: u8 = 2;
/// First value, then blocks of the differences from one value to the next.
const DIFFERENCES: u8 = 3;
/// Origin and scale, then [`VALUES`] of (value − origin) / scale.
const SCALED_VALUES: u8 = 4;
/// Origin and scale, then [`DIFFERENCES`] of (value − origin) / scale.
const SCALED_DIFFERENCES: u8 = 5;
/// Eight bytes each, little-endian.
const PLAIN: u8 = 6;
/// A stand-alone stream of the `pco` library.
const PCO: u8 = 7;
/// Pages of 16-bit and of 32-bit integers, as older releases wrote them; see [`pages`].
const OLD_SHORT_PAGES: u8 = 8;
const OLD_LONG_PAGES: u8 = 9;
/// Pages of 16-bit, 32-bit and 64-bit integers.
const SHORT_PAGES: u8 = 10;
const LONG_PAGES: u8 = 11;
const FULL_PAGES: u8 = 12;

/// Below this many values `pco`'s tables outweigh what it saves: a day of measuring every fifteen minutes is above it.
const PCO_MIN_VALUES: usize = 64;
/// `pco`'s effort for so many values: measured as the point beyond which chunks shrink by less than a percent. Of many values
/// a higher one makes larger tables, which decoders have to build, and no smaller chunks.
const fn pco_level(values: usize) -> usize {
    if values < 1024 { 8 } else { 6 }
}

/// Appends the smallest form of `values`.
pub(super) fn encode(values: &[i64], effort: Effort, out: &mut Vec<u8>) {
    if fixed_step(values, out) {
        return;
    }
    let start = out.len();
    let mut other = Vec::new();
    let scale = Scale::of(values);
    match &scale {
        Some(scale) => {
            let scaled = scale.shrink(values);
            let head = |tag: u8, out: &mut Vec<u8>| {
                out.push(tag);
                put_signed(out, scale.origin);
                put_varint(out, scale.unit);
            };
            head(SCALED_VALUES, out);
            frames::encode(&scaled, out);
            head(SCALED_DIFFERENCES, &mut other);
            put_differences(&scaled, &mut other);
        }
        None => {
            out.push(VALUES);
            frames::encode(values, out);
            other.push(DIFFERENCES);
            put_differences(values, &mut other);
        }
    }
    keep_smaller(out, start, &other);
    if out.len().saturating_sub(start) > values.len().saturating_mul(8) {
        other.clear();
        other.push(PLAIN);
        values.iter().for_each(|value| other.extend_from_slice(&value.to_le_bytes()));
        keep_smaller(out, start, &other);
    }
    if put_pages(values, scale.map_or(1, |scale| scale.unit), effort, &mut other) {
        keep_smaller(out, start, &other);
    }
}

/// Replaces `out` by the pages of `values` where that is worth trying; answers whether.
fn put_pages(values: &[i64], unit: u64, effort: Effort, out: &mut Vec<u8>) -> bool {
    if effort != Effort::Compact || values.len() < PCO_MIN_VALUES {
        return false;
    }
    let Some(width) = pages::width_of(values, unit) else { return false };
    out.clear();
    out.push(match width {
        Width::Short => SHORT_PAGES,
        Width::Long => LONG_PAGES,
        Width::Full => FULL_PAGES,
    });
    pages::encode(values, unit, width, pco_level(values.len()), out)
}

/// The layout of the pages that have this form, if it is one of pages.
const fn layout_of(form: u8) -> Option<Layout> {
    match form {
        OLD_SHORT_PAGES => Some(Layout { width: Width::Short, tight: false }),
        OLD_LONG_PAGES => Some(Layout { width: Width::Long, tight: false }),
        SHORT_PAGES => Some(Layout { width: Width::Short, tight: true }),
        LONG_PAGES => Some(Layout { width: Width::Long, tight: true }),
        FULL_PAGES => Some(Layout { width: Width::Full, tight: true }),
        _ => None,
    }
}

/// Appends what `convert` makes of those of `count` values that are `wanted`, perhaps with others; answers which they are.
pub(super) fn decode_within<C: Convert>(
    reader: &mut Reader<'_>,
    count: usize,
    wanted: &Range<usize>,
    convert: C,
    out: &mut Vec<C::Value>,
) -> Result<Range<usize>, Damage> {
    let Some(layout) = reader.rest().first().and_then(|form| layout_of(*form)) else {
        let mut values = Vec::new();
        decode(reader, count, &mut values)?;
        out.extend(values.into_iter().map(|value| convert.value(value)));
        return Ok(0..count);
    };
    reader.byte()?;
    pages::decode(reader, count, wanted, layout, convert, out)
}

/// Appends `count` values to `out`.
pub(super) fn decode(reader: &mut Reader<'_>, count: usize, out: &mut Vec<i64>) -> Result<(), Damage> {
    let start = out.len();
    out.reserve(count);
    match reader.byte()? {
        CONSTANT => {
            let value = reader.signed()?;
            out.extend(std::iter::repeat_n(value, count));
        }
        STEPS => {
            let (first, step) = (reader.signed()?, reader.signed()?);
            out.extend((0_i64..).take(count).map(|index| first.wrapping_add(step.wrapping_mul(index))));
        }
        VALUES => frames::decode(reader, count, out)?,
        DIFFERENCES => read_differences(reader, count, out)?,
        tag @ (SCALED_VALUES | SCALED_DIFFERENCES) => {
            let (origin, unit) = (reader.signed()?, reader.varint()?.cast_signed());
            if tag == SCALED_VALUES {
                frames::decode(reader, count, out)?;
            } else {
                read_differences(reader, count, out)?;
            }
            for value in out.get_mut(start..).unwrap_or_default() {
                *value = origin.wrapping_add(value.wrapping_mul(unit));
            }
        }
        PLAIN => {
            let (values, _) = reader.take(count.saturating_mul(8))?.as_chunks::<8>();
            out.extend(values.iter().map(|bytes| i64::from_le_bytes(*bytes)));
        }
        PCO => {
            out.resize(start.saturating_add(count), 0);
            streams::decompress(reader.bytes()?, out.get_mut(start..).unwrap_or_default())?;
        }
        form => {
            let layout = layout_of(form).ok_or_else(|| Damage::new(CHUNK, "an unknown form of integers"))?;
            pages::decode(reader, count, &(0..count), layout, Unchanged, out)?;
        }
    }
    Ok(())
}

/// `values` as a stand-alone stream of `pco`, where that is worth trying.
pub(super) fn compressed<T: pco::data_types::Number>(values: &[T], effort: Effort) -> Option<Vec<u8>> {
    if effort != Effort::Compact || values.len() < PCO_MIN_VALUES {
        return None;
    }
    streams::compress(values, pco_level(values.len()))
}

/// Replaces what stands in `out` from `start` by `other` if that is shorter.
pub(super) fn keep_smaller(out: &mut Vec<u8>, start: usize, other: &[u8]) {
    if other.len() < out.len().saturating_sub(start) {
        out.truncate(start);
        out.extend_from_slice(other);
    }
}

fn fixed_step(values: &[i64], out: &mut Vec<u8>) -> bool {
    let first = values.first().copied().unwrap_or(0);
    let step = values.get(1).map_or(0, |second| second.wrapping_sub(first));
    if !values.windows(2).all(|pair| matches!(pair, [one, two] if two.wrapping_sub(*one) == step)) {
        return false;
    }
    if step == 0 {
        out.push(CONSTANT);
        put_signed(out, first);
    } else {
        out.push(STEPS);
        put_signed(out, first);
        put_signed(out, step);
    }
    true
}

fn put_differences(values: &[i64], out: &mut Vec<u8>) {
    let Some(first) = values.first() else { return };
    put_signed(out, *first);
    let differences: Vec<i64> =
        values.iter().zip(values.iter().skip(1)).map(|(one, two)| two.wrapping_sub(*one)).collect();
    frames::encode(&differences, out);
}

fn read_differences(reader: &mut Reader<'_>, count: usize, out: &mut Vec<i64>) -> Result<(), Damage> {
    let Some(following) = count.checked_sub(1) else { return Ok(()) };
    let start = out.len();
    let mut value = reader.signed()?;
    out.push(value);
    frames::decode(reader, following, out)?;
    for place in out.get_mut(start..).unwrap_or_default().iter_mut().skip(1) {
        value = value.wrapping_add(*place);
        *place = value;
    }
    Ok(())
}

/// A unit that all values are multiples of, counted from an origin: bytes in pages, nanoseconds in milliseconds.
struct Scale {
    origin: i64,
    unit: u64,
}

impl Scale {
    fn of(values: &[i64]) -> Option<Self> {
        let (least, greatest) = (values.iter().min()?, values.iter().max()?);
        greatest.checked_sub(*least)?;
        let origin = *values.first()?;
        let mut unit = 0_u64;
        for value in values {
            let distance = value.abs_diff(origin);
            if unit == 0 || !distance.is_multiple_of(unit) {
                unit = greatest_divisor(unit, distance);
            }
            if unit == 1 {
                return None;
            }
        }
        (unit > 1).then_some(Self { origin, unit })
    }

    fn shrink(&self, values: &[i64]) -> Vec<i64> {
        // Distances fit `i64` (checked in `of`), so the unit, which divides them, does too.
        let unit = self.unit.cast_signed().max(1);
        values.iter().map(|value| value.wrapping_sub(self.origin) / unit).collect()
    }
}

const fn greatest_divisor(mut one: u64, mut two: u64) -> u64 {
    while two != 0 {
        (one, two) = (two, one % two);
    }
    one
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(values: &[i64], effort: Effort) -> usize {
        let mut bytes = vec![9];
        encode(values, effort, &mut bytes);
        let mut reader = Reader::new(CHUNK, &bytes[1..]);
        let mut back = vec![7];
        decode(&mut reader, values.len(), &mut back).unwrap();
        assert!(reader.is_done());
        assert_eq!(back[1..], *values);
        bytes.len() - 1
    }

    fn shaped() -> impl Strategy<Value = Vec<i64>> {
        let lengths = 0_usize..700;
        prop_oneof![
            (any::<i64>(), any::<i64>(), lengths.clone()).prop_map(|(first, step, count)| {
                (0..count as i64).map(|index| first.wrapping_add(step.wrapping_mul(index))).collect()
            }),
            (any::<i64>(), 1_i64..1_000_000, prop::collection::vec(-9_i64..9, lengths.clone())).prop_map(
                |(origin, unit, units)| {
                    units.iter().map(|count| (origin / 2).wrapping_add(count * unit)).collect()
                }
            ),
            prop::collection::vec(0_i64..50, lengths.clone()).prop_map(|steps| {
                steps.iter().scan(0_i64, |sum, step| Some(std::mem::replace(sum, *sum + step))).collect()
            }),
            prop::collection::vec(any::<i64>(), lengths),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn come_back_exactly(values in shaped(), compact: bool) {
            check(&values, if compact { Effort::Compact } else { Effort::Seal });
        }

        #[test]
        fn forged_compressed_streams_are_damage_at_worst(
            steps in prop::collection::vec(-9_i64..9, PCO_MIN_VALUES..700),
            place: prop::sample::Index,
            length in 0_usize..4,
            forged in prop::collection::vec(any::<u8>(), 0..4),
        ) {
            let mut stream = compressed(&steps, Effort::Compact).unwrap();
            let from = place.index(stream.len());
            let until = (from + length).min(stream.len());
            stream.splice(from..until, forged);
            let _ = streams::decompress(&stream, &mut vec![0_i64; steps.len()]);
        }

        #[test]
        fn any_bytes_are_damage_at_worst(tag in 0_u8..14, bytes: Vec<u8>, count in 0_usize..400) {
            let mut out = Vec::new();
            let bytes = [&[tag][..], &bytes].concat();
            let _ = decode(&mut Reader::new(CHUNK, &bytes), count, &mut out);
            prop_assert!(out.len() <= count);
        }
    }

    #[test]
    fn extremes() {
        check(&[i64::MIN, i64::MAX, 0, -1, i64::MIN], Effort::Seal);
        check(&[i64::MIN, i64::MAX].repeat(300), Effort::Compact);
        check(&[], Effort::Seal);
        check(&[5], Effort::Seal);
    }

    #[test]
    fn forms_are_as_small_as_they_should_be() {
        assert_eq!(check(&[42; 1000], Effort::Seal), 2);
        assert_eq!(check(&(0..1000).map(|index| index * 10).collect::<Vec<_>>(), Effort::Seal), 3);
        // Multiples of a page, eight bits apart: as small as the page numbers.
        let pages: Vec<i64> = (0..1024).map(|index| (index * 7919 % 200) * 4096).collect();
        assert!(check(&pages, Effort::Seal) < 1024 + 40);
        let random: Vec<i64> =
            (1..1000_i64).map(|index| index.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64 as i64)).collect();
        assert!(check(&random[..], Effort::Seal) <= 8 * 999 + 40);
    }
}
