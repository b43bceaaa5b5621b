//! One monitor on its way through the log, without threads: each [`Follower::step`] does a bounded amount of work.
//!
//! Invariant: the monitor's live state, the staged alerts and `next` belong together; a failure throws all three back to the
//! last durable checkpoint, and only a durable checkpoint releases what was raised.

mod checkpoint;
mod handover;
mod recovery;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use telemetry_core::extension::{FailureReason, Monitor, PluginFailure};
use telemetry_core::{Clock, Signal, Timestamp, limits};
use telemetry_store::{LogBody, LogEntry, SavedCursor, StoreError};

pub use handover::{Handover, HandoverError, StartSuccessor, StartedFrom, Successor};

use super::backlog::BacklogGate;
use super::incidents::Incidents;
use super::log_store::LogStore;
use super::poison::PoisonHunt;
use super::readings::{Reader, Readings};
use super::selection::{select_events, select_samples};
use super::status::{MonitorState, MonitorStatus};
use super::ticks;
use crate::alerts::{AlertBook, Dispatcher, FaultReport};

/// What a follower works with.
#[derive(Clone)]
pub(super) struct Ports {
    pub(super) log: Arc<dyn LogStore>,
    pub(super) readings: Arc<Readings>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) dispatcher: Arc<Dispatcher>,
    pub(super) faults: Arc<dyn FaultReport>,
    pub(super) backlog: Arc<BacklogGate>,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// There may be more to do.
    Progress,
    /// The end of the log is reached.
    CaughtUp,
    /// Nothing is done for this long.
    Pause(Duration),
}

pub(super) struct Follower {
    name: String,
    monitor: Box<dyn Monitor>,
    reader: Reader,
    ports: Ports,
    book: AlertBook,
    hunt: PoisonHunt,
    incidents: Incidents,
    tick: Option<i64>,
    /// The next record to read.
    next: u64,
    /// The last durable checkpoint.
    durable: SavedCursor,
    /// Whether the monitor was called since.
    called: bool,
    checkpointed_at: Duration,
    /// Its live state is lost: it must be restarted.
    broken: bool,
    /// A poison record that is to be set aside.
    skip: Option<u64>,
    /// Failures in a row without progress between them.
    setbacks: u32,
    resume_at: Duration,
    /// From when on records can be set aside as poison: a version that took another's place lately may be to blame itself.
    proven_at: Duration,
    status: Arc<Mutex<MonitorStatus>>,
}

impl Follower {
    /// Sets out from `cursor`, in whose state `monitor` is.
    pub(super) fn new(
        name: &str,
        monitor: Box<dyn Monitor>,
        cursor: SavedCursor,
        ports: Ports,
        book: AlertBook,
        incidents: Incidents,
    ) -> Self {
        let status = MonitorStatus {
            monitor: name.to_owned(),
            cursor: cursor.next_sequence,
            firing: book.firing(),
            ..MonitorStatus::default()
        };
        Self {
            name: name.to_owned(),
            tick: ticks::interval(monitor.subscription()),
            monitor,
            checkpointed_at: ports.clock.monotonic(),
            reader: ports.readings.reader(),
            ports,
            book,
            hunt: PoisonHunt::default(),
            incidents,
            next: cursor.next_sequence,
            durable: cursor,
            called: false,
            broken: false,
            skip: None,
            setbacks: 0,
            resume_at: Duration::ZERO,
            proven_at: Duration::ZERO,
            status: Arc::new(Mutex::new(status)),
        }
    }

    /// What operators see; shared, so that it can be read while the follower works.
    pub(super) fn status(&self) -> Arc<Mutex<MonitorStatus>> {
        Arc::clone(&self.status)
    }

    /// The monitor's tick interval.
    pub(super) fn tick_interval(&self) -> Option<i64> {
        self.tick
    }

    /// The first record that the durable checkpoint does not cover.
    pub(super) fn durable(&self) -> u64 {
        self.durable.next_sequence
    }

    /// Whether records are suspected to be poison.
    #[cfg(test)]
    pub(super) fn is_hunting(&self) -> bool {
        self.hunt.is_on()
    }

    /// Goes through the next records of the log.
    pub(super) fn step(&mut self) -> Step {
        if let Some(pause) = self.pause_left() {
            return Step::Pause(pause);
        }
        let ready = self.set_aside() && self.revive() && self.settle_incidents();
        if !ready || (self.checkpoint_is_due() && !self.checkpoint()) {
            return self.paused();
        }
        let reading = match self.hunt.limit(self.next) {
            Some(records) => {
                let most = usize::try_from(records).unwrap_or(usize::MAX).min(limits::MAX_LOG_READ);
                self.reader.read_few(self.next, most)
            }
            None => self.reader.read(self.next),
        };
        match reading {
            Ok(reading) if reading.entries().is_empty() => Step::CaughtUp,
            Ok(reading) => {
                if reading.entries().iter().all(|entry| self.take_in(entry)) {
                    Step::Progress
                } else {
                    self.paused()
                }
            }
            Err(error) => {
                self.store_failed(error);
                self.paused()
            }
        }
    }

    /// Makes a checkpoint now if something is not durable and the monitor is well.
    pub(super) fn flush(&mut self) {
        if !self.broken && self.pause_left().is_none() && self.is_dirty() {
            self.checkpoint();
        }
    }

    /// Whether everything up to `sequence` is done, but not durable yet.
    pub(super) fn holds_back(&self, sequence: u64) -> bool {
        self.durable.next_sequence <= sequence && self.next > sequence
    }

    /// Lets the requests out that failures led to; nobody may hold a lock.
    pub(super) fn settle_faults(&self) {
        self.ports.faults.settle();
    }

    /// Waits until the log is longer than what was read.
    pub(super) fn wait_for_log(&self) {
        self.ports.log.wait_for(self.next, limits::LOG_WAIT);
    }

    /// It will not go on by itself: neither recording nor whoever drains waits for it any more.
    pub(super) fn leave(&self) {
        self.ports.backlog.moved(&self.name, None);
        self.status.lock().state = MonitorState::Stopped;
    }

    /// The book of a monitor that will not go on; its incidents are resolved.
    pub(super) fn retire(mut self) -> Result<AlertBook, StoreError> {
        self.incidents.close()?;
        self.book.rollback();
        Ok(self.book)
    }

    fn is_dirty(&self) -> bool {
        self.next != self.durable.next_sequence
    }

    fn pause_left(&self) -> Option<Duration> {
        self.resume_at.checked_sub(self.ports.clock.monotonic()).filter(|left| !left.is_zero())
    }

    fn paused(&self) -> Step {
        self.pause_left().map_or(Step::Progress, Step::Pause)
    }

    fn pause(&mut self, pause: Duration) {
        self.resume_at = self.ports.clock.monotonic().saturating_add(pause);
    }

    fn checkpoint_is_due(&self) -> bool {
        let elapsed = self.ports.clock.monotonic().saturating_sub(self.checkpointed_at);
        self.is_dirty()
            && (self.book.has_transitions()
                || elapsed >= limits::CHECKPOINT_INTERVAL
                || self.next.saturating_sub(self.durable.next_sequence) >= limits::CHECKPOINT_RECORDS)
    }

    /// Feeds one entry of the log. `false`: something went wrong, and `next` says where to go on.
    fn take_in(&mut self, entry: &LogEntry) -> bool {
        let is_gap = matches!(entry.body, LogBody::Gap);
        if is_gap && !self.note_gap(entry) {
            return false;
        }
        match self.feed(&entry.body) {
            Ok(signals) => self.raise(signals),
            Err(failure) => {
                self.fail(failure, entry.first_sequence, entry.next_sequence);
                return false;
            }
        }
        self.next = entry.next_sequence;
        // During a search each step forward is secured, so that a failure never costs it.
        if is_gap || self.hunt.is_on() || self.book.has_transitions() || self.checkpoint_is_due() {
            return self.checkpoint();
        }
        true
    }

    fn feed(&mut self, body: &LogBody) -> Result<Vec<Signal>, PluginFailure> {
        let monitor = &mut self.monitor;
        match body {
            LogBody::Events(batch) => match select_events(monitor.subscription(), batch) {
                Some(selected) => {
                    self.called = true;
                    guarded(&self.name, || monitor.on_events(&selected))
                }
                None => Ok(Vec::new()),
            },
            LogBody::Samples(batch) => match select_samples(monitor.subscription(), batch) {
                Some(selected) => {
                    self.called = true;
                    guarded(&self.name, || monitor.on_samples(&selected))
                }
                None => Ok(Vec::new()),
            },
            LogBody::Tick(at) if self.tick.is_some_and(|interval| ticks::belongs(*at, interval)) => {
                self.called = true;
                guarded(&self.name, || monitor.tick(*at))
            }
            // Others' ticks, gaps, and whatever kinds the log may get: nothing for a monitor.
            _ => Ok(Vec::new()),
        }
    }

    fn raise(&mut self, signals: Vec<Signal>) {
        let now: Timestamp = self.ports.clock.now();
        self.book.leave_out(signals.len().saturating_sub(limits::MAX_SIGNALS_PER_CALL) as u64);
        for signal in signals.into_iter().take(limits::MAX_SIGNALS_PER_CALL) {
            self.book.apply(signal, now);
        }
    }
}

/// A native monitor's panic is a failure like a plugin's trap.
fn guarded<T>(monitor: &str, call: impl FnOnce() -> Result<T, PluginFailure>) -> Result<T, PluginFailure> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| {
        let reason = FailureReason::Trap("the monitor panicked".to_owned());
        Err(PluginFailure { plugin: monitor.to_owned(), reason })
    })
}
