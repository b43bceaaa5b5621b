//! One monitor takes another's place, or ends, in a runner with threads and in one without.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use telemetry_core::extension::{FailureReason, Monitor, MonitorCheckpoint, PluginFailure, SavedState};
use telemetry_core::{EventBatch, ManualClock, SampleBatch, Severity, Signal, Subscription, Timestamp};

use super::follower::Step;
use super::testbed::{Levels, POISON, Sabotage, World, alerting, routes};
use super::*;
use crate::alerts::Dispatcher;
use crate::alerts::model::{Fault, Mailbox, ModelStore, Record, Reported, at};

const LONG: Duration = Duration::from_secs(60);

struct Scene {
    store: Arc<ModelStore>,
    mailbox: Arc<Mailbox>,
    dispatcher: Arc<Dispatcher>,
    runner: MonitorRunner,
}

impl Scene {
    /// Where one monitor runs.
    fn new(background: bool) -> Self {
        let scene = Self::with(background, Arc::default(), LONG);
        scene.runner.add("levels", |restored| Ok(Levels::boxed(&Arc::default(), restored))).unwrap();
        scene
    }

    /// Where none runs yet.
    fn with(background: bool, gate: Arc<BacklogGate>, wait: Duration) -> Self {
        let (store, clock) = (Arc::<ModelStore>::default(), Arc::new(ManualClock::at(at(0))));
        let mailbox = Arc::default();
        let (dispatcher, host) = alerting(store.clone(), &clock, &mailbox);
        let faults = Arc::<Reported>::default();
        let (log, routes) = (store.clone(), routes());
        let runner =
            MonitorRunner::start(log, clock, Arc::clone(&dispatcher), routes, host, faults, background)
                .unwrap();
        let runner = runner.with_backlog(gate).with_handover_wait(wait);
        Self { store, mailbox, dispatcher, runner }
    }

    fn record(&self, value: f64) {
        self.store.record([Record::Sample("a".to_owned(), value)]);
    }

    fn drain(&self) {
        assert!(self.runner.drain(self.store.last_sequence(), LONG));
        self.dispatcher.drain_due();
    }

    fn seen(&self) -> Option<Vec<u8>> {
        self.store.state.lock().key_values.get(&("levels".to_owned(), "seen:a".to_owned())).cloned()
    }
}

fn successor(sabotage: &Arc<Sabotage>, state: Option<SavedState>) -> Result<Successor, PluginFailure> {
    Ok(Successor { monitor: Levels::boxed(sabotage, state), from: StartedFrom::Handed, on_probation: true })
}

fn in_both(check: impl Fn(Scene)) {
    check(Scene::new(true));
    check(Scene::new(false));
}

#[test]
fn the_new_one_goes_on_at_the_next_record_with_the_state() {
    in_both(|scene| {
        scene.record(50.0);
        scene.drain();
        scene.record(60.0);
        let handover =
            scene.runner.replace("levels", Box::new(|state| successor(&Arc::default(), state))).unwrap();
        assert!(handover.state.is_some() && (2..=3).contains(&handover.next_sequence), "{handover:?}");
        scene.record(5.0);
        scene.drain();
        let told = [("a".to_owned(), true, Severity::Warning), ("a".to_owned(), false, Severity::Warning)];
        assert_eq!(scene.mailbox.states(), told);
        assert_eq!(scene.seen().unwrap(), b"3");
        assert_eq!(scene.runner.status()[0].failures, 0);
    });
}

#[test]
fn where_the_new_one_does_not_start_the_old_one_goes_on() {
    in_both(|scene| {
        scene.record(50.0);
        scene.drain();
        let refusal = scene.runner.replace(
            "levels",
            Box::new(|_| {
                let reason = FailureReason::Unsupported("this state".to_owned());
                Err(PluginFailure { plugin: "levels".to_owned(), reason })
            }),
        );
        assert!(matches!(refusal, Err(HandoverError::Refused(_))), "{refusal:?}");
        let panics = scene.runner.replace("levels", Box::new(|_| panic!("a bug")));
        assert!(matches!(panics, Err(HandoverError::Refused(_))), "{panics:?}");
        scene.record(5.0);
        scene.drain();
        assert_eq!((scene.mailbox.states().len(), scene.seen().unwrap()), (2, b"2".to_vec()));
    });
}

#[test]
fn one_that_fails_is_mended_by_its_successor() {
    let scene = Scene::new(false);
    let sabotage = Arc::new(Sabotage::default());
    sabotage.failing_restarts.store(u32::MAX, std::sync::atomic::Ordering::SeqCst);
    let broken = Arc::clone(&sabotage);
    scene.runner.replace("levels", Box::new(move |state| successor(&broken, state))).unwrap();
    sabotage.traps.store(1, std::sync::atomic::Ordering::SeqCst);
    scene.record(50.0);
    assert!(!scene.runner.drain(1, LONG), "it cannot be restarted");
    scene.runner.replace("levels", Box::new(|state| successor(&Arc::default(), state))).unwrap();
    scene.drain();
    assert_eq!((scene.mailbox.states().len(), scene.seen().unwrap()), (1, b"1".to_vec()));
}

#[test]
fn a_state_that_replaces_the_one_handed_over_is_durable_at_once() {
    let scene = Scene::new(false);
    scene.record(50.0);
    scene.drain();
    let former = || Some(SavedState { version: 1, bytes: b"7\n".to_vec() });
    let start = move |_| {
        Ok(Successor {
            monitor: Levels::boxed(&Arc::default(), former()),
            from: StartedFrom::Other(former()),
            on_probation: false,
        })
    };
    scene.runner.replace("levels", Box::new(start)).unwrap();
    let cursor = scene.store.load_cursor("levels").unwrap().unwrap();
    assert_eq!((cursor.state, cursor.next_sequence), (former(), 2));
}

#[test]
fn only_a_monitor_that_runs_can_be_replaced() {
    in_both(|scene| {
        let replace =
            |name: &str| scene.runner.replace(name, Box::new(|state| successor(&Arc::default(), state)));
        assert!(matches!(replace("nobody"), Err(HandoverError::NotRunning { .. })));
        scene.runner.stop();
        assert!(matches!(replace("levels"), Err(HandoverError::NotRunning { .. })));
    });
}

#[test]
fn one_that_is_ended_resolves_its_alerts_and_is_forgotten_while_the_others_go_on() {
    in_both(|scene| {
        let add = |name: &str| {
            scene.runner.add(name, |restored| Ok(Levels::boxed(&Arc::default(), restored))).unwrap();
        };
        add("other");
        scene.record(50.0);
        scene.drain();
        scene.record(60.0);
        scene.runner.end_monitor("levels").unwrap();
        scene.runner.end_monitor("levels").unwrap();
        scene.drain();
        let told = |firing| ("a".to_owned(), firing, Severity::Warning);
        assert_eq!(scene.mailbox.states(), [told(true), told(true), told(false)]);
        assert!(scene.store.load_cursor("levels").unwrap().is_none());
        let running = || scene.runner.status().into_iter().map(|it| it.monitor).collect::<Vec<_>>();
        assert_eq!(running(), ["other"]);
        add("levels");
        assert_eq!((running(), scene.runner.status()[0].cursor), (vec!["levels".into(), "other".into()], 3));
    });
}

/// Stays in a call until the test lets it go on.
struct Stuck {
    subscription: Subscription,
    entered: Sender<()>,
    released: Receiver<()>,
}

impl Monitor for Stuck {
    fn name(&self) -> &str {
        "stuck"
    }

    fn subscription(&self) -> &Subscription {
        &self.subscription
    }

    fn on_events(&mut self, _batch: &EventBatch) -> Result<Vec<Signal>, PluginFailure> {
        Ok(Vec::new())
    }

    fn on_samples(&mut self, _batch: &SampleBatch) -> Result<Vec<Signal>, PluginFailure> {
        // Where the test is over, nobody waits and nobody lets it go.
        let _ = self.entered.send(());
        let _ = self.released.recv();
        Ok(Vec::new())
    }

    fn tick(&mut self, _now: Timestamp) -> Result<Vec<Signal>, PluginFailure> {
        Ok(Vec::new())
    }

    fn checkpoint(&mut self) -> Result<MonitorCheckpoint, PluginFailure> {
        Ok(MonitorCheckpoint::default())
    }

    fn committed(&mut self) {}

    fn restart(&mut self, _restored: Option<SavedState>) -> Result<(), PluginFailure> {
        Ok(())
    }
}

#[test]
fn one_that_does_not_end_in_time_holds_nobody_up_when_it_leaves_and_is_ended_later() {
    let policy = BacklogPolicy { monitor: "stuck".to_owned(), records: 1, wait: Duration::ZERO };
    let gate = Arc::new(BacklogGate::new(vec![policy]));
    let scene = Scene::with(true, Arc::clone(&gate), Duration::ZERO);
    let ((entered, entries), (release, released)) = (channel(), channel());
    let subscription = Subscription { metrics: Some(Vec::new()), ..Subscription::default() };
    let stuck = Stuck { subscription, entered, released };
    scene.runner.add("stuck", move |_| Ok(Box::new(stuck))).unwrap();
    scene.record(1.0);
    entries.recv_timeout(LONG).unwrap();
    assert!(gate.minds("stuck"));
    let busy = scene.runner.end_monitor("stuck");
    assert!(matches!(busy, Err(EndMonitorError::Busy { .. })), "{busy:?}");
    // It does not see this one any more, and still nobody waits for it.
    scene.record(2.0);
    release.send(()).unwrap();
    scene.drain();
    let status = scene.runner.status().remove(0);
    assert_eq!((status.state, status.cursor, gate.minds("stuck")), (MonitorState::Stopped, 2, false));
    let began = Instant::now();
    while let Err(error) = scene.runner.end_monitor("stuck") {
        assert!(matches!(error, EndMonitorError::Busy { .. }) && began.elapsed() < LONG, "{error}");
    }
    assert!(scene.runner.status().is_empty() && scene.store.load_cursor("stuck").unwrap().is_none());
}

#[test]
fn one_that_the_store_does_not_forget_at_once_is_ended_by_the_next_try() {
    in_both(|scene| {
        scene.record(50.0);
        scene.drain();
        scene.store.fail_next(Fault::Before);
        let refused = scene.runner.end_monitor("levels");
        assert!(matches!(refused, Err(EndMonitorError::Store(_))), "{refused:?}");
        assert!(scene.runner.status().is_empty() && scene.store.load_cursor("levels").unwrap().is_some());
        scene.runner.end_monitor("levels").unwrap();
        scene.drain();
        let told = [("a".to_owned(), true, Severity::Warning), ("a".to_owned(), false, Severity::Warning)];
        assert_eq!(scene.mailbox.states(), told);
        assert!(scene.store.load_cursor("levels").unwrap().is_none());
    });
}

#[test]
fn no_record_is_set_aside_before_a_new_version_has_proved_itself() {
    let mut world = World::new();
    let sabotage = Arc::clone(&world.sabotage);
    world.follower.hand_over(Box::new(move |state| successor(&sabotage, state))).unwrap();
    world.store.record([Record::Sample("a".to_owned(), POISON), Record::Sample("a".to_owned(), 50.0)]);
    // Within its probation: nobody in this test takes the version back.
    for _ in 0..8 {
        if let Step::Pause(pause) = world.follower.step() {
            world.clock.advance(pause);
        }
    }
    assert!(world.status().failures > 3);
    assert_eq!((world.status().poison_records, world.status().cursor), (0, 1));
    // The version before has no trouble with this record, or sets it aside by its own right.
    let sabotage = Arc::clone(&world.sabotage);
    world
        .follower
        .hand_over(Box::new(move |state| {
            let monitor = Levels::boxed(&sabotage, state);
            Ok(Successor { monitor, from: StartedFrom::Handed, on_probation: false })
        }))
        .unwrap();
    world.settle();
    assert_eq!((world.status().poison_records, world.status().cursor), (1, 3));
}
