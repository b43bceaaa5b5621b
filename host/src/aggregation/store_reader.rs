//! The store as a reader of samples.

use std::ops::ControlFlow;

use telemetry_core::{MetricSelection, TimeRange};
use telemetry_store::Store;

use super::reader::{Completeness, SampleReader, ScanBlock, ScanOptions, SelectedSeries};
use crate::query::ReadError;

impl SampleReader for Store {
    fn select(
        &self,
        selection: &MetricSelection,
        range: TimeRange,
    ) -> Result<Vec<SelectedSeries>, ReadError> {
        let series = self.select_series(selection, range).map_err(ReadError::new)?;
        Ok(series.into_iter().map(|series| SelectedSeries { id: series.id, key: series.key }).collect())
    }

    fn scan(
        &self,
        series: &[u32],
        range: TimeRange,
        options: ScanOptions,
        visit: &mut dyn FnMut(usize, ScanBlock<'_>) -> ControlFlow<()>,
    ) -> Result<Completeness, ReadError> {
        let ScanOptions { digests, bucket, ordered } = options;
        let options = telemetry_store::ScanOptions { digests, bucket, ordered };
        let mut show = |place: usize, block: telemetry_store::ScanBlock<'_>| match block {
            telemetry_store::ScanBlock::Digest(digest) => visit(place, ScanBlock::Digest(digest)),
            telemetry_store::ScanBlock::Samples { timestamps, values } => {
                visit(place, ScanBlock::Samples { timestamps, values })
            }
            telemetry_store::ScanBlock::Text { timestamps } => visit(place, ScanBlock::Text { timestamps }),
        };
        let stats = Store::scan(self, series, range, options, &mut show).map_err(ReadError::new)?;
        Ok(if stats.damaged == 0 { Completeness::Whole } else { Completeness::DamageLeftOut })
    }
}
