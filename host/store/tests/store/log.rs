//! The durable log: every record once and in order, from any place, until it is cut.

use std::time::Duration;

use telemetry_core::admission::admit_event;
use telemetry_core::{EventDraft, JsonObject};
use telemetry_store::{Checkpoint, LogBody, RecordBatch, StoreOptions};

use crate::fixture::*;

fn cursor(monitor: &str, next_sequence: u64) -> Checkpoint {
    Checkpoint { monitor: monitor.to_owned(), next_sequence, ..Checkpoint::default() }
}

#[test]
fn events_samples_and_ticks_share_one_order() {
    let fixture = Fixture::in_memory();
    let events = vec![fixture.event("A", noon()), fixture.event("B", noon().plus(SECOND))];
    let samples = run_of("m", noon(), 3);
    let appended = fixture.store.append(&RecordBatch { events, samples }).unwrap();
    assert_eq!(appended.first_sequence, 1);
    assert_eq!(fixture.store.append_tick(noon()).unwrap(), 6);
    assert_eq!(fixture.store.last_sequence(), 6);
    let shown: Vec<String> = fixture.store.read_log(1, 100).unwrap().iter().map(show).collect();
    assert_eq!(shown, ["1-3 events A B", "3-6 samples 0 1 2", "6-7 tick"]);
    let shown: Vec<String> = fixture.store.read_log(2, 2).unwrap().iter().map(show).collect();
    assert_eq!(shown, ["2-3 events B", "3-4 samples 0"]);
    assert!(fixture.store.read_log(7, 100).unwrap().is_empty());
    assert!(fixture.store.wait_for(6, Duration::ZERO) && !fixture.store.wait_for(7, Duration::ZERO));
}

fn show(entry: &telemetry_store::LogEntry) -> String {
    let body = match &entry.body {
        LogBody::Events(batch) => {
            assert_eq!(batch.first_sequence, entry.first_sequence);
            let types: Vec<&str> = batch.rows().map(|row| row.event_type).collect();
            format!("events {}", types.join(" "))
        }
        LogBody::Samples(batch) => {
            let values: Vec<String> = batch.values().iter().map(f64::to_string).collect();
            format!("samples {}", values.join(" "))
        }
        LogBody::Tick(_) => "tick".to_owned(),
        LogBody::Gap => "gap".to_owned(),
        _ => "?".to_owned(),
    };
    format!("{}-{} {body}", entry.first_sequence, entry.next_sequence)
}

#[test]
fn texts_are_shown_in_their_place_as_nan() {
    let fixture = Fixture::in_memory();
    let samples = vec![
        sample("m", noon(), "t"),
        sample("m", noon(), 1.0),
        sample("n", noon(), 2.0),
        sample("only texts", noon(), "u"),
        sample("m", noon(), "v"),
        sample("m", noon(), 3.0),
    ];
    fixture.samples(samples);
    fixture.samples(vec![sample("m", noon(), "w")]);
    let shown = |from, most| fixture.store.read_log(from, most).unwrap().iter().map(show).collect::<Vec<_>>();
    assert_eq!(shown(1, 100), ["1-7 samples NaN 1 2 NaN NaN 3", "7-8 samples NaN"]);
    assert_eq!(shown(4, 2), ["4-6 samples NaN NaN"], "no more than there is room for");
    let entries = fixture.store.read_log(1, 6).unwrap();
    let LogBody::Samples(batch) = &entries[0].body else { panic!("{entries:?}") };
    let names: Vec<&str> = batch.rows().map(|row| row.name).collect();
    assert_eq!(names, ["m", "m", "n", "only texts", "m", "m"]);
    assert_eq!(batch.series_count(), 3);
}

#[test]
fn cut_below_what_is_sealed_and_read() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::in_directory(directory.path());
    for part in 0..30 {
        fixture.samples(run_of("m", noon().plus(SECOND * 1000 * part), 1000));
    }
    fixture.store.commit_checkpoint(&cursor("slow", 15_500)).unwrap();
    fixture.store.commit_checkpoint(&cursor("quick", 30_001)).unwrap();
    fixture.store.seal().unwrap();
    let stats = fixture.store.stats();
    assert_eq!(stats.sealed_sequence, 30_000);
    assert_eq!(stats.trimmed_sequence, 15_000, "whole rows, and nothing that the slow one still needs");
    let entries = fixture.store.read_log(15_500, 1000).unwrap();
    assert_eq!(show(&entries[0]).split(' ').next(), Some("15500-16001"));
    let entries = fixture.store.read_log(1, 10).unwrap();
    assert_eq!(show(&entries[0]), "1-15001 gap");
    assert_eq!(entries[1].first_sequence, 15_001);
    let fixture = fixture.reopen();
    assert_eq!(fixture.store.stats().trimmed_sequence, 15_000);
    assert_eq!(show(&fixture.store.read_log(1, 10).unwrap()[0]), "1-15001 gap");
    assert_eq!(fixture.store.last_sequence(), 30_000);
    fixture.store.remove_monitor("slow", &Default::default()).unwrap();
    fixture.samples(run_of("m", noon().plus(DAY), 1));
    fixture.store.seal().unwrap();
    assert_eq!(fixture.store.stats().trimmed_sequence, 30_000);
    assert_eq!(fixture.store.last_sequence(), 30_001);
}

#[test]
fn at_its_limit_a_slow_reader_loses_records_and_is_told() {
    let fixture = Fixture::open(StoreOptions {
        background: false,
        max_log_bytes: 2 << 20,
        ..StoreOptions::in_memory()
    });
    fixture.store.commit_checkpoint(&cursor("stuck", 1)).unwrap();
    for part in 0..600 {
        fixture.samples(run_of("m", noon().plus(SECOND * 1000 * part), 1000));
    }
    fixture.store.seal().unwrap();
    let stats = fixture.store.stats();
    assert!(stats.log_bytes <= 3 << 20, "{} bytes", stats.log_bytes);
    assert!(stats.reports.iter().any(|report| report.contains("stuck")), "{:?}", stats.reports);
    let entries = fixture.store.read_log(1, 10).unwrap();
    assert_eq!(entries[0].body, LogBody::Gap);
    assert_eq!(entries[0].next_sequence, stats.trimmed_sequence + 1);
}

#[test]
fn never_cut_above_the_watermark() {
    let fixture =
        Fixture::open(StoreOptions { background: false, max_log_bytes: 1000, ..StoreOptions::in_memory() });
    fixture.samples(vec![sample("still open", noon(), 1.0)]);
    for part in 0..30 {
        fixture.samples(run_of("m", noon().plus(SECOND * 1000 * part), 1000));
    }
    fixture.store.maintain().unwrap();
    let stats = fixture.store.stats();
    assert!(stats.trimmed_sequence <= stats.sealed_sequence, "{stats:?}");
    assert_eq!(stats.last_sequence, 30_001);
}

#[test]
fn expired_events_leave_a_gap() {
    let fixture = Fixture::in_memory();
    fixture.events(vec![fixture.event("OLD", noon().minus(DAY * 6)), fixture.event("NEW", noon())]);
    fixture.clock.advance(DAY * 3);
    let expired = fixture.store.maintain().unwrap().expired_partitions;
    assert_eq!(expired, ["e.20260304"]);
    let shown: Vec<String> = fixture.store.read_log(1, 100).unwrap().iter().map(show).collect();
    assert_eq!(shown, ["1-2 gap", "2-3 events NEW"]);
}

#[test]
fn a_reading_of_expired_events_ends_like_any_other() {
    let fixture = Fixture::in_memory();
    let old = |n: u32| fixture.event("OLD", noon().minus(DAY * 6).plus(SECOND * n));
    for part in 0..5 {
        fixture.events((0..20).map(|n| old(20 * part + n)).collect());
    }
    fixture.events(vec![fixture.event("NEW", noon()), old(200), fixture.event("NEW", noon())]);
    fixture.clock.advance(DAY * 3);
    fixture.store.maintain().unwrap();
    let shown = |from, most| fixture.store.read_log(from, most).unwrap().iter().map(show).collect::<Vec<_>>();
    assert_eq!(shown(1, 30), ["1-31 gap"], "over the end of a row");
    assert_eq!(shown(31, 10), ["31-41 gap"]);
    assert_eq!(shown(95, 7), ["95-101 gap", "101-102 events NEW"]);
    assert_eq!(shown(101, 2), ["101-102 events NEW", "102-103 gap"]);
    assert_eq!(shown(1, 1000), ["1-101 gap", "101-102 events NEW", "102-103 gap", "103-104 events NEW"]);
}

#[test]
fn large_events_come_in_several_readings() {
    let fixture = Fixture::in_memory();
    let large = "x".repeat(1 << 20);
    let event = |number: usize| {
        let data = serde_json::Map::from_iter([("text".to_owned(), large.clone().into())]);
        let draft = EventDraft::new(format!("E{number}"), "test").with_data(JsonObject::from(&data));
        admit_event(draft, &any_time(), fixture.store.event_ids()).unwrap()
    };
    fixture.events((0..6).map(event).collect());
    fixture.events(vec![fixture.event("SMALL", noon())]);
    let shown = |from| fixture.store.read_log(from, 100).unwrap().iter().map(show).collect::<Vec<_>>();
    assert_eq!(shown(1), ["1-5 events E0 E1 E2 E3"]);
    assert_eq!(shown(5), ["5-7 events E4 E5", "7-8 events SMALL"]);
}
