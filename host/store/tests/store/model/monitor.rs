//! Checkpoints: cursor, state, key-value space, alerts and outbox change together.

use std::collections::BTreeMap;

use telemetry_core::extension::{KeyValueWrite, SavedState};
use telemetry_core::{Alert, AlertStatus, PendingDelivery, Severity, Timestamp};
use telemetry_store::{AlertChanges, Checkpoint, DeliveryKey, SavedCursor, Store, StoredAlert};
use uuid::Uuid;

use super::step::{CheckpointStep, KEYS, NANOS};
use super::world::World;
use crate::fixture::noon;

const NAME: &str = "monitor";

/// What was committed.
#[derive(Debug, Default)]
pub struct Kept {
    cursor: Option<SavedCursor>,
    values: BTreeMap<usize, Vec<u8>>,
    alerts: BTreeMap<Uuid, Alert>,
    /// By time, alert and key, as the store shows them.
    outbox: BTreeMap<(i64, Uuid, String), PendingDelivery>,
    checkpoints: u64,
}

impl Kept {
    pub fn checkpoint(&mut self, store: &Store, step: &CheckpointStep, last_sequence: u64) {
        self.checkpoints += 1;
        let before = self.cursor.as_ref().map_or(1, |cursor| cursor.next_sequence);
        let next_sequence = before + (last_sequence + 1).saturating_sub(before) * step.reads / 100;
        let state = SavedState { version: 1, bytes: self.checkpoints.to_le_bytes().to_vec() };
        let cursor = SavedCursor { next_sequence, state: Some(state) };
        let mut changes = AlertChanges::default();
        // A batch names an alert once.
        let alerts: BTreeMap<u8, bool> = step.alerts.iter().copied().collect();
        for (number, firing) in alerts {
            let alert = alert(number, self.checkpoints);
            if firing {
                changes.put.push(StoredAlert { alert: alert.clone(), told: None });
                self.alerts.insert(alert.alert_id, alert);
            } else {
                changes.remove.push(alert.alert_id);
                self.alerts.remove(&alert.alert_id);
            }
        }
        let settled: Vec<_> = self.outbox.keys().take(step.settled).cloned().collect();
        changes.settle = settled.iter().map(|key| DeliveryKey::from(&self.outbox[key])).collect();
        settled.iter().for_each(|key| drop(self.outbox.remove(key)));
        for (place, (number, seconds)) in step.deliveries.iter().enumerate() {
            let due = Timestamp::from_nanos(noon().nanos() + seconds * NANOS);
            let key = format!("{}-{place}", self.checkpoints);
            let delivery = delivery(alert(*number, self.checkpoints), due, &key);
            self.outbox.insert((due.nanos(), delivery.alert.alert_id, key), delivery.clone());
            changes.enqueue.push(delivery);
        }
        for (key, value) in &step.writes {
            match value {
                Some(value) => drop(self.values.insert(*key, value.clone())),
                None => drop(self.values.remove(key)),
            }
        }
        let write = |(key, value): &(usize, Option<Vec<u8>>)| KeyValueWrite {
            key: KEYS[*key].to_owned(),
            value: value.clone(),
        };
        let checkpoint = Checkpoint {
            monitor: NAME.to_owned(),
            next_sequence,
            state: cursor.state.clone(),
            writes: step.writes.iter().map(write).collect(),
            changes,
        };
        store.commit_checkpoint(&checkpoint).unwrap();
        self.cursor = Some(cursor);
    }
}

fn alert(number: u8, times_seen: u64) -> Alert {
    Alert {
        alert_id: Uuid::from_u128(u128::from(number)),
        monitor: NAME.to_owned(),
        key: number.to_string(),
        status: AlertStatus::Firing,
        severity: Severity::Info,
        summary: "é".to_owned(),
        value: Some(0.1),
        labels: BTreeMap::new(),
        first_seen: noon(),
        last_seen: noon(),
        resolved_at: None,
        times_seen,
    }
}

fn delivery(alert: Alert, due: Timestamp, key: &str) -> PendingDelivery {
    PendingDelivery {
        alert,
        receiver: "ops".to_owned(),
        created: noon(),
        due,
        attempts: 0,
        forwarded_by: Vec::new(),
        idempotency_key: key.to_owned(),
        last_error: None,
    }
}

pub fn check(world: &World) {
    let (store, kept) = (&world.fixture.store, &world.kept);
    assert_eq!(store.load_cursor(NAME).unwrap(), kept.cursor);
    for (place, key) in KEYS.iter().enumerate() {
        assert_eq!(store.plugin_get(NAME, key).unwrap().as_ref(), kept.values.get(&place), "{key}");
    }
    let usage = kept.values.iter().map(|(key, value)| KEYS[*key].len() + value.len()).sum::<usize>();
    assert_eq!(store.plugin_usage(NAME).unwrap(), usage as u64);
    let alerts: Vec<Alert> = store.alerts().unwrap().into_iter().map(|stored| stored.alert).collect();
    assert_eq!(alerts, kept.alerts.values().cloned().collect::<Vec<_>>());
    assert_eq!(
        store.pending_deliveries(usize::MAX).unwrap(),
        kept.outbox.values().cloned().collect::<Vec<_>>()
    );
    let due: Vec<_> = kept.outbox.values().filter(|delivery| delivery.due <= noon()).cloned().collect();
    assert_eq!(store.due_deliveries(noon(), usize::MAX).unwrap(), due);
}
