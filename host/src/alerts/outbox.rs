//! The outbox: stored rows, mirrored in one lane for each receiver, and the rounds that bring them to the sinks.
//!
//! Invariants: a row is in a lane only if it is stored; it is settled in the store only after its sink answered; the lane
//! follows the store, never the other way round.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use telemetry_core::extension::Sink;
use telemetry_core::{Clock, DeadLetter, PendingDelivery, Timestamp, limits};
use telemetry_store::{AlertChanges, DeadLetterKey, DeliveryKey, StoreError};
use uuid::Uuid;

use super::alert_store::AlertStore;
use super::counts::{Counts, FULL, Plan};
use super::dead_letters::surplus;
use super::delivery::state_sequence;
use super::dispatcher::{Absent, ReplayError};
use super::fault_report::FaultReport;
use super::lane::{Lane, deliver};
use super::settlement::{Attempt, Settlement};
use super::status::OutboxStatus;
use crate::envelope::EnvelopeError;

/// What the store refused to the outbox.
#[derive(Debug, thiserror::Error)]
enum OutboxFault {
    #[error("what became of deliveries to \"{receiver}\" cannot be stored")]
    Unsettled {
        receiver: String,
        #[source]
        source: StoreError,
    },
    #[error("the dead letters that are too many cannot be removed")]
    DeadLetters(#[source] StoreError),
}

pub(super) struct Outbox {
    pub(super) store: Arc<dyn AlertStore>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) faults: Arc<dyn FaultReport>,
    pub(super) lanes: BTreeMap<String, Arc<Lane>>,
    counts: Mutex<Counts>,
    /// Held while dead letters are listed and then changed.
    burying: Mutex<()>,
}

impl Outbox {
    /// The outbox as the store holds it. Rows whose receiver was removed become dead letters.
    pub(super) fn load(
        store: Arc<dyn AlertStore>,
        clock: Arc<dyn Clock>,
        faults: Arc<dyn FaultReport>,
        lanes: BTreeMap<String, Arc<Lane>>,
        absent: Absent,
    ) -> Result<Self, StoreError> {
        let pending = store.pending_deliveries(usize::MAX)?;
        let dead = store.dead_letters(usize::MAX)?.len();
        let outbox = Self {
            store,
            clock,
            faults,
            lanes,
            counts: Mutex::new(Counts::of_dead(dead)),
            burying: Mutex::new(()),
        };
        let (known, orphaned): (Vec<_>, Vec<_>) =
            pending.into_iter().partition(|delivery| outbox.lanes.contains_key(&delivery.receiver));
        for delivery in known {
            outbox.insert(delivery);
        }
        if !orphaned.is_empty() && absent == Absent::Removed {
            let mut changes = AlertChanges::default();
            for delivery in orphaned {
                changes.settle.push(DeliveryKey::from(&delivery));
                changes.bury.push(outbox.without_receiver(delivery));
            }
            outbox.store.commit_alerts(&changes)?;
            outbox.count_dead(changes.bury.len());
        }
        Ok(outbox)
    }

    /// Turns planned rows that cannot wait here into dead letters. To be called on changes before they are stored.
    pub(super) fn admit(&self, changes: &mut AlertChanges) {
        let mut plan = Plan::default();
        for delivery in std::mem::take(&mut changes.enqueue) {
            let monitor = &delivery.alert.monitor;
            if !self.lanes.contains_key(&delivery.receiver) {
                changes.bury.push(self.without_receiver(delivery));
            } else if self.counts.lock().has_room_for(monitor, &plan) {
                plan.add(monitor);
                changes.enqueue.push(delivery);
            } else {
                let reason = FULL.to_owned();
                changes.bury.push(DeadLetter { delivery, reason, since: self.clock.now() });
            }
        }
    }

    /// Changes that [`Self::admit`] saw are stored: their rows go to their lanes.
    pub(super) fn stored(&self, changes: &AlertChanges) {
        for delivery in &changes.enqueue {
            self.insert(delivery.clone());
        }
        if !changes.bury.is_empty() {
            tracing::warn!(count = changes.bury.len(), "alert deliveries became dead letters");
            self.count_dead(changes.bury.len());
        }
    }

    /// Hands what is due to one lane's sink and stores what became of it. Answers whether there was anything to do.
    pub(super) fn round(&self, lane: &Lane) -> bool {
        let mut desk = lane.desk.lock();
        if lane.is_paused(&*self.clock) {
            return false;
        }
        let unsettled = desk.unsettled.take();
        let settlement = unsettled.or_else(|| match desk.sink.as_deref_mut() {
            Some(sink) => self.attempt(lane, sink),
            None => self.give_up_old(lane),
        });
        let Some(settlement) = settlement else { return false };
        match self.store.commit_alerts(&settlement.changes) {
            Ok(()) => self.settled(lane, settlement),
            Err(source) => {
                let code = source.code();
                let fault = OutboxFault::Unsettled { receiver: lane.receiver.clone(), source };
                self.faults.report(code, &fault);
                desk.unsettled = Some(settlement);
                lane.pause(&*self.clock);
            }
        }
        true
    }

    fn attempt(&self, lane: &Lane, sink: &mut (dyn Sink + 'static)) -> Option<Settlement> {
        let deliveries = lane.take_due(self.clock.now());
        if deliveries.is_empty() {
            return None;
        }
        let answer = deliver(sink, &deliveries);
        Some(self.judged(lane, self.clock.now(), |attempt| Settlement::of(attempt, deliveries, answer)))
    }

    /// Without a sink only age ends a delivery.
    fn give_up_old(&self, lane: &Lane) -> Option<Settlement> {
        let now = self.clock.now();
        let deliveries = lane.take_old(now);
        if deliveries.is_empty() {
            return None;
        }
        Some(self.judged(lane, now, |attempt| Settlement::without_sink(attempt, deliveries)))
    }

    fn judged(
        &self,
        lane: &Lane,
        now: Timestamp,
        judge: impl FnOnce(&Attempt<'_>) -> Settlement,
    ) -> Settlement {
        judge(&Attempt {
            now,
            receiver: &lane.receiver,
            knows: &|name| self.lanes.contains_key(name),
            waits: &|onward| self.lanes.get(&onward.receiver).is_some_and(|lane| lane.holds(onward)),
            has_room: &|monitor, plan| self.counts.lock().has_room_for(monitor, plan),
        })
    }

    /// Makes the dead letters for one receiver, of one alert or of all, pending again: the earliest states first, as many
    /// as there is room for.
    pub(super) fn replay(&self, alert_id: Option<Uuid>, receiver: &str) -> Result<usize, ReplayError> {
        if !self.lanes.contains_key(receiver) {
            return Err(ReplayError::UnknownReceiver { receiver: receiver.to_owned() });
        }
        let _burying = self.burying.lock();
        let mut letters = self.store.dead_letters(usize::MAX)?;
        letters.retain(|letter| {
            letter.delivery.receiver == receiver
                && alert_id.is_none_or(|asked| letter.delivery.alert.alert_id == asked)
        });
        if letters.is_empty() {
            return Err(ReplayError::NotFound { alert_id, receiver: receiver.to_owned() });
        }
        letters.sort_by_key(|letter| {
            let alert = &letter.delivery.alert;
            (alert.alert_id, state_sequence(alert))
        });
        self.keep_to_room(&mut letters);
        if letters.is_empty() {
            return Err(ReplayError::OutboxFull { retry_after: limits::REPLAY_RETRY });
        }
        let mut changes = AlertChanges::default();
        for letter in letters {
            changes.unbury.push(DeadLetterKey::from(&letter));
            let now = self.clock.now();
            changes.enqueue.push(PendingDelivery { attempts: 0, created: now, due: now, ..letter.delivery });
        }
        self.store.commit_alerts(&changes)?;
        let count = changes.enqueue.len();
        {
            let mut counts = self.counts.lock();
            counts.dead = counts.dead.saturating_sub(count);
        }
        for delivery in changes.enqueue {
            self.insert(delivery);
        }
        Ok(count)
    }

    /// Leaves the letters that may wait in the outbox; once one of a monitor's has no room, its later ones have none.
    fn keep_to_room(&self, letters: &mut Vec<DeadLetter>) {
        let counts = self.counts.lock();
        let mut plan = Plan::default();
        letters.retain(|letter| {
            let monitor = &letter.delivery.alert.monitor;
            let has_room = counts.has_room_for(monitor, &plan);
            if has_room {
                plan.add(monitor);
            }
            has_room
        });
    }

    pub(super) fn status(&self) -> OutboxStatus {
        let receivers = self.lanes.values().map(|lane| lane.status()).collect();
        let counts = self.counts.lock();
        OutboxStatus {
            pending: counts.pending(),
            dead_letters: counts.dead,
            dead_letters_dropped: counts.dead_dropped,
            receivers,
        }
    }

    fn settled(&self, lane: &Lane, settlement: Settlement) {
        {
            let mut counts = self.counts.lock();
            for finished in settlement.finished.iter().filter(|finished| finished.again.is_none()) {
                counts.remove(&finished.monitor);
            }
        }
        if settlement.tally.dead > 0 {
            let reason = settlement.tally.last_error.as_deref();
            tracing::warn!(
                receiver = lane.receiver,
                count = settlement.tally.dead,
                reason,
                "alert deliveries given up"
            );
            self.count_dead(settlement.changes.bury.len());
        }
        lane.count(settlement.tally);
        for onward in settlement.forwarded {
            self.insert(onward);
        }
        // Last: who waits for the lanes must find what it forwarded in one of them.
        lane.finish(settlement.finished);
    }

    fn insert(&self, delivery: PendingDelivery) {
        if let Some(lane) = self.lanes.get(&delivery.receiver) {
            self.counts.lock().add(&delivery.alert.monitor);
            lane.insert(delivery);
        }
    }

    fn without_receiver(&self, delivery: PendingDelivery) -> DeadLetter {
        let reason = format!("there is no receiver \"{}\"", delivery.receiver);
        DeadLetter { delivery, reason, since: self.clock.now() }
    }

    fn count_dead(&self, more: usize) {
        let dead = {
            let mut counts = self.counts.lock();
            counts.dead += more;
            counts.dead
        };
        if dead > limits::MAX_DEAD_LETTERS {
            self.drop_oldest_dead_letters();
        }
    }

    fn drop_oldest_dead_letters(&self) {
        let _burying = self.burying.lock();
        if let Err(error) = self.make_room_for_dead_letters() {
            self.faults.report(error.code(), &OutboxFault::DeadLetters(error));
        }
    }

    /// Makes room for a tenth of the limit at once, so that all letters are read but once for so many that are buried.
    fn make_room_for_dead_letters(&self) -> Result<(), StoreError> {
        let keep = limits::MAX_DEAD_LETTERS - limits::MAX_DEAD_LETTERS / 10;
        let unbury = surplus(&self.store.dead_letters(usize::MAX)?, keep);
        let removed = unbury.len();
        if removed == 0 {
            // Another receiver's thread has made the room.
            return Ok(());
        }
        self.store.commit_alerts(&AlertChanges { unbury, ..AlertChanges::default() })?;
        tracing::warn!(count = removed, "the oldest dead letters were removed: there were too many");
        let mut counts = self.counts.lock();
        counts.dead = counts.dead.saturating_sub(removed);
        counts.dead_dropped = counts.dead_dropped.saturating_add(removed as u64);
        Ok(())
    }
}
