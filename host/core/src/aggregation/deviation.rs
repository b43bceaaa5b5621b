//! STDDEV: the sample standard deviation (n − 1), in one pass and mergeable.
//!
//! Each block's mean is taken first and its squared distances from that mean are summed, then blocks are joined (Chan, Golub,
//! LeVeque): a large common offset cancels before anything is squared.

use crate::aggregation::grouped::GroupState;
use crate::aggregation::saved::{Damage, StateReader, StateWriter};

/// Values of one block: two passes over it stay in the first-level cache.
const BLOCK: usize = 1024;
/// Independent partial sums, so that the loops vectorise.
const LANES: usize = 8;

/// STDDEV. One sample deviates by 0.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Deviation {
    count: u64,
    mean: f64,
    /// Sum of the squared distances from the mean.
    squares: f64,
}

impl Deviation {
    fn of_block(values: &[f64]) -> Self {
        let count = values.len() as f64;
        let guess = sum_of(values, |value| value) / count;
        let rest = sum_of(values, |value| value - guess);
        let squares = sum_of(values, |value| (value - guess) * (value - guess));
        let squares = squares - rest * rest / count;
        // Rounding may leave a little less than 0; a NaN says that the block is beyond f64 and must stay.
        let squares = if squares < 0.0 { 0.0 } else { squares };
        Self { count: values.len() as u64, mean: guess + rest / count, squares }
    }

    fn add_one(&mut self, value: f64) {
        self.count = self.count.saturating_add(1);
        let distance = value - self.mean;
        self.mean += distance / self.count as f64;
        self.squares += distance * (value - self.mean);
    }

    fn join(&mut self, other: Self) {
        if self.count == 0 {
            *self = other;
        } else if other.count > 0 {
            let (ours, theirs) = (self.count as f64, other.count as f64);
            let distance = other.mean - self.mean;
            let share = theirs / (ours + theirs);
            self.mean += distance * share;
            self.squares += other.squares + distance * distance * ours * share;
            self.count = self.count.saturating_add(other.count);
        }
    }
}

fn sum_of(values: &[f64], term: impl Fn(f64) -> f64) -> f64 {
    let mut sums = [0.0; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            *sum += term(*value);
        }
    }
    sums.into_iter().chain(rest.iter().map(|value| term(*value))).sum()
}

impl GroupState for Deviation {
    const TAG: u8 = 7;

    fn add(&mut self, _timestamps: &[i64], values: &[f64]) {
        if let [value] = values {
            return self.add_one(*value);
        }
        for block in values.chunks(BLOCK) {
            self.join(Self::of_block(block));
        }
    }

    fn absorb(&mut self, other: Self) -> Result<(), Damage> {
        self.join(other);
        Ok(())
    }

    fn value(&mut self) -> Option<f64> {
        match self.count {
            0 => None,
            1 => Some(0.0),
            count => Some((self.squares / (count - 1) as f64).sqrt()),
        }
    }

    fn write(&self, out: &mut StateWriter) {
        out.u64(self.count);
        // Beyond f64 the state may hold a NaN; an infinity says the same.
        let lost = !(self.mean.is_finite() && self.squares.is_finite());
        out.f64(if lost { 0.0 } else { self.mean });
        out.f64(if lost { f64::INFINITY } else { self.squares });
    }

    fn read(from: &mut StateReader<'_>) -> Result<Self, Damage> {
        let state = Self { count: from.u64()?, mean: from.f64()?, squares: from.f64()? };
        if state.squares < 0.0 || !state.mean.is_finite() {
            return Err("its moments are impossible");
        }
        Ok(state)
    }
}
