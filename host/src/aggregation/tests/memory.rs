//! A reader over samples in memory that cuts blocks, takes digests and orders them as freely as its contract allows.

use std::ops::ControlFlow;

use telemetry_core::aggregation::SeriesDigest;
use telemetry_core::{
    Context, MetricSelection, MetricValue, ScanBlock, ScanOptions, SeriesKey, TimeRange, Timestamp,
};

use crate::aggregation::{Completeness, SampleReader, SelectedSeries};
use crate::query::ReadError;

/// Series with their samples in the order of arrival.
#[derive(Clone, Debug, Default)]
pub(super) struct MemoryReader {
    pub(super) series: Vec<(SeriesKey, Vec<(i64, MetricValue)>)>,
    /// Samples of one block.
    pub(super) block: usize,
    /// Varies what the contract leaves open.
    pub(super) seed: usize,
}

enum Block {
    Samples(usize, Vec<i64>, Vec<f64>),
    Text(usize, Vec<i64>),
    Digest(usize, SeriesDigest),
}

impl MemoryReader {
    pub(super) fn new() -> Self {
        Self { block: 1000, ..Self::default() }
    }

    /// Adds a series, its times in seconds.
    pub(super) fn with(mut self, name: &str, labels: &[(&str, &str)], samples: &[(f64, f64)]) -> Self {
        let samples =
            samples.iter().map(|(time, value)| (seconds(*time), MetricValue::Float(*value))).collect();
        self.series.push((key(name, labels), samples));
        self
    }

    /// Adds text samples to the last series.
    pub(super) fn with_text(mut self, times: &[f64]) -> Self {
        let samples = times.iter().map(|time| (seconds(*time), MetricValue::from("text")));
        self.series.last_mut().unwrap().1.extend(samples);
        self
    }

    fn blocks_of(&self, place: usize, id: u32, range: TimeRange, options: ScanOptions) -> Vec<Block> {
        let samples = self.series[id as usize].1.iter();
        let mut samples: Vec<_> =
            samples.filter(|(time, _)| range.contains(Timestamp::from_nanos(*time))).collect();
        samples.sort_by_key(|(time, _)| *time);
        let text = samples.iter().filter(|(_, value)| value.as_f64().is_none()).map(|(time, _)| *time);
        let text: Vec<i64> = text.collect();
        let numbers: Vec<(i64, f64)> =
            samples.iter().filter_map(|(time, value)| Some((*time, value.as_f64()?))).collect();
        let mut blocks = Vec::new();
        for (index, part) in numbers.chunks(self.block).enumerate() {
            let (times, values): (Vec<_>, Vec<_>) = part.iter().copied().unzip();
            let bucket = |time: i64| options.bucket.map(|step| Timestamp::from_nanos(time).floor_to(step));
            let one_bucket = bucket(times[0]) == bucket(times[times.len() - 1]);
            if options.digests && one_bucket && !(index + self.seed).is_multiple_of(3) {
                blocks.push(Block::Digest(place, digest(&times, &values)));
                continue;
            }
            blocks.push(Block::Samples(place, times, values));
        }
        if !text.is_empty() {
            blocks.insert(self.seed % (blocks.len() + 1), Block::Text(place, text));
        }
        blocks
    }
}

impl SampleReader for MemoryReader {
    fn select(
        &self,
        selection: &MetricSelection,
        _range: TimeRange,
    ) -> Result<Vec<SelectedSeries>, ReadError> {
        let named = |key: &SeriesKey| {
            selection.names.as_ref().is_none_or(|names| names.iter().any(|name| **name == *key.name))
        };
        let matches = |key: &SeriesKey| {
            selection.filters.iter().all(|filter| filter.matches(key.context.label(&filter.key).as_deref()))
        };
        let all = self.series.iter().enumerate();
        let selected = all.filter(|(_, (key, _))| named(key) && matches(key));
        Ok(selected
            .map(|(id, (key, _))| SelectedSeries { id: id as u32, key: key.clone(), overflow: false })
            .collect())
    }

    fn scan(
        &self,
        series: &[u32],
        range: TimeRange,
        options: ScanOptions,
        visit: &mut dyn FnMut(usize, ScanBlock<'_>) -> ControlFlow<()>,
    ) -> Result<Completeness, ReadError> {
        // As in a store, series come one after the other within a partition, and partitions by time.
        let partitions = [i64::MIN, -seconds(20.0), 0, seconds(self.seed as f64), i64::MAX];
        let mut blocks: Vec<Block> = Vec::new();
        for ends in partitions.windows(2) {
            let part = TimeRange {
                start: Some(range.first().max(Timestamp::from_nanos(ends[0]))),
                end: Some(range.last().min(Timestamp::from_nanos(ends[1].saturating_sub(1)))),
            };
            let places = series.iter().enumerate();
            blocks.extend(places.flat_map(|(place, id)| self.blocks_of(place, *id, part, options)));
        }
        if !options.ordered && !blocks.is_empty() {
            let turn = self.seed % blocks.len();
            blocks.rotate_left(turn);
            if self.seed % 2 == 1 {
                blocks.reverse();
            }
        }
        for block in &blocks {
            let flow = match block {
                Block::Samples(place, times, values) => {
                    visit(*place, ScanBlock::Samples { timestamps: times, values })
                }
                Block::Text(place, times) => visit(*place, ScanBlock::Text { timestamps: times }),
                Block::Digest(place, digest) => visit(*place, ScanBlock::Digest(digest)),
            };
            if flow.is_break() {
                break;
            }
        }
        Ok(Completeness::Whole)
    }
}

pub(super) fn seconds(time: f64) -> i64 {
    (time * 1e9) as i64
}

pub(super) fn key(name: &str, labels: &[(&str, &str)]) -> SeriesKey {
    SeriesKey { name: name.into(), context: Context::from_labels(labels.iter().copied()) }
}

fn digest(times: &[i64], values: &[f64]) -> SeriesDigest {
    SeriesDigest {
        count: values.len() as u64,
        sum: values.iter().sum(),
        min: values.iter().copied().fold(f64::INFINITY, f64::min),
        max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        first: values[0],
        last: values[values.len() - 1],
        first_time: Timestamp::from_nanos(times[0]),
        last_time: Timestamp::from_nanos(times[times.len() - 1]),
    }
}
