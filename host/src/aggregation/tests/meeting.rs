//! Threads that wait for each other, so that what happens to several at once does happen.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::{Condvar, Mutex};
use std::thread::ThreadId;
use std::time::Duration;

use telemetry_core::{MetricSelection, ScanBlock, ScanOptions, TimeRange};

use super::memory::MemoryReader;
use crate::aggregation::{Completeness, SampleReader, SelectedSeries};
use crate::query::ReadError;

/// A place from which nobody goes on before so many threads have come there.
pub(in crate::aggregation) struct Meeting {
    of: usize,
    threads: Mutex<HashSet<ThreadId>>,
    met: Condvar,
}

impl Meeting {
    pub(in crate::aggregation) fn of(threads: usize) -> Self {
        Self { of: threads, threads: Mutex::default(), met: Condvar::new() }
    }

    /// Waits for the others.
    pub(in crate::aggregation) fn come(&self) {
        let mut threads = self.threads.lock().unwrap();
        threads.insert(std::thread::current().id());
        self.met.notify_all();
        let wait = Duration::from_secs(60);
        let (threads, waited) =
            self.met.wait_timeout_while(threads, wait, |threads| threads.len() < self.of).unwrap();
        assert!(!waited.timed_out(), "{} threads and not {}", threads.len(), self.of);
    }

    /// Threads that have come.
    pub(in crate::aggregation) fn count(&self) -> usize {
        self.threads.lock().unwrap().len()
    }
}

/// A reader whose threads meet before they see samples, and after they have seen them.
pub(super) struct Gathering<'a> {
    pub(super) reader: &'a MemoryReader,
    pub(super) before: Meeting,
    pub(super) after: Meeting,
}

impl SampleReader for Gathering<'_> {
    fn select(
        &self,
        selection: &MetricSelection,
        range: TimeRange,
    ) -> Result<Vec<SelectedSeries>, ReadError> {
        self.reader.select(selection, range)
    }

    fn scan(
        &self,
        series: &[u32],
        range: TimeRange,
        options: ScanOptions,
        visit: &mut dyn FnMut(usize, ScanBlock<'_>) -> ControlFlow<()>,
    ) -> Result<Completeness, ReadError> {
        self.before.come();
        let scanned = self.reader.scan(series, range, options, visit);
        self.after.come();
        scanned
    }
}
