//! A store in memory, as plain as can be: the oracle of the tests. It can refuse writes, before or after they took effect.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use telemetry_core::extension::{AlertForDelivery, DeliveryOutcome, PluginFailure, Sink};
use telemetry_core::{
    Alert, AlertStatus, DeadLetter, ErrorCode, EventBatch, EventRow, PendingDelivery, SampleBatch, Severity,
    Signal, Timestamp,
};
use telemetry_store::{
    AlertChanges, Checkpoint, DeadLetterKey, DeliveryKey, LogBody, LogEntry, SavedCursor, StoreError,
    StoredAlert,
};
use uuid::Uuid;

use super::alert_store::AlertStore;
use super::fault_report::FaultReport;
use crate::monitors::LogStore;

/// 2023-11-14T22:13:20Z and some seconds.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + seconds * 1000)
}

pub(crate) fn alert(monitor: &str, key: &str, severity: Severity) -> Alert {
    Alert {
        alert_id: Uuid::new_v4(),
        monitor: monitor.to_owned(),
        key: key.to_owned(),
        status: AlertStatus::Firing,
        severity,
        summary: "high".to_owned(),
        value: Some(1.5),
        labels: BTreeMap::new(),
        first_seen: at(0),
        last_seen: at(0),
        resolved_at: None,
        times_seen: 1,
    }
}

pub(crate) fn signal(key: &str, firing: bool, severity: Severity, seconds: i64) -> Signal {
    Signal {
        key: key.to_owned(),
        firing,
        severity,
        summary: format!("{key} at {seconds}"),
        value: Some(seconds as f64),
        timestamp: at(seconds),
        labels: [("team".to_owned(), "bridge".to_owned())].into(),
    }
}

/// How a write fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing happened.
    Before,
    /// Nothing happened, because the plugin would keep too much.
    Quota,
    /// It happened, but the caller is told otherwise; no later write succeeds until the store is reopened.
    After,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Record {
    Event(String),
    Sample(String, f64),
    Tick(Timestamp),
    Lost,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    /// Record `n` has sequence number `n + 1`.
    pub(crate) log: Vec<Record>,
    pub(crate) cursors: BTreeMap<String, SavedCursor>,
    pub(crate) key_values: BTreeMap<(String, String), Vec<u8>>,
    pub(crate) alerts: BTreeMap<Uuid, Alert>,
    pub(crate) told: BTreeMap<Uuid, Option<BTreeSet<String>>>,
    pub(crate) outbox: BTreeMap<DeliveryKey, PendingDelivery>,
    pub(crate) dead: BTreeMap<DeadLetterKey, DeadLetter>,
    faults: VecDeque<Fault>,
    pub(crate) poisoned: bool,
    pub(crate) commits: usize,
}

#[derive(Debug, Default)]
pub(crate) struct ModelStore {
    pub(crate) state: Mutex<State>,
    grown: Condvar,
    readings: AtomicUsize,
    /// Records of one reading at most; 0 for no limit.
    reading_limit: AtomicUsize,
}

impl ModelStore {
    pub(crate) fn record(&self, records: impl IntoIterator<Item = Record>) -> u64 {
        let mut state = self.state.lock();
        state.log.extend(records);
        self.grown.notify_all();
        state.log.len() as u64
    }

    /// How often the log was read.
    pub(crate) fn readings(&self) -> usize {
        self.readings.load(Ordering::Relaxed)
    }

    /// From now on a reading has no more records than these.
    pub(crate) fn limit_readings(&self, records: usize) {
        self.reading_limit.store(records, Ordering::Relaxed);
    }

    pub(crate) fn fail_next(&self, fault: Fault) {
        self.state.lock().faults.push_back(fault);
    }

    pub(crate) fn clear_faults(&self) {
        self.state.lock().faults.clear();
    }

    /// The host dies, and opens the store again.
    pub(crate) fn reopen(&self) {
        let mut state = self.state.lock();
        state.faults.clear();
        state.poisoned = false;
    }

    fn write(&self, apply: impl FnOnce(&mut State)) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        let fault = if state.poisoned { Some(Fault::Before) } else { state.faults.pop_front() };
        state.poisoned |= fault == Some(Fault::After);
        if !matches!(fault, Some(Fault::Before | Fault::Quota)) {
            apply(&mut state);
            state.commits += 1;
        }
        match fault {
            None => Ok(()),
            Some(Fault::Before) => Err(StoreError::Full { used: 1, limit: 1 }),
            Some(Fault::Quota) => {
                Err(StoreError::PluginQuota { plugin: "levels".to_owned(), used: 2, limit: 1 })
            }
            Some(Fault::After) => Err(StoreError::Poisoned { reason: "a fault".to_owned() }),
        }
    }
}

impl State {
    fn change(&mut self, changes: &AlertChanges) {
        for StoredAlert { alert, told } in &changes.put {
            self.alerts.insert(alert.alert_id, alert.clone());
            self.told.insert(alert.alert_id, told.clone());
        }
        for id in &changes.remove {
            self.alerts.remove(id);
            self.told.remove(id);
        }
        for key in &changes.settle {
            self.outbox.remove(key);
        }
        for delivery in &changes.enqueue {
            let before = self.outbox.insert(delivery.into(), delivery.clone());
            assert!(before.is_none_or(|before| before == *delivery), "two rows share a key: {delivery:?}");
        }
        for letter in &changes.bury {
            self.dead.insert(letter.into(), letter.clone());
        }
        for key in &changes.unbury {
            assert!(self.dead.remove(key).is_some());
        }
    }
}

impl AlertStore for ModelStore {
    fn alerts(&self) -> Result<Vec<StoredAlert>, StoreError> {
        let state = self.state.lock();
        let stored = |alert: &Alert| StoredAlert {
            alert: alert.clone(),
            told: state.told.get(&alert.alert_id).cloned().flatten(),
        };
        Ok(state.alerts.values().map(stored).collect())
    }

    fn pending_deliveries(&self, limit: usize) -> Result<Vec<PendingDelivery>, StoreError> {
        Ok(self.state.lock().outbox.values().take(limit).cloned().collect())
    }

    fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        Ok(self.state.lock().dead.values().take(limit).cloned().collect())
    }

    fn commit_alerts(&self, changes: &AlertChanges) -> Result<(), StoreError> {
        self.write(|state| state.change(changes))
    }
}

impl LogStore for ModelStore {
    fn last_sequence(&self) -> u64 {
        self.state.lock().log.len() as u64
    }

    fn wait_for(&self, sequence: u64, timeout: Duration) -> bool {
        let mut state = self.state.lock();
        if (state.log.len() as u64) < sequence {
            self.grown.wait_for(&mut state, timeout);
        }
        state.log.len() as u64 >= sequence
    }

    fn append_tick(&self, at: Timestamp) -> Result<u64, StoreError> {
        Ok(self.record([Record::Tick(at)]))
    }

    fn read_log(&self, from_sequence: u64, max_records: usize) -> Result<Vec<LogEntry>, StoreError> {
        let state = self.state.lock();
        self.readings.fetch_add(1, Ordering::Relaxed);
        let from = usize::try_from(from_sequence).unwrap() - 1;
        let mut entries: Vec<LogEntry> = Vec::new();
        let most = match self.reading_limit.load(Ordering::Relaxed) {
            0 => max_records,
            limit => max_records.min(limit),
        };
        for (place, record) in state.log.iter().enumerate().skip(from).take(most) {
            let sequence = place as u64 + 1;
            append(&mut entries, sequence, record);
        }
        Ok(entries)
    }

    fn load_cursor(&self, monitor: &str) -> Result<Option<SavedCursor>, StoreError> {
        Ok(self.state.lock().cursors.get(monitor).cloned())
    }

    fn monitors(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.state.lock().cursors.keys().cloned().collect())
    }

    fn commit_checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        self.write(|state| {
            let cursor =
                SavedCursor { next_sequence: checkpoint.next_sequence, state: checkpoint.state.clone() };
            state.cursors.insert(checkpoint.monitor.clone(), cursor);
            for write in &checkpoint.writes {
                let key = (checkpoint.monitor.clone(), write.key.clone());
                match &write.value {
                    Some(value) => state.key_values.insert(key, value.clone()),
                    None => state.key_values.remove(&key),
                };
            }
            state.change(&checkpoint.changes);
        })
    }

    fn remove_monitor(&self, monitor: &str, changes: &AlertChanges) -> Result<(), StoreError> {
        self.write(|state| {
            state.cursors.remove(monitor);
            state.change(changes);
        })
    }
}

/// Joins records of one kind, as the store does.
fn append(entries: &mut Vec<LogEntry>, sequence: u64, record: &Record) {
    let fresh = |body| LogEntry { first_sequence: sequence, next_sequence: sequence, body };
    let last = entries.last_mut().map(|entry| &mut entry.body);
    match (record, last) {
        (Record::Event(_), Some(LogBody::Events(_)))
        | (Record::Sample(..), Some(LogBody::Samples(_)))
        | (Record::Lost, Some(LogBody::Gap)) => {}
        (Record::Event(_), _) => entries.push(fresh(LogBody::Events(EventBatch::starting_at(sequence)))),
        (Record::Sample(..), _) => entries.push(fresh(LogBody::Samples(SampleBatch::starting_at(sequence)))),
        (Record::Tick(at), _) => entries.push(fresh(LogBody::Tick(*at))),
        (Record::Lost, _) => entries.push(fresh(LogBody::Gap)),
    }
    let Some(entry) = entries.last_mut() else { return };
    entry.next_sequence = sequence + 1;
    match (record, &mut entry.body) {
        (Record::Event(event_type), LogBody::Events(batch)) => {
            batch.push(EventRow { timestamp: 0, id: "", event_type, source: "s", data: "{}", extra: "{}" });
        }
        (Record::Sample(name, value), LogBody::Samples(batch)) => {
            let series = batch.add_series(name, "{}");
            batch.push(series, i64::try_from(sequence).unwrap(), *value);
        }
        _ => {}
    }
}

/// The faults that were reported: code and cause.
#[derive(Debug, Default)]
pub(crate) struct Reported {
    pub(crate) faults: Mutex<Vec<(ErrorCode, String)>>,
    /// How often requests for a restart could have gone out.
    pub(crate) settled: AtomicUsize,
}

impl FaultReport for Reported {
    fn report(&self, code: ErrorCode, error: &(dyn std::error::Error + 'static)) {
        self.faults.lock().push((code, crate::envelope::cause_chain(error)));
    }

    fn settle(&self) {
        self.settled.fetch_add(1, Ordering::SeqCst);
    }
}

/// What a [`TestSink`] was given, and what it is to answer.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    pub(crate) received: Mutex<Vec<AlertForDelivery>>,
    /// Answers for the next calls; delivered when there are no more.
    pub(crate) answers: Mutex<VecDeque<Answer>>,
}

#[derive(Clone, Debug)]
pub(crate) enum Answer {
    All(DeliveryOutcome),
    Failure(PluginFailure),
    Panic,
}

impl Mailbox {
    pub(crate) fn answer(&self, outcome: DeliveryOutcome) {
        self.answers.lock().push_back(Answer::All(outcome));
    }

    /// (key, status is firing, severity) in the order of arrival.
    pub(crate) fn states(&self) -> Vec<(String, bool, Severity)> {
        let received = self.received.lock();
        let state = |given: &AlertForDelivery| {
            (given.alert.key.clone(), given.alert.status == AlertStatus::Firing, given.alert.severity)
        };
        received.iter().map(state).collect()
    }
}

/// A sink that keeps what it is given.
pub(crate) struct TestSink {
    name: String,
    mailbox: Arc<Mailbox>,
}

impl TestSink {
    pub(crate) fn boxed(name: &str, mailbox: &Arc<Mailbox>) -> Box<dyn Sink> {
        Box::new(Self { name: name.to_owned(), mailbox: Arc::clone(mailbox) })
    }
}

impl Sink for TestSink {
    fn name(&self) -> &str {
        &self.name
    }

    fn deliver(
        &mut self,
        alerts: &[AlertForDelivery],
        _deadline: Duration,
    ) -> Result<Vec<DeliveryOutcome>, PluginFailure> {
        self.mailbox.received.lock().extend_from_slice(alerts);
        let answer = self.mailbox.answers.lock().pop_front();
        match answer.unwrap_or(Answer::All(DeliveryOutcome::Delivered(None))) {
            Answer::All(outcome) => Ok(vec![outcome; alerts.len()]),
            Answer::Failure(failure) => Err(failure),
            Answer::Panic => panic!("a sink's bug"),
        }
    }
}
