//! Alerts, the outbox, plugins' state, and checkpoints that tie them together.

use std::collections::BTreeMap;

use telemetry_core::extension::{KeyValueWrite, SavedState};
use telemetry_core::limits::{MAX_PLUGIN_VALUE_BYTES, PLUGIN_KEY_VALUE_BYTES};
use telemetry_core::{Alert, AlertStatus, DeadLetter, PendingDelivery, Severity, Timestamp};
use telemetry_store::{AlertChanges, Checkpoint, DeadLetterKey, DeliveryKey, StoreError, StoredAlert};
use uuid::Uuid;

use crate::fixture::*;

fn alert(id: u128) -> Alert {
    Alert {
        alert_id: Uuid::from_u128(id),
        monitor: "threshold".to_owned(),
        key: format!("key {id}"),
        status: AlertStatus::Firing,
        severity: Severity::Error,
        summary: "too high".to_owned(),
        value: Some(0.1),
        labels: BTreeMap::from([("host".to_owned(), "a".to_owned())]),
        first_seen: noon(),
        last_seen: noon(),
        resolved_at: None,
        times_seen: 1,
    }
}

fn stored(id: u128) -> StoredAlert {
    StoredAlert { alert: alert(id), told: Some(["ops".to_owned()].into()) }
}

fn delivery(id: u128, receiver: &str, due: Timestamp, state: &str) -> PendingDelivery {
    PendingDelivery {
        alert: alert(id),
        receiver: receiver.to_owned(),
        created: noon(),
        due,
        attempts: 0,
        forwarded_by: Vec::new(),
        idempotency_key: format!("{id}-{state}"),
        last_error: None,
    }
}

#[test]
fn the_outbox_is_ordered_by_when_it_is_due() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::in_directory(directory.path());
    let late = delivery(1, "webhook", noon().plus(HOUR), "firing");
    let soon = delivery(2, "console", noon(), "firing");
    let other_state = delivery(2, "console", noon(), "resolved");
    let changes = AlertChanges {
        put: vec![stored(1), stored(2)],
        enqueue: vec![late.clone(), soon.clone(), other_state.clone()],
        ..AlertChanges::default()
    };
    fixture.store.commit_alerts(&changes).unwrap();
    let fixture = fixture.reopen();
    let store = &fixture.store;
    assert_eq!(store.alerts().unwrap(), [stored(1), stored(2)]);
    assert_eq!(store.next_due().unwrap(), Some(noon()));
    assert_eq!(store.due_deliveries(noon(), 10).unwrap(), [soon.clone(), other_state.clone()]);
    assert_eq!(store.due_deliveries(noon(), 1).unwrap().len(), 1);
    assert_eq!(store.due_deliveries(noon().minus(SECOND), 10).unwrap(), []);
    assert_eq!(store.pending_deliveries(10).unwrap().len(), 3);

    let letter = DeadLetter { delivery: other_state.clone(), reason: "refused".to_owned(), since: noon() };
    let retried = PendingDelivery { attempts: 1, due: noon().plus(MINUTE), ..soon.clone() };
    let changes = AlertChanges {
        settle: vec![DeliveryKey::from(&soon), DeliveryKey::from(&other_state)],
        enqueue: vec![retried.clone()],
        bury: vec![letter.clone()],
        remove: vec![alert(1).alert_id],
        ..AlertChanges::default()
    };
    store.commit_alerts(&changes).unwrap();
    assert_eq!(store.alerts().unwrap(), [stored(2)]);
    assert_eq!(store.pending_deliveries(10).unwrap(), [retried, late]);
    assert_eq!(store.dead_letters(10).unwrap(), std::slice::from_ref(&letter));
    let again = AlertChanges {
        unbury: vec![DeadLetterKey::from(&letter)],
        enqueue: vec![letter.delivery],
        ..AlertChanges::default()
    };
    store.commit_alerts(&again).unwrap();
    assert_eq!(store.dead_letters(10).unwrap(), []);
    assert_eq!(store.pending_deliveries(10).unwrap().len(), 3);
}

#[test]
fn a_checkpoint_is_stored_whole() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::in_directory(directory.path());
    fixture.samples(run_of("m", noon(), 10));
    let write = |key: &str, value: Option<&str>| KeyValueWrite {
        key: key.to_owned(),
        value: value.map(|value| value.as_bytes().to_vec()),
    };
    let checkpoint = Checkpoint {
        monitor: "threshold".to_owned(),
        next_sequence: 7,
        state: Some(SavedState { version: 2, bytes: b"state".to_vec() }),
        writes: vec![write("a", Some("1")), write("b", Some("22")), write("a", Some("333"))],
        changes: AlertChanges { put: vec![stored(9)], ..AlertChanges::default() },
    };
    fixture.store.commit_checkpoint(&checkpoint).unwrap();
    let fixture = fixture.reopen();
    let store = &fixture.store;
    let cursor = store.load_cursor("threshold").unwrap().unwrap();
    assert_eq!((cursor.next_sequence, &cursor.state), (7, &checkpoint.state));
    assert_eq!(store.cursors().unwrap(), [("threshold".to_owned(), 7)]);
    assert_eq!(store.plugin_get("threshold", "a").unwrap().unwrap(), b"333");
    assert_eq!(store.plugin_usage("threshold").unwrap(), 1 + 3 + 1 + 2);
    assert_eq!(store.alerts().unwrap(), [stored(9)]);

    let resolved = AlertChanges { remove: vec![alert(9).alert_id], ..AlertChanges::default() };
    store.remove_monitor("threshold", &resolved).unwrap();
    assert_eq!(store.load_cursor("threshold").unwrap(), None);
    assert_eq!(store.alerts().unwrap(), []);
    assert_eq!(store.plugin_get("threshold", "b").unwrap().unwrap(), b"22", "the key-value space stays");
}

#[test]
fn usage_counts_what_is_stored() {
    let fixture = Fixture::in_memory();
    let store = &fixture.store;
    assert_eq!(store.plugin_usage("p").unwrap(), 0);
    store.plugin_write("p", "key", Some(b"value")).unwrap();
    store.plugin_write("pp", "key", Some(b"other")).unwrap();
    assert_eq!(store.plugin_usage("p").unwrap(), 8);
    store.plugin_write("p", "key", Some(b"v")).unwrap();
    assert_eq!(store.plugin_usage("p").unwrap(), 4);
    store.plugin_write("p", "key", None).unwrap();
    store.plugin_write("p", "absent", None).unwrap();
    assert_eq!(store.plugin_usage("p").unwrap(), 0);
    assert_eq!(store.plugin_get("p", "key").unwrap(), None);
    assert_eq!(store.plugin_get("pp", "key").unwrap().unwrap(), b"other");
}

#[test]
fn no_checkpoint_makes_a_space_grow_beyond_its_quota() {
    let fixture = Fixture::in_memory();
    let store = &fixture.store;
    let write = |key: String, bytes: usize| KeyValueWrite { key, value: Some(vec![7; bytes]) };
    let checkpoint = |next_sequence, writes| Checkpoint {
        monitor: "m".to_owned(),
        next_sequence,
        writes,
        ..Checkpoint::default()
    };
    let full = usize::try_from(PLUGIN_KEY_VALUE_BYTES).unwrap() / MAX_PLUGIN_VALUE_BYTES;
    let fill = (0..full).map(|n| write(format!("{n:02}"), MAX_PLUGIN_VALUE_BYTES - 2)).collect();
    store.commit_checkpoint(&checkpoint(1, fill)).unwrap();
    assert_eq!(store.plugin_usage("m").unwrap(), PLUGIN_KEY_VALUE_BYTES);

    let more =
        checkpoint(2, vec![write("00".to_owned(), MAX_PLUGIN_VALUE_BYTES - 2), write("k".to_owned(), 0)]);
    let refused = store.commit_checkpoint(&more).unwrap_err();
    let expected = PLUGIN_KEY_VALUE_BYTES + 1;
    assert!(matches!(refused, StoreError::PluginQuota { used, .. } if used == expected), "{refused}");
    assert_eq!(store.load_cursor("m").unwrap().unwrap().next_sequence, 1, "nothing of it was stored");
    assert!(matches!(store.plugin_write("m", "k", Some(b"")), Err(StoreError::PluginQuota { .. })));
    assert!(store.plugin_write("n", "k", Some(b"")).is_ok(), "each plugin has its own");

    let swap = vec![write("k".to_owned(), 10), write("00".to_owned(), 0)];
    store.commit_checkpoint(&checkpoint(3, swap)).unwrap();
    store.plugin_write("m", "01", None).unwrap();
    assert!(store.plugin_usage("m").unwrap() < PLUGIN_KEY_VALUE_BYTES);
}

#[test]
fn a_space_may_be_smaller_than_the_most_there_is() {
    let fixture = Fixture::in_memory();
    let store = &fixture.store;
    store.plugin_write("p", "key", Some(b"value")).unwrap();
    store.limit_plugin_space("p", 4);
    let refused = store.plugin_write("p", "k", Some(b"v")).unwrap_err();
    assert!(matches!(refused, StoreError::PluginQuota { limit: 4, used: 10, .. }), "{refused}");
    store.plugin_write("p", "key", Some(b"v")).unwrap();
    assert!(store.plugin_write("p", "k", Some(b"v")).is_err());
    store.plugin_write("p", "key", None).unwrap();
    store.plugin_write("p", "k", Some(b"123")).unwrap();
    store.plugin_write("q", "k", Some(b"12345")).unwrap();
    store.limit_plugin_space("p", u64::MAX);
    let beyond = Checkpoint {
        monitor: "p".to_owned(),
        writes: vec![KeyValueWrite { key: "x".to_owned(), value: Some(vec![7; 10]) }],
        ..Checkpoint::default()
    };
    store.commit_checkpoint(&beyond).unwrap();
}
