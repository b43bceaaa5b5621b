//! The digest of a chunk's numbers, and its bytes in the header.

use telemetry_core::Timestamp;
use telemetry_core::aggregation::SeriesDigest;

use super::CHUNK;
use super::decimals::{self, Divisors, MAX_STEPS, POWERS};
use crate::error::Damage;
use crate::wire::{Reader, put_signed, put_varint};

/// Steps that a sum may lie beside its decimal to be written as one: what rounding a million times makes.
pub(super) const MAX_SUM_STEPS: u64 = 1 << 20;
/// In the byte of the exponent: the steps of all but the sum follow; those of the sum follow.
const HAS_STEPS: u8 = 0x10;
const HAS_SUM_STEPS: u8 = 0x20;

/// The numbers of a digest as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Five doubles.
    Plain,
    /// Whole numbers, as format 2 wrote them.
    Whole,
    /// Decimals of one exponent, or close to it.
    Decimal,
}

/// The digest of numbers in time order; `None` when there are none. The sum is compensated: as if added with twice the
/// precision, then rounded.
pub(crate) fn digest_of(numbers: impl Iterator<Item = (i64, f64)>) -> Option<SeriesDigest> {
    let mut numbers = numbers.peekable();
    let (first_time, first) = *numbers.peek()?;
    let (mut last_time, mut last) = (first_time, first);
    let (mut min, mut max) = (first, first);
    let (mut count, mut sum, mut lost, mut plain) = (0_u64, 0.0_f64, 0.0_f64, 0.0_f64);
    for (time, value) in numbers {
        count += 1;
        min = if value < min { value } else { min };
        max = if value > max { value } else { max };
        (last_time, last) = (time, value);
        let next = sum + value;
        lost += if sum.abs() >= value.abs() { (sum - next) + value } else { (value - next) + sum };
        sum = next;
        plain += value;
    }
    let compensated = sum + lost;
    Some(SeriesDigest {
        count,
        // An overflow on the way makes the compensation meaningless.
        sum: if compensated.is_finite() { compensated } else { plain },
        min,
        max,
        first,
        last,
        first_time: Timestamp::from_nanos(first_time),
        last_time: Timestamp::from_nanos(last_time),
    })
}

/// Appends min, max, first, last and sum: as decimals where they are some, else eight bytes each. Answers the form.
pub(super) fn put(digest: &SeriesDigest, out: &mut Vec<u8>) -> Form {
    if put_decimal(digest, out).is_some() {
        return Form::Decimal;
    }
    for value in [digest.min, digest.max, digest.first, digest.last, digest.sum] {
        out.extend_from_slice(&value.to_bits().to_le_bytes());
    }
    Form::Plain
}

fn put_decimal(digest: &SeriesDigest, out: &mut Vec<u8>) -> Option<()> {
    let values = [digest.min, digest.max, digest.first, digest.last];
    let fits = |divisors: &Divisors| values.iter().all(|value| divisors.split(*value, MAX_STEPS).is_some());
    let divisors = (0_u8..16).filter_map(|exponent| Divisors::new(exponent, 0)).find(fits)?;
    let mut parts = [(0, 0); 4];
    for (part, value) in parts.iter_mut().zip(values) {
        *part = divisors.split(value, MAX_STEPS)?;
    }
    let [(min, _), above @ ..] = parts;
    let (sum, sum_steps) = divisors.split(digest.sum, MAX_SUM_STEPS)?;
    let has_steps = parts.iter().any(|(_, steps)| *steps != 0);
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    out.push(divisors.exponent | flag(has_steps, HAS_STEPS) | flag(sum_steps != 0, HAS_SUM_STEPS));
    put_signed(out, min);
    above.iter().for_each(|(value, _)| put_varint(out, value.wrapping_sub(min).cast_unsigned()));
    put_signed(out, sum.wrapping_sub(min.wrapping_mul(digest.count.cast_signed())));
    if has_steps {
        parts.iter().for_each(|(_, steps)| put_signed(out, *steps));
    }
    if sum_steps != 0 {
        put_signed(out, sum_steps);
    }
    Some(())
}

/// Reads what [`put`] wrote.
pub(super) fn read(
    reader: &mut Reader<'_>,
    form: Form,
    count: u64,
    first_time: i64,
    last_time: i64,
) -> Result<SeriesDigest, Damage> {
    let [min, max, first, last, sum] = match form {
        Form::Plain => {
            let mut values = [0.0; 5];
            for value in &mut values {
                *value = f64::from_bits(u64::from_le_bytes(reader.array()?));
            }
            values
        }
        Form::Whole => {
            let [min, max, first, last] = read_near_min(reader)?;
            let sum = reader.signed()?;
            [min, max, first, last, sum].map(|value| decimals::quotient(value, 1.0))
        }
        Form::Decimal => read_decimal(reader, count)?,
    };
    let (first_time, last_time) = (Timestamp::from_nanos(first_time), Timestamp::from_nanos(last_time));
    Ok(SeriesDigest { count, sum, min, max, first, last, first_time, last_time })
}

fn read_decimal(reader: &mut Reader<'_>, count: u64) -> Result<[f64; 5], Damage> {
    let lead = reader.byte()?;
    let power = POWERS.get(usize::from(lead & !(HAS_STEPS | HAS_SUM_STEPS))).copied();
    let power = power.ok_or_else(|| Damage::new(CHUNK, "an exponent is too large"))?;
    let [min, max, first, last] = read_near_min(reader)?;
    let sum = reader.signed()?.wrapping_add(min.wrapping_mul(count.cast_signed()));
    let mut values = [min, max, first, last, sum].map(|value| decimals::quotient(value, power));
    let [numbers @ .., sum] = &mut values;
    if lead & HAS_STEPS != 0 {
        for value in numbers {
            *value = decimals::beside(*value, reader.signed()?);
        }
    }
    if lead & HAS_SUM_STEPS != 0 {
        *sum = decimals::beside(*sum, reader.signed()?);
    }
    Ok(values)
}

/// Min, and max, first and last as distances from it.
fn read_near_min(reader: &mut Reader<'_>) -> Result<[i64; 4], Damage> {
    let min = reader.signed()?;
    let mut above = || reader.varint().map(|value| min.wrapping_add(value.cast_signed()));
    Ok([min, above()?, above()?, above()?])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn come_back_exactly(
            values in prop::collection::vec(prop_oneof![
                4 => (-100_000_i64..100_000, -3_i64..4).prop_map(|(value, steps)| decimals::beside(decimals::quotient(value, 1e3), steps)),
                1 => any::<f64>(),
                1 => Just(-0.0),
            ], 1..50),
            plain in prop::bool::weighted(0.2),
        ) {
            let values = values.iter().filter(|value| plain || value.abs() > 1e-3 && value.abs() < 1e3).copied();
            let Some(digest) = digest_of((0..).zip(values)) else { return Ok(()) };
            let mut bytes = Vec::new();
            let form = put(&digest, &mut bytes);
            let mut reader = Reader::new(CHUNK, &bytes);
            let (first, last) = (digest.first_time.nanos(), digest.last_time.nanos());
            let back = read(&mut reader, form, digest.count, first, last).unwrap();
            prop_assert!(reader.is_done());
            // Bit for bit, also where a sum is not a number.
            prop_assert_eq!(format!("{back:?}"), format!("{digest:?}"));
        }
    }

    #[test]
    fn decimals_are_short() {
        let digest = digest_of((0..288).map(|n| (n, decimals::quotient(44_000 + n * 7 % 900, 1e3)))).unwrap();
        let mut bytes = Vec::new();
        assert_eq!(put(&digest, &mut bytes), Form::Decimal);
        assert!(bytes.len() <= 14, "{}", bytes.len());
    }

    #[test]
    fn sums_are_compensated_and_survive_overflow() {
        let sum = |values: &[f64]| digest_of(values.iter().map(|value| (0, *value))).unwrap().sum;
        assert_eq!(sum(&[1e16, 1.0, 1.0, -1e16]), 2.0);
        assert_eq!(sum(&[0.1; 10]), 1.0);
        assert_eq!(sum(&[f64::MAX, f64::MAX]), f64::INFINITY);
        assert!(digest_of(std::iter::empty()).is_none());
    }
}
