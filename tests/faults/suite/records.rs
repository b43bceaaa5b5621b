//! What the tests write, batch by batch, and how they find it again.
//!
//! Batch `n` is seven numbers of the metric `m`, one text of the metric `t`, an event with a given id that holds `n` and one
//! whose id the store makes. Every number says which batch it belongs to, and at which place.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use telemetry_core::admission::{AcceptedTimes, admit_event, admit_sample};
use telemetry_core::{
    Context, EventDraft, EventQuery, JsonObject, ManualClock, MetricDraft, MetricSelection, MetricValue,
    ScanBlock, ScanOptions, TimeRange, Timestamp,
};
use telemetry_store::{Durability, LogBody, OpenError, RecordBatch, Store, StoreOptions, StoredRecord};
use uuid::Uuid;

/// Numbers of a batch.
const NUMBERS: u64 = 7;
/// Numbers, text and two events.
const RECORDS: u64 = NUMBERS + 3;
/// Two to its power are the values of one batch.
const PLACE_BITS: u64 = 3;
/// So small that write buffers are flushed now and then.
const MEMORY_BYTES: u64 = 1 << 20;
const GIVEN: &str = "GIVEN";

fn noon() -> Timestamp {
    Timestamp::parse("2026-03-10T12:00:00Z").unwrap()
}

/// Opens the store of a folder.
pub fn open(folder: &Path, durability: Durability, background: bool) -> Result<Store, OpenError> {
    let options = StoreOptions {
        durability,
        background,
        min_free_bytes: 0,
        memory_bytes: MEMORY_BYTES,
        ..StoreOptions::in_directory(folder)
    };
    Store::open(options, Arc::new(ManualClock::at(noon())))
}

fn given_id(number: u64) -> Uuid {
    // The version's four bits stand in between.
    let high = (number >> 12) << 16 | (number & 0xFFF);
    Uuid::new_v8((u128::from(high) << 64).to_be_bytes())
}

fn number_of(id: Uuid) -> u64 {
    let (high, _) = id.as_u64_pair();
    (high >> 16) << 12 | (high & 0xFFF)
}

/// Batch `number`.
pub fn batch(store: &Store, number: u64) -> RecordBatch {
    let times = AcceptedTimes { now: noon(), oldest: Timestamp::MIN, newest: Timestamp::MAX };
    let day = Duration::from_secs(86_400 * (number % 3));
    let at = noon().minus(day).plus(Duration::from_secs(number % 977));
    let host = (number % 5).to_string();
    let host = Context::from_labels([("host", host.as_str())]);
    let sample = |name: &str, value: MetricValue| {
        admit_sample(MetricDraft::new(name, value).with_context(host.clone()).at(at), &times).unwrap()
    };
    let mut samples: Vec<_> = (0..NUMBERS)
        .map(|place| sample("m", MetricValue::Integer((number << PLACE_BITS | place).cast_signed())))
        .collect();
    let some = |most: u64| "text".repeat(usize::try_from(number.wrapping_mul(7919) % most).unwrap());
    samples.push(sample("t", MetricValue::Text(some(200).into())));
    let event = |draft: EventDraft| admit_event(draft.at(at), &times, store.event_ids()).unwrap();
    let data = serde_json::json!({"text": some(4000)});
    let data = JsonObject::from(data.as_object().unwrap());
    let events = vec![
        event(EventDraft::new(GIVEN, "faults").with_id(given_id(number))),
        event(EventDraft::new("MADE", "faults").with_data(data)),
    ];
    RecordBatch { events, samples }
}

/// The batches that the store has. Fails unless each of them is whole and there once, by every way of looking.
pub fn batches_in(store: &Store) -> BTreeSet<u64> {
    let (numbers, texts) = (values(store), count(store, "t"));
    let mut places: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    for value in &numbers {
        let place = value & ((1 << PLACE_BITS) - 1);
        let new = places.entry(value >> PLACE_BITS).or_default().insert(place);
        assert!(new, "value {value} is there twice");
    }
    for (number, places) in &places {
        assert_eq!(places.len() as u64, NUMBERS, "batch {number} is torn");
    }
    let found: BTreeSet<u64> = places.into_keys().collect();
    let batches = found.len() as u64;
    assert_eq!((texts, count(store, "m")), (batches, batches * NUMBERS));
    check_events(store, &found);
    let stats = store.stats();
    let totals = (stats.metrics_total, stats.events_total);
    assert_eq!(totals, (batches * (RECORDS - 2), batches * 2), "the store's own count");
    check_log(store);
    found
}

fn series(store: &Store, name: &str) -> Vec<u32> {
    let selection = MetricSelection { names: Some(vec![name.to_owned()]), filters: Vec::new() };
    store.select_series(&selection, TimeRange::ALL).unwrap().into_iter().map(|series| series.id).collect()
}

fn values(store: &Store) -> Vec<u64> {
    let mut found = Vec::new();
    let stats = store
        .scan(&series(store, "m"), TimeRange::ALL, ScanOptions::default(), &mut |_, block| {
            if let ScanBlock::Samples { values, .. } = block {
                found.extend(values.iter().map(|value| *value as u64));
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(stats.damaged, 0);
    found
}

/// As aggregations count: from the chunks' digests where they do.
fn count(store: &Store, name: &str) -> u64 {
    let mut count = 0;
    let options = ScanOptions { digests: true, ..ScanOptions::default() };
    store
        .scan(&series(store, name), TimeRange::ALL, options, &mut |_, block| {
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

fn check_events(store: &Store, found: &BTreeSet<u64>) {
    let (mut given, mut made, mut cursor) = (BTreeSet::new(), BTreeSet::new(), None);
    loop {
        let query = EventQuery { limit: Some(1000), cursor, ..EventQuery::default() };
        let page = store.query_events(&query).unwrap();
        for event in &page.events {
            let new = if &*event.event_type == GIVEN {
                given.insert(number_of(event.event_id))
            } else {
                made.insert(event.event_id)
            };
            assert!(new, "event {} is there twice", event.event_id);
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(&given, found, "events and samples are of the same batches");
    assert_eq!(made.len(), found.len());
    for id in made.into_iter().chain(found.iter().map(|number| given_id(*number))) {
        assert!(matches!(store.find(id).unwrap(), Some(StoredRecord::Event(_))), "{id} is not found");
    }
}

/// What monitors read: everything from where the log begins, without a gap.
fn check_log(store: &Store) {
    let mut next = store.stats().trimmed_sequence + 1;
    while let Some(entry) = store.read_log(next, 1000).unwrap().last() {
        assert_ne!(entry.body, LogBody::Gap, "at {next}");
        next = entry.next_sequence;
    }
    assert_eq!(next, store.last_sequence() + 1);
}
