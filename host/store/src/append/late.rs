//! How many samples a series' buffer holds at the times of a call's late samples: of a time before the newest one, only a look
//! at the whole buffer tells.
//!
//! Sequence numbers are assigned meanwhile, so that a call with many late samples must not look once for each: after a few
//! looks the buffer is counted once, for all times of the call, and what the call adds to it is counted along.

use std::collections::HashMap;

/// Looks at one series' whole buffer in one call, after which it is counted. A look takes far less than counting.
const LOOKS: u32 = 16;

/// The late samples of one call.
#[derive(Debug)]
pub(super) struct LateTimes<I> {
    /// The series and times of the call's samples.
    call: I,
    /// What was done for each series that had a late sample.
    series: HashMap<u32, Done>,
    /// Of the counted series: how many samples their buffers hold at the call's times. Empty until one is counted.
    counts: HashMap<(u32, i64), Count>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Done {
    /// So many looks at its buffer.
    Looked(u32),
    /// Its buffer was counted, when it had been cut so often.
    Counted(u32),
}

/// Samples at one time, in a buffer that had been cut so often: after another cut they are not known.
#[derive(Clone, Copy, Debug)]
struct Count {
    cuts: u32,
    samples: usize,
}

impl<I: Iterator<Item = (u32, i64)> + Clone> LateTimes<I> {
    /// Of a call with samples of these series and times.
    pub(super) fn of(call: I) -> Self {
        Self { call, series: HashMap::new(), counts: HashMap::new() }
    }

    /// How many samples at `nanos`, a time of the call, are in the buffer of `series`; the buffer comes as its times and how
    /// often it was cut.
    pub(super) fn count(&mut self, series: u32, (times, cuts): (&[i64], u32), nanos: i64) -> usize {
        let done = self.series.entry(series).or_insert(Done::Looked(0));
        match done {
            Done::Looked(looks) if *looks < LOOKS => {
                *looks = looks.saturating_add(1);
                return look(times, nanos);
            }
            Done::Counted(at) if *at == cuts => {}
            Done::Looked(_) | Done::Counted(_) => {
                *done = Done::Counted(cuts);
                self.count_all(series, times, cuts);
            }
        }
        match self.counts.get(&(series, nanos)) {
            Some(count) if count.cuts == cuts => count.samples,
            // Those it had were cut off.
            Some(_) => 0,
            None => look(times, nanos),
        }
    }

    /// Notes that a sample was put into the buffer of `series`, which was cut so often.
    pub(super) fn pushed(&mut self, series: u32, cuts: u32, nanos: i64) {
        if !self.counts.is_empty() && self.series.get(&series) == Some(&Done::Counted(cuts)) {
            self.add(series, cuts, nanos);
        }
    }

    fn count_all(&mut self, series: u32, times: &[i64], cuts: u32) {
        if self.counts.is_empty() {
            let none = Count { cuts, samples: 0 };
            self.counts = self.call.clone().map(|place| (place, none)).collect();
        }
        times.iter().for_each(|time| self.add(series, cuts, *time));
    }

    fn add(&mut self, series: u32, cuts: u32, nanos: i64) {
        // Of what the call does not ask for, nothing is kept.
        let Some(count) = self.counts.get_mut(&(series, nanos)) else { return };
        if count.cuts != cuts {
            *count = Count { cuts, samples: 0 };
        }
        count.samples = count.samples.saturating_add(1);
    }
}

fn look(times: &[i64], nanos: i64) -> usize {
    times.iter().filter(|time| **time == nanos).count()
}

#[cfg(test)]
#[path = "late_tests.rs"]
mod tests;
