//! P50, P90, P95, P99: exact, with linear interpolation between the two nearest ranks (type 7).
//!
//! Every value is kept, up to [`crate::limits::MAX_EXACT_VALUES`], and the ranks are selected, not sorted. Where that is too much,
//! the sketch of the `percentile` plugin answers within a relative error.

use crate::aggregation::grouped::GroupState;
use crate::aggregation::saved::{Damage, StateReader, StateWriter};

/// The quantile at `PERCENT` percent. All quantiles share one saved state.
#[derive(Debug, Default)]
pub(super) struct Quantile<const PERCENT: u8>(Vec<f64>);

/// The value at quantile `q` (0 to 1) of `values`, whose order is changed; `None` when there are none.
fn select(values: &mut [f64], q: f64) -> Option<f64> {
    let position = values.len().checked_sub(1)? as f64 * q;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0 and the length")]
    let rank = (position.floor() as usize).min(values.len() - 1);
    let (_, low, above) = values.select_nth_unstable_by(rank, f64::total_cmp);
    let low = *low;
    let share = position - rank as f64;
    if share <= 0.0 {
        return Some(low);
    }
    let high = above.iter().copied().min_by(f64::total_cmp).unwrap_or(low);
    let between = low + (high - low) * share;
    // The distance of two values of unlike sign may exceed f64 where the value between them does not.
    Some(if between.is_finite() { between } else { low * (1.0 - share) + high * share })
}

impl<const PERCENT: u8> GroupState for Quantile<PERCENT> {
    const TAG: u8 = 9;
    const KEEPS_VALUES: bool = true;

    fn add(&mut self, _timestamps: &[i64], values: &[f64]) {
        self.0.extend_from_slice(values);
    }

    fn absorb(&mut self, other: Self) -> Result<(), Damage> {
        if self.0.is_empty() {
            self.0 = other.0;
        } else {
            self.0.extend_from_slice(&other.0);
        }
        Ok(())
    }

    fn value(&mut self) -> Option<f64> {
        select(&mut self.0, f64::from(PERCENT) / 100.0)
    }

    fn write(&self, out: &mut StateWriter) {
        out.u64(self.0.len() as u64);
        out.f64s(&self.0);
    }

    fn read(from: &mut StateReader<'_>) -> Result<Self, Damage> {
        let count = from.u64()?;
        from.f64s(count).map(Self)
    }

    fn kept(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpolates_between_ranks() {
        let check = |values: &[f64], q: f64, expected: f64| {
            assert_eq!(select(&mut values.to_vec(), q), Some(expected), "{values:?} at {q}");
        };
        check(&[3.0], 0.99, 3.0);
        check(&[2.0, 1.0], 0.5, 1.5);
        check(&[4.0, 1.0, 3.0, 2.0], 0.5, 2.5);
        check(&[4.0, 1.0, 3.0, 2.0], 0.25, 1.75);
        check(&[10.0, 0.0], 0.9, 9.0);
        check(&[-f64::MAX, f64::MAX], 0.5, 0.0);
        assert_eq!(select(&mut [], 0.5), None);
    }
}
