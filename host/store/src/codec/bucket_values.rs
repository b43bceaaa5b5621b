//! The values of a rollup row's buckets: min, max, first, last and sum.
//!
//! They lie close to each other, and a bucket's first value close to the last one of the bucket before. Where they are decimals,
//! so are the distances, in a few bits each.

use telemetry_core::aggregation::SeriesDigest;

use super::decimals::{self, Divisors, MAX_STEPS};
use super::digest::MAX_SUM_STEPS;
use super::{CHUNK, Effort, floats, frames, integers};
use crate::error::Damage;
use crate::wire::{Reader, put_varint};

/// Five columns of floats: min, max, first, last, sum.
const FLOATS: u8 = 0;
/// Exponent and flags, then first, last, min, max and sum as frames, each column as it is or in its relation.
const DECIMALS: u8 = 1;
/// Flags: which columns tell distances. First values: from the last one of the bucket before, at first from 0.
const FIRST: u64 = 1;
/// Last values: from the first one.
const LAST: u64 = 2;
/// Min: how far it is below the lesser of first and last.
const MIN: u64 = 4;
/// Max: how far it is above the greater of first and last.
const MAX: u64 = 8;
/// Sums: from what they would be if the mean were in the middle between min and max.
const SUM: u64 = 16;
/// The column whose flag is so many bits lower is in differences from bucket to bucket, the first one from 0.
const DIFFERENCES: u32 = 5;
/// A column of steps follows.
const HAS_STEPS: u64 = 1 << 10;
const KNOWN_FLAGS: u64 = (1 << 11) - 1;
/// About what a patch takes.
const PATCH_BITS: usize = 32;

/// Values of all buckets: min, max, first, last, sum.
pub(super) type Values = [Vec<f64>; 5];

/// Appends the values of `buckets`.
pub(super) fn put(buckets: &[SeriesDigest], out: &mut Vec<u8>) {
    let columns = [
        |digest: &SeriesDigest| digest.min,
        |digest: &SeriesDigest| digest.max,
        |digest: &SeriesDigest| digest.first,
        |digest: &SeriesDigest| digest.last,
        |digest: &SeriesDigest| digest.sum,
    ]
    .map(|column| buckets.iter().map(column).collect::<Vec<f64>>());
    let counts: Vec<i64> = buckets.iter().map(|digest| digest.count.cast_signed()).collect();
    if put_decimals(&columns, &counts, out).is_none() {
        out.push(FLOATS);
        columns.iter().for_each(|column| floats::encode(column, Effort::Seal, out));
    }
}

/// Reads what [`put`] wrote of buckets with so many samples each.
pub(super) fn read(reader: &mut Reader<'_>, counts: &[i64]) -> Result<Values, Damage> {
    match reader.byte()? {
        FLOATS => read_floats(reader, counts.len()),
        DECIMALS => read_decimals(reader, counts),
        _ => Err(Damage::new(CHUNK, "an unknown form of a rollup's values")),
    }
}

/// Five columns of floats.
pub(super) fn read_floats(reader: &mut Reader<'_>, count: usize) -> Result<Values, Damage> {
    let mut values = Values::default();
    for column in &mut values {
        floats::decode(reader, count, column)?;
    }
    Ok(values)
}

/// One bucket's integers.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    min: i64,
    max: i64,
    first: i64,
    last: i64,
    sum: i64,
}

impl Bucket {
    /// The lesser of first and last.
    fn low(self) -> i64 {
        self.first.min(self.last)
    }

    /// The greater of first and last.
    fn high(self) -> i64 {
        self.first.max(self.last)
    }

    /// What the sum of `count` values would be if their mean were in the middle.
    const fn middle(self, count: i64) -> i64 {
        count.wrapping_mul(self.min.wrapping_add(self.max)) / 2
    }
}

fn put_decimals(values: &Values, counts: &[i64], out: &mut Vec<u8>) -> Option<()> {
    let [.., sums] = values;
    let fits = |divisors: &Divisors| {
        let near = |value: &f64| divisors.split(*value, MAX_STEPS).is_some();
        values.iter().take(4).flatten().all(near)
            && sums.iter().all(|sum| divisors.split(*sum, MAX_SUM_STEPS).is_some())
    };
    let divisors = (0_u8..16).filter_map(|exponent| Divisors::new(exponent, 0)).find(fits)?;
    let mut integers: [Vec<i64>; 5] = Default::default();
    let mut steps = Vec::with_capacity(counts.len().saturating_mul(5));
    for (column, values) in integers.iter_mut().zip(values) {
        for value in values {
            let (integer, beside) = divisors.split(*value, MAX_SUM_STEPS)?;
            column.push(integer);
            steps.push(beside);
        }
    }
    let buckets = buckets(&integers);
    let (mut flags, columns) = smallest(&buckets, counts);
    if steps.iter().any(|steps| *steps != 0) {
        flags |= HAS_STEPS;
    }
    out.extend_from_slice(&[DECIMALS, divisors.exponent]);
    put_varint(out, flags);
    out.extend_from_slice(&columns);
    if flags & HAS_STEPS != 0 {
        integers::encode(&steps, Effort::Seal, out);
    }
    Some(())
}

fn buckets([min, max, first, last, sum]: &[Vec<i64>; 5]) -> Vec<Bucket> {
    let rows = min.iter().zip(max).zip(first).zip(last).zip(sum);
    rows.map(|((((min, max), first), last), sum)| Bucket {
        min: *min,
        max: *max,
        first: *first,
        last: *last,
        sum: *sum,
    })
    .collect()
}

/// The columns in the relations that seem to take the fewest bits, and the flags of these.
fn smallest(buckets: &[Bucket], counts: &[i64]) -> (u64, Vec<u8>) {
    let column = |value: &dyn Fn(&Bucket) -> i64| buckets.iter().map(value).collect::<Vec<i64>>();
    let before = std::iter::once(0).chain(buckets.iter().map(|bucket| bucket.last));
    let from_before = buckets.iter().zip(before).map(|(bucket, before)| bucket.first.wrapping_sub(before));
    let from_middle =
        buckets.iter().zip(counts).map(|(bucket, count)| bucket.sum.wrapping_sub(bucket.middle(*count)));
    let columns = [
        (FIRST, column(&|bucket| bucket.first), from_before.collect()),
        (LAST, column(&|bucket| bucket.last), column(&|bucket| bucket.last.wrapping_sub(bucket.first))),
        (MIN, column(&|bucket| bucket.min), column(&|bucket| bucket.low().wrapping_sub(bucket.min))),
        (MAX, column(&|bucket| bucket.max), column(&|bucket| bucket.max.wrapping_sub(bucket.high()))),
        (SUM, column(&|bucket| bucket.sum), from_middle.collect::<Vec<i64>>()),
    ];
    let (mut flags, mut out) = (0, Vec::new());
    for (flag, plain, related) in columns {
        let choices = [
            (flag << DIFFERENCES, differences(&plain)),
            (flag | flag << DIFFERENCES, differences(&related)),
            (0, plain),
            (flag, related),
        ];
        if let Some((chosen, column)) = choices.iter().min_by_key(|(_, column)| bits(column)) {
            flags |= chosen;
            frames::encode(column, &mut out);
        }
    }
    (flags, out)
}

fn differences(column: &[i64]) -> Vec<i64> {
    let before = std::iter::once(&0).chain(column);
    column.iter().zip(before).map(|(value, before)| value.wrapping_sub(*before)).collect()
}

/// About how many bits a frame takes for the distances from the least value. The first one may be a patch.
fn bits(column: &[i64]) -> usize {
    let spread = |values: &[i64]| {
        let (least, greatest) = (values.iter().min()?, values.iter().max()?);
        Some((u64::BITS - greatest.abs_diff(*least).leading_zeros()) as usize)
    };
    let whole = spread(column).unwrap_or(0).saturating_mul(column.len());
    let patched =
        column.get(1..).and_then(spread).map(|width| width.saturating_mul(column.len()) + PATCH_BITS);
    patched.map_or(whole, |patched| whole.min(patched))
}

fn read_decimals(reader: &mut Reader<'_>, counts: &[i64]) -> Result<Values, Damage> {
    let divisors =
        Divisors::new(reader.byte()?, 0).ok_or_else(|| reader.damage("an exponent is too large"))?;
    let flags = reader.varint()?;
    if flags & !KNOWN_FLAGS != 0 {
        return Err(reader.damage("its values are related in an unknown way"));
    }
    let mut columns: [Vec<i64>; 5] = Default::default();
    for (column, flag) in columns.iter_mut().zip([FIRST, LAST, MIN, MAX, SUM]) {
        frames::decode(reader, counts.len(), column)?;
        if flags & flag << DIFFERENCES != 0 {
            let mut sum = 0_i64;
            for value in column {
                sum = sum.wrapping_add(*value);
                *value = sum;
            }
        }
    }
    let buckets = join(&columns, counts, flags);
    let quotient = |value: i64| divisors.quotient(value);
    let mut values: Values = [
        buckets.iter().map(|bucket| quotient(bucket.min)).collect(),
        buckets.iter().map(|bucket| quotient(bucket.max)).collect(),
        buckets.iter().map(|bucket| quotient(bucket.first)).collect(),
        buckets.iter().map(|bucket| quotient(bucket.last)).collect(),
        buckets.iter().map(|bucket| quotient(bucket.sum)).collect(),
    ];
    if flags & HAS_STEPS != 0 {
        let mut steps = Vec::new();
        integers::decode(reader, counts.len().saturating_mul(5), &mut steps)?;
        for (value, steps) in values.iter_mut().flatten().zip(steps) {
            *value = decimals::beside(*value, steps);
        }
    }
    Ok(values)
}

/// Buckets of the columns first, last, min, max and sum.
fn join([first, last, min, max, sum]: &[Vec<i64>; 5], counts: &[i64], flags: u64) -> Vec<Bucket> {
    let is_related = |flag: u64| flags & flag != 0;
    let mut before = 0_i64;
    let rows = first.iter().zip(last).zip(min).zip(max).zip(sum).zip(counts);
    rows.map(|(((((first, last), min), max), sum), count)| {
        let mut bucket = Bucket { min: *min, max: *max, first: *first, last: *last, sum: *sum };
        if is_related(FIRST) {
            bucket.first = first.wrapping_add(before);
        }
        if is_related(LAST) {
            bucket.last = last.wrapping_add(bucket.first);
        }
        if is_related(MIN) {
            bucket.min = bucket.low().wrapping_sub(*min);
        }
        if is_related(MAX) {
            bucket.max = bucket.high().wrapping_add(*max);
        }
        if is_related(SUM) {
            bucket.sum = sum.wrapping_add(bucket.middle(*count));
        }
        before = bucket.last;
        bucket
    })
    .collect()
}
