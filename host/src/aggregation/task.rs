//! What is to be worked out of one metric.

use std::ops::ControlFlow;

use telemetry_core::{ScanBlock, ScanOptions, TimeRange};

use super::kept::KeptUse;
use super::parallel::Helpers;
use super::reader::{Completeness, SampleReader};
use super::registry::BoundAggregation;
use super::watch::{Pace, Watch};
use crate::query::QueryError;

/// Series that are read between two looks at the clock, whether they have samples or not.
const SERIES_PER_SCAN: usize = 1024;

/// One metric of a query: its series, how they are grouped, and with what they are aggregated.
pub(super) struct Task<'a> {
    pub(super) reader: &'a dyn SampleReader,
    pub(super) watch: &'a Watch<'a>,
    pub(super) aggregation: &'a BoundAggregation,
    /// The samples that are seen.
    pub(super) range: TimeRange,
    /// The reader's numbers of the series.
    pub(super) series: &'a [u32],
    /// Of each series whether it goes on with the one before under another number; empty where none does.
    pub(super) continued: &'a [bool],
    /// The group of each series; all 0 when nothing is grouped.
    pub(super) groups: &'a [u32],
    /// Whether groups are answered beside the metric as a whole.
    pub(super) grouped: bool,
    /// The length of buckets in nanoseconds.
    pub(super) step: Option<i64>,
    /// Whether the first and last instants are asked for.
    pub(super) wants_extent: bool,
    /// Points that the query may still answer.
    pub(super) points_left: usize,
    /// Samples that may be held to merge series by time.
    pub(super) merged_samples: usize,
    /// Kept states that may stand for samples.
    pub(super) kept: Option<&'a KeptUse<'a>>,
    /// Threads that may help.
    pub(super) helpers: &'a Helpers,
    /// Parts into which the series may be split: each has an accumulator.
    pub(super) parts: usize,
}

impl Task<'_> {
    /// The group of the series at this place.
    pub(super) fn group(&self, place: usize) -> u32 {
        self.groups.get(place).copied().unwrap_or(0)
    }

    /// The end of the series that begins at this place, after all numbers it goes on under.
    pub(super) fn end_of(&self, place: usize) -> usize {
        let further = self.continued.iter().skip(place.saturating_add(1)).take_while(|goes_on| **goes_on);
        place.saturating_add(1).saturating_add(further.count())
    }

    /// The first place from this one on at which a series begins.
    pub(super) fn beginning_from(&self, place: usize) -> usize {
        place.saturating_add(self.continued.iter().skip(place).take_while(|goes_on| **goes_on).count())
    }

    /// Reads the series; `visit` gets the position in `series` with each block. The first error ends the scan.
    pub(super) fn scan(
        &self,
        series: &[u32],
        range: TimeRange,
        options: ScanOptions,
        visit: &mut dyn FnMut(usize, ScanBlock<'_>) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        for (nth, part) in series.chunks(SERIES_PER_SCAN).enumerate() {
            let first = nth.saturating_mul(SERIES_PER_SCAN);
            self.scan_part(part, range, options, &mut |place, block| {
                visit(first.saturating_add(place), block)
            })?;
        }
        Ok(())
    }

    fn scan_part(
        &self,
        series: &[u32],
        range: TimeRange,
        options: ScanOptions,
        visit: &mut dyn FnMut(usize, ScanBlock<'_>) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        self.watch.check()?;
        let mut pace = Pace::new(self.watch);
        let mut failure = None;
        let scanned = self.reader.scan(series, range, options, &mut |place, block| match pace
            .step()
            .and_then(|()| visit(place, block))
        {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        });
        match failure {
            Some(error) => Err(error),
            None => {
                if scanned.map_err(QueryError::Retrieval)? == Completeness::DamageLeftOut {
                    self.watch.note_damage();
                }
                Ok(())
            }
        }
    }
}
