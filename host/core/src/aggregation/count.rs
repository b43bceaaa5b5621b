//! COUNT of numeric samples; the query engine adds the text samples, which no accumulator sees.

use crate::aggregation::SeriesDigest;
use crate::aggregation::grouped::GroupState;
use crate::aggregation::saved::{Damage, StateReader, StateWriter};

/// COUNT.
#[derive(Debug, Default)]
pub(super) struct Count(u64);

impl GroupState for Count {
    const TAG: u8 = 2;

    fn add(&mut self, _timestamps: &[i64], values: &[f64]) {
        self.0 = self.0.saturating_add(values.len() as u64);
    }

    fn add_digest(&mut self, digest: &SeriesDigest) -> bool {
        self.0 = self.0.saturating_add(digest.count);
        true
    }

    fn absorb(&mut self, other: Self) -> Result<(), Damage> {
        self.0 = self.0.saturating_add(other.0);
        Ok(())
    }

    fn value(&mut self) -> Option<f64> {
        Some(self.0 as f64)
    }

    fn write(&self, out: &mut StateWriter) {
        out.u64(self.0);
    }

    fn read(from: &mut StateReader<'_>) -> Result<Self, Damage> {
        from.u64().map(Self)
    }
}
