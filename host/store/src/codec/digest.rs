//! The digest of a chunk's numbers, and its bytes in the header.

use telemetry_core::Timestamp;
use telemetry_core::aggregation::SeriesDigest;

use crate::error::Damage;
use crate::wire::{Reader, put_signed, put_varint};

/// Whole numbers up to here are exact doubles.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

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

/// Whether [`put`] can write the digest in its short form.
pub(super) fn is_whole(digest: &SeriesDigest) -> bool {
    [digest.min, digest.max, digest.first, digest.last, digest.sum].into_iter().all(|value| {
        value.abs() <= MAX_EXACT
            && value.trunc().to_bits() == value.to_bits()
            && (value != 0.0 || value.is_sign_positive())
    })
}

/// Appends min, max, first, last and sum: as short integers when `whole`, else eight bytes each.
pub(super) fn put(digest: &SeriesDigest, whole: bool, out: &mut Vec<u8>) {
    if whole {
        #[allow(clippy::cast_possible_truncation, reason = "whole numbers in the exact range")]
        let [min, max, first, last, sum] =
            [digest.min, digest.max, digest.first, digest.last, digest.sum].map(|value| value as i64);
        put_signed(out, min);
        for value in [max, first, last] {
            put_varint(out, value.wrapping_sub(min).cast_unsigned());
        }
        put_signed(out, sum);
    } else {
        for value in [digest.min, digest.max, digest.first, digest.last, digest.sum] {
            out.extend_from_slice(&value.to_bits().to_le_bytes());
        }
    }
}

/// Reads what [`put`] wrote.
pub(super) fn read(
    reader: &mut Reader<'_>,
    whole: bool,
    count: u64,
    first_time: i64,
    last_time: i64,
) -> Result<SeriesDigest, Damage> {
    let [min, max, first, last, sum] = if whole {
        let min = reader.signed()?;
        let mut above = || reader.varint().map(|value| min.wrapping_add(value.cast_signed()));
        let (max, first, last) = (above()?, above()?, above()?);
        #[allow(
            clippy::cast_precision_loss,
            reason = "the encoder takes only integers that are exact doubles"
        )]
        [min, max, first, last, reader.signed()?].map(|value| value as f64)
    } else {
        let mut values = [0.0; 5];
        for value in &mut values {
            *value = f64::from_bits(u64::from_le_bytes(reader.array()?));
        }
        values
    };
    let (first_time, last_time) = (Timestamp::from_nanos(first_time), Timestamp::from_nanos(last_time));
    Ok(SeriesDigest { count, sum, min, max, first, last, first_time, last_time })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_compensated_and_survive_overflow() {
        let sum = |values: &[f64]| digest_of(values.iter().map(|value| (0, *value))).unwrap().sum;
        assert_eq!(sum(&[1e16, 1.0, 1.0, -1e16]), 2.0);
        assert_eq!(sum(&[0.1; 10]), 1.0);
        assert_eq!(sum(&[f64::MAX, f64::MAX]), f64::INFINITY);
        assert!(digest_of(std::iter::empty()).is_none());
    }
}
