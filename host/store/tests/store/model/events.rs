//! Events by id, and by time, type and source in both directions, page by page.

use telemetry_core::{EventOrder, EventQuery, StoredEvent, TimeRange, Timestamp};
use telemetry_store::StoredRecord;

use super::step::{SOURCES, TYPES};
use super::world::{Event, World};

pub fn check(world: &World, ranges: &[TimeRange]) {
    let choices = |count: usize| (0..count).map(Some).chain([None]);
    let mut limits = [1, 2, 5, 1000].into_iter().cycle();
    for range in ranges {
        for event_type in choices(TYPES.len()) {
            for source in choices(SOURCES.len()) {
                for order in [EventOrder::NewestFirst, EventOrder::OldestFirst] {
                    let query = EventQuery {
                        event_type: event_type.map(|place| TYPES[place].to_owned()),
                        source: source.map(|place| SOURCES[place].to_owned()),
                        range: *range,
                        limit: limits.next(),
                        order,
                        cursor: None,
                    };
                    let mut wanted: Vec<&Event> = world
                        .events()
                        .filter(|event| range.contains(Timestamp::from_nanos(event.time)))
                        .filter(|event| event_type.is_none_or(|wanted| wanted == event.event_type))
                        .filter(|event| source.is_none_or(|wanted| wanted == event.source))
                        .collect();
                    wanted.sort_by_key(|event| (event.time, event.sequence));
                    if order == EventOrder::NewestFirst {
                        wanted.reverse();
                    }
                    check_pages(world, query, &wanted);
                }
            }
        }
    }
    check_ids(world);
}

fn check_pages(world: &World, mut query: EventQuery, wanted: &[&Event]) {
    let mut found = Vec::new();
    loop {
        let page = world.fixture.store.query_events(&query).unwrap();
        assert!(page.events.len() <= query.limit.unwrap());
        found.extend(page.events);
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            break;
        }
    }
    assert_eq!(found.len(), wanted.len(), "{query:?}");
    found.iter().zip(wanted).for_each(|(found, wanted)| alike(found, wanted));
}

fn alike(found: &StoredEvent, wanted: &Event) {
    assert_eq!((found.sequence, found.timestamp.nanos()), (wanted.sequence, wanted.time));
    assert_eq!((found.event_id, found.data.as_str()), (wanted.id, wanted.data.as_str()));
    assert_eq!((&*found.event_type, &*found.source), (TYPES[wanted.event_type], SOURCES[wanted.source]));
}

fn check_ids(world: &World) {
    for event in &world.all_events {
        // A given id may have been given again after its first event had expired.
        let live = world.events().find(|other| other.id == event.id);
        match (world.fixture.store.find(event.id).unwrap(), live) {
            (Some(StoredRecord::Event(found)), Some(wanted)) => alike(&found, wanted),
            (None, None) => {}
            (found, wanted) => panic!("{found:?} {wanted:?}"),
        }
    }
}
