//! What the monitor of the crash tests left: its checkpoint says what the records up to it say, and every signal was raised once.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bridge_telemetry::Host;
use bridge_telemetry::alerts::AlertFilter;
use bridge_telemetry_tests::{CRASH_MONITOR, CRASH_SAMPLES, crash_signal};
use telemetry_core::{
    EventOrder, EventQuery, MetricSelection, ScanBlock, ScanOptions, SystemClock, TimeRange,
};
use telemetry_store::{Store, StoreOptions};

const LONG: Duration = Duration::from_secs(120);

/// A batch, as its event `GIVEN` tells.
#[derive(Clone, Copy, Debug)]
struct Batch {
    run: u64,
    number: u32,
}

/// What the monitor reads, in this order.
#[derive(Clone, Copy, Debug)]
enum Unit {
    /// The samples of a batch, which have this value. They are stored before its events, in a call of their own.
    Samples(u64),
    /// An event at this sequence number; that with a given id tells the batch.
    Event(u64, Option<Batch>),
}

/// What the monitor counted: samples, the sum of their values, events, signals.
type Counts = [u64; 4];

/// What the records up to a sequence number lead to.
#[derive(Debug, Default)]
struct Outcome {
    counts: Counts,
    /// The values of batches whose samples stand there or behind: no event tells.
    perhaps: Vec<u64>,
    /// By the alert's key: whether it fires, and how many signals its present period had.
    alerts: BTreeMap<String, (bool, u64)>,
    /// Alerts that began to fire, and that were resolved.
    transitions: u64,
}

impl Outcome {
    /// Of all that stands before `next`.
    fn of(units: &[Unit], next: u64) -> Self {
        let mut outcome = Self::default();
        for unit in units {
            match *unit {
                Unit::Samples(value) => outcome.perhaps.push(value),
                Unit::Event(sequence, _) if sequence >= next => break,
                Unit::Event(_, batch) => outcome.event(batch),
            }
        }
        outcome
    }

    fn event(&mut self, batch: Option<Batch>) {
        // What stands before an event that was seen was seen.
        for value in std::mem::take(&mut self.perhaps) {
            self.samples(value, CRASH_SAMPLES);
        }
        self.counts[2] += 1;
        let Some((key, firing)) = batch.and_then(|batch| crash_signal(batch.run, batch.number)) else {
            return;
        };
        self.counts[3] += 1;
        let (fires, times) = self.alerts.entry(key).or_default();
        self.transitions += u64::from(*fires != firing);
        match (*fires, firing) {
            (false, true) => (*fires, *times) = (true, 1),
            (true, _) => (*fires, *times) = (firing, *times + 1),
            (false, false) => {}
        }
    }

    fn samples(&mut self, value: u64, count: u64) {
        self.counts[0] += count;
        self.counts[1] += count * value;
    }

    /// The monitor had seen `samples`: of those of which no event tells, the first ones.
    fn with_samples(mut self, samples: u64) -> Self {
        for value in std::mem::take(&mut self.perhaps) {
            let more = samples.saturating_sub(self.counts[0]).min(CRASH_SAMPLES);
            self.samples(value, more);
        }
        self
    }

    /// The alerts that fire, with their signals.
    fn firing(&self) -> BTreeMap<&str, u64> {
        let firing = self.alerts.iter().filter(|(_, (fires, _))| *fires);
        firing.map(|(key, (_, times))| (key.as_str(), *times)).collect()
    }
}

/// All events by their sequence number, those with an id of the host without their batch.
fn events_in(store: &Store) -> BTreeMap<u64, Option<Batch>> {
    let (mut found, mut cursor) = (BTreeMap::new(), None);
    loop {
        let order = EventOrder::OldestFirst;
        let query = EventQuery { limit: Some(5000), order, cursor, ..EventQuery::default() };
        let page = store.query_events(&query).unwrap();
        for event in &page.events {
            let data = event.data.to_map();
            let number = |key: &str| data.get(key).and_then(serde_json::Value::as_u64);
            let batch = number("run").zip(number("number"));
            let batch = batch.map(|(run, number)| Batch { run, number: u32::try_from(number).unwrap() });
            assert_eq!(batch.is_some(), &*event.event_type == "GIVEN");
            assert!(found.insert(event.sequence, batch).is_none(), "an event is there twice");
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            return found;
        }
    }
}

/// Runs that were killed between the samples and the events of a batch, with that batch's number.
fn cut_batches(store: &Store, events: &BTreeMap<u64, Option<Batch>>) -> BTreeMap<u64, u64> {
    let mut with_events: BTreeMap<u64, u64> = BTreeMap::new();
    events.values().flatten().for_each(|batch| *with_events.entry(batch.run).or_default() += 1);
    let mut cut = BTreeMap::new();
    for series in store.select_series(&MetricSelection::default(), TimeRange::ALL).unwrap() {
        let run: u64 = series.key.context.label("run").unwrap().parse().unwrap();
        let mut samples = 0;
        let count = &mut |_: usize, block: ScanBlock<'_>| {
            if let ScanBlock::Samples { values, .. } = block {
                samples += values.len() as u64;
            }
            ControlFlow::Continue(())
        };
        store.scan(&[series.id], TimeRange::ALL, ScanOptions::default(), count).unwrap();
        let told = with_events.get(&run).copied().unwrap_or_default();
        match samples.checked_sub(told * CRASH_SAMPLES) {
            Some(0) => {}
            Some(CRASH_SAMPLES) => assert_eq!(cut.insert(run, told), None),
            _ => panic!("run {run}: {samples} samples, events of {told} batches"),
        }
    }
    cut
}

fn units_in(store: &Store) -> Vec<Unit> {
    let events = events_in(store);
    let mut cut = cut_batches(store, &events);
    let mut units = Vec::new();
    for (sequence, batch) in events {
        if let Some(Batch { run, number }) = batch {
            let later = cut.split_off(&run);
            units.extend(std::mem::replace(&mut cut, later).into_values().map(Unit::Samples));
            units.push(Unit::Samples(u64::from(number)));
        }
        units.push(Unit::Event(sequence, batch));
    }
    units.extend(cut.into_values().map(Unit::Samples));
    units
}

fn counts_in(store: &Store) -> (u64, Counts) {
    let Some(cursor) = store.load_cursor(CRASH_MONITOR).unwrap() else { return (0, Counts::default()) };
    let Some(state) = cursor.state else { return (cursor.next_sequence, Counts::default()) };
    let text = String::from_utf8(state.bytes).unwrap();
    let numbers: Vec<u64> = text.split(' ').map(|number| number.parse().unwrap()).collect();
    (cursor.next_sequence, numbers.try_into().unwrap())
}

fn open(directory: &Path) -> Store {
    let options = StoreOptions { background: false, ..StoreOptions::in_directory(directory) };
    Store::open(options, Arc::new(SystemClock::default())).unwrap()
}

/// Looks at what the kill left, before any host opens it.
pub(super) fn check_as_left(directory: &Path) {
    let store = open(directory);
    let (next, found) = counts_in(&store);
    let outcome = Outcome::of(&units_in(&store), next).with_samples(found[0]);
    assert_eq!(found, outcome.counts, "the monitor's state as of {next}");
    let kept = store.plugin_get(CRASH_MONITOR, "samples").unwrap().unwrap_or_default();
    let kept = String::from_utf8(kept).unwrap();
    assert_eq!(kept.parse().unwrap_or(0), found[0], "the key-value space is of the same checkpoint");
    check_alerts(&store, &outcome);
}

/// Signals were raised once, and each change of state stands in the outbox once: nobody is there who would deliver it.
fn check_alerts(store: &Store, outcome: &Outcome) {
    let alerts = store.alerts().unwrap();
    let firing = alerts.iter().filter(|stored| stored.alert.resolved_at.is_none());
    let firing: BTreeMap<&str, u64> =
        firing.map(|stored| (stored.alert.key.as_str(), stored.alert.times_seen)).collect();
    assert_eq!(firing, outcome.firing());
    let pending = store.pending_deliveries(usize::MAX).unwrap();
    assert_eq!(pending.len() as u64, outcome.transitions);
    let keys: BTreeSet<&str> = pending.iter().map(|delivery| delivery.idempotency_key.as_str()).collect();
    assert_eq!(keys.len(), pending.len(), "each change of state has a key of its own");
    assert_eq!(store.dead_letters(usize::MAX).unwrap(), []);
}

/// After the monitor has read the rest, it has seen everything once.
pub(super) fn check_after_reading_all(host: Host, directory: &Path) {
    assert!(host.drain(LONG));
    let firing = host.alerts(AlertFilter::Firing).unwrap().len();
    host.close();
    drop(host);
    let store = open(directory);
    let (_, found) = counts_in(&store);
    let outcome = Outcome::of(&units_in(&store), u64::MAX).with_samples(u64::MAX);
    assert_eq!(found, outcome.counts, "every record was seen once");
    assert_eq!(found[0], store.stats().metrics_total);
    assert_eq!(firing, outcome.firing().len());
    check_alerts(&store, &outcome);
}
