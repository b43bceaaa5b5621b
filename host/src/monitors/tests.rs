//! What followers and the runner do, against the model store.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use telemetry_core::{AlertStatus, ManualClock, Severity, limits};

use super::follower::Step;
use super::testbed::{Levels, PANIC, POISON, Sabotage, UNSAVABLE, World, alerting, routes};
use super::*;
use crate::alerts::model::{Fault, Mailbox, ModelStore, Record, Reported, at};
use crate::alerts::{HOST_MONITOR, HostAlerts};

fn sample(name: &str, value: f64) -> Record {
    Record::Sample(name.to_owned(), value)
}

fn states(expected: &[(&str, Option<Severity>)]) -> Vec<(String, Option<Severity>)> {
    expected.iter().map(|(key, level)| ((*key).to_owned(), *level)).collect()
}

const WARNING: Option<Severity> = Some(Severity::Warning);
const CRITICAL: Option<Severity> = Some(Severity::Critical);

#[test]
fn signals_become_delivered_states() {
    let mut world = World::new();
    world.store.record([sample("a", 5.0), sample("a", 50.0), sample("b", 500.0), sample("a", 60.0)]);
    world.settle();
    world.store.record([sample("a", 500.0), Record::Event("E".to_owned()), sample("a", 5.0)]);
    world.settle();
    assert_eq!(world.told(), states(&[("a", WARNING), ("a", CRITICAL), ("a", None)]));
    assert_eq!(world.status().cursor, 8);
    assert_eq!(u64::from(world.sabotage.committed.load(Ordering::SeqCst)), world.status().checkpoints);
    assert_eq!(world.store.state.lock().cursors["levels"].next_sequence, 8);
}

#[test]
fn nothing_is_released_before_it_is_durable() {
    let mut world = World::new();
    world.store.record([sample("a", 50.0)]);
    world.store.fail_next(Fault::Before);
    assert!(matches!(world.follower.step(), Step::Pause(_)));
    world.dispatcher.drain_due();
    assert_eq!(world.told(), []);
    assert_eq!(world.settle(), 1);
    assert_eq!(world.told(), states(&[("a", WARNING)]));
}

#[test]
fn refreshing_signals_wait_for_the_regular_checkpoint() {
    let mut world = World::new();
    world.store.record([sample("a", 50.0)]);
    assert_eq!((world.follower.step(), world.status().checkpoints), (Step::Progress, 1));
    world.store.record([sample("a", 51.0)]);
    assert_eq!((world.follower.step(), world.status().checkpoints), (Step::Progress, 1));
    world.clock.advance(limits::CHECKPOINT_INTERVAL);
    assert_eq!((world.follower.step(), world.status().checkpoints), (Step::CaughtUp, 2));
    assert_eq!(world.store.state.lock().alerts.values().next().unwrap().times_seen, 2);
}

#[test]
fn a_long_way_is_checkpointed_by_records() {
    let mut world = World::new();
    world.store.record((0..limits::CHECKPOINT_RECORDS + 5000).map(|_| sample("a", 1.0)));
    while world.follower.step() == Step::Progress {}
    assert_eq!(world.status().checkpoints, 1);
}

#[test]
fn a_trap_replays_from_the_checkpoint_and_repeats_nothing() {
    let mut world = World::new();
    world.store.record([sample("a", 50.0)]);
    world.settle();
    world.store.record([sample("a", 500.0), sample("a1", 50.0)]);
    world.sabotage.traps.store(2, Ordering::SeqCst);
    world.settle();
    assert_eq!(world.told(), states(&[("a", WARNING), ("a", CRITICAL), ("a1", WARNING)]));
    let status = world.status();
    assert_eq!((status.failures, status.poison_records, status.state), (2, 0, MonitorState::Running));
    let seen = world.store.state.lock().key_values[&("levels".to_owned(), "seen:a".to_owned())].clone();
    assert_eq!(seen, b"2", "writes of failed runs are gone");
}

#[test]
fn the_poison_record_is_found_skipped_and_reported() {
    let mut world = World::new();
    let mut records: Vec<Record> = (0..1000).map(|_| sample("a", 1.0)).collect();
    records[700] = sample("a", POISON);
    records.push(sample("a", 50.0));
    world.store.record(records);
    world.settle();
    assert_eq!(world.told(), states(&[("a", WARNING)]));
    assert_eq!((world.status().poison_records, world.status().lag), (1, 0));
    assert!(world.host.is_firing("poison-record:levels"));
    let host_alert = |world: &World| {
        let alerts = world.store.state.lock().alerts.clone();
        alerts.into_values().find(|alert| alert.monitor == HOST_MONITOR).unwrap()
    };
    assert_eq!(
        host_alert(&world).summary,
        "monitor \"levels\" goes on without record 701, on which it failed 3 times: plugin \"levels\" failed: it \
         trapped: sabotage"
    );
    let mut world = world.restart();
    assert!(world.host.is_firing("poison-record:levels"));
    world.past_incident_hold();
    assert_eq!(host_alert(&world).status, AlertStatus::Resolved);
}

#[test]
fn a_panic_and_an_unsavable_state_are_failures_too() {
    for poison in [PANIC, UNSAVABLE] {
        let mut world = World::new();
        let mut records = vec![sample("a", 1.0); 20];
        records[7] = sample("a", poison);
        records.push(sample("a", 50.0));
        world.store.record(records);
        world.settle();
        assert_eq!(world.told(), states(&[("a", WARNING)]), "{poison}");
        assert_eq!(world.status().poison_records, 1);
    }
}

#[test]
fn a_monitor_that_never_works_loses_few_records_and_waits() {
    let mut world = World::new();
    world.store.record((0..100).map(|_| sample("a", POISON)));
    for _ in 0..2000 {
        if let Step::Pause(pause) = world.follower.step() {
            world.clock.advance(pause);
        }
    }
    let status = world.status();
    assert_eq!(status.poison_records, u64::from(limits::MAX_POISON_IN_A_ROW));
    assert_eq!(status.state, MonitorState::Failing);
    assert_eq!(status.cursor, 1 + u64::from(limits::MAX_POISON_IN_A_ROW));
}

#[test]
fn a_quarantined_monitor_waits_and_blames_no_record() {
    let mut world = World::new();
    world.store.record([sample("a", 50.0)]);
    world.sabotage.traps.store(6, Ordering::SeqCst);
    world.sabotage.quarantine.store(6, Ordering::SeqCst);
    assert!(matches!(world.follower.step(), Step::Pause(pause) if pause >= Duration::from_secs(60)));
    assert_eq!(world.status().state, MonitorState::Quarantined);
    assert!(world.settle() >= 6);
    assert_eq!((world.status().poison_records, world.told()), (0, states(&[("a", WARNING)])));
}

#[test]
fn a_monitor_that_cannot_be_restarted_is_tried_again_with_growing_pauses() {
    let mut world = World::new();
    world.store.record([sample("a", 50.0)]);
    world.sabotage.traps.store(1, Ordering::SeqCst);
    world.sabotage.failing_restarts.store(3, Ordering::SeqCst);
    let mut pauses = Vec::new();
    while let Step::Pause(pause) = world.follower.step() {
        pauses.push(pause);
        world.clock.advance(pause);
    }
    let pauses: Vec<u128> = pauses.iter().map(Duration::as_millis).collect();
    let base = limits::MIN_MONITOR_BACKOFF.as_millis();
    assert_eq!(pauses, [base, base * 2, base * 4, base * 8]);
    assert_eq!(world.settle(), 0);
    assert_eq!(world.told(), states(&[("a", WARNING)]));
}

#[test]
fn a_gap_is_reported() {
    let mut world = World::new();
    world.store.record([sample("a", 50.0), Record::Lost, Record::Lost, sample("a", 5.0)]);
    world.settle();
    assert_eq!(world.told(), states(&[("a", WARNING), ("a", None)]));
    assert_eq!(world.status().gap_records, 2);
    assert!(world.host.is_firing("log-gap:levels"));
}

#[test]
fn too_many_alerts_are_counted_and_reported() {
    let mut world = World::new();
    world.store.record((0..limits::MAX_FIRING_ALERTS + 7).map(|n| sample(&format!("a{n}"), 50.0)));
    world.settle();
    assert_eq!((world.status().firing, world.status().left_out_signals), (limits::MAX_FIRING_ALERTS, 7));
    assert!(world.host.is_firing("alert-overflow:levels"));
}

#[test]
fn only_its_own_ticks() {
    let mut world = World::new();
    let ticks =
        [500, 1000, 1500, 2000, 2500, 3000, 3500].map(|millis| at(0).plus(Duration::from_millis(millis)));
    world.store.record(ticks.map(Record::Tick));
    world.settle();
    assert_eq!(world.told(), states(&[("tick", WARNING)]), "the third whole second");
}

struct Running {
    store: Arc<ModelStore>,
    clock: Arc<ManualClock>,
    mailbox: Arc<Mailbox>,
    host: Arc<HostAlerts>,
    dispatcher: Arc<crate::alerts::Dispatcher>,
    runner: MonitorRunner,
}

const LONG: Duration = Duration::from_secs(60);

fn running(store: &Arc<ModelStore>, clock: &Arc<ManualClock>) -> Running {
    host(store, clock, true)
}

fn host(store: &Arc<ModelStore>, clock: &Arc<ManualClock>, background: bool) -> Running {
    let mailbox = Arc::default();
    let (dispatcher, host) = alerting(store.clone(), clock, &mailbox);
    let runner = MonitorRunner::start(
        store.clone(),
        clock.clone(),
        Arc::clone(&dispatcher),
        routes(),
        Arc::clone(&host),
        Arc::<Reported>::default(),
        background,
    )
    .unwrap();
    Running { store: store.clone(), clock: clock.clone(), mailbox, host, dispatcher, runner }
}

impl Running {
    fn add(&self, name: &str) -> Result<(), AddMonitorError> {
        self.runner.add(name, |restored| Ok(Levels::boxed(&Arc::new(Sabotage::default()), restored)))
    }

    fn drain(&self) {
        assert!(self.runner.drain(self.store.last_sequence(), LONG));
        self.dispatcher.drain_due();
    }
}

fn fresh() -> Running {
    running(&Arc::default(), &Arc::new(ManualClock::at(at(0))))
}

#[test]
fn a_new_monitor_starts_at_the_end_and_goes_on_after_a_restart() {
    let host = fresh();
    host.store.record([sample("a", 50.0)]);
    host.add("levels").unwrap();
    assert_eq!(host.store.state.lock().cursors["levels"].next_sequence, 2, "its place is durable at once");
    host.store.record([sample("a", 500.0)]);
    host.drain();
    assert_eq!(host.mailbox.states(), [("a".to_owned(), true, Severity::Critical)]);
    host.runner.stop();
    assert_eq!(host.runner.status()[0].state, MonitorState::Stopped);
    host.store.record([sample("a", 5.0)]);
    let host = running(&host.store, &host.clock);
    host.add("levels").unwrap();
    host.drain();
    assert_eq!(host.mailbox.states(), [("a".to_owned(), false, Severity::Critical)]);
    assert_eq!((host.runner.status()[0].lag, host.runner.status()[0].cursor), (0, 4));
}

#[test]
fn several_monitors_follow_side_by_side() {
    let host = fresh();
    for name in ["m1", "m2", "m3"] {
        host.add(name).unwrap();
    }
    for value in 0..100 {
        host.store.record([sample("a", f64::from(value))]);
    }
    host.drain();
    assert_eq!(host.mailbox.states().len(), 3);
    host.store.record([sample("a", 20.0)]);
    host.drain();
    host.runner.stop();
    let state = host.store.state.lock();
    assert!(state.cursors.values().all(|cursor| cursor.next_sequence == 102));
    assert!(state.alerts.values().all(|alert| alert.times_seen == 91));
}

#[test]
fn removal_resolves_alerts_and_forgets_the_place() {
    let host = fresh();
    for name in ["gone", "kept", "stopped"] {
        host.add(name).unwrap();
    }
    host.store.record([sample("a", 50.0)]);
    host.drain();
    host.runner.remove_monitor("gone").unwrap();
    host.runner.stop();
    let host = running(&host.store, &host.clock);
    let configured: BTreeSet<String> = ["kept".to_owned()].into();
    assert_eq!(host.runner.remove_absent(&configured).unwrap(), ["stopped"]);
    host.dispatcher.drain_due();
    let resolved: Vec<_> = host.mailbox.states();
    assert_eq!(resolved.len(), 2, "one of each removed monitor: {resolved:?}");
    assert!(resolved.iter().all(|(_, firing, _)| !firing));
    let state = host.store.state.lock();
    assert_eq!(state.cursors.keys().collect::<Vec<_>>(), ["kept"]);
    let firing: Vec<_> = state
        .alerts
        .values()
        .filter(|alert| alert.resolved_at.is_none())
        .map(|alert| &alert.monitor)
        .collect();
    assert_eq!(firing, ["kept"]);
    drop(state);
    assert!(!host.host.is_firing("poison-record:gone"));
}

#[test]
fn ticks_reach_monitors_through_the_log() {
    let host = fresh();
    host.add("levels").unwrap();
    for _ in 0..4 {
        host.clock.advance(Duration::from_secs(1));
        host.runner.tick_due();
    }
    host.drain();
    let warning = Severity::Warning;
    assert_eq!(
        host.mailbox.states(),
        [("tick".to_owned(), true, warning), ("tick".to_owned(), false, warning)]
    );
    host.runner.remove_monitor("levels").unwrap();
    host.clock.advance(LONG);
    host.runner.tick_due();
    assert_eq!(host.store.last_sequence(), 4, "nobody wants ticks any more");
}

#[test]
fn names_and_numbers_are_limited() {
    let host = fresh();
    host.add("m").unwrap();
    for taken in ["m", HOST_MONITOR] {
        assert!(matches!(host.add(taken), Err(AddMonitorError::NameTaken { .. })));
    }
    for number in 1..limits::MAX_MONITORS {
        host.add(&format!("m{number}")).unwrap();
    }
    assert!(matches!(host.add("one more"), Err(AddMonitorError::TooMany { .. })));
}

#[test]
fn without_threads_only_draining_moves() {
    let host = host(&Arc::default(), &Arc::new(ManualClock::at(at(0))), false);
    host.add("levels").unwrap();
    host.store.record([sample("a", 50.0)]);
    assert_eq!(host.runner.status()[0].lag, 1);
    host.drain();
    assert_eq!((host.runner.status()[0].lag, host.mailbox.states().len()), (0, 1));
    host.store.record([sample("a", 51.0)]);
    host.store.fail_next(Fault::Before);
    assert!(!host.runner.drain(2, LONG), "the store refuses, and nobody waits");
    host.clock.advance(limits::STORE_RETRY_PAUSE);
    host.drain();
    host.store.record([sample("a", 5.0)]);
    host.runner.remove_monitor("levels").unwrap();
    host.dispatcher.drain_due();
    assert_eq!(host.mailbox.states().len(), 2);
}

#[test]
fn draining_gives_up_in_time() {
    let host = fresh();
    host.add("m").unwrap();
    assert!(!host.runner.drain(1_000_000, Duration::from_millis(1)));
}
