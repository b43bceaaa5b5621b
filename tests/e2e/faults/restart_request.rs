//! AUTO_REBOOT_TRIGGERED: three errors of one code of the host's own within ten minutes ask the embedding program for a
//! restart, once.

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use bridge_telemetry::{Clock, Config, EventDraft, Host, HostBuilder, ManualClock};
use bridge_telemetry_tests::{guest, plugin};
use serde_json::{Value, json};
use telemetry_core::ErrorCode;
use uuid::Uuid;

use crate::fixture::{code, event, in_folder, in_memory, metric, query, start, with_plugin};

/// A host that hands its requests on.
fn host(config: Value) -> (Arc<Host>, Arc<ManualClock>, Receiver<ErrorCode>) {
    let clock = Arc::new(ManualClock::at(start()));
    let (asked, requests) = channel();
    let host = HostBuilder::new(Config::from_value(config).unwrap())
        .clock(Arc::clone(&clock) as Arc<dyn Clock>)
        .on_reboot_request(move |code| asked.send(code).unwrap())
        .without_background()
        .open()
        .unwrap();
    (Arc::new(host), clock, requests)
}

fn without_room(folder: &std::path::Path) -> Value {
    let mut config = in_folder(folder);
    config["storage_config"]["min_free_bytes"] = json!(1_u64 << 60);
    config
}

fn with_evil() -> Value {
    with_plugin(in_memory(), "evil", &guest("evil").unwrap(), json!({}))
}

fn stored(host: &Host) -> Vec<Value> {
    let page = host.events_json([("type", "AUTO_REBOOT_TRIGGERED")]);
    page.body["events"].as_array().unwrap().clone()
}

#[test]
fn the_third_failure_of_the_store_asks_once() {
    let folder = tempfile::tempdir().unwrap();
    let (host, clock, requests) = host(without_room(folder.path()));
    let fail = || {
        assert_eq!(code(&metric(&host, json!({"metric_name": "m", "metric_value": 1}))), "STORAGE_FAILURE")
    };
    fail();
    fail();
    assert!(requests.try_recv().is_err());
    fail();
    assert_eq!(requests.try_recv(), Ok(ErrorCode::StorageFailure));
    // Counted from nought: the failure to store the event itself is none of them.
    clock.advance(Duration::from_secs(10));
    fail();
    fail();
    assert!(requests.try_recv().is_err());
    // Many, but never three within ten minutes.
    clock.advance(Duration::from_secs(601));
    for _ in 0..10 {
        clock.advance(Duration::from_secs(301));
        fail();
        assert!(requests.try_recv().is_err());
    }
    assert!(stored(&host).is_empty(), "there is no room for it");
}

#[test]
fn one_call_that_fails_is_one_failure() {
    let folder = tempfile::tempdir().unwrap();
    let (host, _, requests) = host(without_room(folder.path()));
    let many = (0..1_000).map(|n| EventDraft::new(format!("T{n}"), "s")).collect();
    assert!(host.record_events(many).iter().all(Result::is_err));
    assert!(requests.try_recv().is_err());
    assert_eq!(host.health_check().stats.host_faults, 1);
    assert_eq!(host.health_check().stats.recording.refused["STORAGE_FAILURE"], 1_000);
}

#[test]
fn the_event_is_stored_whatever_validators_and_loop_guard_say() {
    let schema = json!({"type": "object", "required": ["never_there"]});
    let settings = json!({"config": {"schemas": {"AUTO_REBOOT_TRIGGERED": schema}}});
    let mut config = with_plugin(with_evil(), "json-schema", &plugin("json-schema").unwrap(), settings);
    config["loop"] = json!({"threshold": 1});
    let (host, clock, requests) = host(config);
    for round in 1..=2 {
        for n in 0..3 {
            assert!(requests.try_recv().is_err());
            // Beyond the pauses of a plugin that fails.
            clock.advance(Duration::from_secs(61));
            let refused =
                event(&host, json!({"event_type": "panic", "source": "s", "data": {"n": n + 10 * round}}));
            assert_eq!(code(&refused), "PLUGIN_FAILURE", "{}", refused.body);
        }
        assert_eq!(requests.try_recv(), Ok(ErrorCode::PluginFailure));
        let events = stored(&host);
        assert_eq!(events.len(), round);
        assert_eq!(events[0]["source"], "Bridge_Telemetry");
        assert_eq!(events[0]["data"], json!({"error_code": "PLUGIN_FAILURE"}));
    }
    let health = host.health_json().body;
    assert_eq!(health["stats"]["faults"][0]["code"], "PLUGIN_FAILURE");
    assert_eq!(health["stats"]["faults"][0]["count"], 6);
}

#[test]
fn callers_errors_ask_for_nothing() {
    let (host, _, requests) = host(in_memory());
    for _ in 0..10 {
        assert_eq!(code(&event(&host, json!({"event_type": "", "source": "s"}))), "INVALID_EVENT");
        assert_eq!(code(&query(&host, json!({"aggregation": "MEDIAN"}))), "INVALID_AGGREGATION");
        assert_eq!(code(&host.record_event_json(b"{")), "MALFORMED_PAYLOAD");
    }
    assert!(requests.try_recv().is_err());
    assert_eq!(host.health_json().body["status"], "healthy");
}

/// The callback records with the very id whose recording asked for the restart, and looks at the host.
#[test]
fn the_embedding_program_may_use_the_host_when_it_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let place = Arc::new(OnceLock::<Weak<Host>>::new());
    let (own, seen) = (Arc::clone(&place), Arc::new(Mutex::new(Vec::new())));
    let (id, noted) = (Uuid::new_v4(), Arc::clone(&seen));
    let host = HostBuilder::new(Config::from_value(without_room(folder.path())).unwrap())
        .clock(Arc::new(ManualClock::at(start())))
        .on_reboot_request(move |_| {
            let host = own.get().and_then(Weak::upgrade).unwrap();
            let again = host.record_event(EventDraft::new("A", "s").with_id(id)).unwrap_err();
            noted.lock().unwrap().push((again.code(), host.health_json().body["status"].clone()));
            panic!("and it has a bug");
        })
        .without_background()
        .open()
        .unwrap();
    let host = Arc::new(host);
    place.set(Arc::downgrade(&host)).unwrap();
    let (done, finished) = channel();
    std::thread::spawn(move || {
        for _ in 0..3 {
            let refused = host.record_event(EventDraft::new("A", "s").with_id(id)).unwrap_err();
            assert_eq!(refused.code(), ErrorCode::StorageFailure);
        }
        done.send(()).unwrap();
    });
    // A thread that waits for itself would never be done.
    finished.recv_timeout(Duration::from_secs(120)).unwrap();
    assert_eq!(*seen.lock().unwrap(), [(ErrorCode::StorageFailure, json!("unhealthy"))]);
}
