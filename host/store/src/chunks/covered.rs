//! One series of a partition, with rollups where they cover whole buckets, and chunks for the rest.

use std::ops::ControlFlow;

use telemetry_core::ScanBlock;

use crate::chunks::head_run::HeadRun;
use crate::chunks::scan::ScanStats;
use crate::chunks::series_scan::{PartitionScan, Visit};
use crate::error::StoreError;

impl PartitionScan<'_> {
    /// Shows the samples of one series. Series must be asked in ascending order.
    pub(crate) fn series(
        &mut self,
        series: u32,
        head: &HeadRun,
        stats: &mut ScanStats,
        visit: &mut Visit<'_>,
    ) -> Result<ControlFlow<()>, StoreError> {
        if self.states.is_some() {
            return self.series_by_states(series, head, stats, visit);
        }
        let whole = (self.first, self.last);
        let Some(rollups) = &mut self.rollups else { return self.stretch(series, head, stats, visit) };
        let mut covered = rollups.covered(self.sight.database, self.partition, series, whole)?;
        if self.options.ordered {
            // A digest must stand alone in its time.
            covered.retain(|covered| head.part(covered.first, covered.last).is_empty());
        }
        if covered.is_empty() {
            return self.stretch(series, head, stats, visit);
        }
        let shown = self.series_around(series, head, &covered, stats, visit);
        (self.first, self.last) = whole;
        // Of the next series the chunks are looked for anew.
        self.started = false;
        shown
    }

    fn series_around(
        &mut self,
        series: u32,
        head: &HeadRun,
        covered: &[crate::rollups::Covered],
        stats: &mut ScanStats,
        visit: &mut Visit<'_>,
    ) -> Result<ControlFlow<()>, StoreError> {
        let (mut from, last) = (self.first, self.last);
        for covered in covered {
            if from < covered.first {
                let before = (from, covered.first.saturating_sub(1));
                if self.gap(series, before, head, stats, visit)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            for digest in &covered.buckets {
                stats.rollups = stats.rollups.saturating_add(1);
                stats.samples = stats.samples.saturating_add(digest.count);
                if visit(ScanBlock::Digest(digest)).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            if self.show_head(head.part(covered.first, covered.last), stats, visit).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            match covered.last.checked_add(1) {
                Some(after) => from = after,
                None => return Ok(ControlFlow::Continue(())),
            }
        }
        if from > last {
            return Ok(ControlFlow::Continue(()));
        }
        self.gap(series, (from, last), head, stats, visit)
    }

    /// Shows what chunks and head hold of a time that no rollup covers.
    pub(super) fn gap(
        &mut self,
        series: u32,
        time: (i64, i64),
        head: &HeadRun,
        stats: &mut ScanStats,
        visit: &mut Visit<'_>,
    ) -> Result<ControlFlow<()>, StoreError> {
        (self.first, self.last) = time;
        self.started = false;
        self.stretch(series, head, stats, visit)
    }
}
