//! Events in a real RocksDB against a plain list of them.

use std::sync::Arc;

use proptest::prelude::*;
use rocksdb::WriteBatch;
use telemetry_core::admission::{AcceptedTimes, admit_event};
use telemetry_core::{
    AdmittedEvent, EventBatch, EventDraft, EventIdGenerator, EventOrder, EventQuery, JsonObject, StoredEvent,
    TimeRange, Timestamp,
};
use uuid::Uuid;

use super::names::UNNUMBERED;
use super::*;
use crate::database::{Database, Promise};
use crate::error::StoreError;
use crate::families::{Class, Partition};
use crate::options::StoreOptions;

const DAY: i64 = 86_400_000_000_000;
const DAYS: i64 = 3;
const TAG: u16 = 77;

struct Fixture {
    database: Database,
    partitions: Vec<Arc<Partition>>,
    index: EventIndex,
    ids: EventIdGenerator,
    stored: Vec<StoredEvent>,
}

impl Fixture {
    fn new() -> Self {
        let database = Database::open(&StoreOptions::in_memory(), &std::env::temp_dir()).unwrap().0;
        let partitions: Vec<_> = (0..DAYS)
            .map(|day| Arc::new(Partition::new(Class::Events, day * DAY, (day + 1) * DAY)))
            .collect();
        partitions.iter().for_each(|partition| database.create_family(&partition.family).unwrap());
        let ids = EventIdGenerator::new(TAG, 1 << 39);
        Self { database, partitions, index: EventIndex::new(TAG), ids, stored: Vec::new() }
    }

    /// The same rows, nothing in memory.
    fn reopen(&mut self) {
        self.index = EventIndex::new(TAG);
    }

    fn admit(&self, draft: EventDraft) -> AdmittedEvent {
        let (now, newest) = (Timestamp::EPOCH, Timestamp::from_nanos(DAYS * DAY));
        admit_event(draft, &AcceptedTimes { now, oldest: now, newest }, &self.ids).unwrap()
    }

    fn partition(&self, timestamp: Timestamp) -> &Arc<Partition> {
        self.partitions.iter().find(|partition| partition.holds(timestamp.nanos())).unwrap()
    }

    fn store(&mut self, draft: EventDraft) -> StoredEvent {
        let event = self.admit(draft);
        let sequence = self.stored.len() as u64 + 1;
        let mut batch = WriteBatch::new();
        self.index
            .put(&self.database, &mut batch, self.partition(event.timestamp()), sequence, &event)
            .unwrap();
        self.database.commit(batch, Promise::Acknowledged).unwrap();
        let stored = StoredEvent {
            sequence,
            event_id: event.id().uuid(),
            timestamp: event.timestamp(),
            event_type: event.event_type().into(),
            source: event.source().into(),
            data: event.data().clone(),
            extra: event.extra().clone(),
        };
        self.stored.push(stored.clone());
        stored
    }

    fn query(&self, query: &EventQuery) -> telemetry_core::EventPage {
        self.index.query(&self.database, &self.partitions, query).unwrap()
    }

    fn find(&self, id: Uuid) -> Option<StoredEvent> {
        self.index.find(&self.database, &self.partitions, id).unwrap()
    }

    /// All that `query` asks for, told from the plain list.
    fn expected(&self, query: &EventQuery) -> Vec<StoredEvent> {
        let mut events: Vec<_> = self
            .stored
            .iter()
            .filter(|event| {
                query.range.contains(event.timestamp)
                    && query.event_type.as_deref().is_none_or(|wanted| *wanted == *event.event_type)
                    && query.source.as_deref().is_none_or(|wanted| *wanted == *event.source)
            })
            .cloned()
            .collect();
        events.sort_by_key(|event| (event.timestamp, event.sequence));
        if query.order == EventOrder::NewestFirst {
            events.reverse();
        }
        events
    }
}

fn at(nanos: i64) -> Timestamp {
    Timestamp::from_nanos(nanos)
}

/// Few distinct times, so that many events share one.
fn time() -> impl Strategy<Value = i64> {
    (0..DAYS, 0_i64..4).prop_map(|(day, slot)| day * DAY + [0, 1, DAY / 2, DAY - 1][slot as usize])
}

fn draft() -> impl Strategy<Value = EventDraft> {
    let name = |names: &'static [&'static str]| prop::sample::select(names);
    (time(), name(&["COMMAND", "ERROR", "é"]), name(&["a", "b"]), prop::option::of(any::<u128>()), 0_u8..3)
        .prop_map(|(nanos, event_type, source, id, content)| {
            let mut draft = EventDraft::new(event_type, source).at(at(nanos));
            draft.event_id = id.map(|id| Uuid::from_u128(id | 1));
            if content > 0 {
                draft.data = JsonObject::parse(r#"{"n":42,"x":42.0}"#).unwrap();
            }
            if content > 1 {
                draft.extra = JsonObject::parse(r#"{"trace":"t"}"#).unwrap();
            }
            draft
        })
}

fn query() -> impl Strategy<Value = EventQuery> {
    let name = |names: &'static [&'static str]| {
        prop::option::of(prop::sample::select(names).prop_map(|name: &str| name.to_owned()))
    };
    (
        name(&["COMMAND", "ERROR", "none"]),
        name(&["a", "b", "none"]),
        prop::option::of((time(), time())),
        1_usize..6,
        any::<bool>(),
    )
        .prop_map(|(event_type, source, range, limit, newest)| EventQuery {
            event_type,
            source,
            range: range.map_or(TimeRange::ALL, |(one, two)| TimeRange::between(at(one), at(two))),
            limit: Some(limit),
            order: if newest { EventOrder::NewestFirst } else { EventOrder::OldestFirst },
            cursor: None,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn pages_hold_what_was_asked_for(drafts in prop::collection::vec(draft(), 0..40), queries in prop::collection::vec(query(), 1..6)) {
        let mut fixture = Fixture::new();
        for draft in drafts {
            fixture.store(draft);
        }
        fixture.reopen();
        for mut query in queries {
            let mut found = Vec::new();
            loop {
                let page = fixture.query(&query);
                prop_assert!(page.events.len() <= query.limit.unwrap());
                found.extend(page.events);
                match page.next_cursor {
                    None => break,
                    cursor => query.cursor = cursor,
                }
            }
            query.cursor = None;
            prop_assert_eq!(found, fixture.expected(&query));
        }
    }

    #[test]
    fn every_event_is_found_by_its_id(drafts in prop::collection::vec(draft(), 1..30), other: u128) {
        let mut fixture = Fixture::new();
        for draft in drafts {
            fixture.store(draft);
        }
        fixture.reopen();
        for event in &fixture.stored {
            prop_assert_eq!(fixture.find(event.event_id), Some(event.clone()));
        }
        prop_assert_eq!(fixture.find(Uuid::from_u128(other & !1)), None);
    }

    /// Pages of the past stay the same while new events arrive, and events that arrive ahead of a cursor are seen.
    #[test]
    fn cursors_stand_while_events_arrive(before in prop::collection::vec(draft(), 1..20), after in prop::collection::vec(draft(), 0..20), mut query in query()) {
        let mut fixture = Fixture::new();
        for draft in before {
            fixture.store(draft);
        }
        let first = fixture.query(&query);
        for draft in after {
            fixture.store(draft);
        }
        let Some(cursor) = first.next_cursor else { return Ok(()) };
        let last = first.events.last().unwrap().clone();
        query.cursor = Some(cursor);
        let second = fixture.query(&query);
        let ahead = |event: &StoredEvent| {
            let (one, two) = ((event.timestamp, event.sequence), (last.timestamp, last.sequence));
            if query.order == EventOrder::NewestFirst { one < two } else { one > two }
        };
        let expected: Vec<_> = fixture.expected(&query).into_iter().filter(ahead).take(query.limit.unwrap()).collect();
        prop_assert_eq!(second.events, expected);
    }
}

#[test]
fn a_cursor_from_elsewhere_is_refused() {
    let fixture = Fixture::new();
    let query = EventQuery { cursor: Some("nonsense".to_owned()), ..EventQuery::default() };
    let error = fixture.index.query(&fixture.database, &fixture.partitions, &query).unwrap_err();
    assert!(matches!(error, StoreError::BadCursor { .. }), "{error}");
}

#[test]
fn a_foreign_id_that_looks_host_made_is_found_by_its_index() {
    let mut fixture = Fixture::new();
    let made = fixture.store(EventDraft::new("A", "s").at(at(5)));
    // The same location but another time: only the index can know it.
    let looks_made = fixture.ids.next(at(7)).uuid();
    let given = fixture.store(EventDraft::new("B", "s").at(at(5)).with_id(looks_made));
    assert_eq!(fixture.find(looks_made), Some(given));
    assert_eq!(fixture.find(made.event_id), Some(made));
    assert_eq!(fixture.find(fixture.ids.next(at(5)).uuid()), None);
}

#[test]
fn names_beyond_the_limit_are_still_found() {
    let mut fixture = Fixture::new();
    let mut batch = WriteBatch::new();
    let partition = Arc::clone(&fixture.partitions[0]);
    for sequence in 1..=5000 {
        let draft = EventDraft::new(format!("T{sequence}"), "s").at(at(sequence));
        let event = fixture.admit(draft);
        fixture.index.put(&fixture.database, &mut batch, &partition, sequence as u64, &event).unwrap();
    }
    fixture.database.commit(batch, Promise::Acknowledged).unwrap();
    fixture.reopen();
    let family = fixture.database.find_family(&partition.family).unwrap();
    let prefix = rows::index_prefix(rows::Kind::Type, UNNUMBERED);
    let mut unnumbered = fixture.database.rows(&family, prefix.clone(), crate::wire::after_prefix(&prefix));
    unnumbered.first();
    assert!(unnumbered.row().is_some());
    for sequence in [1, 4096, 4097, 5000] {
        let event_type = Some(format!("T{sequence}"));
        let page =
            fixture.query(&EventQuery { event_type, source: Some("s".to_owned()), ..EventQuery::default() });
        assert_eq!(page.events.iter().map(|event| event.sequence).collect::<Vec<_>>(), [sequence]);
    }
}

#[test]
fn a_page_ends_before_it_fills_the_memory() {
    let mut fixture = Fixture::new();
    let large = JsonObject::parse(&format!(r#"{{"x":"{}"}}"#, "x".repeat(3 << 20))).unwrap();
    for nanos in 0..14 {
        fixture.store(EventDraft::new("A", "s").at(at(nanos)).with_data(large.clone()));
    }
    let page = fixture.query(&EventQuery { limit: Some(100), ..EventQuery::default() });
    assert_eq!(page.events.len(), 11);
    let rest =
        fixture.query(&EventQuery { limit: Some(100), cursor: page.next_cursor, ..EventQuery::default() });
    assert_eq!((rest.events.len(), rest.next_cursor), (3, None));
}

#[test]
fn damaged_events_are_left_out_and_reported() {
    let mut fixture = Fixture::new();
    for nanos in 0..3 {
        fixture.store(EventDraft::new("A", "s").at(at(nanos)));
    }
    let family = fixture.database.find_family(&fixture.partitions[0].family).unwrap();
    let place = EventKey { timestamp: at(1), sequence: 2 }.place();
    let mut batch = WriteBatch::new();
    batch.put_cf(&family, rows::key(&rows::event_prefix(), &place), b"\x01garbage");
    fixture.database.commit(batch, Promise::Derived).unwrap();
    drop(family);
    for event_type in [None, Some("A".to_owned())] {
        let page = fixture.query(&EventQuery { event_type, ..EventQuery::default() });
        assert_eq!(page.events.iter().map(|event| event.sequence).collect::<Vec<_>>(), [3, 1]);
    }
    assert_eq!(fixture.database.reports().list().len(), 1);
}

#[test]
fn dropped_partitions_answer_nothing() {
    let mut fixture = Fixture::new();
    let old = fixture.store(EventDraft::new("A", "s").at(at(1)));
    let new = fixture.store(EventDraft::new("A", "s").at(at(DAY)));
    fixture.database.drop_family(&fixture.partitions[0].family).unwrap();
    fixture.index.forget(&fixture.partitions[0]);
    assert_eq!(fixture.find(old.event_id), None);
    assert_eq!(fixture.query(&EventQuery::default()).events, [new]);
}

#[test]
fn rows_for_monitors_carry_everything() {
    let mut fixture = Fixture::new();
    let event = fixture.store(EventDraft::new("A", "s").at(at(1)));
    let mut batch = EventBatch::starting_at(1);
    push_row(&event, &mut batch);
    let row = batch.row(0).unwrap();
    assert_eq!((row.timestamp, row.event_type, row.source, row.data, row.extra), (1, "A", "s", "{}", "{}"));
    assert_eq!(row.id, event.event_id.to_string());
}

#[test]
fn of_racing_claims_exactly_one_stores() {
    let fixture = Fixture::new();
    let claims = Claims::new();
    let ids: Vec<Uuid> = (0..20).map(|n| Uuid::from_u128(n << 64 | 1)).collect();
    let sequence = std::sync::atomic::AtomicU64::new(1);
    let stored = std::sync::atomic::AtomicU64::new(0);
    let order = |thread: usize| {
        let mut ids = ids.clone();
        ids.rotate_left(thread * 3);
        ids
    };
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (fixture, claims, ids, sequence, stored) =
                (&fixture, &claims, order(thread), &sequence, &stored);
            scope.spawn(move || {
                for pair in ids.chunks(2) {
                    let partitions = || fixture.partitions.clone();
                    let claim = claims.claim(&fixture.index, &fixture.database, partitions, pair).unwrap();
                    let mut batch = WriteBatch::new();
                    for id in pair.iter().filter(|id| claim.known(**id).is_none()) {
                        // Each thread would store it on another day.
                        let event = fixture
                            .admit(EventDraft::new("A", "s").at(at(thread as i64 % DAYS * DAY)).with_id(*id));
                        let sequence = sequence.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        let partition = fixture.partition(event.timestamp());
                        fixture
                            .index
                            .put(&fixture.database, &mut batch, partition, sequence, &event)
                            .unwrap();
                        stored.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    }
                    fixture.database.commit(batch, Promise::Acknowledged).unwrap();
                }
            });
        }
    });
    assert_eq!(stored.into_inner(), 20);
    assert_eq!(fixture.query(&EventQuery { limit: Some(100), ..EventQuery::default() }).events.len(), 20);
}
