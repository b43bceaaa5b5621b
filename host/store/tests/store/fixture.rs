//! What the tests share: a store under a manual clock, and short ways to make and read records.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use telemetry_core::admission::{AcceptedTimes, admit_event, admit_sample};
use telemetry_core::{
    AdmittedEvent, AdmittedSample, Context, EventDraft, ManualClock, MetricDraft, MetricSelection,
    MetricValue, ScanBlock, ScanOptions, TimeRange, Timestamp,
};
use telemetry_store::{RecordBatch, Store, StoreOptions};

pub const SECOND: Duration = Duration::from_secs(1);
pub const MINUTE: Duration = Duration::from_secs(60);
pub const HOUR: Duration = Duration::from_secs(3600);
pub const DAY: Duration = Duration::from_secs(86_400);

/// Noon, so that an hour more or less stays on the day.
pub fn noon() -> Timestamp {
    Timestamp::parse("2026-03-10T12:00:00Z").unwrap()
}

pub struct Fixture {
    pub clock: Arc<ManualClock>,
    pub store: Store,
    pub options: StoreOptions,
}

impl Fixture {
    pub fn in_memory() -> Self {
        Self::open(StoreOptions { background: false, ..StoreOptions::in_memory() })
    }

    pub fn in_directory(directory: &Path) -> Self {
        Self::open(StoreOptions {
            background: false,
            min_free_bytes: 0,
            ..StoreOptions::in_directory(directory)
        })
    }

    pub fn open(options: StoreOptions) -> Self {
        let clock = Arc::new(ManualClock::at(noon()));
        let store = Store::open(options.clone(), Arc::clone(&clock) as _).unwrap();
        Self { clock, store, options }
    }

    /// Closes the store and opens it again.
    pub fn reopen(self) -> Self {
        let Self { clock, store, options } = self;
        drop(store);
        let store = Store::open(options.clone(), Arc::clone(&clock) as _).unwrap();
        Self { clock, store, options }
    }

    pub fn samples(&self, samples: Vec<AdmittedSample>) -> telemetry_store::Appended {
        self.store.append(&RecordBatch { samples, ..RecordBatch::default() }).unwrap()
    }

    pub fn events(&self, events: Vec<AdmittedEvent>) -> telemetry_store::Appended {
        self.store.append(&RecordBatch { events, ..RecordBatch::default() }).unwrap()
    }

    pub fn event(&self, event_type: &str, at: Timestamp) -> AdmittedEvent {
        admit_event(EventDraft::new(event_type, "test").at(at), &any_time(), self.store.event_ids()).unwrap()
    }
}

/// Admission that accepts every instant.
pub fn any_time() -> AcceptedTimes {
    AcceptedTimes { now: noon(), oldest: Timestamp::MIN, newest: Timestamp::MAX }
}

pub fn sample(name: &str, at: Timestamp, value: impl Into<MetricValue>) -> AdmittedSample {
    admit_sample(MetricDraft::new(name, value).at(at), &any_time()).unwrap()
}

pub fn labelled(name: &str, host: &str, at: Timestamp, value: impl Into<MetricValue>) -> AdmittedSample {
    let context = Context::from_labels([("host", host)]);
    admit_sample(MetricDraft::new(name, value).with_context(context).at(at), &any_time()).unwrap()
}

/// `count` samples of one metric, a second apart, with values 0, 1, 2 …
pub fn run_of(name: &str, from: Timestamp, count: u64) -> Vec<AdmittedSample> {
    (0..count).map(|n| sample(name, from.plus(SECOND * u32::try_from(n).unwrap()), n as f64)).collect()
}

/// The ids of the series of a metric.
pub fn series_of(store: &Store, name: &str) -> Vec<u32> {
    let selection = MetricSelection { names: Some(vec![name.to_owned()]), filters: Vec::new() };
    store.select_series(&selection, TimeRange::ALL).unwrap().into_iter().map(|series| series.id).collect()
}

/// All numeric samples of a metric, in the order in which an ordered scan shows them.
pub fn values_of(store: &Store, name: &str) -> Vec<(i64, f64)> {
    let mut found = Vec::new();
    let options = ScanOptions { ordered: true, ..ScanOptions::default() };
    for id in series_of(store, name) {
        store
            .scan(&[id], TimeRange::ALL, options, &mut |_, block| {
                if let ScanBlock::Samples { timestamps, values } = block {
                    assert_eq!(timestamps.len(), values.len());
                    found.extend(timestamps.iter().copied().zip(values.iter().copied()));
                }
                ControlFlow::Continue(())
            })
            .unwrap();
    }
    found
}

/// How many samples, texts included, a metric has.
pub fn count_of(store: &Store, name: &str) -> u64 {
    let mut count = 0;
    let options = ScanOptions { digests: true, ..ScanOptions::default() };
    store
        .scan(&series_of(store, name), TimeRange::ALL, options, &mut |_, block| {
            count += match block {
                ScanBlock::Digest(digest) => digest.count,
                ScanBlock::State(kept) => kept.count,
                ScanBlock::Samples { timestamps, .. } | ScanBlock::Text { timestamps } => {
                    timestamps.len() as u64
                }
            };
            ControlFlow::Continue(())
        })
        .unwrap();
    count
}
