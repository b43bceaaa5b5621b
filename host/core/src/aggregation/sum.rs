//! Sums that lose nothing to rounding, and SUM and MEAN over them.

use crate::aggregation::SeriesDigest;
use crate::aggregation::grouped::GroupState;
use crate::aggregation::saved::{Damage, StateReader, StateWriter};

/// Independent partial sums of one slice: enough to hide the latency of an addition, and too many for the compiler to keep each
/// in a register of its own, so that it makes them vectors.
const LANES: usize = 32;
/// The same for what is left of a slice, or a short one.
const FEW_LANES: usize = 4;

/// A running sum that carries the rounding errors of its additions along: as exact as one addition in twice the precision,
/// whatever the order.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CompensatedSum {
    sum: f64,
    error: f64,
}

impl CompensatedSum {
    /// Adds one value.
    pub fn add(&mut self, value: f64) {
        add_exactly(&mut self.sum, &mut self.error, value);
    }

    /// Adds a slice, a few times faster than one by one.
    pub fn add_slice(&mut self, values: &[f64]) {
        let (chunks, rest) = values.as_chunks::<LANES>();
        if !chunks.is_empty() {
            self.absorb(sum_of_lanes(chunks, &[]));
        }
        // A bucket may have few samples: lanes pay from the second round on.
        if rest.len() < 2 * FEW_LANES {
            rest.iter().for_each(|value| self.add(*value));
            return;
        }
        let (chunks, rest) = rest.as_chunks::<FEW_LANES>();
        self.absorb(sum_of_lanes(chunks, rest));
    }

    /// Adds another sum.
    pub fn absorb(&mut self, other: Self) {
        self.add(other.sum);
        self.error += other.error;
    }

    /// The sum; not finite once it left the range of `f64`.
    pub fn total(self) -> f64 {
        if self.sum.is_finite() { self.sum + self.error } else { self.sum }
    }

    pub(super) fn write(self, out: &mut StateWriter) {
        // A sum that left the range of f64 has no error worth keeping, and its error may be a NaN.
        let lost = !self.total().is_finite();
        out.f64(if lost { f64::INFINITY } else { self.sum });
        out.f64(if lost { 0.0 } else { self.error });
    }

    pub(super) fn read(from: &mut StateReader<'_>) -> Result<Self, Damage> {
        Ok(Self { sum: from.f64()?, error: from.f64()? })
    }
}

/// Knuth's two-sum: the error of `sum + value` is exact, and without a branch lanes vectorise.
#[inline(always)]
fn add_exactly(sum: &mut f64, error: &mut f64, value: f64) {
    let total = *sum + value;
    let added = total - *sum;
    *error += (*sum - (total - added)) + (value - added);
    *sum = total;
}

/// The sum of `chunks` and of `rest`, which is shorter than one.
fn sum_of_lanes<const LANES: usize>(chunks: &[[f64; LANES]], rest: &[f64]) -> CompensatedSum {
    let mut sums = [0.0; LANES];
    let mut errors = [0.0; LANES];
    for chunk in chunks {
        for ((sum, error), value) in sums.iter_mut().zip(&mut errors).zip(chunk) {
            add_exactly(sum, error, *value);
        }
    }
    // One by one each would wait for the one before it.
    for ((sum, error), value) in sums.iter_mut().zip(&mut errors).zip(rest) {
        add_exactly(sum, error, *value);
    }
    // Halves are added to each other, which vectorises as well.
    let mut width = LANES / 2;
    while width > 0 {
        let (low, high) = sums.split_at_mut(width);
        let (low_errors, high_errors) = errors.split_at_mut(width);
        for (((sum, error), value), lost) in
            low.iter_mut().zip(&mut *low_errors).zip(&*high).zip(&*high_errors)
        {
            add_exactly(sum, error, *value);
            *error += lost;
        }
        width /= 2;
    }
    let first = |lanes: [f64; LANES]| lanes.first().copied().unwrap_or(0.0);
    CompensatedSum { sum: first(sums), error: first(errors) }
}

/// SUM.
#[derive(Debug, Default)]
pub(super) struct Sum {
    count: u64,
    sum: CompensatedSum,
}

/// MEAN: the same state, another result.
#[derive(Debug, Default)]
pub(super) struct Mean(Sum);

impl GroupState for Sum {
    const TAG: u8 = 1;

    fn add(&mut self, _timestamps: &[i64], values: &[f64]) {
        self.count = self.count.saturating_add(values.len() as u64);
        self.sum.add_slice(values);
    }

    fn add_digest(&mut self, digest: &SeriesDigest) -> bool {
        self.count = self.count.saturating_add(digest.count);
        self.sum.add(digest.sum);
        true
    }

    fn absorb(&mut self, other: Self) -> Result<(), Damage> {
        self.count = self.count.saturating_add(other.count);
        self.sum.absorb(other.sum);
        Ok(())
    }

    fn value(&mut self) -> Option<f64> {
        (self.count > 0).then(|| self.sum.total())
    }

    fn write(&self, out: &mut StateWriter) {
        out.u64(self.count);
        self.sum.write(out);
    }

    fn read(from: &mut StateReader<'_>) -> Result<Self, Damage> {
        Ok(Self { count: from.u64()?, sum: CompensatedSum::read(from)? })
    }
}

impl GroupState for Mean {
    const TAG: u8 = Sum::TAG;

    fn add(&mut self, timestamps: &[i64], values: &[f64]) {
        self.0.add(timestamps, values);
    }

    fn add_digest(&mut self, digest: &SeriesDigest) -> bool {
        self.0.add_digest(digest)
    }

    fn absorb(&mut self, other: Self) -> Result<(), Damage> {
        self.0.absorb(other.0)
    }

    fn value(&mut self) -> Option<f64> {
        let sum = self.0.value()?;
        Some(sum / self.0.count as f64)
    }

    fn write(&self, out: &mut StateWriter) {
        self.0.write(out);
    }

    fn read(from: &mut StateReader<'_>) -> Result<Self, Damage> {
        Sum::read(from).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(values: &[f64]) -> f64 {
        let mut sum = CompensatedSum::default();
        sum.add_slice(values);
        sum.total()
    }

    #[test]
    fn small_values_survive_between_large_ones() {
        assert_eq!(total(&[1e16, 1.0, -1e16]), 1.0);
        let mut many = vec![1e16];
        many.extend([1.0; 1000]);
        many.push(-1e16);
        assert_eq!(total(&many), 1000.0);
        assert_eq!(total(&[0.1; 10]), 1.0);
        assert_eq!(total(&[]), 0.0);
    }

    #[test]
    fn a_sum_beyond_f64_stays_lost() {
        let mut sum = CompensatedSum::default();
        sum.add_slice(&[f64::MAX; 40]);
        assert!(!sum.total().is_finite());
        sum.add(1.0);
        assert!(!sum.total().is_finite());
    }
}
