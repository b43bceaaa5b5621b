//! One series of a partition, with kept states where they cover whole buckets, and chunks for the rest.

use std::ops::ControlFlow;

use telemetry_core::ScanBlock;

use crate::chunks::head_run::HeadRun;
use crate::chunks::scan::ScanStats;
use crate::chunks::series_scan::{PartitionScan, Visit};
use crate::error::StoreError;
use crate::rollups::CoveredState;

impl PartitionScan<'_> {
    /// Shows the samples of one series, in no order. Series must be asked in ascending order.
    pub(super) fn series_by_states(
        &mut self,
        series: u32,
        head: &HeadRun,
        stats: &mut ScanStats,
        visit: &mut Visit<'_>,
    ) -> Result<ControlFlow<()>, StoreError> {
        let whole = (self.first, self.last);
        let Some(states) = &mut self.states else { return self.stretch(series, head, stats, visit) };
        let covered = states.covered(self.sight.database, self.partition, series, whole, stats)?;
        if covered.is_empty() {
            return self.stretch(series, head, stats, visit);
        }
        let shown = self.series_around_states(series, head, &covered, stats, visit);
        (self.first, self.last) = whole;
        // Of the next series the chunks are looked for anew.
        self.started = false;
        shown
    }

    fn series_around_states(
        &mut self,
        series: u32,
        head: &HeadRun,
        covered: &[CoveredState],
        stats: &mut ScanStats,
        visit: &mut Visit<'_>,
    ) -> Result<ControlFlow<()>, StoreError> {
        let (mut from, last) = (self.first, self.last);
        for CoveredState { first, last: end, kept } in covered {
            if from < *first
                && self.gap(series, (from, first.saturating_sub(1)), head, stats, visit)?.is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
            stats.states = stats.states.saturating_add(1);
            stats.samples = stats.samples.saturating_add(kept.count);
            if visit(ScanBlock::State(kept)).is_break()
                || self.show_head(head.part(*first, *end), stats, visit).is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
            match end.checked_add(1) {
                Some(after) => from = after,
                None => return Ok(ControlFlow::Continue(())),
            }
        }
        if from > last {
            return Ok(ControlFlow::Continue(()));
        }
        self.gap(series, (from, last), head, stats, visit)
    }
}
