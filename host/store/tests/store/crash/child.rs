//! What the child does: it writes until it is killed.

use std::io::Write;
use std::sync::Mutex;

use telemetry_core::admission::admit_event;
use telemetry_core::{EventDraft, JsonObject};
use telemetry_store::{Durability, RecordBatch, Store, StoreOptions};

use super::{DIRECTORY, PLACE_BITS, POWER, RUN, SAMPLES, WRITERS, batch_id, monitor};
use crate::fixture::*;

/// Batches after which a writer looks after the store.
const UPKEEP: u64 = 13;

/// Not a test: what the child does.
#[test]
#[ignore = "run by the tests above, in a process of its own"]
fn child() {
    let Ok(directory) = std::env::var(DIRECTORY) else { return };
    let run: u64 = std::env::var(RUN).unwrap().parse().unwrap();
    let durability = if std::env::var_os(POWER).is_some() { Durability::Power } else { Durability::Process };
    let options = StoreOptions { min_free_bytes: 0, durability, ..StoreOptions::in_directory(directory) };
    let fixture = Fixture::open(options);
    // A whole line at a time, past the harness, which would gather them.
    let out = Mutex::new(std::io::stdout());
    let say = |line: String| {
        let mut out = out.lock().unwrap();
        out.write_all(line.as_bytes()).unwrap();
        out.flush().unwrap();
    };
    let say = &say;
    std::thread::scope(|threads| {
        for writer in 0..WRITERS {
            let store = &fixture.store;
            threads.spawn(move || write(store, run, writer, say));
        }
        monitor::watch(&fixture.store, say);
    });
}

fn write(store: &Store, run: u64, writer: u64, say: &impl Fn(String)) {
    for number in 0.. {
        let id = batch_id(run, writer, number);
        store.append(&batch(store, id)).unwrap();
        say(format!("\nack {id} .\n"));
        match (number % UPKEEP, number % 4) {
            (7, 0) => store.seal().unwrap(),
            (7, 1) => drop(store.maintain().unwrap()),
            (7, 2) => assert!(store.sync().unwrap() > 0),
            _ => {}
        }
    }
}

/// On one of three days, so that partitions come and are brought into their final form.
fn batch(store: &Store, id: u64) -> RecordBatch {
    let second = u32::try_from(id % 5000).unwrap();
    let at = noon().minus(DAY * u32::try_from(id % 3).unwrap()).plus(SECOND * second);
    let data = JsonObject::parse(&format!("{{\"id\":{id}}}")).unwrap();
    let draft = EventDraft::new("E", "test").at(at).with_data(data);
    let event = admit_event(draft, &any_time(), store.event_ids()).unwrap();
    let value = |place: u64| i64::try_from(id << PLACE_BITS | place).unwrap();
    let samples = (0..SAMPLES)
        .map(|place| labelled("m", if id.is_multiple_of(2) { "a" } else { "b" }, at, value(place)));
    RecordBatch { events: vec![event], samples: samples.collect() }
}
