//! A column of doubles, bit for bit.
//!
//! Most measured doubles are decimals, or lie a few steps beside one: the integers are stored, and the steps where there are
//! any. What does not fit (−0.0, NaN, huge or irrational values) stands apart, or the bit patterns are stored.

use std::ops::Range;

use super::convert::Unchanged;
use super::decimals::{self, Divisors, EXCEPTION_SHARE, MAX_STEPS};
use super::integers::{compressed, keep_smaller};
use super::{CHUNK, Effort, integers, streams};
use crate::error::Damage;
use crate::wire::{Reader, put_varint};

/// The bit patterns as integers.
const BITS: u8 = 0;
/// Exponent, exceptions (count, places as distances, bits), then integers: value = integer / 10^exponent.
const DECIMAL: u8 = 1;
/// A stand-alone stream of the `pco` library.
const PCO: u8 = 2;

/// Exponent, of which that of the second division, then as [`DECIMAL`], then as integers how many steps each value lies beside
/// integer / 10^(exponent − second) / 10^second.
const NEAR_DECIMAL: u8 = 3;

/// Decimals that take no more than this many bytes a value are taken without trying the bit patterns, which need about seven.
const GOOD_BYTES: usize = 5;

/// Decimals that take no more than this many bytes a value are taken without trying `pco` on the doubles.
const SMALL_BYTES: usize = 2;

/// Appends the smallest form of `values`.
pub(super) fn encode(values: &[f64], effort: Effort, out: &mut Vec<u8>) {
    let start = out.len();
    let exceptions = put_decimal(values, 0, effort, out);
    let mut decimal = exceptions.is_some();
    let mut other = Vec::new();
    if exceptions != Some(0) && put_decimal(values, MAX_STEPS, effort, &mut other).is_some() {
        replace(out, start, &other, decimal);
        decimal = true;
    }
    if !decimal || out.len().saturating_sub(start) > values.len().saturating_mul(GOOD_BYTES) {
        let bits: Vec<i64> = values.iter().map(|value| value.to_bits().cast_signed()).collect();
        other.clear();
        other.push(BITS);
        // Of a bit pattern `pco` makes less than of the double itself, tried below.
        integers::encode(&bits, Effort::Seal, &mut other);
        replace(out, start, &other, decimal);
    }
    // Of decimals that are small already, as pages of integers, it makes nothing smaller.
    let small = decimal && out.len().saturating_sub(start) <= values.len().saturating_mul(SMALL_BYTES);
    if !small && let Some(packed) = compressed(values, effort) {
        other.clear();
        other.push(PCO);
        put_varint(&mut other, packed.len() as u64);
        other.extend_from_slice(&packed);
        keep_smaller(out, start, &other);
    }
}

/// Puts `other` in the place of what stands in `out` from `start`, if that is there and longer, or if nothing is there.
fn replace(out: &mut Vec<u8>, start: usize, other: &[u8], is_there: bool) {
    if is_there {
        keep_smaller(out, start, other);
    } else {
        out.extend_from_slice(other);
    }
}

/// Appends `count` values to `out`.
pub(super) fn decode(reader: &mut Reader<'_>, count: usize, out: &mut Vec<f64>) -> Result<(), Damage> {
    decode_within(reader, count, &(0..count), out).map(|_| ())
}

/// Appends those of `count` values that are `wanted`, perhaps with others; answers which they are.
pub(super) fn decode_within(
    reader: &mut Reader<'_>,
    count: usize,
    wanted: &Range<usize>,
    out: &mut Vec<f64>,
) -> Result<Range<usize>, Damage> {
    let start = out.len();
    match reader.byte()? {
        BITS => {
            let mut bits = Vec::new();
            integers::decode(reader, count, &mut bits)?;
            out.extend(bits.iter().map(|bits| f64::from_bits(bits.cast_unsigned())));
        }
        DECIMAL => return read_decimal(reader, count, wanted, out),
        NEAR_DECIMAL => return read_near_decimal(reader, count, wanted, out),
        PCO => {
            out.resize(start.saturating_add(count), 0.0);
            streams::decompress(reader.bytes()?, out.get_mut(start..).unwrap_or_default())?;
        }
        _ => return Err(Damage::new(CHUNK, "an unknown form of floats")),
    }
    Ok(0..count)
}

/// Appends `values` as decimals or at most so many steps beside one; answers how many exceptions there are, and `None` where
/// there are too many.
fn put_decimal(values: &[f64], most_steps: u64, effort: Effort, out: &mut Vec<u8>) -> Option<usize> {
    let divisors = Divisors::choose(values, most_steps)?;
    let most = values.len() / EXCEPTION_SHARE + 1;
    let near = most_steps > 0;
    let mut integers = Vec::with_capacity(values.len());
    let mut steps = Vec::with_capacity(if near { values.len() } else { 0 });
    let mut exceptions = Vec::new();
    for (index, value) in values.iter().enumerate() {
        match divisors.split(*value, most_steps) {
            Some((integer, beside)) => {
                integers.push(integer);
                if near {
                    steps.push(beside);
                }
            }
            None if exceptions.len() < most => {
                exceptions.push((index, *value));
                // Any integer will do; the one before costs least.
                integers.push(integers.last().copied().unwrap_or(0));
                if near {
                    steps.push(0);
                }
            }
            None => return None,
        }
    }
    out.push(if near { NEAR_DECIMAL } else { DECIMAL });
    out.push(divisors.exponent);
    if near {
        out.push(divisors.second);
    }
    put_varint(out, exceptions.len() as u64);
    let mut before = 0;
    for (index, value) in &exceptions {
        put_varint(out, (index - before) as u64);
        out.extend_from_slice(&value.to_bits().to_le_bytes());
        before = *index;
    }
    integers::encode(&integers, effort, out);
    if near {
        integers::encode(&steps, effort, out);
    }
    Some(exceptions.len())
}

fn read_decimal(
    reader: &mut Reader<'_>,
    count: usize,
    wanted: &Range<usize>,
    out: &mut Vec<f64>,
) -> Result<Range<usize>, Damage> {
    let divisors = Divisors::new(reader.byte()?, 0).ok_or_else(too_large)?;
    let exceptions = Exceptions::read(reader)?;
    let start = out.len();
    let found = integers::decode_within(reader, count, wanted, divisors, out)?;
    exceptions.put(count, &found, out.get_mut(start..).unwrap_or_default())?;
    Ok(found)
}

fn read_near_decimal(
    reader: &mut Reader<'_>,
    count: usize,
    wanted: &Range<usize>,
    out: &mut Vec<f64>,
) -> Result<Range<usize>, Damage> {
    let divisors = Divisors::new(reader.byte()?, reader.byte()?).ok_or_else(too_large)?;
    let exceptions = Exceptions::read(reader)?;
    let start = out.len();
    let found = integers::decode_within(reader, count, wanted, divisors, out)?;
    let found = add_steps(reader, (count, wanted), found, start, out)?;
    exceptions.put(count, &found, out.get_mut(start..).unwrap_or_default())?;
    Ok(found)
}

fn too_large() -> Damage {
    Damage::new(CHUNK, "an exponent is too large")
}

/// Distances and bits of the values that are no decimals: they stay where they are until the integers behind them are read.
struct Exceptions<'a> {
    count: usize,
    ahead: Reader<'a>,
}

impl<'a> Exceptions<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Damage> {
        let count = reader.count()?;
        let ahead = Reader::new(CHUNK, reader.rest());
        for _ in 0..count {
            reader.varint()?;
            reader.array::<8>()?;
        }
        Ok(Self { count, ahead })
    }

    /// Puts them in the place of those of `count` values that are `found`.
    fn put(mut self, count: usize, found: &Range<usize>, values: &mut [f64]) -> Result<(), Damage> {
        let mut place = 0_usize;
        for _ in 0..self.count {
            let distance = usize::try_from(self.ahead.varint()?).unwrap_or(usize::MAX);
            place = place.saturating_add(distance);
            let value = f64::from_bits(u64::from_le_bytes(self.ahead.array()?));
            if place >= count {
                return Err(Damage::new(CHUNK, "an exception lies outside its block"));
            }
            if let Some(slot) = place.checked_sub(found.start).and_then(|place| values.get_mut(place)) {
                *slot = value;
            }
        }
        Ok(())
    }
}

/// Adds the steps that follow to the values at `found`, which stand in `out` from `start`. Keeps, and answers, the places of
/// which both are known: one column may be in pages where the other is not.
fn add_steps(
    reader: &mut Reader<'_>,
    (count, wanted): (usize, &Range<usize>),
    found: Range<usize>,
    start: usize,
    out: &mut Vec<f64>,
) -> Result<Range<usize>, Damage> {
    let mut steps = Vec::new();
    let known = integers::decode_within(reader, count, wanted, Unchanged, &mut steps)?;
    let both = found.start.max(known.start)..found.end.min(known.end);
    out.truncate(start.saturating_add(both.end.saturating_sub(found.start)));
    out.drain(start..start.saturating_add(both.start.saturating_sub(found.start)).min(out.len()));
    let steps = steps.get(both.start.saturating_sub(known.start)..).unwrap_or_default();
    for (value, steps) in out.get_mut(start..).unwrap_or_default().iter_mut().zip(steps) {
        *value = decimals::beside(*value, *steps);
    }
    Ok(both)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(values: &[f64], effort: Effort) -> usize {
        let mut bytes = Vec::new();
        encode(values, effort, &mut bytes);
        let mut reader = Reader::new(CHUNK, &bytes);
        let mut back = Vec::new();
        decode(&mut reader, values.len(), &mut back).unwrap();
        assert!(reader.is_done());
        let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&back), bits(values));
        bytes.len()
    }

    fn shaped() -> impl Strategy<Value = Vec<f64>> {
        let lengths = 0_usize..700;
        let special = prop::sample::select(vec![
            -0.0,
            0.0,
            f64::NAN,
            -f64::NAN,
            f64::INFINITY,
            f64::MIN_POSITIVE,
            5e-324,
            f64::MAX,
            -1e300,
            9_007_199_254_740_993.0,
        ]);
        prop_oneof![
            prop::collection::vec((-100_000_i64..100_000, -2_i64..3), lengths.clone()).prop_map(|values| {
                values
                    .iter()
                    .map(|(value, steps)| decimals::beside(decimals::quotient(*value, 1e3), *steps))
                    .collect()
            }),
            (prop::collection::vec(-100_000_i64..100_000, lengths.clone()), 0_usize..6).prop_map(
                |(values, digits)| values
                    .iter()
                    .map(|value| *value as f64 / decimals::POWERS[digits])
                    .collect()
            ),
            prop::collection::vec(
                prop_oneof![20 => (0_i64..1000).prop_map(|n| n as f64 / 100.0), 1 => special],
                lengths.clone()
            ),
            prop::collection::vec(any::<u64>().prop_map(f64::from_bits), lengths),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn come_back_bit_for_bit(values in shaped(), compact: bool) {
            check(&values, if compact { Effort::Compact } else { Effort::Seal });
        }

        #[test]
        fn parts_of_near_decimals_come_back(
            values in prop::collection::vec((1_i64..100_000, -3_i64..4), 1..1600),
            one: prop::sample::Index,
            two: prop::sample::Index,
        ) {
            let values: Vec<f64> = values.iter().map(|(value, steps)| decimals::beside(decimals::quotient(*value, 1e3), *steps)).collect();
            let (one, two) = (one.index(values.len()), two.index(values.len()));
            let wanted = one.min(two)..one.max(two);
            let mut bytes = Vec::new();
            encode(&values, Effort::Compact, &mut bytes);
            let mut back = vec![9.0];
            let mut reader = Reader::new(CHUNK, &bytes);
            let found = decode_within(&mut reader, values.len(), &wanted, &mut back).unwrap();
            prop_assert!(reader.is_done());
            prop_assert!(wanted.is_empty() || (found.start <= wanted.start && found.end >= wanted.end));
            prop_assert_eq!(&values[found], &back[1..]);
        }

        #[test]
        fn any_bytes_are_damage_at_worst(tag in 0_u8..5, bytes: Vec<u8>, count in 0_usize..400) {
            let mut out = Vec::new();
            let bytes = [&[tag][..], &bytes].concat();
            let _ = decode(&mut Reader::new(CHUNK, &bytes), count, &mut out);
            prop_assert!(out.len() <= count);
        }
    }

    #[test]
    fn negative_zero_keeps_its_sign() {
        check(&[-0.0; 9], Effort::Seal);
        check(&[-0.0, 0.0, 1.5, -0.0], Effort::Seal);
        check(&[-0.0, 0.0].repeat(400), Effort::Compact);
    }

    #[test]
    fn decimals_are_small() {
        let prices: Vec<f64> =
            (0..1024_i64).map(|index| (1000 + index * 7919 % 256) as f64 / 100.0).collect();
        assert!(check(&prices, Effort::Seal) < 1024 + 64);
        let mut with_exceptions = prices.clone();
        with_exceptions[500] = std::f64::consts::PI;
        assert!(check(&with_exceptions, Effort::Seal) < 1024 + 80);
    }
}
