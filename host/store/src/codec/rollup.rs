//! The columns of a rollup row: the digests of consecutive buckets of time.

use telemetry_core::Timestamp;
use telemetry_core::aggregation::SeriesDigest;

use super::header::UNITS;
use super::{Effort, bucket_values, integers};
use crate::error::Damage;
use crate::wire::{Reader, put_varint};

/// What the rows are called in errors.
const ROLLUP: &str = "rollup";
/// Buckets of one row at most.
const MAX_BUCKETS: usize = 1440;

/// How the values of a row are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RollupForm {
    /// Five columns of floats: as store format 2 had them.
    Floats,
    /// In the smaller form of [`bucket_values`].
    Related,
}

/// First byte behind the count: the buckets' counts and times are four columns.
const IRREGULAR: u8 = 0;
/// They follow each other with the same count, first time and span, which are in one of [`UNITS`]: so much less.
const REGULAR: u8 = 1;

/// Of each bucket its index, its count, the time of its first sample since its start, and from there to the last sample.
type Shapes = [Vec<i64>; 4];

/// Appends `buckets`, of which each lies within one of the times of length `width` that begin at `start`, and which ascend.
pub(crate) fn encode_rollup(buckets: &[SeriesDigest], start: i64, width: i64, out: &mut Vec<u8>) {
    put_varint(out, buckets.len() as u64);
    let since = |digest: &SeriesDigest| digest.first_time.nanos().wrapping_sub(start);
    let column = |value: &dyn Fn(&SeriesDigest) -> i64| buckets.iter().map(value).collect::<Vec<i64>>();
    let shapes = [
        column(&|digest| since(digest).div_euclid(width)),
        column(&|digest| digest.count.cast_signed()),
        column(&|digest| since(digest).rem_euclid(width)),
        column(&|digest| digest.last_time.nanos().wrapping_sub(digest.first_time.nanos())),
    ];
    if put_regular(&shapes, out).is_none() {
        out.push(IRREGULAR);
        shapes.iter().for_each(|column| integers::encode(column, Effort::Seal, out));
    }
    bucket_values::put(buckets, out);
}

fn put_regular([indices, counts, firsts, spans]: &Shapes, out: &mut Vec<u8>) -> Option<()> {
    let only = |column: &[i64]| {
        let first = *column.first()?;
        column.iter().all(|value| *value == first).then_some(first)
    };
    let index = *indices.first()?;
    let follow = (index..).zip(indices).all(|(expected, index)| *index == expected);
    let (count, first, span) = (only(counts)?, only(firsts)?, only(spans)?);
    let fits = |unit: &i64| first % unit == 0 && span % unit == 0;
    let (place, unit) = (REGULAR..).zip(UNITS).find(|(_, unit)| fits(unit)).filter(|_| follow)?;
    out.push(place);
    [index, count, first / unit, span / unit].iter().for_each(|value| put_varint(out, value.cast_unsigned()));
    Some(())
}

fn read_shapes(reader: &mut Reader<'_>, count: usize, form: RollupForm) -> Result<Shapes, Damage> {
    let mut shapes = Shapes::default();
    let shape = if form == RollupForm::Floats { IRREGULAR } else { reader.byte()? };
    let Some(place) = shape.checked_sub(REGULAR) else {
        for column in &mut shapes {
            integers::decode(reader, count, column)?;
        }
        return Ok(shapes);
    };
    let unit = *UNITS.get(usize::from(place)).ok_or_else(|| reader.damage("its unit is not known"))?;
    let [indices, counts, firsts, spans] = &mut shapes;
    let first = reader.varint()?.cast_signed();
    indices.extend((0_i64..).take(count).map(|place| first.wrapping_add(place)));
    counts.resize(count, reader.varint()?.cast_signed());
    firsts.resize(count, reader.varint()?.cast_signed().wrapping_mul(unit));
    spans.resize(count, reader.varint()?.cast_signed().wrapping_mul(unit));
    Ok(shapes)
}

/// Reads what [`encode_rollup`] wrote, or with [`RollupForm::Floats`] what older releases did.
pub(crate) fn decode_rollup(
    bytes: &[u8],
    form: RollupForm,
    start: i64,
    width: i64,
) -> Result<Vec<SeriesDigest>, Damage> {
    let mut reader = Reader::new(ROLLUP, bytes);
    let count = usize::try_from(reader.varint()?).unwrap_or(usize::MAX);
    if count > MAX_BUCKETS {
        return Err(reader.damage("it has too many buckets"));
    }
    let [indices, counts, firsts, spans] = &read_shapes(&mut reader, count, form)?;
    let [min, max, first, last, sum] = match form {
        RollupForm::Floats => bucket_values::read_floats(&mut reader, count)?,
        RollupForm::Related => bucket_values::read(&mut reader, counts)?,
    };
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
            sum: float(&sum, place)?,
            min: float(&min, place)?,
            max: float(&max, place)?,
            first: float(&first, place)?,
            last: float(&last, place)?,
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

    /// A bucket's index and its samples: time within it, and a value of each kind.
    type Bucket = (i64, Vec<(i64, (i64, f64))>);

    fn any_buckets() -> impl Strategy<Value = Vec<SeriesDigest>> {
        let value = (-1000..1000_i64, prop_oneof![-1e300..1e300_f64, Just(-0.0)]);
        let bucket = prop::collection::vec((0..WIDTH, value), 1..5);
        let kind = prop::sample::select(vec![1.0, 0.1, 100.0, f64::NAN]);
        (prop::collection::btree_map(0..1440_i64, bucket, 0..40), kind).prop_map(|(buckets, unit)| {
            let digest = |(index, mut samples): Bucket| {
                samples.sort_by_key(|(time, _)| *time);
                let value = |(near, any): (i64, f64)| if unit > 0.0 { near as f64 / unit } else { any };
                let samples = samples.into_iter().map(|(time, any)| (7 + index * WIDTH + time, value(any)));
                digest_of(samples).unwrap()
            };
            buckets.into_iter().map(digest).collect()
        })
    }

    proptest! {
        #[test]
        fn buckets_come_back(buckets in any_buckets()) {
            let mut bytes = Vec::new();
            encode_rollup(&buckets, 7, WIDTH, &mut bytes);
            prop_assert_eq!(decode_rollup(&bytes, RollupForm::Related, 7, WIDTH).unwrap(), buckets);
        }

        #[test]
        fn rows_of_format_2_stay_readable(buckets in any_buckets()) {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, buckets.len() as u64);
            let since = |digest: &SeriesDigest| digest.first_time.nanos() - 7;
            for column in [
                &(|digest: &SeriesDigest| since(digest) / WIDTH) as &dyn Fn(&SeriesDigest) -> i64,
                &|digest| digest.count as i64,
                &|digest| since(digest) % WIDTH,
                &|digest| digest.last_time.nanos() - digest.first_time.nanos(),
            ] {
                integers::encode(&buckets.iter().map(column).collect::<Vec<_>>(), Effort::Seal, &mut bytes);
            }
            for column in [
                &(|digest: &SeriesDigest| digest.min) as &dyn Fn(&SeriesDigest) -> f64,
                &|digest| digest.max,
                &|digest| digest.first,
                &|digest| digest.last,
                &|digest| digest.sum,
            ] {
                let column: Vec<f64> = buckets.iter().map(column).collect();
                crate::codec::floats::encode(&column, Effort::Seal, &mut bytes);
            }
            prop_assert_eq!(decode_rollup(&bytes, RollupForm::Floats, 7, WIDTH).unwrap(), buckets);
        }

        #[test]
        fn any_bytes_are_read_without_panic(
            bytes: Vec<u8>,
            buckets in any_buckets(),
            form in prop::sample::select(vec![RollupForm::Floats, RollupForm::Related]),
            flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        ) {
            let _ = decode_rollup(&bytes, form, i64::MAX - 5, WIDTH);
            let mut bytes = Vec::new();
            encode_rollup(&buckets, 7, WIDTH, &mut bytes);
            for (place, byte) in flips {
                let place = place.index(bytes.len());
                bytes[place] ^= byte;
            }
            for bucket in decode_rollup(&bytes, form, 7, WIDTH).unwrap_or_default() {
                prop_assert!(bucket.first_time <= bucket.last_time);
            }
        }
    }
}
