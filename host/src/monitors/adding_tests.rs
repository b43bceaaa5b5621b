//! What happens around a monitor that is being added, or cannot be.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use telemetry_core::extension::{Monitor, PluginFailure, SavedState};
use telemetry_core::{DeadLetter, ManualClock, PendingDelivery, Timestamp};
use telemetry_store::{AlertChanges, Checkpoint, LogEntry, SavedCursor, StoreError, StoredAlert};

use super::testbed::{Levels, alerting, routes};
use super::{AddMonitorError, BacklogGate, BacklogPolicy, LogStore, MonitorRunner};
use crate::alerts::AlertStore;
use crate::alerts::model::{ModelStore, Reported, at};

const LONG: Duration = Duration::from_secs(60);

/// The model store, whose alerts may not be readable.
#[derive(Default)]
struct Unreadable {
    store: Arc<ModelStore>,
    fails: AtomicBool,
}

impl AlertStore for Unreadable {
    fn alerts(&self) -> Result<Vec<StoredAlert>, StoreError> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(StoreError::Full { used: 1, limit: 1 });
        }
        self.store.alerts()
    }
    fn pending_deliveries(&self, limit: usize) -> Result<Vec<PendingDelivery>, StoreError> {
        self.store.pending_deliveries(limit)
    }
    fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        self.store.dead_letters(limit)
    }
    fn commit_alerts(&self, changes: &AlertChanges) -> Result<(), StoreError> {
        self.store.commit_alerts(changes)
    }
}

impl LogStore for Unreadable {
    fn last_sequence(&self) -> u64 {
        self.store.last_sequence()
    }
    fn wait_for(&self, sequence: u64, timeout: Duration) -> bool {
        self.store.wait_for(sequence, timeout)
    }
    fn append_tick(&self, at: Timestamp) -> Result<u64, StoreError> {
        self.store.append_tick(at)
    }
    fn read_log(&self, from_sequence: u64, max_records: usize) -> Result<Vec<LogEntry>, StoreError> {
        self.store.read_log(from_sequence, max_records)
    }
    fn load_cursor(&self, monitor: &str) -> Result<Option<SavedCursor>, StoreError> {
        self.store.load_cursor(monitor)
    }
    fn monitors(&self) -> Result<Vec<String>, StoreError> {
        self.store.monitors()
    }
    fn commit_checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        self.store.commit_checkpoint(checkpoint)
    }
    fn remove_monitor(&self, monitor: &str, changes: &AlertChanges) -> Result<(), StoreError> {
        self.store.remove_monitor(monitor, changes)
    }
}

/// A gate that waits for the monitor `levels`, and a runner without threads whose monitors tell it how far they are.
fn gate_and_runner(store: &Arc<Unreadable>) -> (Arc<BacklogGate>, MonitorRunner) {
    let policy = BacklogPolicy { monitor: "levels".to_owned(), records: 10, wait: Duration::ZERO };
    let gate = Arc::new(BacklogGate::new(vec![policy]));
    let clock = Arc::new(ManualClock::at(at(0)));
    let (dispatcher, host) = alerting(store.clone(), &clock, &Arc::default());
    let faults = Arc::<Reported>::default();
    let runner =
        MonitorRunner::start(store.clone(), clock, dispatcher, routes(), host, faults, false).unwrap();
    (Arc::clone(&gate), runner.with_backlog(gate))
}

fn levels(restored: Option<SavedState>) -> Result<Box<dyn Monitor>, PluginFailure> {
    Ok(Levels::boxed(&Arc::default(), restored))
}

#[test]
fn recording_waits_for_no_monitor_that_could_not_be_added() {
    let store = Arc::<Unreadable>::default();
    let (gate, runner) = gate_and_runner(&store);
    store.fails.store(true, Ordering::SeqCst);
    assert!(matches!(runner.add("levels", levels), Err(AddMonitorError::Store(_))));
    assert!(!gate.minds("levels"));
    store.fails.store(false, Ordering::SeqCst);
    runner.add("levels", levels).unwrap();
    assert!(gate.minds("levels"));
}

#[test]
fn how_the_others_do_is_told_while_a_monitor_is_being_made() {
    let (_, runner) = gate_and_runner(&Arc::default());
    runner.add("quick", levels).unwrap();
    let runner = &runner;
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(1);
        let slow = |restored| {
            scope.spawn(move || sender.send(runner.status().len()));
            assert_eq!(receiver.recv_timeout(LONG), Ok(1), "of the one that runs");
            levels(restored)
        };
        runner.add("slow", slow).unwrap();
    });
    assert_eq!(runner.status().len(), 2);
}

#[test]
fn a_name_that_was_taken_while_its_monitor_was_being_made_is_taken() {
    let (gate, runner) = gate_and_runner(&Arc::default());
    let late = |restored| {
        runner.add("levels", levels).unwrap();
        levels(restored)
    };
    assert!(matches!(runner.add("levels", late), Err(AddMonitorError::NameTaken { .. })));
    assert_eq!(runner.status().len(), 1);
    assert!(gate.minds("levels"), "the first one runs");
}
