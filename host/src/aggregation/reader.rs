//! Where samples come from: the part of a store that the engine needs.

use std::ops::ControlFlow;

use telemetry_core::aggregation::SeriesDigest;
use telemetry_core::{MetricSelection, SeriesKey, TimeRange};

use crate::query::ReadError;

/// A series of the reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectedSeries {
    /// The reader's number of it.
    pub id: u32,
    /// Its name and context.
    pub key: SeriesKey,
}

/// How samples are to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanOptions {
    /// Whether digests may stand for samples.
    pub digests: bool,
    /// The length in nanoseconds of buckets, aligned to the epoch, that no digest may cross.
    pub bucket: Option<i64>,
    /// Whether the blocks of each series must come in the order of time, then of arrival. Blocks of several series may mix, but
    /// of what they have of one instant that of the series with the lower number comes first.
    pub ordered: bool,
}

/// Some samples of one series within the asked range.
#[derive(Clone, Copy, Debug)]
pub enum ScanBlock<'a> {
    /// Numeric samples known by their digest alone. In an ordered scan nothing else of the series lies within its time.
    Digest(&'a SeriesDigest),
    /// Numeric samples, integers as `f64`; times and values are equally many.
    Samples {
        /// Nanoseconds since the epoch; ascending in an ordered scan.
        timestamps: &'a [i64],
        /// The values.
        values: &'a [f64],
    },
    /// The times of text samples.
    Text {
        /// Nanoseconds since the epoch.
        timestamps: &'a [i64],
    },
}

/// Whether a scan showed all that was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// All of it.
    Whole,
    /// All but what is damaged.
    DamageLeftOut,
}

/// A reader of stored samples.
pub trait SampleReader: Sync {
    /// The series that match and may have samples within the range, each once.
    fn select(&self, selection: &MetricSelection, range: TimeRange)
    -> Result<Vec<SelectedSeries>, ReadError>;

    /// Hands every sample of the series within the range to `visit`, once, until it breaks; the number that comes with a block
    /// is the position of its series in `series`. Samples that are damaged may be left out, which the answer tells.
    fn scan(
        &self,
        series: &[u32],
        range: TimeRange,
        options: ScanOptions,
        visit: &mut dyn FnMut(usize, ScanBlock<'_>) -> ControlFlow<()>,
    ) -> Result<Completeness, ReadError>;
}
