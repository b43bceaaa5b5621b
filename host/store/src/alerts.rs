//! Alerts, the outbox of their deliveries, and the deliveries that were given up.
//!
//! Invariant: a change of alerts is one commit, together with the checkpoint that caused it where there is one.

use rocksdb::WriteBatch;
use telemetry_core::{DeadLetter, PendingDelivery, Timestamp};
use uuid::Uuid;

use crate::alert_rows::{AlertRow, StoredAlert, decode, encode};
use crate::database::{Family, Promise, Rows};
use crate::engine::Engine;
use crate::error::{Damage, StoreError};
use crate::families::ALERTS;
use crate::wire::{from_ordered, ordered, put_bytes};

const ALERT: u8 = 0x01;
const DELIVERY: u8 = 0x02;
const DEAD_LETTER: u8 = 0x03;

/// Names a delivery in the outbox.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryKey {
    /// Not before this instant.
    pub due: Timestamp,
    /// The alert.
    pub alert_id: Uuid,
    /// The receiver's name.
    pub receiver: String,
    /// Tells states of one alert on their way to one receiver apart.
    pub idempotency_key: String,
}

impl From<&PendingDelivery> for DeliveryKey {
    fn from(delivery: &PendingDelivery) -> Self {
        Self {
            due: delivery.due,
            alert_id: delivery.alert.alert_id,
            receiver: delivery.receiver.clone(),
            idempotency_key: delivery.idempotency_key.clone(),
        }
    }
}

/// Names a delivery that was given up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeadLetterKey {
    /// When it was given up.
    pub since: Timestamp,
    /// The alert.
    pub alert_id: Uuid,
    /// The receiver's name.
    pub receiver: String,
    /// Tells states of one alert on their way to one receiver apart.
    pub idempotency_key: String,
}

impl From<&DeadLetter> for DeadLetterKey {
    fn from(letter: &DeadLetter) -> Self {
        Self {
            since: letter.since,
            alert_id: letter.delivery.alert.alert_id,
            receiver: letter.delivery.receiver.clone(),
            idempotency_key: letter.delivery.idempotency_key.clone(),
        }
    }
}

/// Changes to alerts and their deliveries, made together. Removals are made first, so that a delivery can be put back
/// under the key it had.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlertChanges {
    /// Alerts that are new or changed.
    pub put: Vec<StoredAlert>,
    /// Alerts that are forgotten.
    pub remove: Vec<Uuid>,
    /// Deliveries to be made.
    pub enqueue: Vec<PendingDelivery>,
    /// Deliveries that need not be made any more.
    pub settle: Vec<DeliveryKey>,
    /// Deliveries that are given up.
    pub bury: Vec<DeadLetter>,
    /// Given-up deliveries that are forgotten, or tried again.
    pub unbury: Vec<DeadLetterKey>,
}

impl AlertChanges {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.put.is_empty()
            && self.remove.is_empty()
            && self.enqueue.is_empty()
            && self.settle.is_empty()
            && self.bury.is_empty()
            && self.unbury.is_empty()
    }

    /// Adds the changes to a commit.
    pub(crate) fn write(&self, family: &Family<'_>, batch: &mut WriteBatch) -> Result<(), StoreError> {
        for id in &self.remove {
            batch.delete_cf(family, alert_key(*id));
        }
        for key in &self.settle {
            batch.delete_cf(family, delivery_key(key));
        }
        for key in &self.unbury {
            batch.delete_cf(family, dead_letter_key(key));
        }
        for stored in &self.put {
            batch.put_cf(family, alert_key(stored.alert.alert_id), encode(stored)?);
        }
        for delivery in &self.enqueue {
            batch.put_cf(family, delivery_key(&delivery.into()), encode(delivery)?);
        }
        for letter in &self.bury {
            batch.put_cf(family, dead_letter_key(&letter.into()), encode(letter)?);
        }
        Ok(())
    }
}

/// Whether a row is as this module writes it.
pub(crate) fn check_row(key: &[u8], value: &[u8]) -> Result<(), Damage> {
    match key {
        [ALERT, ..] => decode::<StoredAlert>(value).map(drop),
        [DELIVERY, ..] => decode::<PendingDelivery>(value).map(drop),
        [DEAD_LETTER, ..] => decode::<DeadLetter>(value).map(drop),
        _ => Err(Damage::new("row", "its kind is not known")),
    }
}

fn alert_key(id: Uuid) -> Vec<u8> {
    let mut key = vec![ALERT];
    key.extend_from_slice(id.as_bytes());
    key
}

fn timed_key(kind: u8, time: Timestamp, id: Uuid, receiver: &str, idempotency_key: &str) -> Vec<u8> {
    let mut key = vec![kind];
    key.extend_from_slice(&ordered(time.nanos()));
    key.extend_from_slice(id.as_bytes());
    put_bytes(&mut key, receiver.as_bytes());
    key.extend_from_slice(idempotency_key.as_bytes());
    key
}

fn delivery_key(key: &DeliveryKey) -> Vec<u8> {
    timed_key(DELIVERY, key.due, key.alert_id, &key.receiver, &key.idempotency_key)
}

fn dead_letter_key(key: &DeadLetterKey) -> Vec<u8> {
    timed_key(DEAD_LETTER, key.since, key.alert_id, &key.receiver, &key.idempotency_key)
}

impl Engine {
    /// Commits changes to alerts alone.
    pub(crate) fn commit_alerts(&self, changes: &AlertChanges) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        let mut batch = WriteBatch::new();
        changes.write(&self.database.family(ALERTS)?, &mut batch)?;
        self.database.commit(batch, Promise::Acknowledged)
    }

    /// All alerts.
    pub(crate) fn alerts(&self) -> Result<Vec<StoredAlert>, StoreError> {
        self.listed(vec![ALERT], vec![ALERT + 1], usize::MAX)
    }

    /// Deliveries due at `now`, the most overdue first.
    pub(crate) fn due_deliveries(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<PendingDelivery>, StoreError> {
        let mut upper = vec![DELIVERY];
        match now.nanos().checked_add(1) {
            Some(after) => upper.extend_from_slice(&ordered(after)),
            None => upper = vec![DELIVERY + 1],
        }
        self.listed(vec![DELIVERY], upper, limit)
    }

    /// When the next delivery is due.
    pub(crate) fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let mut rows = self.alert_rows(vec![DELIVERY], vec![DELIVERY + 1])?;
        rows.first();
        let due = rows.row().and_then(|(key, _)| key.get(1..)?.first_chunk::<8>().copied());
        rows.check("deliveries")?;
        Ok(due.map(|due| Timestamp::from_nanos(from_ordered(due))))
    }

    /// Deliveries in the outbox, by the time they are due.
    pub(crate) fn pending_deliveries(&self, limit: usize) -> Result<Vec<PendingDelivery>, StoreError> {
        self.listed(vec![DELIVERY], vec![DELIVERY + 1], limit)
    }

    /// Deliveries that were given up, oldest first.
    pub(crate) fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        self.listed(vec![DEAD_LETTER], vec![DEAD_LETTER + 1], limit)
    }

    fn alert_rows(&self, lower: Vec<u8>, upper: Vec<u8>) -> Result<Rows<'_>, StoreError> {
        Ok(self.database.rows(&self.database.family(ALERTS)?, lower, upper))
    }

    fn listed<T: AlertRow>(
        &self,
        lower: Vec<u8>,
        upper: Vec<u8>,
        limit: usize,
    ) -> Result<Vec<T>, StoreError> {
        let mut rows = self.alert_rows(lower, upper)?;
        let mut found = Vec::new();
        rows.first();
        while found.len() < limit
            && let Some((_, value)) = rows.row()
        {
            match decode(value) {
                Ok(value) => found.push(value),
                Err(damage) => self.database.reports().add(format!("a row is set aside: {damage}")),
            }
            rows.forward();
        }
        rows.check(T::WHAT)?;
        Ok(found)
    }
}
