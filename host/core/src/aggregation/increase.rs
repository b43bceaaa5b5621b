//! RATE's state: how much a counter grew, with resets. The caller divides by the seconds of the range.

use crate::aggregation::grouped::GroupState;
use crate::aggregation::saved::{Damage, StateReader, StateWriter};
use crate::aggregation::sum::CompensatedSum;

/// Gains that are worked out before they are summed, so that both loops vectorise.
const BLOCK: usize = 64;

/// The increase of one series. A value below the one before means that the counter began again at 0.
#[derive(Debug, Default)]
pub(super) struct Increase(Option<Segment>);

/// Samples in time order without a gap.
#[derive(Clone, Copy, Debug)]
struct Segment {
    first: (i64, f64),
    last: (i64, f64),
    increase: CompensatedSum,
}

#[inline(always)]
fn gain(before: f64, value: f64) -> f64 {
    let difference = value - before;
    if difference >= 0.0 { difference } else { value.max(0.0) }
}

impl Segment {
    fn add(&mut self, values: &[f64]) {
        let mut before = self.last.1;
        for block in values.chunks(BLOCK) {
            let mut gains = [0.0; BLOCK];
            for (slot, value) in gains.iter_mut().zip(block) {
                *slot = gain(before, *value);
                before = *value;
            }
            self.increase.add_slice(gains.get(..block.len()).unwrap_or(&gains));
        }
    }

    /// Joins `later`, none of whose samples is before the last one here.
    fn join(&mut self, later: Segment) {
        self.increase.add(gain(self.last.1, later.first.1));
        self.increase.absorb(later.increase);
        self.last = later.last;
    }
}

impl GroupState for Increase {
    const TAG: u8 = 8;
    const NEEDS_TIMES: bool = true;

    fn add(&mut self, timestamps: &[i64], values: &[f64]) {
        let (Some(first_time), Some(last_time)) = (timestamps.first(), timestamps.last()) else { return };
        let (Some((first, rest)), Some(last)) = (values.split_first(), values.last()) else { return };
        let segment = if let Some(segment) = &mut self.0 {
            segment.add(values);
            segment
        } else {
            let begin = (*first_time, *first);
            let segment =
                self.0.insert(Segment { first: begin, last: begin, increase: CompensatedSum::default() });
            segment.add(rest);
            segment
        };
        segment.last = (*last_time, *last);
    }

    fn absorb(&mut self, other: Self) -> Result<(), Damage> {
        let Some(mut theirs) = other.0 else { return Ok(()) };
        match &mut self.0 {
            None => self.0 = Some(theirs),
            Some(ours) if ours.last.0 <= theirs.first.0 => ours.join(theirs),
            Some(ours) if theirs.last.0 <= ours.first.0 => {
                theirs.join(*ours);
                *ours = theirs;
            }
            Some(_) => return Err("its samples overlap those already seen"),
        }
        Ok(())
    }

    fn value(&mut self) -> Option<f64> {
        self.0.map(|segment| segment.increase.total())
    }

    fn write(&self, out: &mut StateWriter) {
        out.flag(self.0.is_some());
        if let Some(segment) = &self.0 {
            for (time, value) in [segment.first, segment.last] {
                out.i64(time);
                out.f64(value);
            }
            segment.increase.write(out);
        }
    }

    fn read(from: &mut StateReader<'_>) -> Result<Self, Damage> {
        if !from.flag()? {
            return Ok(Self(None));
        }
        let (first, last) = ((from.i64()?, from.f64()?), (from.i64()?, from.f64()?));
        if last.0 < first.0 {
            return Err("its last sample is before its first");
        }
        Ok(Self(Some(Segment { first, last, increase: CompensatedSum::read(from)? })))
    }
}
