//! A store whose readers meet, or are counted.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread::ThreadId;
use std::time::Duration;

use bridge_telemetry::TimeRange;
use bridge_telemetry::aggregation::{Completeness, SampleReader, SelectedSeries};
use bridge_telemetry::query::ReadError;
use telemetry_core::{MetricSelection, ScanBlock, ScanOptions};
use telemetry_store::Store;

/// Shows nothing before so many threads look at once, or lets none go on with what it has seen before so many have.
pub(super) struct Meeting<'a> {
    store: &'a Store,
    of: usize,
    is_after: bool,
    threads: Mutex<HashSet<ThreadId>>,
    met: Condvar,
}

impl<'a> Meeting<'a> {
    /// Two threads, before they see anything.
    pub(super) fn over(store: &'a Store) -> Self {
        Self { store, of: 2, is_after: false, threads: Mutex::default(), met: Condvar::new() }
    }

    /// So many threads, after they have seen a part each.
    pub(super) fn after(store: &'a Store, of: usize) -> Self {
        Self { of, is_after: true, ..Self::over(store) }
    }

    fn meet(&self) {
        let mut threads = self.threads.lock().unwrap();
        threads.insert(std::thread::current().id());
        self.met.notify_all();
        let wait = Duration::from_secs(60);
        let (_threads, waited) =
            self.met.wait_timeout_while(threads, wait, |threads| threads.len() < self.of).unwrap();
        assert!(!waited.timed_out(), "fewer than {} threads", self.of);
    }
}

impl SampleReader for Meeting<'_> {
    fn select(
        &self,
        selection: &MetricSelection,
        range: TimeRange,
    ) -> Result<Vec<SelectedSeries>, ReadError> {
        SampleReader::select(self.store, selection, range)
    }

    fn scan(
        &self,
        series: &[u32],
        range: TimeRange,
        options: ScanOptions,
        visit: &mut dyn FnMut(usize, ScanBlock<'_>) -> ControlFlow<()>,
    ) -> Result<Completeness, ReadError> {
        if !self.is_after {
            self.meet();
        }
        let scanned = SampleReader::scan(self.store, series, range, options, visit);
        if self.is_after {
            self.meet();
        }
        scanned
    }
}

/// Counts how often somebody looks.
pub(super) struct Looks<'a> {
    pub(super) store: &'a Store,
    pub(super) count: AtomicUsize,
}

impl SampleReader for Looks<'_> {
    fn select(
        &self,
        selection: &MetricSelection,
        range: TimeRange,
    ) -> Result<Vec<SelectedSeries>, ReadError> {
        SampleReader::select(self.store, selection, range)
    }

    fn scan(
        &self,
        series: &[u32],
        range: TimeRange,
        options: ScanOptions,
        visit: &mut dyn FnMut(usize, ScanBlock<'_>) -> ControlFlow<()>,
    ) -> Result<Completeness, ReadError> {
        self.count.fetch_add(1, Ordering::Relaxed);
        SampleReader::scan(self.store, series, range, options, visit)
    }
}
