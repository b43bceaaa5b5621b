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

#[test]
fn a_repeat_is_answered_as_its_first_one_is() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(start()));
    let host = open(in_folder(folder.path()), Arc::clone(&clock) as Arc<dyn Clock>);
    // What is dropped stays dropped when records are kept longer later on.
    let days = |count: u64| Duration::from_secs(count * 86_400);
    host.record_event(EventDraft::new("A", "s")).unwrap();
    clock.advance(days(20));
    host.maintain().unwrap();
    drop(host);
    let mut longer = in_folder(folder.path());
    longer["retention_policy"]["events"]["duration_days"] = json!(60);
    longer["retention_policy"]["metrics"]["duration_days"] = json!(60);
    let host = open(longer, Arc::clone(&clock) as Arc<dyn Clock>);
    let id = Uuid::new_v4();
    let old = || EventDraft::new("OLD", "s").with_id(id).at(start());
    let outcomes = host.record_events(vec![old(), EventDraft::new("NEW", "s").with_id(id), old()]);
    let codes: Vec<_> =
        outcomes.iter().map(|outcome| outcome.as_ref().map_err(|error| error.code())).collect();
    assert_eq!(codes[0].unwrap_err().as_str(), "INVALID_TIMESTAMP");
    let (new, repeat) = (codes[1].unwrap(), codes[2].unwrap());
    assert_eq!((new.timestamp, repeat.timestamp), (clock.now(), clock.now()));
    let health = host.health_check();
    assert_eq!((health.stats.events_total, health.stats.recording.duplicate_events), (1, 1));
    // Where all of them are refused, none is answered as if it were stored.
    let other = Uuid::new_v4();
    let old = || EventDraft::new("OLD", "s").with_id(other).at(start());
    assert!(host.record_events(vec![old(), old()]).iter().all(Result::is_err));
}
