//! What becomes of a monitor while the store refuses what it writes.

use telemetry_core::{ErrorCode, Severity, limits};

use super::MonitorState;
use super::follower::Step;
use super::testbed::World;
use crate::alerts::model::{Fault, Record};

fn sample(name: &str, value: f64) -> Record {
    Record::Sample(name.to_owned(), value)
}

fn warned() -> Vec<(String, Option<Severity>)> {
    vec![("a".to_owned(), Some(Severity::Warning))]
}

#[test]
fn what_the_store_refuses_is_a_fault_of_the_host() {
    let mut world = World::new();
    world.store.record([sample("a", 50.0)]);
    world.store.fail_next(Fault::Before);
    world.settle();
    let reported = world.faults.faults.lock().clone();
    assert_eq!((reported.len(), reported[0].0), (1, ErrorCode::StorageFailure));
    let expected = "monitor \"levels\" waits for the store: the store uses 1 of 1 bytes";
    assert!(reported[0].1.starts_with(expected), "{}", reported[0].1);
    assert_eq!(world.told(), warned());
}

#[test]
fn an_incident_whose_end_cannot_be_stored_is_tried_again() {
    let mut world = World::new();
    world.store.record([Record::Lost]);
    world.settle();
    assert!(world.host.is_firing("log-gap:levels"));
    world.clock.advance(limits::INCIDENT_HOLD);
    world.store.fail_next(Fault::Before);
    assert!(matches!(world.follower.step(), Step::Pause(pause) if pause == limits::STORE_RETRY_PAUSE));
    assert!(matches!(world.follower.step(), Step::Pause(_)), "the store is left alone meanwhile");
    assert_eq!(world.faults.faults.lock().len(), 1);
    world.settle();
    assert!(!world.host.is_firing("log-gap:levels"));
}

#[test]
fn a_monitor_beyond_its_quota_fails_and_no_record_is_blamed() {
    let mut world = World::new();
    world.store.record([sample("a", 50.0), sample("a", 5.0)]);
    for _ in 0..10 {
        world.store.fail_next(Fault::Quota);
    }
    while !matches!(world.follower.step(), Step::Pause(_)) {}
    let status = world.status();
    assert_eq!((status.state, status.failures, status.cursor), (MonitorState::Failing, 1, 1));
    let error = status.last_error.unwrap();
    assert_eq!(error, "plugin \"levels\" failed: it needs more bytes of key-value space than its limit of 1");
    assert!(world.settle() >= 9);
    assert_eq!(
        world.told(),
        [warned(), vec![("a".to_owned(), None)]].concat(),
        "once there is room it goes on where it was"
    );
    assert_eq!((world.status().poison_records, world.status().state), (0, MonitorState::Running));
    assert_eq!(*world.faults.faults.lock(), [], "it is not the host's fault");
}
