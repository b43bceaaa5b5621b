//! All monitors of a host: their threads, their ticks, and their coming and going.

mod leaving;
mod replacing;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use telemetry_core::extension::{Monitor, PluginFailure, SavedState};
use telemetry_core::{Clock, limits};
use telemetry_store::{AlertChanges, Checkpoint, SavedCursor, StoreError};

use super::backlog::BacklogGate;
use super::fault::MonitorFault;
use super::follower::{Follower, Ports};
use super::incidents::Incidents;
use super::log_store::LogStore;
use super::readings::Readings;
use super::status::{MonitorState, MonitorStatus};
use super::ticks::TickGrid;
use super::worker::{self, Control, Errand};
use crate::alerts::{AlertBook, Dispatcher, FaultReport, HOST_MONITOR, HostAlerts, RoutingTable};
use crate::envelope::EnvelopeError;
use crate::priority::give_way;

pub use leaving::EndMonitorError;

/// A monitor cannot be added.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AddMonitorError {
    /// There are too many.
    #[error("monitor \"{monitor}\" is one more than the {limit} that may run")]
    TooMany {
        /// The monitor.
        monitor: String,
        /// The limit.
        limit: usize,
    },
    /// There is one of this name, or the name is the host's own.
    #[error("the name \"{monitor}\" is taken")]
    NameTaken {
        /// The name.
        monitor: String,
    },
    /// It could not be made from its saved state.
    #[error("monitor \"{monitor}\" cannot be started")]
    Build {
        /// The monitor.
        monitor: String,
        /// Why not.
        #[source]
        source: PluginFailure,
    },
    /// The store cannot say where it was, or keep where it begins.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operating system gives no thread.
    #[error("no thread for monitor \"{monitor}\"")]
    Thread {
        /// The monitor.
        monitor: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

/// The runner cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunnerError {
    /// The operating system gives no thread.
    #[error("no thread for the monitors' ticks")]
    Thread(#[source] std::io::Error),
}

struct Worker {
    leaving: Arc<AtomicBool>,
    errand: Arc<Errand>,
    status: Arc<Mutex<MonitorStatus>>,
    tick: Option<i64>,
    legs: Legs,
}

/// What carries a follower along the log.
enum Legs {
    Thread(JoinHandle<Follower>),
    /// Only [`MonitorRunner::drain`].
    Drain(Box<Follower>),
}

/// Runs monitors over the log of one store.
pub struct MonitorRunner {
    ports: Ports,
    routes: Arc<RoutingTable>,
    host: Arc<HostAlerts>,
    background: bool,
    /// How long a monitor that is replaced or ended is waited for.
    handover_wait: Duration,
    control: Arc<Control>,
    grid: Arc<Mutex<TickGrid>>,
    workers: Mutex<BTreeMap<String, Worker>>,
    /// The last status of monitors whose threads were stopped.
    stopped: Mutex<Vec<MonitorStatus>>,
    ticker: Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for MonitorRunner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MonitorRunner").field("monitors", &self.workers.lock().keys()).finish_non_exhaustive()
    }
}

impl MonitorRunner {
    /// A runner without monitors. Not in the `background`, nothing moves but in [`Self::drain`] and [`Self::tick_due`], on
    /// the calling thread.
    pub fn start(
        log: Arc<dyn LogStore>,
        clock: Arc<dyn Clock>,
        dispatcher: Arc<Dispatcher>,
        routes: Arc<RoutingTable>,
        host: Arc<HostAlerts>,
        faults: Arc<dyn FaultReport>,
        background: bool,
    ) -> Result<Self, RunnerError> {
        let runner = Self {
            ports: Ports {
                readings: Readings::of(Arc::clone(&log)),
                log,
                clock,
                dispatcher,
                faults,
                backlog: Arc::default(),
            },
            routes,
            host,
            background,
            handover_wait: limits::HANDOVER_WAIT,
            control: Arc::default(),
            grid: Arc::default(),
            workers: Mutex::default(),
            stopped: Mutex::default(),
            ticker: Mutex::default(),
        };
        if background {
            runner.start_ticking()?;
        }
        Ok(runner)
    }

    /// The same runner, whose monitors say to this gate how far they are; to be called before the first is added.
    #[must_use]
    pub fn with_backlog(mut self, gate: Arc<BacklogGate>) -> Self {
        self.ports.backlog = gate;
        self
    }

    /// The same runner, which waits so long for a monitor that is replaced or ended, not
    /// [`HANDOVER_WAIT`](telemetry_core::limits::HANDOVER_WAIT).
    #[must_use]
    pub fn with_handover_wait(mut self, wait: Duration) -> Self {
        self.handover_wait = wait;
        self
    }

    /// Adds the monitor `name` and lets it go on where it was; a new one begins at the end of the log. `build` makes it
    /// from the state of its last checkpoint.
    pub fn add(
        &self,
        name: &str,
        build: impl FnOnce(Option<SavedState>) -> Result<Box<dyn Monitor>, PluginFailure>,
    ) -> Result<(), AddMonitorError> {
        // Not under the lock: health must answer while the monitor is made, which takes as long as its plugin does.
        check_room(name, &self.workers.lock())?;
        let cursor = self.cursor(name)?;
        let next = cursor.next_sequence;
        let built = build(cursor.state.clone())
            .map_err(|source| AddMonitorError::Build { monitor: name.to_owned(), source })?;
        let incidents = Incidents::load(name, Arc::clone(&self.host), Arc::clone(&self.ports.clock));
        let book = self.load_book(name)?;
        let follower = Follower::new(name, built, cursor, self.ports.clone(), book, incidents);
        let mut workers = self.workers.lock();
        // Others may have come meanwhile.
        check_room(name, &workers)?;
        // Before its thread begins, which says from then on how far it is.
        self.ports.backlog.moved(name, Some(next));
        // Nobody waits for one that does not run.
        let worker = self.begin(name, follower).inspect_err(|_| self.ports.backlog.moved(name, None))?;
        workers.insert(name.to_owned(), worker);
        Ok(())
    }

    /// Sets a follower on its way.
    fn begin(&self, name: &str, follower: Follower) -> Result<Worker, AddMonitorError> {
        let (status, tick) = (follower.status(), follower.tick_interval());
        let (leaving, errand) = (Arc::new(AtomicBool::new(false)), Arc::<Errand>::default());
        let legs = if self.background {
            let (control, leave) = (Arc::clone(&self.control), Arc::clone(&leaving));
            let tasks = Arc::clone(&errand);
            // One that recording waits for must not wait for recording.
            let gives_way = !self.ports.backlog.holds_up_for(name);
            let thread = std::thread::Builder::new()
                .name(format!("monitor-{name}"))
                .spawn(move || {
                    if gives_way {
                        give_way();
                    }
                    worker::run(follower, &control, &leave, &tasks)
                })
                .map_err(|source| AddMonitorError::Thread { monitor: name.to_owned(), source })?;
            Legs::Thread(thread)
        } else {
            Legs::Drain(Box::new(follower))
        };
        if let Some(interval) = tick {
            self.grid.lock().add(interval, self.ports.clock.now());
            self.control.announce();
        }
        Ok(Worker { leaving, errand, status, tick, legs })
    }

    /// Waits until every monitor has ended, or gone through all records up to `sequence` and that is durable. `false` when the
    /// time is over, the runner was stopped or (not in the background) a monitor pauses before it came so far.
    pub fn drain(&self, sequence: u64, timeout: Duration) -> bool {
        if !self.background {
            let deadline = Instant::now().checked_add(timeout);
            for worker in self.workers.lock().values_mut() {
                if let Legs::Drain(follower) = &mut worker.legs {
                    worker::run_to_end(follower, deadline);
                }
            }
            self.ports.faults.settle();
        }
        let statuses: Vec<_> =
            self.workers.lock().values().map(|worker| Arc::clone(&worker.status)).collect();
        let is_done = || {
            statuses.iter().all(|status| {
                let status = status.lock();
                status.cursor > sequence || status.state == MonitorState::Stopped
            })
        };
        if self.background { self.control.drain(sequence, timeout, is_done) } else { is_done() }
    }

    /// Appends the ticks that are due by the clock now, without waiting for the ticks' own thread. `false` when the store
    /// refuses one.
    pub fn tick_due(&self) -> bool {
        append_due_ticks(&self.ports, &self.grid)
    }

    /// How the monitors do.
    pub fn status(&self) -> Vec<MonitorStatus> {
        let end = self.ports.log.last_sequence().saturating_add(1);
        let running: Vec<MonitorStatus> =
            self.workers.lock().values().map(|worker| worker.status.lock().clone()).collect();
        let mut all: Vec<MonitorStatus> = self.stopped.lock().iter().cloned().chain(running).collect();
        for status in &mut all {
            status.lag = end.saturating_sub(status.cursor);
        }
        all
    }

    /// Stops all threads, each after a last checkpoint; waits for calls that are under way, which their deadline bounds, but
    /// not for the calling thread itself.
    pub fn stop(&self) {
        self.control.stop();
        let workers = std::mem::take(&mut *self.workers.lock());
        for (name, worker) in workers {
            worker.leaving.store(true, Ordering::Release);
            let status = Arc::clone(&worker.status);
            self.join(&name, worker);
            let status = MonitorStatus { state: MonitorState::Stopped, ..status.lock().clone() };
            self.stopped.lock().push(status);
        }
        if let Some(ticker) = self.ticker.lock().take()
            && !is_current(&ticker)
            && ticker.join().is_err()
        {
            tracing::error!("the thread of the monitors' ticks panicked");
        }
    }

    fn start_ticking(&self) -> Result<(), RunnerError> {
        let (ports, control, grid) = (self.ports.clone(), Arc::clone(&self.control), Arc::clone(&self.grid));
        let ticker = std::thread::Builder::new()
            .name("monitor-ticks".to_owned())
            .spawn(move || {
                while !control.is_stopping() {
                    append_due_ticks(&ports, &grid);
                    let next = grid.lock().next_in(ports.clock.now());
                    control.wait_to_tick(next.unwrap_or(limits::MAX_TIMER_WAIT).min(limits::MAX_TIMER_WAIT));
                }
            })
            .map_err(RunnerError::Thread)?;
        *self.ticker.lock() = Some(ticker);
        Ok(())
    }

    /// Where a monitor is. The place of a new one is made durable at once: what comes from now on is not skipped, even if
    /// the host dies before the first checkpoint.
    fn cursor(&self, name: &str) -> Result<SavedCursor, StoreError> {
        if let Some(cursor) = self.ports.log.load_cursor(name)? {
            return Ok(cursor);
        }
        let next_sequence = self.ports.log.last_sequence().saturating_add(1);
        self.ports.log.commit_checkpoint(&Checkpoint {
            monitor: name.to_owned(),
            next_sequence,
            state: None,
            writes: Vec::new(),
            changes: AlertChanges::default(),
        })?;
        Ok(SavedCursor { next_sequence, state: None })
    }

    fn load_book(&self, name: &str) -> Result<AlertBook, StoreError> {
        let alerts = self.ports.log.alerts()?;
        Ok(AlertBook::load(name, alerts, Arc::clone(&self.routes)))
    }
}

impl Drop for MonitorRunner {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Whether a monitor of this name may be added to these.
fn check_room(name: &str, workers: &BTreeMap<String, Worker>) -> Result<(), AddMonitorError> {
    let monitor = || name.to_owned();
    if name == HOST_MONITOR || workers.contains_key(name) {
        return Err(AddMonitorError::NameTaken { monitor: monitor() });
    }
    if workers.len() >= limits::MAX_MONITORS {
        return Err(AddMonitorError::TooMany { monitor: monitor(), limit: limits::MAX_MONITORS });
    }
    Ok(())
}

/// A callback of the embedding program may stop the host from one of the host's own threads.
fn is_current<T>(thread: &JoinHandle<T>) -> bool {
    thread.thread().id() == std::thread::current().id()
}

fn append_due_ticks(ports: &Ports, grid: &Mutex<TickGrid>) -> bool {
    let mut all = true;
    {
        // The lock is held while appending, so that ticks stand in the log in their order.
        let mut grid = grid.lock();
        for tick in grid.due(ports.clock.now()) {
            if let Err(error) = ports.log.append_tick(tick) {
                ports.faults.report(error.code(), &MonitorFault::Tick(error));
                all = false;
            }
        }
    }
    ports.faults.settle();
    all
}
