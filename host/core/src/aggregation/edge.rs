//! FIRST and LAST: by time, then by the order in which samples are added.

use crate::aggregation::SeriesDigest;
use crate::aggregation::grouped::GroupState;
use crate::aggregation::saved::{Damage, StateReader, StateWriter};

/// FIRST, or LAST when `LATEST`. Each run is in time order, runs come in any order.
#[derive(Debug, Default)]
pub(super) struct Edge<const LATEST: bool>(Option<(i64, f64)>);

impl<const LATEST: bool> Edge<LATEST> {
    /// Of two samples of one instant the first stays the first, and the later one becomes the last.
    fn offer(&mut self, time: i64, value: f64) {
        let replaces = match self.0 {
            None => true,
            Some((held, _)) if LATEST => time >= held,
            Some((held, _)) => time < held,
        };
        if replaces {
            self.0 = Some((time, value));
        }
    }
}

impl<const LATEST: bool> GroupState for Edge<LATEST> {
    const TAG: u8 = if LATEST { 6 } else { 5 };
    const NEEDS_TIMES: bool = true;

    fn add(&mut self, timestamps: &[i64], values: &[f64]) {
        let (time, value) =
            if LATEST { (timestamps.last(), values.last()) } else { (timestamps.first(), values.first()) };
        if let (Some(time), Some(value)) = (time, value) {
            self.offer(*time, *value);
        }
    }

    fn add_digest(&mut self, digest: &SeriesDigest) -> bool {
        if LATEST {
            self.offer(digest.last_time.nanos(), digest.last);
        } else {
            self.offer(digest.first_time.nanos(), digest.first);
        }
        true
    }

    fn absorb(&mut self, other: Self) -> Result<(), Damage> {
        if let Some((time, value)) = other.0 {
            self.offer(time, value);
        }
        Ok(())
    }

    fn value(&mut self) -> Option<f64> {
        self.0.map(|(_, value)| value)
    }

    fn write(&self, out: &mut StateWriter) {
        out.flag(self.0.is_some());
        if let Some((time, value)) = self.0 {
            out.i64(time);
            out.f64(value);
        }
    }

    fn read(from: &mut StateReader<'_>) -> Result<Self, Damage> {
        Ok(Self(if from.flag()? { Some((from.i64()?, from.f64()?)) } else { None }))
    }
}
