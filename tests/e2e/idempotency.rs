//! A given event_id stores one event: in one call, across calls, restarts, partitions and racing threads.

use std::sync::{Arc, Barrier};
use std::time::Duration;

use bridge_telemetry::{Clock, EventDraft, ManualClock, Timestamp};
use serde_json::json;
use uuid::Uuid;

use crate::fixture::{host_with_clock, in_folder, in_memory, open, start};

#[test]
fn repeats_answer_the_first_time_whatever_they_say() {
    let (host, clock) = host_with_clock(in_memory());
    let id = Uuid::new_v4();
    let first = host.record_event(EventDraft::new("A", "s").with_id(id)).unwrap();
    clock.advance(Duration::from_secs(5));
    let different = EventDraft::new("", "").with_id(id).at(Timestamp::EPOCH);
    let second = host.record_event(different).unwrap();
    assert_eq!((second.event_id, second.timestamp), (id, first.timestamp));
    let health = host.health_check();
    assert_eq!(health.stats.events_total, 1);
    assert_eq!(health.stats.recording.duplicate_events, 1);
}

#[test]
fn an_id_twice_in_one_call() {
    let (host, _) = host_with_clock(in_memory());
    let id = Uuid::new_v4();
    let refused = EventDraft::new("", "s").with_id(id);
    let one = EventDraft::new("ONE", "s").with_id(id);
    let two = EventDraft::new("TWO", "s").with_id(id);
    let outcomes = host.record_events(vec![refused, one, two]);
    assert!(outcomes[0].is_err());
    assert!(outcomes[1].is_ok() && outcomes[2].is_ok());
    let found = host.event_json(&id.to_string());
    assert_eq!(found.body["event"]["event_type"], "ONE");
    assert_eq!(host.health_check().stats.events_total, 1);
}

#[test]
fn across_partitions_and_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(start()));
    let id = Uuid::new_v4();
    let three_days_ago = start().minus(Duration::from_secs(3 * 86_400));
    let host = open(in_folder(folder.path()), Arc::clone(&clock) as Arc<dyn Clock>);
    host.record_event(EventDraft::new("A", "s").with_id(id).at(three_days_ago)).unwrap();
    let made = host.record_event(EventDraft::new("B", "s")).unwrap();
    drop(host);
    clock.advance(Duration::from_secs(86_400));
    let host = open(in_folder(folder.path()), clock);
    let again = host.record_event(EventDraft::new("A", "s").with_id(id)).unwrap();
    assert_eq!(again.timestamp, three_days_ago);
    // An id that the host made, given back by a caller that retries.
    let again = host.record_event(EventDraft::new("B", "s").with_id(made.event_id)).unwrap();
    assert_eq!(again.timestamp, made.timestamp);
    assert_eq!(host.health_check().stats.events_total, 2);
}

#[test]
fn racing_threads_store_one_event() {
    let mut config = in_memory();
    config["loop"]["exempt_event_types"] = json!(["*"]);
    let (host, _) = host_with_clock(config);
    let (host, ids) = (Arc::new(host), (0..200).map(|_| Uuid::new_v4()).collect::<Vec<_>>());
    let barrier = Arc::new(Barrier::new(4));
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let (host, ids, barrier) = (Arc::clone(&host), ids.clone(), Arc::clone(&barrier));
            std::thread::spawn(move || {
                barrier.wait();
                for pair in ids.chunks(2) {
                    let mut drafts: Vec<_> = pair
                        .iter()
                        .map(|id| EventDraft::new(format!("T{thread}"), "s").with_id(*id))
                        .collect();
                    // Opposite orders must not lock each other out.
                    if thread % 2 == 1 {
                        drafts.reverse();
                    }
                    assert!(host.record_events(drafts).iter().all(Result::is_ok));
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let stats = host.health_check().stats;
    assert_eq!(stats.events_total, 200);
    assert_eq!(stats.recording.duplicate_events, 600);
    let page = host.events_json([("limit", "1000")]);
    assert_eq!(page.body["events"].as_array().unwrap().len(), 200);
    assert_eq!(page.body["status"], json!("success"));
}
