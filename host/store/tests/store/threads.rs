//! Many threads at once: nothing is lost, doubled or seen out of order.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use telemetry_store::{Durability, LogBody, RecordBatch, StoreOptions};

use crate::fixture::*;

const WRITERS: u64 = 4;
const CALLS: u64 = 300;

/// Writers, a reader of the log, a scanner and maintenance, all at once.
fn hammer(fixture: &Fixture) {
    let done = AtomicBool::new(false);
    let read = AtomicU64::new(0);
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            scope.spawn(move || write(fixture, writer));
        }
        scope.spawn(|| read_log(fixture, &read));
        scope.spawn(|| {
            let mut before = 0;
            while !done.load(Ordering::Relaxed) {
                let count = count_of(&fixture.store, "m");
                assert!(count >= before, "a scan saw {count} after {before}");
                before = count;
            }
        });
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                fixture.store.seal().unwrap();
                fixture.store.maintain().unwrap();
            }
        });
        while read.load(Ordering::Relaxed) < WRITERS * CALLS * 3 {
            thread::yield_now();
        }
        done.store(true, Ordering::Relaxed);
    });
}

fn write(fixture: &Fixture, writer: u64) {
    let mut ids = HashSet::new();
    for call in 0..CALLS {
        // Every writer, and often several, at the same instants: ordinals must not clash.
        let at = noon().plus(Duration::from_secs(call % 50));
        let samples = vec![
            sample("m", at, (writer * CALLS + call) as f64),
            labelled("m", &format!("host {}", call % 7), at, call as f64),
        ];
        let batch = RecordBatch { events: vec![fixture.event("E", at)], samples };
        let appended = fixture.store.append(&batch).unwrap();
        assert!(fixture.store.last_sequence() >= appended.first_sequence + 2, "read what you wrote");
        for id in appended.sample_ids {
            assert!(ids.insert(id));
            assert!(fixture.store.find(id).unwrap().is_some());
        }
    }
}

fn read_log(fixture: &Fixture, read: &AtomicU64) {
    let mut next = 1;
    let mut records = 0;
    while records < WRITERS * CALLS * 3 {
        fixture.store.wait_for(next, Duration::from_secs(60));
        for entry in fixture.store.read_log(next, 50).unwrap() {
            assert_eq!(entry.first_sequence, next, "no record is skipped");
            records += match &entry.body {
                LogBody::Events(batch) => batch.len() as u64,
                LogBody::Samples(batch) => batch.len() as u64,
                body => panic!("{body:?}"),
            };
            next = entry.next_sequence;
            read.store(records, Ordering::Relaxed);
        }
    }
}

fn check(fixture: &Fixture) {
    let total = WRITERS * CALLS;
    assert_eq!(fixture.store.last_sequence(), total * 3);
    assert_eq!(count_of(&fixture.store, "m"), total * 2);
    let stats = fixture.store.stats();
    assert_eq!((stats.metrics_total, stats.events_total), (total * 2, total));
    assert_eq!(stats.reports, Vec::<String>::new());
}

#[test]
fn process_durability() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::in_directory(directory.path());
    hammer(&fixture);
    check(&fixture);
    check(&fixture.reopen());
}

#[test]
fn power_durability() {
    let directory = tempfile::tempdir().unwrap();
    let options =
        StoreOptions { durability: Durability::Power, ..StoreOptions::in_directory(directory.path()) };
    let fixture = Fixture::open(StoreOptions { background: false, min_free_bytes: 0, ..options });
    hammer(&fixture);
    check(&fixture);
    check(&fixture.reopen());
}

/// A chunk must not hold more of a series than its seal note says: what is above the note is replayed into the head.
#[test]
fn a_seal_under_writing_counts_nothing_twice() {
    const SERIES: u64 = 100;
    let directory = tempfile::tempdir().unwrap();
    let mut fixture = Fixture::in_directory(directory.path());
    let written = AtomicU64::new(0);
    for round in 0..10 {
        let (sealed, begun) = (AtomicBool::new(false), AtomicU64::new(0));
        thread::scope(|scope| {
            scope.spawn(|| {
                while !sealed.load(Ordering::Acquire) {
                    let samples =
                        (0..SERIES).map(|n| labelled("m", &format!("host {n}"), noon(), n as f64)).collect();
                    fixture.samples(samples);
                    written.fetch_add(SERIES, Ordering::Relaxed);
                    begun.fetch_add(1, Ordering::Release);
                }
            });
            while begun.load(Ordering::Acquire) < 20 {
                thread::yield_now();
            }
            fixture.store.seal().unwrap();
            sealed.store(true, Ordering::Release);
        });
        fixture = fixture.reopen();
        assert_eq!(count_of(&fixture.store, "m"), written.load(Ordering::Relaxed), "round {round}");
    }
}
