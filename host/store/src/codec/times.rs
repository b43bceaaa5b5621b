//! Times of a chunk, nanoseconds in ascending order.
//!
//! All count from the chunk's first time, which its header has. Either as they are (even ones are a step, ones with gaps are
//! differences) or, when they only jitter around an even rhythm, as what is left of them above that rhythm.

use std::ops::Range;

use super::integers::keep_smaller;
use super::{CHUNK, Effort, integers};
use crate::error::Damage;
use crate::wire::{Reader, put_signed};

/// The times as integers.
const DIRECT: u8 = 0;
/// Step, then as integers what is left of time − index × step.
const RHYTHM: u8 = 1;

/// Nothing: the times go in even steps from the first to the last one, which the header has.
const EVEN: u8 = 2;

/// Steps are also tried as multiples of these, in nanoseconds: collectors tick in round numbers.
const ROUND_STEPS: [i64; 4] = [1_000_000_000, 100_000_000, 1_000_000, 1_000];
/// A direct form of at most this many bytes is even already.
const EVEN_BYTES: usize = 24;

/// Appends the smallest form of `times`.
pub(super) fn encode(times: &[i64], effort: Effort, out: &mut Vec<u8>) {
    let first = times.first().copied().unwrap_or(0);
    if Even::of(times).is_some() {
        out.push(EVEN);
        return;
    }
    let times: Vec<i64> = times.iter().map(|time| time.wrapping_sub(first)).collect();
    let start = out.len();
    out.push(DIRECT);
    integers::encode(&times, effort, out);
    if out.len().saturating_sub(start) <= EVEN_BYTES {
        return;
    }
    let Some(step) = rhythm(&times) else { return };
    let left: Vec<i64> = deviations(&times, step).collect();
    let mut other = vec![RHYTHM];
    put_signed(&mut other, step);
    integers::encode(&left, effort, &mut other);
    keep_smaller(out, start, &other);
}

/// Appends `count` times from `first` to `last` to `out`.
pub(super) fn decode(
    reader: &mut Reader<'_>,
    count: usize,
    (first, last): (i64, i64),
    out: &mut Vec<i64>,
) -> Result<(), Damage> {
    if let Some(even) = Even::read(reader.rest(), count, first, last) {
        reader.take(reader.rest().len())?;
        even.put(0..count, out);
        return Ok(());
    }
    let start = out.len();
    let step = match reader.byte()? {
        DIRECT => 0,
        RHYTHM => reader.signed()?,
        _ => return Err(Damage::new(CHUNK, "an unknown form of times")),
    };
    integers::decode(reader, count, out)?;
    let mut expected = first;
    for time in out.get_mut(start..).unwrap_or_default() {
        *time = time.wrapping_add(expected);
        expected = expected.wrapping_add(step);
    }
    Ok(())
}

/// Times of one step, which need no column: where in them a range lies is worked out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Even {
    first: i64,
    step: i64,
    count: usize,
}

impl Even {
    /// These times, if they are even.
    fn of(times: &[i64]) -> Option<Self> {
        let (first, second) = (*times.first()?, *times.get(1)?);
        let step = second.checked_sub(first).filter(|step| *step > 0)?;
        let is_even =
            times.windows(2).all(|pair| matches!(pair, [one, two] if two.checked_sub(*one) == Some(step)));
        is_even.then_some(Self { first, step, count: times.len() })
    }

    /// The times in `block` from `first` to `last`, if they are even and fit these.
    pub(super) fn read(block: &[u8], count: usize, first: i64, last: i64) -> Option<Self> {
        let steps = i64::try_from(count.checked_sub(1)?).ok()?;
        if block == [EVEN] {
            let span = last.checked_sub(first)?;
            let step = span.checked_div(steps).filter(|step| *step > 0 && step * steps == span)?;
            return Some(Self { first, step, count });
        }
        // As format 2 wrote them.
        let mut reader = Reader::new(CHUNK, block);
        if reader.array().ok()? != [DIRECT, integers::STEPS] || reader.signed().ok()? != 0 {
            return None;
        }
        let step = reader.signed().ok().filter(|step| *step > 0 && reader.is_done())?;
        let fits = first.checked_add(step.checked_mul(steps)?) == Some(last);
        fits.then_some(Self { first, step, count })
    }

    /// The places of the times within `first..=last`.
    pub(crate) fn places(self, (first, last): (i64, i64)) -> Range<usize> {
        let step = self.step.unsigned_abs().max(1);
        let place = |steps: u64| usize::try_from(steps).unwrap_or(usize::MAX).min(self.count);
        let start = if first <= self.first { 0 } else { place(first.abs_diff(self.first).div_ceil(step)) };
        let end =
            if last < self.first { 0 } else { place((last.abs_diff(self.first) / step).saturating_add(1)) };
        start..end.max(start)
    }

    /// Appends the times at these places.
    pub(crate) fn put(self, places: Range<usize>, out: &mut Vec<i64>) {
        const LANES: usize = 8;
        let time = |place: usize| self.first.wrapping_add(self.step.wrapping_mul(place.cast_signed() as i64));
        let mut lanes: [i64; LANES] = std::array::from_fn(|lane| time(places.start.saturating_add(lane)));
        let stride = self.step.wrapping_mul(LANES as i64);
        let start = out.len();
        out.resize(start.saturating_add(places.len()), 0);
        // Additions of several lanes become vectors, which multiplications of this width do not.
        let (chunks, rest) = out.get_mut(start..).unwrap_or_default().as_chunks_mut::<LANES>();
        for chunk in chunks {
            *chunk = lanes;
            lanes.iter_mut().for_each(|time| *time = time.wrapping_add(stride));
        }
        rest.iter_mut().zip(lanes).for_each(|(slot, time)| *slot = time);
    }
}

/// The step around which the times stray least.
fn rhythm(times: &[i64]) -> Option<i64> {
    let steps = i64::try_from(times.len().checked_sub(1)?).ok()?;
    let mean = times.last()?.checked_div(steps)?;
    let round = |unit: i64| Some(mean.checked_add(unit / 2)? / unit * unit).filter(|step| *step > 0);
    std::iter::once(mean)
        .chain(ROUND_STEPS.iter().filter_map(|unit| round(*unit)))
        .map(|step| (spread(times, step), step))
        // Among steps that fit about as well, the roundest leaves the roundest deviations.
        .min_by_key(|(spread, step)| (spread.checked_ilog2(), std::cmp::Reverse(step.trailing_zeros())))
        .map(|(_, step)| step)
}

fn deviations(times: &[i64], step: i64) -> impl Iterator<Item = i64> {
    times.iter().scan(0_i64, move |expected, time| {
        let deviation = time.wrapping_sub(*expected);
        *expected = expected.wrapping_add(step);
        Some(deviation)
    })
}

fn spread(times: &[i64], step: i64) -> u64 {
    let (least, greatest) = deviations(times, step)
        .fold((0_i64, 0_i64), |(least, greatest), deviation| (least.min(deviation), greatest.max(deviation)));
    greatest.abs_diff(least)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: i64 = 1_000_000_000;

    fn check(times: &[i64]) -> usize {
        let mut bytes = Vec::new();
        encode(times, Effort::Seal, &mut bytes);
        let mut back = Vec::new();
        let mut reader = Reader::new(CHUNK, &bytes);
        let ends = (times.first().copied().unwrap_or(0), times.last().copied().unwrap_or(0));
        decode(&mut reader, times.len(), ends, &mut back).unwrap();
        assert!(reader.is_done());
        assert_eq!(back, times);
        bytes.len()
    }

    proptest! {
        #[test]
        fn even_times_are_those_of_the_column(
            start in -9_i64..i64::MAX / 4,
            step in 1_i64..9 * SECOND,
            count in 3_usize..500,
            from in -3_i64..520,
            to in -3_i64..520,
            off in -1_i64..2,
        ) {
            let times: Vec<i64> = (0..count as i64).map(|index| start + index * step).collect();
            let mut bytes = Vec::new();
            encode(&times, Effort::Seal, &mut bytes);
            let even = Even::read(&bytes, count, start, times[count - 1]).unwrap();
            let (first, last) = (start + from * step + off, start + to * step);
            let places = even.places((first, last));
            let from = times.partition_point(|time| *time < first);
            let expected = from..times.partition_point(|time| *time <= last).max(from);
            prop_assert_eq!(places.clone(), expected);
            let mut back = Vec::new();
            even.put(places.clone(), &mut back);
            prop_assert_eq!(&back[..], &times[places]);
            prop_assert!(Even::read(&bytes, count, start, times[count - 1] + 1).is_none());
        }
    }

    fn jitter(index: i64, range: i64) -> i64 {
        (index.wrapping_mul(6_364_136_223_846_793_005) >> 33).rem_euclid(range)
    }

    proptest! {
        #[test]
        fn any_ascending_times(mut times in prop::collection::vec(any::<i64>(), 0..300)) {
            times.sort_unstable();
            check(&times);
        }

        #[test]
        fn rhythms(start in 0..i64::MAX / 4, step in 1..20 * SECOND, jitters in prop::collection::vec(0..SECOND, 1..400)) {
            let mut times: Vec<i64> =
                (0_i64..).zip(&jitters).map(|(index, jitter)| start + index * step + jitter).collect();
            times.sort_unstable();
            check(&times);
        }
    }

    #[test]
    fn sizes() {
        let start = 1_747_837_937 * SECOND;
        let aligned: Vec<i64> = (0..1024).map(|index| start + index * 10 * SECOND).collect();
        assert!(check(&aligned) <= 12);
        let milliseconds: Vec<i64> = aligned
            .iter()
            .enumerate()
            .map(|(index, time)| time + jitter(index as i64, 5) * 1_000_000)
            .collect();
        assert!(check(&milliseconds) < 1024 * 4 / 8 + 60);
        let mut gaps = aligned.clone();
        gaps.retain(|time| time / (10 * SECOND) % 97 != 0);
        assert!(check(&gaps) < 120, "{}", check(&gaps));
    }
}
