//! A column of doubles, bit for bit.
//!
//! Most measured doubles are decimals: an integer over a power of ten. Where dividing gives back the very same bits, the
//! integers are stored; what does not fit (−0.0, NaN, huge or irrational values) stands apart, or the bit patterns are stored.

use std::ops::Range;

use super::integers::{compressed, decompress, keep_smaller};
use super::{CHUNK, Effort, integers};
use crate::error::Damage;
use crate::wire::{Reader, put_varint};

/// The bit patterns as integers.
const BITS: u8 = 0;
/// Exponent, exceptions (count, places as distances, bits), then integers: value = integer / 10^exponent.
const DECIMAL: u8 = 1;
/// A stand-alone stream of the `pco` library.
const PCO: u8 = 2;

/// The powers of ten that are tried; each is an exact double.
const POWERS: [f64; 16] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
/// Integers up to here are exact doubles.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;
/// Values that are looked at to choose the exponent.
const PROBES: usize = 32;
/// One value in this many may be an exception before the form is given up: each costs ten bytes.
const EXCEPTION_SHARE: usize = 8;
/// Decimals that take no more than this many bytes a value are taken without trying the bit patterns, which need about seven.
const GOOD_BYTES: usize = 5;

/// Decimals that take no more than this many bytes a value are taken without trying `pco` on the doubles.
const SMALL_BYTES: usize = 2;

/// Appends the smallest form of `values`.
pub(super) fn encode(values: &[f64], effort: Effort, out: &mut Vec<u8>) {
    let start = out.len();
    let decimal = put_decimal(values, effort, out);
    if !decimal || out.len().saturating_sub(start) > values.len().saturating_mul(GOOD_BYTES) {
        let bits: Vec<i64> = values.iter().map(|value| value.to_bits().cast_signed()).collect();
        let mut other = vec![BITS];
        // Of a bit pattern `pco` makes less than of the double itself, tried below.
        integers::encode(&bits, Effort::Seal, &mut other);
        if decimal {
            keep_smaller(out, start, &other);
        } else {
            out.extend_from_slice(&other);
        }
    }
    // Of decimals that are small already, as pages of integers, it makes nothing smaller.
    let small = decimal && out.len().saturating_sub(start) <= values.len().saturating_mul(SMALL_BYTES);
    if !small && let Some(packed) = compressed(values, effort) {
        let mut other = vec![PCO];
        put_varint(&mut other, packed.len() as u64);
        other.extend_from_slice(&packed);
        keep_smaller(out, start, &other);
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
        PCO => {
            out.resize(start.saturating_add(count), 0.0);
            decompress(reader.bytes()?, out.get_mut(start..).unwrap_or_default())?;
        }
        _ => return Err(Damage::new(CHUNK, "an unknown form of floats")),
    }
    Ok(0..count)
}

fn put_decimal(values: &[f64], effort: Effort, out: &mut Vec<u8>) -> bool {
    let Some((exponent, power)) = choose_exponent(values) else { return false };
    let most = values.len() / EXCEPTION_SHARE + 1;
    let mut integers = Vec::with_capacity(values.len());
    let mut exceptions = Vec::new();
    for (index, value) in values.iter().enumerate() {
        match as_decimal(*value, power) {
            Some(integer) => integers.push(integer),
            None if exceptions.len() < most => {
                exceptions.push((index, *value));
                // Any integer will do; the one before costs least.
                integers.push(integers.last().copied().unwrap_or(0));
            }
            None => return false,
        }
    }
    out.push(DECIMAL);
    out.push(exponent);
    put_varint(out, exceptions.len() as u64);
    let mut before = 0;
    for (index, value) in exceptions {
        put_varint(out, (index - before) as u64);
        out.extend_from_slice(&value.to_bits().to_le_bytes());
        before = index;
    }
    integers::encode(&integers, effort, out);
    true
}

fn read_decimal(
    reader: &mut Reader<'_>,
    count: usize,
    wanted: &Range<usize>,
    out: &mut Vec<f64>,
) -> Result<Range<usize>, Damage> {
    let power = POWERS.get(usize::from(reader.byte()?)).copied();
    let power = power.ok_or_else(|| Damage::new(CHUNK, "an exponent is too large"))?;
    let exceptions = reader.count()?;
    // Distances and bits stay where they are until the integers behind them are read.
    let mut ahead = Reader::new(CHUNK, reader.rest());
    for _ in 0..exceptions {
        reader.varint()?;
        reader.array::<8>()?;
    }
    let start = out.len();
    #[allow(clippy::cast_precision_loss, reason = "the encoder takes only integers that are exact doubles")]
    let found = integers::decode_within(reader, count, wanted, |integer| integer as f64 / power, out)?;
    let mut place = 0_usize;
    for _ in 0..exceptions {
        let distance = usize::try_from(ahead.varint()?).unwrap_or(usize::MAX);
        place = place.saturating_add(distance);
        let value = f64::from_bits(u64::from_le_bytes(ahead.array()?));
        if place >= count {
            return Err(Damage::new(CHUNK, "an exception lies outside its block"));
        }
        if let Some(slot) = place.checked_sub(found.start).and_then(|place| out.get_mut(start + place)) {
            *slot = value;
        }
    }
    Ok(found)
}

/// The least exponent that fits nearly all of a few probes.
fn choose_exponent(values: &[f64]) -> Option<(u8, f64)> {
    let stride = values.len().div_ceil(PROBES).max(1);
    let mut fits = [0_usize; POWERS.len()];
    let mut probes = 0_usize;
    for value in values.iter().step_by(stride) {
        probes += 1;
        if let Some(exponent) = POWERS.iter().position(|power| as_decimal(*value, *power).is_some()) {
            fits.iter_mut().skip(exponent).for_each(|count| *count += 1);
        }
    }
    let enough = probes - probes / EXCEPTION_SHARE;
    let exponent = fits.iter().position(|count| *count >= enough.max(1))?;
    Some((u8::try_from(exponent).ok()?, *POWERS.get(exponent)?))
}

fn as_decimal(value: f64, power: f64) -> Option<i64> {
    let scaled = (value * power).round_ties_even();
    // NaN fails the first comparison.
    if !(scaled.abs() <= MAX_EXACT && (scaled / power).to_bits() == value.to_bits()) {
        return None;
    }
    #[allow(clippy::cast_possible_truncation, reason = "a whole number within the exact range")]
    let integer = scaled as i64;
    // −0.0 passes the comparison above and would lose its sign here.
    (integer != 0 || value.is_sign_positive()).then_some(integer)
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
            (prop::collection::vec(-100_000_i64..100_000, lengths.clone()), 0_usize..6).prop_map(
                |(values, digits)| values.iter().map(|value| *value as f64 / POWERS[digits]).collect()
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
        fn decimals_survive_division(digits in 0_usize..16, integer in -9_000_000_000_000_000_i64..9_000_000_000_000_000) {
            let value = integer as f64 / POWERS[digits];
            if let Some(found) = as_decimal(value, POWERS[digits]) {
                prop_assert_eq!((found as f64 / POWERS[digits]).to_bits(), value.to_bits());
            }
        }

        #[test]
        fn any_bytes_are_damage_at_worst(tag in 0_u8..4, bytes: Vec<u8>, count in 0_usize..400) {
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
