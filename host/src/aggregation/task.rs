//! What is to be worked out of one metric.

use std::ops::ControlFlow;

use telemetry_core::aggregation::{Accumulator, AccumulatorsAtOnce};
use telemetry_core::extension::{FailureReason, PluginFailure};
use telemetry_core::{ScanBlock, ScanOptions, TimeRange, limits};

use super::kept::KeptUse;
use super::parallel::{Crew, Helpers, Parts, Role};
use super::reader::{Completeness, SampleReader};
use super::registry::BoundAggregation;
use super::stop::Stop;
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
    /// What the thread that works on it is to the query.
    pub(super) role: Role,
    /// Parts into which the series may be split: each has an accumulator.
    pub(super) parts: Parts,
}

impl<'a> Task<'a> {
    /// The same for another of its threads.
    pub(super) fn in_role(&self, role: Role) -> Self {
        Self { role, ..*self }
    }

    /// The threads that may work on it.
    pub(super) fn crew(&self) -> Crew<'a> {
        let most = self.aggregation.at_once().threads();
        Crew { helpers: self.helpers, watch: self.watch, role: self.role, most }
    }

    /// Whether there are few accumulators, so that a thread must give one up before it takes another.
    pub(super) fn has_few_accumulators(&self) -> bool {
        self.aggregation.at_once() != AccumulatorsAtOnce::Unlimited
    }

    /// An empty accumulator; a thread that only helps takes none that others wait for.
    pub(super) fn accumulator(&self) -> Result<Box<dyn Accumulator>, Stop> {
        let accumulator = match self.role {
            Role::Asker => self.awaited_accumulator()?,
            Role::Helper => self.aggregation.spare_accumulator()?.ok_or(Stop::GaveWay)?,
        };
        self.watch.note_begun();
        Ok(accumulator)
    }

    /// One that it waits for: as long as the function says at first, and until the query's own end once it has begun, since a thread
    /// gives one up before it takes another, and others take it meanwhile.
    fn awaited_accumulator(&self) -> Result<Box<dyn Accumulator>, QueryError> {
        loop {
            match self.aggregation.accumulator() {
                Err(QueryError::Plugin {
                    failure: PluginFailure { reason: FailureReason::Busy(waited), .. },
                    ..
                }) if self.watch.has_begun() => {
                    self.watch.check()?;
                    std::thread::sleep(limits::BUSY_PAUSE.saturating_sub(waited));
                }
                outcome => return outcome,
            }
        }
    }

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

    /// Reads the series; `visit` gets the position in `series` with each block. The first reason to stop ends the scan.
    pub(super) fn scan(
        &self,
        series: &[u32],
        range: TimeRange,
        options: ScanOptions,
        visit: &mut dyn FnMut(usize, ScanBlock<'_>) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
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
        visit: &mut dyn FnMut(usize, ScanBlock<'_>) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        self.watch.check()?;
        let mut pace = Pace::new(self.watch);
        let mut reason = None;
        let scanned = self.reader.scan(series, range, options, &mut |place, block| match pace
            .step()
            .map_err(Stop::from)
            .and_then(|()| visit(place, block))
        {
            Ok(()) => ControlFlow::Continue(()),
            Err(stop) => {
                reason = Some(stop);
                ControlFlow::Break(())
            }
        });
        match reason {
            Some(stop) => Err(stop),
            None => {
                if scanned.map_err(QueryError::Retrieval)? == Completeness::DamageLeftOut {
                    self.watch.note_damage();
                }
                Ok(())
            }
        }
    }
}
