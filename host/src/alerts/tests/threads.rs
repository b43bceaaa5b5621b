//! Receivers' threads: what draining waits for, and how they stop.

use std::sync::{Arc, Weak};
use std::time::Duration;

use telemetry_core::extension::{AlertForDelivery, DeliveryOutcome, PluginFailure, Sink};
use telemetry_core::{Clock, Severity, limits};
use telemetry_store::AlertChanges;

use super::{Bench, retry};
use crate::alerts::delivery::fresh;
use crate::alerts::model::alert;
use crate::alerts::{AlertStore, Dispatcher};

#[test]
fn threads_deliver_and_stop() {
    let bench = Bench::new(&["a", "b"]);
    bench.dispatcher.start().unwrap();
    bench.dispatcher.start().unwrap();
    for receiver in ["a", "b"] {
        for _ in 0..100 {
            bench.enqueue(&alert("m", "k", Severity::Info), receiver);
        }
    }
    bench.dispatcher.drain_due();
    assert_eq!((bench.mailbox("a").states().len(), bench.mailbox("b").states().len()), (100, 100));
    bench.dispatcher.stop();
    bench.enqueue(&alert("m", "k", Severity::Info), "a");
    assert_eq!(bench.pending(), 1);
}

#[test]
fn draining_sees_the_clock_and_forwards_while_threads_run() {
    let bench = Bench::new(&["a", "b", "router"]);
    bench.dispatcher.start().unwrap();
    for round in 1..50 {
        bench.mailbox("router").answer(DeliveryOutcome::Forward(vec!["a".to_owned(), "b".to_owned()]));
        bench.mailbox("a").answer(retry(None));
        bench.enqueue(&alert("m", "k", Severity::Info), "router");
        assert!(bench.dispatcher.drain_due());
        assert_eq!((bench.mailbox("a").states().len(), bench.pending()), (2 * round - 1, 1));
        bench.clock.advance(limits::MAX_DELIVERY_BACKOFF);
        assert!(bench.dispatcher.drain_due());
        assert_eq!((bench.mailbox("a").states().len(), bench.pending()), (2 * round, 0));
        assert_eq!(bench.mailbox("b").states().len(), round);
    }
}

#[test]
fn a_receivers_thread_may_stop_the_dispatcher() {
    struct Stops(Weak<Dispatcher>, crossbeam_channel::Sender<()>);
    impl Sink for Stops {
        fn name(&self) -> &str {
            "a"
        }
        fn deliver(
            &mut self,
            alerts: &[AlertForDelivery],
            _deadline: Duration,
        ) -> Result<Vec<DeliveryOutcome>, PluginFailure> {
            self.0.upgrade().unwrap().stop();
            self.1.send(()).unwrap();
            Ok(vec![DeliveryOutcome::Delivered(None); alerts.len()])
        }
    }
    let Bench { store, clock, faults, dispatcher, boxes } = Bench::new(&["a", "b"]);
    let dispatcher = Arc::new(dispatcher);
    let (stopped, seen) = crossbeam_channel::bounded(1);
    dispatcher.attach("a", Some(Box::new(Stops(Arc::downgrade(&dispatcher), stopped))));
    dispatcher.start().unwrap();
    let mut changes = AlertChanges {
        enqueue: vec![fresh(&alert("m", "k", Severity::Info), "a", clock.now())],
        ..AlertChanges::default()
    };
    dispatcher.admit(&mut changes);
    store.commit_alerts(&changes).unwrap();
    dispatcher.stored(&changes);
    seen.recv_timeout(Duration::from_secs(60)).unwrap();
    assert!(dispatcher.drain_due(), "what the thread began is finished");
    assert_eq!((store.state.lock().outbox.len(), faults.faults.lock().len(), boxes.len()), (0, 0, 2));
}

#[test]
fn a_slow_sink_holds_nobody_else_up() {
    struct Blocked(crossbeam_channel::Receiver<()>);
    impl Sink for Blocked {
        fn name(&self) -> &str {
            "slow"
        }
        fn deliver(
            &mut self,
            alerts: &[AlertForDelivery],
            _deadline: Duration,
        ) -> Result<Vec<DeliveryOutcome>, PluginFailure> {
            self.0.recv().unwrap();
            Ok(vec![DeliveryOutcome::Duplicate; alerts.len()])
        }
    }
    let (release, blocked) = crossbeam_channel::bounded(1);
    let (delivered, seen) = crossbeam_channel::bounded(1);
    struct Fast(crossbeam_channel::Sender<()>);
    impl Sink for Fast {
        fn name(&self) -> &str {
            "fast"
        }
        fn deliver(
            &mut self,
            alerts: &[AlertForDelivery],
            _deadline: Duration,
        ) -> Result<Vec<DeliveryOutcome>, PluginFailure> {
            self.0.send(()).unwrap();
            Ok(vec![DeliveryOutcome::Delivered(None); alerts.len()])
        }
    }
    let bench = Bench::new(&["slow", "fast"]);
    bench.dispatcher.attach("slow", Some(Box::new(Blocked(blocked))));
    bench.dispatcher.attach("fast", Some(Box::new(Fast(delivered))));
    bench.dispatcher.start().unwrap();
    bench.enqueue(&alert("m", "k", Severity::Info), "slow");
    bench.enqueue(&alert("m", "k", Severity::Info), "fast");
    seen.recv_timeout(Duration::from_secs(60)).unwrap();
    assert!(!bench.dispatcher.drain(Duration::ZERO), "the slow one is still at it");
    release.send(()).unwrap();
    assert!(bench.dispatcher.drain_due());
    assert_eq!(bench.pending(), 0);
}
