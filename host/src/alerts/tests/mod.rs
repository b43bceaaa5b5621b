//! Outbox, dispatcher and host alerts against the model store.

mod book;
mod room;
mod threads;
mod undisturbed;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use telemetry_core::extension::{DeliveryOutcome, FailureReason, PluginFailure};
use telemetry_core::{Alert, Clock, ErrorCode, ManualClock, PendingDelivery, Severity, limits};
use telemetry_store::AlertChanges;

use super::delivery::fresh;
use super::model::{Answer, Fault, Mailbox, ModelStore, Reported, TestSink, alert, at, signal};
use super::*;

struct Bench {
    store: Arc<ModelStore>,
    clock: Arc<ManualClock>,
    faults: Arc<Reported>,
    dispatcher: Dispatcher,
    boxes: Vec<(&'static str, Arc<Mailbox>)>,
}

impl Bench {
    fn new(receivers: &[&'static str]) -> Self {
        let boxes = receivers.iter().map(|name| (*name, Arc::new(Mailbox::default()))).collect();
        let (store, clock) = (Arc::new(ModelStore::default()), Arc::new(ManualClock::at(at(0))));
        Self::over(store, clock, boxes)
    }

    fn over(
        store: Arc<ModelStore>,
        clock: Arc<ManualClock>,
        boxes: Vec<(&'static str, Arc<Mailbox>)>,
    ) -> Self {
        let sinks = boxes.iter().map(|(name, mailbox)| TestSink::boxed(name, mailbox).into()).collect();
        let faults = Arc::<Reported>::default();
        let dispatcher =
            Dispatcher::open(store.clone(), clock.clone(), faults.clone(), sinks, Absent::Removed).unwrap();
        Self { store, clock, faults, dispatcher, boxes }
    }

    /// The host dies and comes back.
    fn restart(self) -> Self {
        self.store.reopen();
        Self::over(self.store, self.clock, self.boxes)
    }

    fn mailbox(&self, name: &str) -> &Mailbox {
        &self.boxes.iter().find(|(receiver, _)| *receiver == name).unwrap().1
    }

    fn enqueue(&self, alert: &Alert, receiver: &str) {
        let due = self.clock.now();
        let mut changes =
            AlertChanges { enqueue: vec![fresh(alert, receiver, due)], ..AlertChanges::default() };
        self.dispatcher.admit(&mut changes);
        self.store.commit_alerts(&changes).unwrap();
        self.dispatcher.stored(&changes);
    }

    fn pending(&self) -> usize {
        let stored = self.store.state.lock().outbox.len();
        assert_eq!(stored, self.dispatcher.status().pending, "the mirror shows what is stored");
        stored
    }

    fn reasons(&self) -> Vec<String> {
        self.dispatcher.dead_letters().unwrap().into_iter().map(|letter| letter.reason).collect()
    }
}

fn retry(after: Option<Duration>) -> DeliveryOutcome {
    DeliveryOutcome::Retry { after, reason: "busy".to_owned() }
}

#[test]
fn delivered_once_and_settled() {
    let bench = Bench::new(&["a", "b"]);
    bench.enqueue(&alert("m", "k", Severity::Info), "a");
    bench.dispatcher.drain_due();
    bench.dispatcher.drain_due();
    assert_eq!((bench.mailbox("a").states().len(), bench.mailbox("b").states().len()), (1, 0));
    assert_eq!((bench.pending(), bench.reasons().len()), (0, 0));
}

#[test]
fn a_retry_comes_back_with_the_same_key_and_no_earlier() {
    let bench = Bench::new(&["a"]);
    bench.mailbox("a").answer(retry(Some(Duration::from_secs(60))));
    bench.mailbox("a").answer(retry(None));
    bench.enqueue(&alert("m", "k", Severity::Info), "a");
    for seconds in [0, 59] {
        bench.clock.advance(Duration::from_secs(seconds));
        bench.dispatcher.drain_due();
        assert_eq!((bench.mailbox("a").states().len(), bench.pending()), (1, 1));
    }
    let bench = bench.restart();
    for _ in 0..2 {
        bench.clock.advance(limits::MAX_DELIVERY_BACKOFF);
        bench.dispatcher.drain_due();
    }
    let received = bench.mailbox("a").received.lock();
    assert_eq!(received.iter().map(|given| given.attempt).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(received.iter().all(|given| given.idempotency_key == received[0].idempotency_key));
    assert_eq!(bench.pending(), 0);
}

#[test]
fn a_rejected_delivery_is_a_dead_letter_that_can_be_replayed() {
    let bench = Bench::new(&["a"]);
    let alert = alert("m", "k", Severity::Info);
    bench.mailbox("a").answer(DeliveryOutcome::Rejected("bad address".to_owned()));
    bench.enqueue(&alert, "a");
    bench.dispatcher.drain_due();
    assert_eq!((bench.reasons(), bench.pending()), (vec!["rejected: bad address".to_owned()], 0));
    let bench = bench.restart();
    assert_eq!(bench.dispatcher.status().dead_letters, 1);
    assert_eq!(bench.dispatcher.replay(alert.alert_id, "a").unwrap(), 1);
    bench.dispatcher.drain_due();
    assert_eq!((bench.mailbox("a").states().len(), bench.reasons().len(), bench.pending()), (2, 0, 0));
    assert!(matches!(bench.dispatcher.replay(alert.alert_id, "a"), Err(ReplayError::NotFound { .. })));
    assert!(matches!(bench.dispatcher.replay(alert.alert_id, "z"), Err(ReplayError::UnknownReceiver { .. })));
}

#[test]
fn a_sink_that_fails_or_panics_is_asked_again() {
    let bench = Bench::new(&["a"]);
    let quarantine = FailureReason::Quarantined { retry_in: Duration::from_secs(30) };
    let failure = PluginFailure { plugin: "a".to_owned(), reason: quarantine };
    bench.mailbox("a").answers.lock().extend([Answer::Panic, Answer::Failure(failure)]);
    bench.enqueue(&alert("m", "k", Severity::Info), "a");
    bench.dispatcher.drain_due();
    assert_eq!(bench.dispatcher.status().receivers[0].tally.retried, 1);
    bench.clock.advance(Duration::from_secs(2));
    bench.dispatcher.drain_due();
    bench.clock.advance(Duration::from_secs(29));
    bench.dispatcher.drain_due();
    assert_eq!(bench.mailbox("a").states().len(), 2, "it is in quarantine");
    bench.clock.advance(Duration::from_secs(2));
    bench.dispatcher.drain_due();
    assert_eq!((bench.mailbox("a").states().len(), bench.pending()), (3, 0));
}

#[test]
fn forwarding_through_a_router() {
    let bench = Bench::new(&["a", "router"]);
    bench.mailbox("router").answer(DeliveryOutcome::Forward(vec!["a".to_owned(), "nobody".to_owned()]));
    bench.enqueue(&alert("m", "k", Severity::Info), "router");
    bench.dispatcher.drain_due();
    assert_eq!(bench.mailbox("a").states().len(), 1);
    assert_eq!(bench.reasons(), ["router forwarded it to \"nobody\", which is no receiver"]);
    assert_eq!(bench.dispatcher.status().receivers[1].tally.forwarded, 1);
}

#[test]
fn two_routers_in_a_circle() {
    let bench = Bench::new(&["r1", "r2"]);
    for (from, to) in [("r1", "r2"), ("r2", "r1")] {
        bench.mailbox(from).answer(DeliveryOutcome::Forward(vec![to.to_owned()]));
    }
    bench.enqueue(&alert("m", "k", Severity::Info), "r1");
    bench.dispatcher.drain_due();
    assert_eq!(bench.reasons(), ["forwarded in a circle: r1 → r2 → r1"]);
    assert_eq!(bench.pending(), 0);
}

#[test]
fn an_outcome_that_cannot_be_stored_is_not_taken_for_true() {
    for fault in [Fault::Before, Fault::After] {
        let mut bench = Bench::new(&["a"]);
        bench.enqueue(&alert("m", "k", Severity::Info), "a");
        bench.store.fail_next(fault);
        bench.dispatcher.drain_due();
        assert_eq!(bench.mailbox("a").states().len(), 1);
        bench.dispatcher.drain_due();
        bench.clock.advance(limits::STORE_RETRY_PAUSE);
        bench.dispatcher.drain_due();
        if fault == Fault::After {
            bench = bench.restart();
            bench.dispatcher.drain_due();
        }
        assert_eq!(bench.mailbox("a").states().len(), 1, "the sink is not bothered with the store's trouble");
        assert_eq!(bench.pending(), 0);
    }
}

#[test]
fn what_the_store_refuses_is_a_fault_of_the_host() {
    let bench = Bench::new(&["a"]);
    bench.enqueue(&alert("m", "k", Severity::Info), "a");
    bench.store.fail_next(Fault::Before);
    bench.store.fail_next(Fault::Before);
    assert!(!bench.dispatcher.drain_due(), "attempted, but not stored");
    bench.clock.advance(limits::STORE_RETRY_PAUSE);
    assert!(!bench.dispatcher.drain_due());
    let reported = bench.faults.faults.lock().clone();
    assert_eq!(reported.len(), 2);
    assert_eq!(reported[0].0, ErrorCode::StorageFailure);
    let expected = "what became of deliveries to \"a\" cannot be stored: the store uses 1 of 1 bytes";
    assert!(reported[0].1.starts_with(expected), "{}", reported[0].1);
    assert!(bench.faults.settled.load(Ordering::SeqCst) >= 2);
    bench.clock.advance(limits::STORE_RETRY_PAUSE);
    assert!(bench.dispatcher.drain_due());
    assert_eq!((bench.pending(), bench.faults.faults.lock().len()), (0, 2));
}

#[test]
fn age_ends_a_wait_for_a_sink_that_is_not_there() {
    let bench = Bench::new(&["a"]);
    bench.dispatcher.attach("a", None);
    let lost = alert("m", "k", Severity::Info);
    bench.enqueue(&lost, "a");
    bench.enqueue(&Alert { times_seen: 2, ..lost.clone() }, "a");
    bench.clock.advance(limits::MAX_DELIVERY_AGE - Duration::from_secs(1));
    assert!(bench.dispatcher.drain_due());
    assert_eq!(bench.pending(), 2);
    bench.clock.advance(Duration::from_secs(1));
    assert!(bench.dispatcher.drain_due());
    let reason = "given up after 72 hours without its sink".to_owned();
    assert_eq!((bench.reasons(), bench.pending()), (vec![reason.clone(), reason], 0));
    assert_eq!(bench.dispatcher.status().receivers[0].tally.dead, 2);
    let mailbox = Arc::new(Mailbox::default());
    bench.dispatcher.attach("a", Some(TestSink::boxed("a", &mailbox)));
    assert_eq!(bench.dispatcher.replay(lost.alert_id, "a").unwrap(), 2);
    assert!(bench.dispatcher.drain_due());
    assert_eq!((mailbox.states().len(), bench.reasons().len()), (2, 0));
}

#[test]
fn an_old_delivery_of_a_host_that_was_off_is_attempted() {
    let bench = Bench::new(&["a"]);
    bench.enqueue(&alert("m", "k", Severity::Info), "a");
    bench.clock.advance(limits::MAX_DELIVERY_AGE * 2);
    let bench = bench.restart();
    assert!(bench.dispatcher.drain_due());
    assert_eq!((bench.mailbox("a").states().len(), bench.pending()), (1, 0));
}

#[test]
fn a_host_that_dies_before_an_outcome_is_stored_delivers_again() {
    let bench = Bench::new(&["a"]);
    bench.enqueue(&alert("m", "k", Severity::Info), "a");
    bench.store.fail_next(Fault::Before);
    bench.dispatcher.drain_due();
    let bench = bench.restart();
    bench.dispatcher.drain_due();
    let received = bench.mailbox("a").received.lock();
    assert_eq!((received.len(), bench.pending()), (2, 0));
    assert_eq!(received[0], received[1]);
}

#[test]
fn receivers_that_are_gone_or_not_there_yet() {
    let bench = Bench::new(&["a", "b"]);
    bench.enqueue(&alert("m", "k", Severity::Info), "b");
    bench.enqueue(&alert("m", "k", Severity::Info), "unheard");
    assert_eq!(bench.reasons(), ["there is no receiver \"unheard\""]);
    let Bench { store, clock, mut boxes, dispatcher, .. } = bench;
    drop(dispatcher);
    boxes.pop();
    let bench = Bench::over(store, clock, boxes);
    assert_eq!((bench.reasons().len(), bench.pending()), (2, 0), "b was removed from the configuration");

    assert!(bench.dispatcher.attach("a", None));
    bench.enqueue(&alert("m", "k", Severity::Info), "a");
    bench.dispatcher.drain_due();
    assert_eq!((bench.pending(), bench.dispatcher.status().receivers[0].available), (1, false));
    let late = Arc::new(Mailbox::default());
    assert!(bench.dispatcher.attach("a", Some(TestSink::boxed("a", &late))));
    bench.dispatcher.drain_due();
    assert_eq!((late.states().len(), bench.pending()), (1, 0));
}

#[test]
fn the_outbox_is_bounded_and_one_monitor_leaves_room_for_others() {
    let bench = Bench::new(&["a"]);
    assert!(bench.dispatcher.attach("a", None));
    let noisy = alert("noisy", "k", Severity::Info);
    let due = || bench.clock.now();
    let rows = (0..limits::MAX_PENDING_PER_MONITOR + 3)
        .map(|n| PendingDelivery {
            alert: Alert { times_seen: n as u64, ..noisy.clone() },
            ..fresh(&noisy, "a", due())
        })
        .map(|row| PendingDelivery { idempotency_key: format!("{}", row.alert.times_seen), ..row })
        .collect();
    let mut changes = AlertChanges { enqueue: rows, ..AlertChanges::default() };
    bench.dispatcher.admit(&mut changes);
    assert_eq!((changes.enqueue.len(), changes.bury.len()), (limits::MAX_PENDING_PER_MONITOR, 3));
    bench.store.commit_alerts(&changes).unwrap();
    bench.dispatcher.stored(&changes);
    bench.enqueue(&noisy, "a");
    bench.enqueue(&alert("calm", "k", Severity::Info), "a");
    assert_eq!(bench.pending(), limits::MAX_PENDING_PER_MONITOR + 1);
    assert_eq!(bench.dispatcher.status().dead_letters, 4);
}

#[test]
fn old_dead_letters_make_room() {
    let bench = Bench::new(&["a"]);
    let lost = alert("m", "k", Severity::Info);
    let enqueue = (0..=limits::MAX_DEAD_LETTERS)
        .map(|n| PendingDelivery { idempotency_key: format!("{n}"), ..fresh(&lost, "unheard", at(0)) })
        .collect();
    let mut changes = AlertChanges { enqueue, ..AlertChanges::default() };
    bench.dispatcher.admit(&mut changes);
    bench.store.commit_alerts(&changes).unwrap();
    bench.dispatcher.stored(&changes);
    let status = bench.dispatcher.status();
    assert_eq!(status.dead_letters, limits::MAX_DEAD_LETTERS * 9 / 10);
    assert_eq!(status.dead_letters, bench.reasons().len());
    assert_eq!(status.dead_letters_dropped, 1 + limits::MAX_DEAD_LETTERS as u64 / 10);
}

#[test]
fn configuration_mistakes() {
    let open = |names: Vec<String>| {
        let receivers = names.into_iter().map(|name| Receiver { name, sink: None }).collect();
        let clock = Arc::new(ManualClock::at(at(0)));
        Dispatcher::open(
            Arc::new(ModelStore::default()),
            clock,
            Arc::<Reported>::default(),
            receivers,
            Absent::Removed,
        )
    };
    assert!(matches!(
        open(vec!["a".to_owned(), "a".to_owned()]),
        Err(DispatcherError::DuplicateReceiver { .. })
    ));
    let many = (0..=limits::MAX_RECEIVERS).map(|n| n.to_string()).collect();
    assert!(matches!(open(many), Err(DispatcherError::TooManyReceivers { .. })));
}

#[test]
fn host_alerts_go_the_same_way() {
    let bench = Bench::new(&["console"]);
    let (store, clock, boxes) = (bench.store.clone(), bench.clock.clone(), bench.boxes.clone());
    let routes = Arc::new(RoutingTable::new(Vec::new(), vec!["console".to_owned()]));
    let dispatcher = Arc::new(bench.dispatcher);
    let host = HostAlerts::load(store.clone(), clock.clone(), dispatcher.clone(), routes.clone()).unwrap();
    host.signal(signal("disk", true, Severity::Error, 0)).unwrap();
    store.fail_next(Fault::Before);
    host.signal(signal("disk", false, Severity::Error, 1)).unwrap_err();
    assert!(host.is_firing("disk"), "what is not stored is not true");
    let host = HostAlerts::load(store.clone(), clock, dispatcher.clone(), routes).unwrap();
    assert!(host.is_firing("disk"));
    host.signal(signal("disk", false, Severity::Error, 2)).unwrap();
    host.signal(signal("never raised", false, Severity::Error, 2)).unwrap();
    dispatcher.drain_due();
    let error = Severity::Error;
    assert_eq!(boxes[0].1.states(), [("disk".to_owned(), true, error), ("disk".to_owned(), false, error)]);
    let listed = list_alerts(&*store, AlertFilter::All).unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].monitor, HOST_MONITOR);
    assert!(list_alerts(&*store, AlertFilter::Firing).unwrap().is_empty());
}
