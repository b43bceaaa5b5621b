//! Monitors and alerts on a real store in a directory, over restarts of the host.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use telemetry_core::admission::{AcceptedTimes, admit_event, admit_sample};
use telemetry_core::extension::DeliveryOutcome;
use telemetry_core::{Clock, EventDraft, ManualClock, MetricDraft, Severity, Timestamp, limits};
use telemetry_store::{Location, RecordBatch, Store, StoreOptions};
use tempfile::TempDir;

use super::crash_tests::{expected, signals_of_last_period};
use super::testbed::{Levels, Sabotage, alerting, routes, told};
use super::{MonitorRunner, MonitorState};
use crate::alerts::model::{Mailbox, Record, Reported, at};
use crate::alerts::{AlertFilter, Dispatcher, list_alerts};

const LONG: Duration = Duration::from_secs(120);

/// What outlives the host.
struct Machine {
    directory: TempDir,
    clock: Arc<ManualClock>,
    mailbox: Arc<Mailbox>,
    sabotage: Arc<Sabotage>,
}

struct Running {
    clock: Arc<ManualClock>,
    store: Arc<Store>,
    dispatcher: Arc<Dispatcher>,
    runner: MonitorRunner,
}

impl Machine {
    fn new() -> Self {
        Self {
            directory: TempDir::new().unwrap(),
            clock: Arc::new(ManualClock::at(at(0))),
            mailbox: Arc::default(),
            sabotage: Arc::default(),
        }
    }

    fn start(&self, background: bool) -> Running {
        let options = StoreOptions {
            location: Location::Directory(self.directory.path().to_owned()),
            min_free_bytes: 0,
            background: false,
            ..StoreOptions::default()
        };
        let store = Arc::new(Store::open(options, self.clock.clone()).unwrap());
        let (dispatcher, host) = alerting(store.clone(), &self.clock, &self.mailbox);
        let runner = MonitorRunner::start(
            store.clone(),
            self.clock.clone(),
            Arc::clone(&dispatcher),
            routes(),
            host,
            Arc::<Reported>::default(),
            background,
        )
        .unwrap();
        runner.add("levels", |restored| Ok(Levels::boxed(&self.sabotage, restored))).unwrap();
        Running { clock: self.clock.clone(), store, dispatcher, runner }
    }
}

impl Running {
    fn append(&self, records: &[Record]) {
        let times = AcceptedTimes::at(self.clock.now(), Duration::from_secs(86_400));
        let mut batch = RecordBatch::default();
        for record in records {
            match record {
                Record::Sample(name, value) => {
                    let draft = MetricDraft::new(name.as_str(), *value);
                    batch.samples.push(admit_sample(draft, &times).unwrap());
                }
                Record::Event(event_type) => {
                    let draft = EventDraft::new(event_type.as_str(), "test");
                    batch.events.push(admit_event(draft, &times, self.store.event_ids()).unwrap());
                }
                _ => unreachable!("only records are appended"),
            }
        }
        self.store.append(&batch).unwrap();
    }

    fn drain(&self) -> bool {
        let drained = self.runner.drain(self.store.last_sequence(), LONG);
        self.dispatcher.drain_due();
        drained
    }

    /// Drains, and lets time pass where a monitor or a delivery waits.
    fn settle(&self) {
        for _ in 0..1000 {
            let drained = self.drain();
            if drained && self.dispatcher.status().pending == 0 {
                return;
            }
            self.clock.advance(Duration::from_secs(1));
        }
        panic!("it never settles: {:?} {:?}", self.runner.status(), self.dispatcher.status());
    }

    fn seen(&self, name: &str) -> usize {
        let value = self.store.plugin_get("levels", &format!("seen:{name}")).unwrap();
        value.map_or(0, |bytes| String::from_utf8(bytes).unwrap().parse().unwrap())
    }

    /// Stops in order, as a host does: monitors, deliveries, store.
    fn stop(self) {
        self.runner.stop();
        self.dispatcher.stop();
    }
}

fn sample(name: &str, value: f64) -> Record {
    Record::Sample(name.to_owned(), value)
}

#[test]
fn everything_survives_a_restart() {
    let machine = Machine::new();
    let host = machine.start(false);
    host.append(&[sample("a1", 50.0), sample("a2", 500.0), sample("b", 50.0), Record::Event("E".to_owned())]);
    machine.mailbox.answer(DeliveryOutcome::Rejected("bad address".to_owned()));
    assert!(host.drain());
    host.append(&[sample("a1", 500.0)]);
    machine.mailbox.answer(DeliveryOutcome::Retry { after: None, reason: "busy".to_owned() });
    assert!(host.drain());
    assert_eq!((host.dispatcher.status().pending, host.dispatcher.status().dead_letters), (1, 2));
    host.stop();

    machine.clock.advance(Duration::from_secs(1));
    let host = machine.start(false);
    let outbox = host.dispatcher.status();
    assert_eq!((outbox.pending, outbox.dead_letters), (1, 2));
    host.append(&[sample("a1", 5.0)]);
    assert!(host.drain());
    host.clock.advance(limits::MAX_DELIVERY_BACKOFF);
    assert!(host.drain());
    let received = machine.mailbox.received.lock().clone();
    let tries: Vec<_> = received
        .iter()
        .filter(|given| given.alert.key == "a1" && given.alert.severity == Severity::Critical)
        .map(|given| (given.idempotency_key.clone(), given.attempt, given.alert.resolved_at.is_some()))
        .collect();
    assert_eq!(tries.len(), 3, "{tries:?}");
    assert_eq!((&tries[0].0, tries[0].1), (&tries[1].0, 1));
    assert_eq!((tries[1].1, tries[1].2, tries[2].2), (2, false, true), "the resolution waited for its turn");

    let letter = host.dispatcher.dead_letters().unwrap().remove(0);
    let (id, receiver) = (letter.delivery.alert.alert_id, letter.delivery.receiver.clone());
    assert_eq!(host.dispatcher.replay(id, &receiver).unwrap(), 1);
    assert!(host.drain());
    assert_eq!(host.dispatcher.status().dead_letters, 1);
    let last = machine.mailbox.received.lock().last().unwrap().clone();
    assert_eq!(last.idempotency_key, letter.delivery.idempotency_key);

    let firing = list_alerts(&*host.store, AlertFilter::Firing).unwrap();
    assert_eq!(firing.iter().map(|alert| alert.key.as_str()).collect::<Vec<_>>(), ["a2"]);
    assert_eq!(list_alerts(&*host.store, AlertFilter::Resolved).unwrap().len(), 1);
    assert_eq!((host.seen("a1"), host.seen("a2"), host.seen("b")), (3, 1, 0));
    host.runner.remove_monitor("levels").unwrap();
    assert!(host.store.load_cursor("levels").unwrap().is_none());
    assert!(list_alerts(&*host.store, AlertFilter::Firing).unwrap().is_empty());
}

/// Restarts with and without a last checkpoint, traps and sealed heads between: the effects are those of one calm run.
#[test]
fn many_restarts_change_nothing() {
    let machine = Machine::new();
    let mut random = StdRng::seed_from_u64(7);
    let mut log: Vec<Record> = Vec::new();
    let mut host = machine.start(false);
    for round in 0..60 {
        let records: Vec<Record> = (0..random.random_range(1..30))
            .map(|_| {
                let name = ["a1", "a2", "a3", "b"][random.random_range(0..4)];
                sample(name, [1.0, 50.0, 500.0][random.random_range(0..3)])
            })
            .collect();
        if random.random_bool(0.5) {
            host.append(&records);
        } else {
            records.iter().for_each(|record| host.append(std::slice::from_ref(record)));
        }
        log.extend(records);
        if random.random_bool(0.3) {
            let tick = Timestamp::from_millis(1_700_000_000_000 + (round + 1) * 1000);
            host.store.append_tick(tick).unwrap();
            log.push(Record::Tick(tick));
        }
        machine.sabotage.traps.store(random.random_range(0..3), Ordering::SeqCst);
        match random.random_range(0..4) {
            0 => {
                host.drain();
            }
            1 => host.settle(),
            2 => {
                host.store.seal().unwrap();
                host.settle();
            }
            _ => {
                // As after a kill: what was done since the last checkpoint is lost with the process.
                host.drain();
                machine.sabotage.unsaved.store(u32::from(random.random_bool(0.5)), Ordering::SeqCst);
                host.stop();
                machine.clock.advance(Duration::from_millis(2));
                host = machine.start(false);
            }
        }
        // No record is to fail so often that it counts as poison.
        machine.sabotage.traps.store(0, Ordering::SeqCst);
        machine.sabotage.unsaved.store(0, Ordering::SeqCst);
        host.settle();
    }
    let mut found: BTreeMap<String, Vec<Option<Severity>>> = BTreeMap::new();
    for (key, level) in told(&machine.mailbox) {
        found.entry(key).or_default().push(level);
    }
    assert_eq!(found, expected(&log));
    let alerts = list_alerts(&*host.store, AlertFilter::All).unwrap();
    for name in ["a1", "a2", "a3"] {
        let of_name = |record: &&Record| matches!(record, Record::Sample(found, _) if found == name);
        assert_eq!(host.seen(name), log.iter().filter(of_name).count());
        let last = alerts.iter().filter(|alert| alert.key == name).max_by_key(|alert| alert.alert_id);
        assert_eq!(last.map(|alert| alert.times_seen), signals_of_last_period(&log, name));
    }
}

#[test]
fn threads_see_every_record_once_while_others_write() {
    const WRITERS: usize = 4;
    const EACH: usize = 300;
    let machine = Machine::new();
    let host = machine.start(true);
    host.dispatcher.start().unwrap();
    machine.sabotage.traps.store(2, Ordering::SeqCst);
    std::thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(|| {
                for _ in 0..EACH {
                    host.append(&[sample("a", 50.0)]);
                }
            });
        }
        // The clock of a paused monitor goes on.
        scope.spawn(|| {
            while host.runner.status()[0].failures < 2
                || host.runner.status()[0].state != MonitorState::Running
            {
                host.clock.advance(Duration::from_millis(10));
                std::thread::yield_now();
            }
        });
    });
    assert!(host.drain());
    assert_eq!(host.seen("a"), WRITERS * EACH);
    // The clock that was moved may have ticked as well.
    let of_samples = told(&machine.mailbox).into_iter().filter(|(key, _)| key == "a").collect::<Vec<_>>();
    assert_eq!(of_samples, [("a".to_owned(), Some(Severity::Warning))]);
    let alerts = list_alerts(&*host.store, AlertFilter::All).unwrap();
    let alert = alerts.iter().find(|alert| alert.key == "a").unwrap();
    assert_eq!(alert.times_seen, (WRITERS * EACH) as u64);
    host.stop();
}
