//! Several threads that expire partitions at once.

use std::sync::{Arc, Barrier};
use std::time::Duration;

use telemetry_core::admission::{AcceptedTimes, admit_sample};
use telemetry_core::{ManualClock, MetricDraft, Timestamp};

use crate::{Class, RecordBatch, Store, StoreOptions};

const DAY: Duration = Duration::from_secs(86_400);
const DAYS: u32 = 12;
const THREADS: usize = 4;

/// A store in memory with a sample on each of some days. They lay ahead when they came, so that none was dropped at once; by now
/// they are too old.
fn old_store(max_bytes: Option<u64>) -> Store {
    let noon = Timestamp::parse("2026-03-10T12:00:00Z").unwrap();
    let clock = Arc::new(ManualClock::at(noon));
    let options = StoreOptions { background: false, max_bytes, ..StoreOptions::in_memory() };
    let retention = options.metrics_retention;
    let store = Store::open(options, Arc::clone(&clock) as _).unwrap();
    let times = AcceptedTimes { now: noon, oldest: Timestamp::MIN, newest: Timestamp::MAX };
    let sample =
        |day: u32| admit_sample(MetricDraft::new("m", 1.0).at(noon.plus(DAY * day)), &times).unwrap();
    let samples = (0..DAYS).map(sample).collect();
    store.append(&RecordBatch { samples, ..RecordBatch::default() }).unwrap();
    assert_eq!(store.engine.catalogue.all(Class::Metrics).len(), DAYS as usize);
    clock.advance(retention + DAY * (DAYS + 1));
    store
}

#[test]
fn each_partition_is_dropped_by_one_of_them() {
    for _ in 0..10 {
        let store = old_store(None);
        let start = Barrier::new(THREADS);
        let expire = || {
            start.wait();
            store.engine.expire_by_age().unwrap()
        };
        let expired: Vec<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(expire)).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(expired.len(), DAYS as usize, "{expired:?}");
        assert!(store.engine.catalogue.all(Class::Metrics).is_empty());
    }
}

#[test]
fn by_age_and_by_size_at_once() {
    for _ in 0..10 {
        // Whatever is there is too much.
        let store = old_store(Some(1));
        let start = Barrier::new(2);
        let expired: Vec<String> = std::thread::scope(|scope| {
            let by_age = scope.spawn(|| {
                start.wait();
                store.engine.expire_by_age().unwrap()
            });
            start.wait();
            let by_size = store.engine.expire_by_size().unwrap();
            by_age.join().unwrap().into_iter().chain(by_size).collect()
        });
        assert_eq!(expired.len(), DAYS as usize, "{expired:?}");
    }
}
