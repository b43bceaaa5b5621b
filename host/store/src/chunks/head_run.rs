//! What the head of a series holds within a range, as scans show it.

use crate::head::HeadSamples;

/// The head's samples of one series within the asked range, by time and then by arrival.
#[derive(Debug, Default)]
pub(crate) struct HeadRun {
    times: Vec<i64>,
    values: Vec<f64>,
    text_times: Vec<i64>,
}

impl HeadRun {
    /// Sorts what was copied from a head and keeps what lies within `first..=last`.
    pub(crate) fn new(samples: &HeadSamples, first: i64, last: i64) -> Self {
        let within = |time: &i64| first <= *time && *time <= last;
        let mut places: Vec<usize> = samples
            .times
            .iter()
            .enumerate()
            .filter(|(_, time)| within(time))
            .map(|(place, _)| place)
            .collect();
        let time_at = |place: &usize| samples.times.get(*place).copied().unwrap_or(i64::MAX);
        if !places.is_sorted_by_key(time_at) {
            places.sort_by_key(time_at);
        }
        let mut run = Self::default();
        for place in places {
            let time = time_at(&place);
            match samples.values.number(place) {
                Some(value) => {
                    run.times.push(time);
                    run.values.push(value);
                }
                None => run.text_times.push(time),
            }
        }
        run
    }

    /// The part within `first..=last`.
    pub(super) fn part(&self, first: i64, last: i64) -> HeadPart<'_> {
        fn bounds(times: &[i64], first: i64, last: i64) -> std::ops::Range<usize> {
            let start = times.partition_point(|time| *time < first);
            start..times.partition_point(|time| *time <= last).max(start)
        }
        let numbers = bounds(&self.times, first, last);
        HeadPart {
            times: self.times.get(numbers.clone()).unwrap_or_default(),
            values: self.values.get(numbers).unwrap_or_default(),
            text_times: self.text_times.get(bounds(&self.text_times, first, last)).unwrap_or_default(),
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct HeadPart<'a> {
    pub(super) times: &'a [i64],
    pub(super) values: &'a [f64],
    pub(super) text_times: &'a [i64],
}

impl HeadPart<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.times.is_empty() && self.text_times.is_empty()
    }
}
