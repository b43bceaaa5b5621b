//! The columns of a rollup row: the digests of consecutive buckets of time.

use telemetry_core::Timestamp;
use telemetry_core::aggregation::SeriesDigest;

use super::{Effort, floats, integers};
use crate::error::Damage;
use crate::wire::{Reader, put_varint};

/// What the rows are called in errors.
const ROLLUP: &str = "rollup";
/// Buckets of one row at most.
const MAX_BUCKETS: usize = 1440;

/// Appends `buckets`, of which each lies within one of the times of length `width` that begin at `start`, and which ascend.
pub(crate) fn encode_rollup(buckets: &[SeriesDigest], start: i64, width: i64, out: &mut Vec<u8>) {
    put_varint(out, buckets.len() as u64);
    let since = |digest: &SeriesDigest| digest.first_time.nanos().wrapping_sub(start);
    let mut put_integers = |column: &dyn Fn(&SeriesDigest) -> i64| {
        let column: Vec<i64> = buckets.iter().map(column).collect();
        integers::encode(&column, Effort::Seal, out);
    };
    put_integers(&|digest| since(digest).div_euclid(width));
    put_integers(&|digest| digest.count.cast_signed());
    put_integers(&|digest| since(digest).rem_euclid(width));
    put_integers(&|digest| digest.last_time.nanos().wrapping_sub(digest.first_time.nanos()));
    for column in [
        |digest: &SeriesDigest| digest.min,
        |digest: &SeriesDigest| digest.max,
        |digest: &SeriesDigest| digest.first,
        |digest: &SeriesDigest| digest.last,
        |digest: &SeriesDigest| digest.sum,
    ] {
        let column: Vec<f64> = buckets.iter().map(column).collect();
        floats::encode(&column, Effort::Seal, out);
    }
}

/// Reads what [`encode_rollup`] wrote.
pub(crate) fn decode_rollup(bytes: &[u8], start: i64, width: i64) -> Result<Vec<SeriesDigest>, Damage> {
    let mut reader = Reader::new(ROLLUP, bytes);
    let count = usize::try_from(reader.varint()?).unwrap_or(usize::MAX);
    if count > MAX_BUCKETS {
        return Err(reader.damage("it has too many buckets"));
    }
    let mut integer_columns: [Vec<i64>; 4] = Default::default();
    for column in &mut integer_columns {
        integers::decode(&mut reader, count, column)?;
    }
    let mut float_columns: [Vec<f64>; 5] = Default::default();
    for column in &mut float_columns {
        floats::decode(&mut reader, count, column)?;
    }
    let [indices, counts, firsts, spans] = &integer_columns;
    let [min, max, first, last, sum] = &float_columns;
    let unfit = || Damage::new(ROLLUP, "its columns do not fit together");
    let float = |column: &Vec<f64>, place: usize| column.get(place).copied().ok_or_else(unfit);
    let integer = |column: &Vec<i64>, place: usize| column.get(place).copied().ok_or_else(unfit);
    let mut buckets = Vec::with_capacity(count);
    let mut before = -1;
    for place in 0..count {
        let (index, since) = (integer(indices, place)?, integer(firsts, place)?);
        let (samples, span) = (integer(counts, place)?, integer(spans, place)?);
        let within = 0 <= since && 0 <= span && since.checked_add(span).is_some_and(|last| last < width);
        let begin = index.checked_mul(width).and_then(|since| start.checked_add(since));
        let (true, Some(begin)) = (before < index && samples > 0 && within, begin) else {
            return Err(unfit());
        };
        before = index;
        let first_time = begin.checked_add(since).ok_or_else(unfit)?;
        buckets.push(SeriesDigest {
            count: samples.unsigned_abs(),
            sum: float(sum, place)?,
            min: float(min, place)?,
            max: float(max, place)?,
            first: float(first, place)?,
            last: float(last, place)?,
            first_time: Timestamp::from_nanos(first_time),
            last_time: Timestamp::from_nanos(first_time.checked_add(span).ok_or_else(unfit)?),
        });
    }
    reader.finish()?;
    Ok(buckets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::digest_of;
    use proptest::prelude::*;

    const WIDTH: i64 = 60_000_000_000;

    fn any_buckets() -> impl Strategy<Value = Vec<SeriesDigest>> {
        let value = prop_oneof![(-1000..1000_i64).prop_map(|value| value as f64 / 4.0), -1e300..1e300_f64];
        let bucket = prop::collection::vec((0..WIDTH, value), 1..5);
        prop::collection::btree_map(0..1440_i64, bucket, 0..40).prop_map(|buckets| {
            let digest = |(index, mut samples): (i64, Vec<(i64, f64)>)| {
                samples.sort_by_key(|(time, _)| *time);
                digest_of(samples.into_iter().map(|(time, value)| (7 + index * WIDTH + time, value))).unwrap()
            };
            buckets.into_iter().map(digest).collect()
        })
    }

    proptest! {
        #[test]
        fn buckets_come_back(buckets in any_buckets()) {
            let mut bytes = Vec::new();
            encode_rollup(&buckets, 7, WIDTH, &mut bytes);
            prop_assert_eq!(decode_rollup(&bytes, 7, WIDTH).unwrap(), buckets);
        }

        #[test]
        fn any_bytes_are_read_without_panic(
            bytes: Vec<u8>,
            buckets in any_buckets(),
            flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        ) {
            let _ = decode_rollup(&bytes, i64::MAX - 5, WIDTH);
            let mut bytes = Vec::new();
            encode_rollup(&buckets, 7, WIDTH, &mut bytes);
            for (place, byte) in flips {
                let place = place.index(bytes.len());
                bytes[place] ^= byte;
            }
            for bucket in decode_rollup(&bytes, 7, WIDTH).unwrap_or_default() {
                prop_assert!(bucket.first_time <= bucket.last_time);
            }
        }
    }
}
