//! The alerts of one monitor: a pure state machine from signals to changes of state.
//!
//! Invariant: what signals do is staged, and becomes true with [`AlertBook::commit`] only; [`AlertBook::rollback`] leaves no
//! trace. Rows for the outbox are made once, so committing the same stage again writes the same rows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use telemetry_core::time::NANOS_PER_SECOND;
use telemetry_core::{Alert, AlertStatus, PendingDelivery, Signal, Timestamp, limits};
use telemetry_store::{AlertChanges, StoredAlert};
use uuid::{ContextV7, Uuid};

use super::bounds::bounded;
use super::delivery::fresh;
use super::routes::RoutingTable;

/// An alert that fires, and who was told of it.
#[derive(Clone, Debug)]
struct Firing {
    alert: Alert,
    told: BTreeSet<String>,
}

impl Firing {
    fn to_stored(&self) -> StoredAlert {
        StoredAlert { alert: self.alert.clone(), told: Some(self.told.clone()) }
    }
}

#[derive(Debug, Default)]
struct Staged {
    /// Keys that signals touched; `None` when the alert was resolved.
    firing: BTreeMap<String, Option<Firing>>,
    resolved: Vec<Firing>,
    enqueue: Vec<PendingDelivery>,
    transitions: usize,
    left_out: u64,
}

/// The alerts of one monitor.
#[derive(Debug)]
pub struct AlertBook {
    monitor: String,
    routes: Arc<RoutingTable>,
    firing: BTreeMap<String, Firing>,
    /// Kept for listing, oldest first.
    resolved: BTreeSet<(Timestamp, Uuid)>,
    /// Alerts that fire, staged ones included.
    firing_count: usize,
    staged: Staged,
    ids: ContextV7,
}

impl AlertBook {
    /// The book of `monitor`, from all alerts that the store holds.
    pub fn load(
        monitor: &str,
        stored: impl IntoIterator<Item = StoredAlert>,
        routes: Arc<RoutingTable>,
    ) -> Self {
        let (mut firing, mut resolved) = (BTreeMap::new(), BTreeSet::new());
        for StoredAlert { alert, told } in stored.into_iter().filter(|stored| stored.alert.monitor == monitor)
        {
            match alert.status {
                AlertStatus::Resolved => {
                    resolved.insert(resolution(&alert));
                }
                AlertStatus::Firing => {
                    // Where who was told was not stored yet: a needless word to somebody does less harm than an alert
                    // that, for somebody else, never ends.
                    let told = told.unwrap_or_else(|| routes.receivers_at_any_severity(&alert));
                    firing.insert(alert.key.clone(), Firing { alert, told });
                }
            }
        }
        let firing_count = firing.len();
        Self {
            monitor: monitor.to_owned(),
            routes,
            firing,
            resolved,
            firing_count,
            staged: Staged::default(),
            ids: ContextV7::new(),
        }
    }

    /// Stages what a signal does. `now` is the host's clock.
    pub fn apply(&mut self, signal: Signal, now: Timestamp) {
        let signal = bounded(signal, now);
        match (self.take(&signal.key), signal.firing) {
            (None, false) => {}
            (None, true) if self.firing_count >= limits::MAX_FIRING_ALERTS => self.staged.left_out += 1,
            (None, true) => self.begin(signal, now),
            (Some(firing), true) => self.update(firing, signal, now),
            (Some(mut firing), false) => {
                firing.alert.times_seen = firing.alert.times_seen.saturating_add(1);
                firing.alert.last_seen = firing.alert.last_seen.max(signal.timestamp);
                firing.alert.value = signal.value;
                if !signal.summary.is_empty() {
                    firing.alert.summary = signal.summary;
                }
                let at = signal.timestamp.max(firing.alert.first_seen);
                self.resolve(firing, at, now);
            }
        }
    }

    /// Counts signals that were left out before they came here.
    pub(crate) fn leave_out(&mut self, signals: u64) {
        self.staged.left_out = self.staged.left_out.saturating_add(signals);
    }

    /// Stages the resolution of everything that fires: the monitor is gone.
    pub fn resolve_all(&mut self, now: Timestamp) {
        let keys: BTreeSet<String> = self.firing.keys().chain(self.staged.firing.keys()).cloned().collect();
        for key in keys {
            if let Some(firing) = self.take(&key) {
                let at = now.max(firing.alert.first_seen);
                self.resolve(firing, at, now);
            }
        }
    }

    /// Whether a change of state is staged, which must be stored before it can be delivered.
    pub fn has_transitions(&self) -> bool {
        self.staged.transitions > 0
    }

    /// Signals of the stage that were left out because too many alerts fire.
    pub fn left_out(&self) -> u64 {
        self.staged.left_out
    }

    /// Alerts that fire, staged ones included.
    pub fn firing(&self) -> usize {
        self.firing_count
    }

    /// Whether the alert with this key fires.
    pub fn is_firing(&self, key: &str) -> bool {
        self.current(key).is_some()
    }

    /// What must be stored for the stage to become true.
    pub fn changes(&self, now: Timestamp) -> AlertChanges {
        let mut kept = self.resolved.clone();
        kept.extend(self.staged.resolved.iter().map(|ended| resolution(&ended.alert)));
        let oldest = now.minus(limits::RESOLVED_ALERT_AGE);
        let surplus = kept.len().saturating_sub(limits::MAX_RESOLVED_ALERTS);
        let expired: BTreeSet<Uuid> = kept
            .iter()
            .enumerate()
            .filter(|(place, (at, _))| *place < surplus || *at < oldest)
            .map(|(_, (_, id))| *id)
            .collect();
        let touched = self.staged.firing.values().flatten();
        AlertChanges {
            put: touched
                .chain(&self.staged.resolved)
                .filter(|touched| !expired.contains(&touched.alert.alert_id))
                .map(Firing::to_stored)
                .collect(),
            remove: expired.into_iter().collect(),
            enqueue: self.staged.enqueue.clone(),
            ..AlertChanges::default()
        }
    }

    /// The stage was stored, with `changes` as [`Self::changes`] answered them.
    pub fn commit(&mut self, changes: &AlertChanges) {
        let staged = std::mem::take(&mut self.staged);
        for (key, firing) in staged.firing {
            match firing {
                Some(firing) => self.firing.insert(key, firing),
                None => self.firing.remove(&key),
            };
        }
        self.resolved.extend(staged.resolved.iter().map(|ended| resolution(&ended.alert)));
        let removed: BTreeSet<&Uuid> = changes.remove.iter().collect();
        self.resolved.retain(|(_, id)| !removed.contains(id));
        self.firing_count = self.firing.len();
    }

    /// Forgets the stage.
    pub fn rollback(&mut self) {
        self.staged = Staged::default();
        self.firing_count = self.firing.len();
    }

    fn current(&self, key: &str) -> Option<&Firing> {
        match self.staged.firing.get(key) {
            Some(staged) => staged.as_ref(),
            None => self.firing.get(key),
        }
    }

    /// The alert as it is now; whoever takes it puts it back into the stage.
    fn take(&mut self, key: &str) -> Option<Firing> {
        match self.staged.firing.get_mut(key) {
            Some(staged) => staged.take(),
            None => self.firing.get(key).cloned(),
        }
    }

    fn begin(&mut self, signal: Signal, now: Timestamp) {
        let alert = Alert {
            alert_id: new_alert_id(&self.ids, now),
            monitor: self.monitor.clone(),
            key: signal.key,
            status: AlertStatus::Firing,
            severity: signal.severity,
            summary: signal.summary,
            value: signal.value,
            labels: signal.labels,
            first_seen: signal.timestamp,
            last_seen: signal.timestamp,
            resolved_at: None,
            times_seen: 1,
        };
        let mut firing = Firing { alert, told: BTreeSet::new() };
        self.tell(&mut firing, now);
        self.firing_count += 1;
        self.staged.firing.insert(firing.alert.key.clone(), Some(firing));
    }

    fn update(&mut self, mut firing: Firing, signal: Signal, now: Timestamp) {
        let alert = &mut firing.alert;
        let changed = alert.severity != signal.severity;
        alert.severity = signal.severity;
        alert.summary = signal.summary;
        alert.value = signal.value;
        alert.last_seen = alert.last_seen.max(signal.timestamp);
        alert.times_seen = alert.times_seen.saturating_add(1);
        if changed {
            self.tell(&mut firing, now);
        }
        self.staged.firing.insert(signal.key, Some(firing));
    }

    fn resolve(&mut self, mut firing: Firing, at: Timestamp, now: Timestamp) {
        firing.alert.status = AlertStatus::Resolved;
        firing.alert.resolved_at = Some(at);
        self.tell(&mut firing, now);
        self.firing_count = self.firing_count.saturating_sub(1);
        self.staged.firing.insert(firing.alert.key.clone(), None);
        self.staged.resolved.push(firing);
    }

    /// Stages a delivery of the state as it is now to everybody whom it concerns: who was told before, and while it fires
    /// whom the routes name now.
    fn tell(&mut self, firing: &mut Firing, now: Timestamp) {
        if firing.alert.status == AlertStatus::Firing {
            firing.told.extend(self.routes.receivers(&firing.alert));
        }
        for receiver in &firing.told {
            self.staged.enqueue.push(fresh(&firing.alert, receiver, now));
        }
        self.staged.transitions += 1;
    }
}

/// Since when a resolved alert is kept: records may be old when they come, so their times alone do not say it.
fn resolution(alert: &Alert) -> (Timestamp, Uuid) {
    let raised = alert.alert_id.get_timestamp().map_or(Timestamp::MIN, |raised| {
        let (seconds, nanos) = raised.to_unix();
        let since_epoch = Duration::from_secs(seconds).saturating_add(Duration::from_nanos(nanos.into()));
        Timestamp::EPOCH.plus(since_epoch)
    });
    (alert.resolved_at.unwrap_or(alert.last_seen).max(raised), alert.alert_id)
}

/// A version 7 id; those of one book grow, so that they say which of two alerts came first.
fn new_alert_id(ids: &ContextV7, now: Timestamp) -> Uuid {
    let seconds = u64::try_from(now.millis() / 1000).unwrap_or(0);
    let nanos = u32::try_from(now.nanos().rem_euclid(NANOS_PER_SECOND)).unwrap_or(0);
    Uuid::new_v7(uuid::Timestamp::from_unix(ids, seconds, nanos))
}
