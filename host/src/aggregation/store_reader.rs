//! The store as a reader of samples.

use std::ops::ControlFlow;

use telemetry_core::{MetricSelection, ScanBlock, ScanOptions, TimeRange};
use telemetry_store::{SeriesRef, Store};

use super::reader::{Completeness, SampleReader, SelectedSeries};
use crate::query::ReadError;

impl SampleReader for Store {
    fn select(
        &self,
        selection: &MetricSelection,
        range: TimeRange,
    ) -> Result<Vec<SelectedSeries>, ReadError> {
        let series = self.select_series(selection, range).map_err(ReadError::new)?;
        let selected = |SeriesRef { id, key, overflow }| SelectedSeries { id, key, overflow };
        Ok(series.into_iter().map(selected).collect())
    }

    fn scan(
        &self,
        series: &[u32],
        range: TimeRange,
        options: ScanOptions,
        visit: &mut dyn FnMut(usize, ScanBlock<'_>) -> ControlFlow<()>,
    ) -> Result<Completeness, ReadError> {
        let stats = Store::scan(self, series, range, options, visit).map_err(ReadError::new)?;
        Ok(if stats.damaged == 0 { Completeness::Whole } else { Completeness::DamageLeftOut })
    }
}
