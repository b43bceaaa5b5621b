//! Brings stored deliveries to sinks: one thread for each receiver, so that a slow one holds nobody else up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use telemetry_core::extension::Sink;
use telemetry_core::{Clock, DeadLetter, limits};
use telemetry_store::{AlertChanges, StoreError};
use uuid::Uuid;

use super::alert_store::AlertStore;
use super::fault_report::FaultReport;
use super::lane::{Duty, Lane};
use super::outbox::Outbox;
use super::status::OutboxStatus;
use crate::priority::give_way;

/// What becomes of deliveries and monitors that the store has and the configuration does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// They were taken out of the configuration: deliveries become dead letters, monitors end and their alerts resolve.
    Removed,
    /// They belong to a host that is configured otherwise, and stay as they are.
    Kept,
}

/// A configured receiver.
pub struct Receiver {
    /// Its name in routes.
    pub name: String,
    /// Its sink; `None` when it could not be loaded: its deliveries wait until one is attached.
    pub sink: Option<Box<dyn Sink>>,
}

impl From<Box<dyn Sink>> for Receiver {
    fn from(sink: Box<dyn Sink>) -> Self {
        Self { name: sink.name().to_owned(), sink: Some(sink) }
    }
}

/// The dispatcher cannot be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DispatcherError {
    /// More receivers than threads are given to them.
    #[error("{count} receivers are configured; {limit} are the most")]
    TooManyReceivers {
        /// How many there are.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// Two receivers of one name.
    #[error("two receivers are called \"{receiver}\"")]
    DuplicateReceiver {
        /// The name.
        receiver: String,
    },
    /// The stored deliveries cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operating system gives no thread.
    #[error("no thread for receiver \"{receiver}\"")]
    Thread {
        /// The receiver.
        receiver: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

/// Dead letters cannot be replayed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// There is no such dead letter.
    #[error("there is no dead letter {}for receiver \"{receiver}\"", of_alert(*alert_id))]
    NotFound {
        /// The alert, if one was named.
        alert_id: Option<Uuid>,
        /// The receiver.
        receiver: String,
    },
    /// The outbox has no room for one more of these deliveries.
    #[error("the outbox is full; try again in {retry_after:?}, when deliveries have left it")]
    OutboxFull {
        /// When to try again.
        retry_after: Duration,
    },
    /// There is no such receiver.
    #[error("there is no receiver \"{receiver}\"")]
    UnknownReceiver {
        /// The name.
        receiver: String,
    },
    /// The store cannot do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Brings stored deliveries to sinks.
pub struct Dispatcher {
    outbox: Arc<Outbox>,
    stopping: Arc<AtomicBool>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl std::fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dispatcher").field("receivers", &self.outbox.lanes.keys()).finish_non_exhaustive()
    }
}

impl Dispatcher {
    /// Reads the stored deliveries. Nothing is delivered before [`Self::start`] or [`Self::drain`].
    pub fn open(
        store: Arc<dyn AlertStore>,
        clock: Arc<dyn Clock>,
        faults: Arc<dyn FaultReport>,
        receivers: Vec<Receiver>,
        absent: Absent,
    ) -> Result<Self, DispatcherError> {
        let count = receivers.len();
        if count > limits::MAX_RECEIVERS {
            return Err(DispatcherError::TooManyReceivers { count, limit: limits::MAX_RECEIVERS });
        }
        let mut lanes = BTreeMap::new();
        for Receiver { name, sink } in receivers {
            let lane = Arc::new(Lane::new(name.clone(), sink));
            if lanes.insert(name.clone(), lane).is_some() {
                return Err(DispatcherError::DuplicateReceiver { receiver: name });
            }
        }
        let outbox = Arc::new(Outbox::load(store, clock, faults, lanes, absent)?);
        Ok(Self { outbox, stopping: Arc::default(), threads: Mutex::default() })
    }

    /// Starts a thread for each receiver. Does nothing when they run already.
    pub fn start(&self) -> Result<(), DispatcherError> {
        let mut threads = self.threads.lock();
        if !threads.is_empty() {
            return Ok(());
        }
        self.stopping.store(false, Ordering::Release);
        for lane in self.outbox.lanes.values() {
            let (lane, outbox, stopping) =
                (Arc::clone(lane), Arc::clone(&self.outbox), Arc::clone(&self.stopping));
            let receiver = lane.receiver.clone();
            let thread = std::thread::Builder::new()
                .name(format!("sink-{receiver}"))
                .spawn(move || {
                    give_way();
                    follow(&outbox, &lane, &stopping);
                })
                .map_err(|source| DispatcherError::Thread { receiver, source })?;
            threads.push(thread);
        }
        Ok(())
    }

    /// Stops the threads; waits for calls that are under way, which their deadline bounds, but not for the calling thread
    /// itself. What was not delivered stays stored.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        let threads = std::mem::take(&mut *self.threads.lock());
        for lane in self.outbox.lanes.values() {
            lane.wake();
        }
        let this = std::thread::current().id();
        for thread in threads.into_iter().filter(|thread| thread.thread().id() != this) {
            if thread.join().is_err() {
                tracing::error!("a receiver's thread panicked");
            }
        }
    }

    /// Returns when every delivery that is due, and whatever sinks forward meanwhile, was attempted and what became of it is
    /// stored: waits for the receivers' threads, or does their work when they do not run. Deliveries whose sink is not there
    /// go on waiting. `false` when the time is over before, or the store refuses.
    pub fn drain(&self, timeout: Duration) -> bool {
        let deadline = Instant::now().checked_add(timeout);
        let is_over = || deadline.is_some_and(|deadline| Instant::now() >= deadline);
        let (lanes, clock) = (|| self.outbox.lanes.values(), &*self.outbox.clock);
        loop {
            let threads_run = !self.threads.lock().is_empty();
            let in_time = if threads_run {
                lanes().all(|lane| lane.wait_for_thread(clock, &self.stopping, deadline))
            } else {
                lanes().all(|lane| {
                    while !is_over() && self.outbox.round(lane) {}
                    !is_over() || lane.duty(clock) != Duty::Deliver
                })
            };
            self.outbox.faults.settle();
            // A sink may have forwarded to a lane that was visited before.
            if !in_time || lanes().all(|lane| lane.duty(clock) != Duty::Deliver) {
                return in_time && lanes().all(|lane| lane.duty(clock) == Duty::Nothing);
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn drain_due(&self) -> bool {
        self.drain(Duration::from_secs(120))
    }

    /// Gives a receiver another sink, or takes its sink away. Waits for a call that is under way. `false` when there is no
    /// such receiver.
    pub fn attach(&self, receiver: &str, sink: Option<Box<dyn Sink>>) -> bool {
        let lane = self.outbox.lanes.get(receiver);
        lane.map(|lane| lane.attach(sink)).is_some()
    }

    /// Lets `change` put another sink in the place of a receiver's, between two deliveries: the two never work at once.
    /// Waits for a call that is under way. `None` when there is no such receiver.
    pub fn hand_over<R>(
        &self,
        receiver: &str,
        change: impl FnOnce(Option<Box<dyn Sink>>) -> (Option<Box<dyn Sink>>, R),
    ) -> Option<R> {
        self.outbox.lanes.get(receiver).map(|lane| lane.hand_over(change))
    }

    /// The dead letters, oldest first.
    pub fn dead_letters(&self) -> Result<Vec<DeadLetter>, StoreError> {
        let mut letters = self.outbox.store.dead_letters(usize::MAX)?;
        letters.sort_by_key(|letter| letter.since);
        Ok(letters)
    }

    /// Delivers the dead letters for one receiver anew, of one alert or (with `None`) of all, with their old idempotency
    /// keys. Answers how many: no more than the outbox has room for.
    pub fn replay(&self, alert_id: impl Into<Option<Uuid>>, receiver: &str) -> Result<usize, ReplayError> {
        self.outbox.replay(alert_id.into(), receiver)
    }

    /// How the outbox and its receivers do.
    pub fn status(&self) -> OutboxStatus {
        self.outbox.status()
    }

    /// Turns planned rows that cannot wait into dead letters; to be called on changes before they are stored.
    pub(crate) fn admit(&self, changes: &mut AlertChanges) {
        self.outbox.admit(changes);
    }

    /// Changes that [`Self::admit`] saw are stored now.
    pub(crate) fn stored(&self, changes: &AlertChanges) {
        self.outbox.stored(changes);
    }
}

impl Drop for Dispatcher {
    fn drop(&mut self) {
        self.stop();
    }
}

fn of_alert(alert_id: Option<Uuid>) -> String {
    alert_id.map(|id| format!("of alert {id} ")).unwrap_or_default()
}

fn follow(outbox: &Outbox, lane: &Lane, stopping: &AtomicBool) {
    while !stopping.load(Ordering::Acquire) {
        let attempted = outbox.round(lane);
        outbox.faults.settle();
        if !attempted {
            lane.wait(&*outbox.clock, stopping);
        }
    }
}
