//! Where samples come from: the part of a store that the engine needs.

use std::ops::ControlFlow;

use telemetry_core::{MetricSelection, ScanBlock, ScanOptions, SeriesKey, TimeRange};

use crate::query::ReadError;

/// A series of the reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectedSeries {
    /// The reader's number of it.
    pub id: u32,
    /// Its name and context.
    pub key: SeriesKey,
    /// Whether it has the samples of series beyond the reader's limits: it is another series than the plain one of its
    /// name and context.
    pub overflow: bool,
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
