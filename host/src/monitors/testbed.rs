//! A monitor with known behaviour, and a world to follow the log in, for the tests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use telemetry_core::extension::{
    FailureReason, KeyValueWrite, Monitor, MonitorCheckpoint, PluginFailure, SavedState,
};
use telemetry_core::{
    Clock, EventBatch, ManualClock, SampleBatch, Severity, Signal, Subscription, Timestamp, limits,
};

use super::follower::{Follower, Ports, Step};
use super::incidents::Incidents;
use super::log_store::LogStore;
use super::readings::Readings;
use crate::alerts::model::{Mailbox, ModelStore, Reported, TestSink, at};
use crate::alerts::{Absent, AlertBook, AlertStore, Dispatcher, HOST_MONITOR, HostAlerts, RoutingTable};

/// A sample of this value kills the monitor.
pub(super) const POISON: f64 = 666.0;
/// The monitor panics on a sample of this value.
pub(super) const PANIC: f64 = 667.0;
/// After a sample of this value the monitor cannot save its state.
pub(super) const UNSAVABLE: f64 = 668.0;

/// The level of a value: `None` below 10, a warning below 100, else critical.
pub(super) fn level(value: f64) -> Option<Severity> {
    match value {
        value if value < 10.0 => None,
        value if value < 100.0 => Some(Severity::Warning),
        _ => Some(Severity::Critical),
    }
}

/// How a test interferes with monitors.
#[derive(Debug, Default)]
pub(super) struct Sabotage {
    /// How many of the next calls fail.
    pub(super) traps: AtomicU32,
    /// How many of the next restarts fail.
    pub(super) failing_restarts: AtomicU32,
    /// How many of the next states cannot be saved.
    pub(super) unsaved: AtomicU32,
    /// How often a checkpoint was said to be durable.
    pub(super) committed: AtomicU32,
    /// The reason of these failures is a quarantine of a minute.
    pub(super) quarantine: AtomicU32,
    /// A sample that kills others does nothing to it.
    pub(super) immune: AtomicBool,
}

impl Sabotage {
    fn strikes(count: &AtomicU32) -> bool {
        count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
    }

    fn failure(&self) -> PluginFailure {
        let reason = if Self::strikes(&self.quarantine) {
            FailureReason::Quarantined { retry_in: Duration::from_secs(60) }
        } else {
            FailureReason::Trap("sabotage".to_owned())
        };
        PluginFailure { plugin: "levels".to_owned(), reason }
    }
}

/// Watches the level of metrics `a*`, refreshes alerts with every sample, and counts samples in its key-value space.
pub(super) struct Levels {
    subscription: Subscription,
    sabotage: Arc<Sabotage>,
    state: State,
    writes: BTreeMap<String, u64>,
}

#[derive(Clone, Default)]
struct State {
    firing: BTreeMap<String, bool>,
    seen: BTreeMap<String, u64>,
    ticks: u64,
    unsavable: bool,
}

impl State {
    fn save(&self) -> SavedState {
        let mut text = format!("{}\n", self.ticks);
        for (name, seen) in &self.seen {
            let firing = self.firing.get(name).copied().unwrap_or(false);
            text.push_str(&format!("{name} {seen} {firing}\n"));
        }
        SavedState { version: 1, bytes: text.into_bytes() }
    }

    fn restore(saved: &SavedState) -> Self {
        let text = String::from_utf8(saved.bytes.clone()).unwrap();
        let mut lines = text.lines();
        let mut state = Self { ticks: lines.next().unwrap().parse().unwrap(), ..Self::default() };
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            state.seen.insert(words[0].to_owned(), words[1].parse().unwrap());
            state.firing.insert(words[0].to_owned(), words[2].parse().unwrap());
        }
        state
    }
}

impl Levels {
    pub(super) fn boxed(sabotage: &Arc<Sabotage>, restored: Option<SavedState>) -> Box<dyn Monitor> {
        let subscription = Subscription {
            metrics: Some(vec!["a*".to_owned()]),
            tick: Some(Duration::from_secs(1)),
            ..Subscription::default()
        };
        let state = restored.as_ref().map(State::restore).unwrap_or_default();
        Box::new(Self { subscription, sabotage: Arc::clone(sabotage), state, writes: BTreeMap::new() })
    }

    fn signal(key: &str, level: Option<Severity>, value: f64) -> Signal {
        Signal {
            key: key.to_owned(),
            firing: level.is_some(),
            severity: level.unwrap_or_default(),
            summary: format!("{key} is {value}"),
            value: Some(value),
            timestamp: at(0),
            labels: BTreeMap::new(),
        }
    }
}

impl Monitor for Levels {
    fn name(&self) -> &str {
        "levels"
    }

    fn subscription(&self) -> &Subscription {
        &self.subscription
    }

    fn on_events(&mut self, _batch: &EventBatch) -> Result<Vec<Signal>, PluginFailure> {
        unreachable!("no events are subscribed to")
    }

    fn on_samples(&mut self, batch: &SampleBatch) -> Result<Vec<Signal>, PluginFailure> {
        let mut signals = Vec::new();
        for row in batch.rows() {
            assert!(row.name.starts_with('a'), "not subscribed to");
            assert!(row.value != PANIC, "a monitor's bug");
            // The live state is half changed when it fails: only a restart mends it.
            let seen = self.state.seen.entry(row.name.to_owned()).or_default();
            *seen += 1;
            self.writes.insert(format!("seen:{}", row.name), *seen);
            if row.value == POISON && !self.sabotage.immune.load(Ordering::SeqCst) {
                return Err(self.sabotage.failure());
            }
            self.state.unsavable |= row.value == UNSAVABLE;
            let level = level(row.value);
            let was_firing = self.state.firing.insert(row.name.to_owned(), level.is_some());
            if level.is_some() || was_firing == Some(true) {
                signals.push(Self::signal(row.name, level, row.value));
            }
        }
        if Sabotage::strikes(&self.sabotage.traps) { Err(self.sabotage.failure()) } else { Ok(signals) }
    }

    /// Every third tick raises an alert, every fourth resolves it.
    fn tick(&mut self, _now: Timestamp) -> Result<Vec<Signal>, PluginFailure> {
        self.state.ticks += 1;
        if Sabotage::strikes(&self.sabotage.traps) {
            return Err(self.sabotage.failure());
        }
        Ok(tick_level(self.state.ticks).map(|level| Self::signal("tick", level, 0.0)).into_iter().collect())
    }

    fn checkpoint(&mut self) -> Result<MonitorCheckpoint, PluginFailure> {
        if self.state.unsavable || Sabotage::strikes(&self.sabotage.unsaved) {
            return Err(self.sabotage.failure());
        }
        let writes = self.writes.iter().map(|(key, count)| KeyValueWrite {
            key: key.clone(),
            value: Some(count.to_string().into_bytes()),
        });
        Ok(MonitorCheckpoint { state: Some(self.state.save()), writes: writes.collect() })
    }

    fn committed(&mut self) {
        self.sabotage.committed.fetch_add(1, Ordering::SeqCst);
        self.writes.clear();
    }

    fn restart(&mut self, restored: Option<SavedState>) -> Result<(), PluginFailure> {
        if Sabotage::strikes(&self.sabotage.failing_restarts) {
            return Err(self.sabotage.failure());
        }
        self.state = restored.as_ref().map(State::restore).unwrap_or_default();
        self.writes.clear();
        Ok(())
    }
}

/// What the `count`-th tick signals.
pub(super) fn tick_level(count: u64) -> Option<Option<Severity>> {
    match count % 4 {
        3 => Some(Some(Severity::Warning)),
        0 => Some(None),
        _ => None,
    }
}

/// A host without threads around one monitor.
pub(super) struct World {
    pub(super) store: Arc<ModelStore>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) sabotage: Arc<Sabotage>,
    pub(super) dispatcher: Arc<Dispatcher>,
    pub(super) host: Arc<HostAlerts>,
    pub(super) faults: Arc<Reported>,
    ports: Ports,
    pub(super) follower: Follower,
}

impl World {
    pub(super) fn new() -> Self {
        let clock = Arc::new(ManualClock::at(at(0)));
        Self::over(Arc::default(), clock, Arc::default(), Arc::default())
    }

    pub(super) fn over(
        store: Arc<ModelStore>,
        clock: Arc<ManualClock>,
        mailbox: Arc<Mailbox>,
        sabotage: Arc<Sabotage>,
    ) -> Self {
        let (dispatcher, host) = alerting(store.clone(), &clock, &mailbox);
        let cursor = store.load_cursor("levels").unwrap().unwrap_or_default();
        let cursor = telemetry_store::SavedCursor { next_sequence: cursor.next_sequence.max(1), ..cursor };
        let monitor = Levels::boxed(&sabotage, cursor.state.clone());
        let book = AlertBook::load("levels", store.alerts().unwrap(), routes());
        let incidents = Incidents::load("levels", Arc::clone(&host), clock.clone());
        let faults = Arc::<Reported>::default();
        let ports = Ports {
            readings: Readings::of(store.clone()),
            log: store.clone(),
            clock: clock.clone(),
            dispatcher: Arc::clone(&dispatcher),
            faults: faults.clone(),
            backlog: Arc::default(),
        };
        let follower = Follower::new("levels", monitor, cursor, ports.clone(), book, incidents);
        Self { store, clock, mailbox, sabotage, dispatcher, host, faults, ports, follower }
    }

    /// Another monitor on the same log from its beginning, which shares its readings.
    pub(super) fn beside(&self, name: &str, sabotage: &Arc<Sabotage>) -> Follower {
        let cursor = telemetry_store::SavedCursor { next_sequence: 1, state: None };
        let book = AlertBook::load(name, self.store.alerts().unwrap(), routes());
        let incidents = Incidents::load(name, Arc::clone(&self.host), self.clock.clone());
        Follower::new(name, Levels::boxed(sabotage, None), cursor, self.ports.clone(), book, incidents)
    }

    /// The host dies, and comes back a moment later.
    pub(super) fn restart(self) -> Self {
        self.store.reopen();
        self.clock.advance(Duration::from_millis(2));
        Self::over(self.store, self.clock, self.mailbox, self.sabotage)
    }

    /// Follows the log to its end, lets time pass where it must, and delivers. Answers how often it had to wait.
    pub(super) fn settle(&mut self) -> usize {
        let mut pauses = 0;
        for _ in 0..10_000 {
            match self.follower.step() {
                Step::Progress => {}
                Step::CaughtUp => {
                    self.follower.flush();
                    self.dispatcher.drain_due();
                    if !self.follower.holds_back(self.store.last_sequence()) {
                        return pauses;
                    }
                }
                Step::Pause(pause) => {
                    pauses += 1;
                    self.clock.advance(pause);
                }
            }
        }
        panic!("the follower never comes to the end of the log");
    }

    pub(super) fn told(&self) -> Vec<(String, Option<Severity>)> {
        told(&self.mailbox)
    }

    pub(super) fn status(&self) -> super::MonitorStatus {
        self.follower.status().lock().clone()
    }

    pub(super) fn past_incident_hold(&mut self) {
        self.clock.advance(limits::INCIDENT_HOLD);
        self.settle();
    }
}

pub(super) fn routes() -> Arc<RoutingTable> {
    Arc::new(RoutingTable::new(Vec::new(), vec!["console".to_owned()]))
}

pub(super) fn alerting(
    store: Arc<dyn AlertStore>,
    clock: &Arc<ManualClock>,
    mailbox: &Arc<Mailbox>,
) -> (Arc<Dispatcher>, Arc<HostAlerts>) {
    let clock: Arc<dyn Clock> = clock.clone();
    let receivers = vec![TestSink::boxed("console", mailbox).into()];
    let faults = Arc::<Reported>::default();
    let dispatcher =
        Dispatcher::open(Arc::clone(&store), Arc::clone(&clock), faults, receivers, Absent::Removed).unwrap();
    let dispatcher = Arc::new(dispatcher);
    let host = HostAlerts::load(store, clock, Arc::clone(&dispatcher), routes()).unwrap();
    (dispatcher, Arc::new(host))
}

/// What the monitors' own alerts told a sink: (key, severity while firing), each state once.
pub(super) fn told(mailbox: &Mailbox) -> Vec<(String, Option<Severity>)> {
    let received = mailbox.received.lock();
    let mut keys = BTreeSet::new();
    let new = received
        .iter()
        .filter(|given| given.alert.monitor != HOST_MONITOR && keys.insert(given.idempotency_key.clone()));
    new.map(|given| {
        let firing = given.alert.resolved_at.is_none();
        (given.alert.key.clone(), firing.then_some(given.alert.severity))
    })
    .collect()
}
