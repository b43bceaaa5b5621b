//! MIN and MAX.

use crate::aggregation::SeriesDigest;
use crate::aggregation::grouped::GroupState;
use crate::aggregation::saved::{Damage, StateReader, StateWriter};

/// Independent running extremes of one slice, so that the loop vectorises.
const LANES: usize = 8;

/// MIN, or MAX when `GREATEST`.
#[derive(Debug, Default)]
pub(super) struct Extreme<const GREATEST: bool>(Option<f64>);

impl<const GREATEST: bool> Extreme<GREATEST> {
    #[inline(always)]
    fn better(held: f64, value: f64) -> f64 {
        let replaces = if GREATEST { value > held } else { value < held };
        if replaces { value } else { held }
    }

    fn offer(&mut self, value: f64) {
        self.0 = Some(self.0.map_or(value, |held| Self::better(held, value)));
    }
}

impl<const GREATEST: bool> GroupState for Extreme<GREATEST> {
    const TAG: u8 = if GREATEST { 4 } else { 3 };

    fn add(&mut self, _timestamps: &[i64], values: &[f64]) {
        let Some(&first) = values.first() else { return };
        let mut held = [first; LANES];
        let (chunks, rest) = values.as_chunks::<LANES>();
        for chunk in chunks {
            for (held, value) in held.iter_mut().zip(chunk) {
                *held = Self::better(*held, *value);
            }
        }
        let best = held.into_iter().chain(rest.iter().copied()).fold(first, Self::better);
        self.offer(best);
    }

    fn add_digest(&mut self, digest: &SeriesDigest) -> bool {
        self.offer(if GREATEST { digest.max } else { digest.min });
        true
    }

    fn absorb(&mut self, other: Self) -> Result<(), Damage> {
        if let Some(value) = other.0 {
            self.offer(value);
        }
        Ok(())
    }

    fn value(&mut self) -> Option<f64> {
        self.0
    }

    fn write(&self, out: &mut StateWriter) {
        out.flag(self.0.is_some());
        if let Some(value) = self.0 {
            out.f64(value);
        }
    }

    fn read(from: &mut StateReader<'_>) -> Result<Self, Damage> {
        Ok(Self(if from.flag()? { Some(from.f64()?) } else { None }))
    }
}
