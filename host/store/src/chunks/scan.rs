//! Scans: the samples of many series over a range, from chunks and heads, each series as of one moment.

use std::ops::ControlFlow;
use std::sync::Arc;

use telemetry_core::{ScanBlock, ScanOptions, TimeRange};

use crate::chunks::head_run::HeadRun;
use crate::chunks::series_scan::{PartitionScan, Sight};
use crate::engine::Engine;
use crate::error::StoreError;
use crate::families::{Class, Partition};
use crate::head::Series;

/// Series whose heads are copied at a time: bounds the copies' memory, and how long they keep sealing waiting.
const SERIES_AT_A_TIME: usize = 1024;

/// What a scan took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanStats {
    /// Chunks looked at.
    pub chunks: u64,
    /// Chunks that were shown as their digest.
    pub digests: u64,
    /// Buckets of rollups that were shown.
    pub rollups: u64,
    /// Kept states that were shown.
    pub states: u64,
    /// Kept states that are damaged; chunks were shown instead.
    pub damaged_states: u64,
    /// Chunks that were decoded.
    pub decoded: u64,
    /// Chunks whose samples were at hand decoded.
    pub cached: u64,
    /// Samples shown, those within digests included.
    pub samples: u64,
    /// Damaged chunks that were left out; [`crate::StoreStats::reports`] names them.
    pub damaged: u64,
}

impl Engine {
    /// Shows the samples of `series` within `range` to `visit`, with the index into `series`. A break ends the scan.
    pub(crate) fn scan(
        &self,
        series: &[u32],
        range: TimeRange,
        options: ScanOptions,
        visit: &mut dyn FnMut(usize, ScanBlock<'_>) -> ControlFlow<()>,
    ) -> Result<ScanStats, StoreError> {
        let mut stats = ScanStats::default();
        if range.is_reversed() {
            return Ok(stats);
        }
        let mut wanted: Vec<(u32, usize)> =
            series.iter().enumerate().map(|(index, id)| (*id, index)).collect();
        wanted.sort_unstable();
        for part in wanted.chunks(SERIES_AT_A_TIME) {
            if self.scan_part(part, range, options, &mut stats, visit)?.is_break() {
                break;
            }
        }
        Ok(stats)
    }

    fn scan_part(
        &self,
        wanted: &[(u32, usize)],
        range: TimeRange,
        options: ScanOptions,
        stats: &mut ScanStats,
        visit: &mut dyn FnMut(usize, ScanBlock<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, StoreError> {
        let (first, last) = (range.first().nanos(), range.last().nanos());
        // Chunks and heads as of one moment: nothing is sealed in between.
        let (snapshot, moment, partitions, heads) = {
            // Before the view, as appending takes them.
            let active = self.registry.read();
            let _view = self.view.read();
            let partitions: Vec<Arc<Partition>> = self.catalogue.covering(Class::Metrics, &range);
            let heads: Vec<(&[(u32, usize)], HeadRun)> = wanted
                .chunk_by(|one, two| one.0 == two.0)
                .map(|same| {
                    (
                        same,
                        same.first()
                            .and_then(|(id, _)| active.by_id(*id))
                            .map_or_else(HeadRun::default, |series| self.head_run(series, first, last)),
                    )
                })
                .collect();
            (self.database.snapshot(), self.chunk_cache.moment(), partitions, heads)
        };
        let sight = Sight { database: &self.database, snapshot: &snapshot, cache: &self.chunk_cache, moment };
        for partition in &partitions {
            let Some(mut scan) = PartitionScan::new(sight, partition, (first, last), options) else {
                continue;
            };
            for (same, head) in &heads {
                let Some((id, _)) = same.first() else { continue };
                let mut show =
                    |block: ScanBlock<'_>| same.iter().try_for_each(|(_, index)| visit(*index, block));
                if scan.series(*id, head, stats, &mut show)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn head_run(&self, series: &Series, first: i64, last: i64) -> HeadRun {
        let samples = {
            let head = series.head();
            if !head.meets(first, last, &self.ledger) {
                return HeadRun::default();
            }
            head.copy_visible(&self.ledger).0
        };
        HeadRun::new(&samples, first, last)
    }
}
