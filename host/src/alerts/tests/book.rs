//! The state machine from signals to changes of state.

use std::collections::BTreeSet;
use std::sync::Arc;

use expect_test::expect;
use serde_json::json;
use telemetry_core::{AlertStatus, LabelFilter, PendingDelivery, Severity, limits};
use telemetry_store::{AlertChanges, StoredAlert};
use uuid::Uuid;

use crate::alerts::model::{at, signal};
use crate::alerts::{AlertBook, Route, RoutingTable};

fn routes() -> Arc<RoutingTable> {
    let pager = Route {
        matches: vec![LabelFilter::equal("severity", "critical")],
        receivers: vec!["pager".to_owned()],
        proceed: false,
    };
    Arc::new(RoutingTable::new(vec![pager], vec!["console".to_owned()]))
}

fn load(stored: Vec<StoredAlert>) -> AlertBook {
    AlertBook::load("m", stored, routes())
}

/// Applies signals and commits; answers what was stored.
fn commit(book: &mut AlertBook, signals: &[(&str, bool, Severity)], seconds: i64) -> AlertChanges {
    for (key, firing, severity) in signals {
        book.apply(signal(key, *firing, *severity, seconds), at(seconds));
    }
    let changes = book.changes(at(seconds));
    book.commit(&changes);
    changes
}

fn told(changes: &AlertChanges) -> Vec<(String, AlertStatus, String)> {
    let row = |row: &PendingDelivery| (row.alert.key.clone(), row.alert.status, row.receiver.clone());
    changes.enqueue.iter().map(row).collect()
}

#[test]
fn only_changes_of_state_are_delivered() {
    use AlertStatus::{Firing, Resolved};
    let (mut book, console) = (load(Vec::new()), || "console".to_owned());
    let first = commit(&mut book, &[("k", true, Severity::Warning)], 0);
    assert_eq!(told(&first), [("k".to_owned(), Firing, console())]);
    let again = commit(&mut book, &[("k", true, Severity::Warning), ("k", true, Severity::Warning)], 5);
    assert_eq!(
        (told(&again), again.put[0].alert.times_seen, again.put[0].alert.last_seen),
        (vec![], 3, at(5))
    );
    assert_eq!(again.put[0].alert.alert_id, first.put[0].alert.alert_id);
    let resolved = commit(&mut book, &[("k", false, Severity::Info), ("other", false, Severity::Info)], 9);
    assert_eq!(told(&resolved), [("k".to_owned(), Resolved, console())]);
    assert_eq!(resolved.put[0].alert.severity, Severity::Warning, "how bad it was");
    assert_eq!((resolved.put[0].alert.resolved_at, book.firing()), (Some(at(9)), 0));
    let anew = commit(&mut book, &[("k", true, Severity::Warning)], 10);
    assert_ne!(anew.put[0].alert.alert_id, first.put[0].alert.alert_id);
}

#[test]
fn who_was_told_stays_informed_when_the_severity_changes() {
    let mut book = load(Vec::new());
    commit(&mut book, &[("k", true, Severity::Warning)], 0);
    let worse = commit(&mut book, &[("k", true, Severity::Critical)], 1);
    let receivers =
        |changes: &AlertChanges| changes.enqueue.iter().map(|row| row.receiver.clone()).collect::<Vec<_>>();
    assert_eq!(receivers(&worse), ["console", "pager"]);
    assert_eq!(receivers(&commit(&mut book, &[("k", false, Severity::Info)], 2)), ["console", "pager"]);
    commit(&mut book, &[("k", true, Severity::Warning)], 3);
    assert_eq!(receivers(&commit(&mut book, &[("k", false, Severity::Info)], 4)), ["console"]);
}

#[test]
fn after_a_restart_those_who_were_told_hear_the_end() {
    let check = |stored: Vec<StoredAlert>, expected: &[&str]| {
        let ended = commit(&mut load(stored), &[("k", false, Severity::Warning)], 1);
        let receivers: Vec<_> = ended.enqueue.iter().map(|row| row.receiver.as_str()).collect();
        assert_eq!(receivers, expected);
        assert_eq!(ended.put[0].told.iter().flatten().collect::<Vec<_>>(), expected);
    };
    let mut book = load(Vec::new());
    let mut stored = commit(&mut book, &[("k", true, Severity::Warning)], 0).put;
    check(stored.clone(), &["console"]);
    stored[0].told = Some(["elsewhere".to_owned()].into());
    check(stored.clone(), &["elsewhere"]);
    stored[0].told = None;
    check(stored.clone(), &["console", "pager"]);
    let worse = commit(&mut book, &[("k", true, Severity::Critical)], 1).put;
    check(worse, &["console", "pager"]);
}

#[test]
fn after_a_restart_with_other_routes_new_receivers_hear_what_gets_worse_and_its_end() {
    let mut book = load(Vec::new());
    let mut stored = commit(&mut book, &[("k", true, Severity::Warning)], 0).put;
    stored[0].told = Some(["elsewhere".to_owned()].into());
    let mut book = load(stored);
    assert_eq!(told(&commit(&mut book, &[("k", true, Severity::Warning)], 1)), [], "nothing changed");
    for (firing, severity) in [(true, Severity::Critical), (false, Severity::Critical)] {
        let rows = commit(&mut book, &[("k", firing, severity)], 2).enqueue;
        let receivers: Vec<_> = rows.iter().map(|row| row.receiver.as_str()).collect();
        assert_eq!(receivers, ["elsewhere", "pager"]);
    }
}

#[test]
fn a_stage_that_is_rolled_back_leaves_no_trace() {
    let mut book = load(Vec::new());
    commit(&mut book, &[("a", true, Severity::Info)], 0);
    for key in ["a", "b", "a"] {
        book.apply(signal(key, key == "b", Severity::Info, 1), at(1));
    }
    assert!(book.has_transitions());
    book.rollback();
    assert!(!book.has_transitions() && book.is_firing("a") && !book.is_firing("b"));
    assert_eq!((book.changes(at(1)), book.firing()), (AlertChanges::default(), 1));
}

#[test]
fn the_same_stage_gives_the_same_rows_again() {
    let mut book = load(Vec::new());
    book.apply(signal("a", true, Severity::Info, 1), at(1));
    book.apply(signal("a", false, Severity::Info, 1), at(1));
    let changes = book.changes(at(1));
    assert_eq!(changes, book.changes(at(2)));
    assert_ne!(changes.enqueue[0].idempotency_key, changes.enqueue[1].idempotency_key);
    assert_eq!(changes.put.len(), 1, "the firing state was never true in the store");
}

#[test]
fn firing_alerts_are_limited_and_the_rest_is_counted() {
    let mut book = load(Vec::new());
    for number in 0..limits::MAX_FIRING_ALERTS + 5 {
        book.apply(signal(&format!("{number}"), true, Severity::Info, 0), at(0));
    }
    assert_eq!((book.firing(), book.left_out()), (limits::MAX_FIRING_ALERTS, 5));
    book.apply(signal("0", false, Severity::Info, 1), at(1));
    book.apply(signal("new", true, Severity::Info, 1), at(1));
    assert_eq!((book.firing(), book.left_out()), (limits::MAX_FIRING_ALERTS, 5));
    assert!(book.is_firing("new"));
}

#[test]
fn resolved_alerts_are_kept_for_a_while() {
    let mut book = load(Vec::new());
    let total = limits::MAX_RESOLVED_ALERTS as i64 + 3;
    let mut kept = BTreeSet::new();
    for seconds in 0..total {
        let changes =
            commit(&mut book, &[("k", true, Severity::Info), ("k", false, Severity::Info)], seconds);
        kept.extend(changes.put.iter().map(|stored| stored.alert.alert_id));
        kept.retain(|id| !changes.remove.contains(id));
    }
    assert_eq!(kept.len(), limits::MAX_RESOLVED_ALERTS);
    let later = total + i64::try_from(limits::RESOLVED_ALERT_AGE.as_secs()).unwrap() + 1;
    let changes = commit(&mut book, &[("k", true, Severity::Info)], later);
    assert_eq!(changes.remove.len(), limits::MAX_RESOLVED_ALERTS);
}

#[test]
fn a_monitor_that_goes_resolves_its_alerts() {
    let mut book = load(Vec::new());
    commit(&mut book, &[("a", true, Severity::Info), ("b", true, Severity::Error)], 0);
    book.resolve_all(at(7));
    let changes = book.changes(at(7));
    assert_eq!((changes.put.len(), changes.enqueue.len()), (2, 2));
    let ended =
        |stored: &StoredAlert| stored.alert.resolved_at == Some(at(7)) && stored.alert.times_seen == 1;
    assert!(changes.put.iter().all(ended));
}

#[test]
fn the_contracts_json() {
    let mut book = load(Vec::new());
    let mut alert = commit(&mut book, &[("host=a", true, Severity::Critical)], 1).put.remove(0).alert;
    alert.alert_id = Uuid::nil();
    let firing = serde_json::to_value(&alert).unwrap();
    assert_eq!((&firing["resolved_at"], &firing["value"]), (&json!(null), &json!(1.0)));
    alert.status = AlertStatus::Resolved;
    alert.resolved_at = Some(at(2));
    alert.value = None;
    expect![[r#"
        {
          "alert_id": "00000000-0000-0000-0000-000000000000",
          "monitor": "m",
          "key": "host=a",
          "status": "resolved",
          "severity": "critical",
          "summary": "host=a at 1",
          "value": null,
          "labels": {
            "team": "bridge"
          },
          "first_seen": "2023-11-14T22:13:21Z",
          "last_seen": "2023-11-14T22:13:21Z",
          "resolved_at": "2023-11-14T22:13:22Z",
          "times_seen": 1
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&alert).unwrap());
}
