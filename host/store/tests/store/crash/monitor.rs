//! A monitor that counts what it reads, raises a signal at some batches and tells of it; and what its checkpoints must say.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use telemetry_core::extension::{KeyValueWrite, SavedState};
use telemetry_core::{Alert, AlertStatus, PendingDelivery, Severity};
use telemetry_store::{AlertChanges, Checkpoint, DeliveryKey, LogBody, Store, StoredAlert};
use uuid::Uuid;

use super::{PLACE_BITS, SAMPLES};
use crate::fixture::*;

const NAME: &str = "counter";
const COUNT_KEY: &str = "samples";
/// One batch in so many is a signal.
const SIGNALS: u64 = 4;
const ALERTS: u64 = 3;
const PATIENCE: Duration = Duration::from_millis(20);

/// What the monitor keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    samples: u64,
    sum: u64,
    events: u64,
}

impl Tally {
    fn saved(self) -> SavedState {
        SavedState {
            version: 1,
            bytes: format!("{} {} {}", self.samples, self.sum, self.events).into_bytes(),
        }
    }

    fn restored(state: &SavedState) -> Self {
        let text = std::str::from_utf8(&state.bytes).unwrap();
        let numbers: Vec<u64> = text.split(' ').map(|number| number.parse().unwrap()).collect();
        Self { samples: numbers[0], sum: numbers[1], events: numbers[2] }
    }
}

fn is_signal(id: u64) -> bool {
    id.is_multiple_of(SIGNALS)
}

fn alert(key: u64, times_seen: u64) -> Alert {
    Alert {
        alert_id: Uuid::from_u128(u128::from(key)),
        monitor: NAME.to_owned(),
        key: key.to_string(),
        status: AlertStatus::Firing,
        severity: Severity::Warning,
        summary: "a batch".to_owned(),
        value: None,
        labels: BTreeMap::new(),
        first_seen: noon(),
        last_seen: noon(),
        resolved_at: None,
        times_seen,
    }
}

fn delivery(id: u64, alert: &Alert) -> PendingDelivery {
    PendingDelivery {
        alert: alert.clone(),
        receiver: "ops".to_owned(),
        created: noon(),
        due: noon(),
        attempts: 0,
        forwarded_by: Vec::new(),
        idempotency_key: id.to_string(),
        last_error: None,
    }
}

/// Reads the log until the process is killed.
pub(super) fn watch(store: &Store, say: &impl Fn(String)) {
    let saved = store.load_cursor(NAME).unwrap().unwrap_or_default();
    let mut tally = saved.state.as_ref().map(Tally::restored).unwrap_or_default();
    let mut seen: BTreeMap<u64, u64> = store
        .alerts()
        .unwrap()
        .into_iter()
        .map(|stored| (stored.alert.key.parse().unwrap(), stored.alert.times_seen))
        .collect();
    let mut next = saved.next_sequence.max(1);
    loop {
        let mut changes = AlertChanges::default();
        let before = next;
        for entry in store.read_log(next, 64).unwrap() {
            next = entry.next_sequence;
            match entry.body {
                LogBody::Events(batch) => {
                    for event in batch.rows() {
                        tally.events += 1;
                        let id = id_of(event.data);
                        if is_signal(id) {
                            let times = seen.entry(id % ALERTS).or_default();
                            *times += 1;
                            let alert = alert(id % ALERTS, *times);
                            changes.enqueue.push(delivery(id, &alert));
                            changes.put.push(StoredAlert { alert, told: None });
                        }
                    }
                }
                LogBody::Samples(batch) => {
                    for sample in batch.rows() {
                        tally.samples += 1;
                        tally.sum += sample.value as u64;
                    }
                }
                other => panic!("{other:?}"),
            }
        }
        if next == before {
            store.wait_for(next, PATIENCE);
            continue;
        }
        let value = Some(tally.samples.to_string().into_bytes());
        let checkpoint = Checkpoint {
            monitor: NAME.to_owned(),
            next_sequence: next,
            state: Some(tally.saved()),
            writes: vec![KeyValueWrite { key: COUNT_KEY.to_owned(), value }],
            changes,
        };
        store.commit_checkpoint(&checkpoint).unwrap();
        tell(store, say);
    }
}

fn id_of(data: &str) -> u64 {
    data.trim_start_matches("{\"id\":").trim_end_matches('}').parse().unwrap()
}

/// Tells of some signals: at least once, as they are settled afterwards.
fn tell(store: &Store, say: &impl Fn(String)) {
    let due = store.due_deliveries(noon(), 5).unwrap();
    due.iter().for_each(|delivery| say(format!("\ntold {} .\n", delivery.idempotency_key)));
    let settle = due.iter().map(DeliveryKey::from).collect();
    store.commit_alerts(&AlertChanges { settle, ..AlertChanges::default() }).unwrap();
}

/// The last checkpoint says what the log up to it says; each signal was raised once, and is in the outbox or was told.
pub(super) fn check(store: &Store, batches: &BTreeMap<u64, u64>, told: &BTreeSet<u64>) {
    let cursor = store.load_cursor(NAME).unwrap().unwrap_or_default();
    let next = cursor.next_sequence;
    let mut expected = Tally::default();
    let (mut seen, mut signals) = (BTreeMap::<u64, u64>::new(), BTreeSet::new());
    // A batch's samples come right behind its event.
    for (sequence, id) in batches.range(..next) {
        expected.events += 1;
        for place in 0..SAMPLES.min(next - sequence - 1) {
            expected.samples += 1;
            expected.sum += id << PLACE_BITS | place;
        }
        if is_signal(*id) {
            *seen.entry(id % ALERTS).or_default() += 1;
            signals.insert(*id);
        }
    }
    let found = cursor.state.as_ref().map(Tally::restored).unwrap_or_default();
    assert_eq!(found, expected, "the monitor's state as of {next}");
    let kept = store.plugin_get(NAME, COUNT_KEY).unwrap().map(|value| String::from_utf8(value).unwrap());
    assert_eq!(kept.unwrap_or("0".to_owned()), expected.samples.to_string());
    let alerts = store.alerts().unwrap().into_iter();
    let raised: BTreeMap<u64, u64> =
        alerts.map(|stored| (stored.alert.key.parse().unwrap(), stored.alert.times_seen)).collect();
    assert_eq!(raised, seen, "each signal was raised once");
    let pending: Vec<u64> = store
        .pending_deliveries(usize::MAX)
        .unwrap()
        .iter()
        .map(|delivery| delivery.idempotency_key.parse().unwrap())
        .collect();
    let waiting: BTreeSet<u64> = pending.iter().copied().collect();
    assert_eq!(waiting.len(), pending.len(), "no delivery waits twice");
    assert!(waiting.is_subset(&signals), "only what was raised is in the outbox");
    let lost: Vec<&u64> = signals.iter().filter(|id| !waiting.contains(id) && !told.contains(id)).collect();
    assert_eq!(lost, Vec::<&u64>::new(), "raised, and neither told nor in the outbox");
    assert!(told.is_subset(&signals), "only what was raised is told");
}
