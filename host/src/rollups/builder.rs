//! Has states built: round by round, each a little of every rollup, on a thread that rests as long as it works.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use parking_lot::Mutex;
use telemetry_core::aggregation::{Aggregation, KeptStates};
use telemetry_core::{Clock, limits};
use telemetry_store::{StateBuildError, StateRollupStats, StoreError};

use super::set::{Progress, RollupEntry, RollupSet};
use super::status::RollupStatus;
use crate::envelope::cause_chain;
use crate::host::Services;

/// First pause of a rollup whose function fails; doubles with each failure that follows without a success.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Rounds of one catching up, were samples sealed as fast as states are built: some ten million series.
const MOST_ROUNDS: usize = 200_000;

/// Builds the states of all rollups of one host.
pub(crate) struct RollupBuilder {
    services: Arc<Services>,
    set: Arc<RollupSet>,
    clock: Arc<dyn Clock>,
    /// Since when kinds of states were wanted by nobody, on the monotonic clock.
    unwanted: Mutex<HashMap<u64, Duration>>,
    running: Mutex<Option<Running>>,
}

struct Running {
    /// The thread ends when it is dropped.
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl RollupBuilder {
    pub(crate) fn new(services: Arc<Services>, set: Arc<RollupSet>, clock: Arc<dyn Clock>) -> Arc<Self> {
        let (unwanted, running) = (Mutex::default(), Mutex::new(None));
        Arc::new(Self { services, set, clock, unwanted, running })
    }

    /// Whether states are to be built, or old ones removed.
    pub(crate) fn has_work(&self) -> bool {
        !self.set.entries.is_empty() || !self.services.store.kept_states().is_empty()
    }

    /// Works in the background from now on.
    pub(crate) fn start(self: &Arc<Self>) -> std::io::Result<()> {
        let (stop, stopped) = crossbeam_channel::bounded(0);
        let builder = Arc::clone(self);
        let thread = std::thread::Builder::new()
            .name("telemetry-rollups".to_owned())
            .spawn(move || builder.keep_up(&stopped))?;
        *self.running.lock() = Some(Running { stop, thread });
        Ok(())
    }

    /// Ends the thread after the series that it is at.
    pub(crate) fn stop(&self) {
        if let Some(Running { stop, thread }) = self.running.lock().take() {
            drop(stop);
            if thread.join().is_err() {
                tracing::error!(source = "Bridge_Telemetry", "the thread that builds rollups panicked");
            }
        }
    }

    /// Builds all that can be built now, on the calling thread.
    pub(crate) fn catch_up(&self) -> Result<(), StoreError> {
        for _ in 0..MOST_ROUNDS {
            if !self.round()? {
                break;
            }
        }
        Ok(())
    }

    /// Every rollup and how it does, with what the store says of its states.
    pub(crate) fn statuses(&self, kept: &[StateRollupStats]) -> Vec<RollupStatus> {
        let now = self.clock.now();
        self.set.entries.iter().map(|entry| RollupStatus::of(entry, kept, now)).collect()
    }

    fn keep_up(&self, stopped: &Receiver<()>) {
        let mut failing = false;
        loop {
            let started = Instant::now();
            let rest = match self.round() {
                Ok(more) => {
                    failing = false;
                    let rest = started.elapsed().saturating_mul(limits::STATE_REST_PER_ROUND);
                    if more { rest } else { limits::STATE_ROUND }
                }
                Err(error) => {
                    // The store says itself what is wrong with it.
                    if !failing {
                        let reason = cause_chain(&error);
                        tracing::warn!(source = "Bridge_Telemetry", "rollups are not built: {reason}");
                    }
                    failing = true;
                    limits::STORE_RETRY_PAUSE
                }
            };
            // Anything but the end of the time is the end of the host.
            if !matches!(stopped.recv_timeout(rest), Err(crossbeam_channel::RecvTimeoutError::Timeout)) {
                return;
            }
        }
    }

    /// Builds a little of every rollup; whether there is more to do.
    fn round(&self) -> Result<bool, StoreError> {
        let mut more = false;
        for entry in &self.set.entries {
            more |= self.build(entry)?;
        }
        self.remove_unwanted()?;
        Ok(more)
    }

    fn build(&self, entry: &RollupEntry) -> Result<bool, StoreError> {
        let before = entry.progress.lock().clone();
        if before.paused_until.is_some_and(|until| self.clock.monotonic() < until) {
            return Ok(false);
        }
        let (states, function) = match self.register(entry) {
            Ok(registered) => registered,
            Err(Unregistered::Store(error)) => return Err(error),
            Err(Unregistered::Unavailable(reason)) => {
                if before.unavailable.as_ref() != Some(&reason) {
                    let aggregation = entry.aggregation.as_str();
                    tracing::error!(
                        source = "Bridge_Telemetry",
                        aggregation,
                        "a rollup is not built: {reason}"
                    );
                }
                *entry.progress.lock() = Progress { unavailable: Some(reason), ..Progress::default() };
                return Ok(false);
            }
        };
        let built = self.services.store.build_states(states, &*function, limits::STATE_SERIES_PER_ROUND);
        let mut progress = entry.progress.lock();
        // Another function is another start.
        let before = if before.states == Some(states) { before } else { entry.begin_anew() };
        let Progress { failures, failure, .. } = before;
        *progress = Progress { states: Some(states), failures, failure, ..Progress::default() };
        match built {
            Ok(done) => {
                if let Some(error) = done.failure {
                    let pause =
                        FIRST_PAUSE.saturating_mul(1 << failures.min(16)).min(limits::MAX_STATE_PAUSE);
                    progress.failures = failures.saturating_add(1);
                    progress.failure = Some(cause_chain(&error));
                    progress.paused_until = Some(self.clock.monotonic().saturating_add(pause));
                } else if done.states > 0 || !done.more {
                    progress.failures = 0;
                    progress.failure = None;
                }
                progress.more = done.more;
                Ok(done.more && progress.paused_until.is_none())
            }
            // Removed by another hand meanwhile: registered anew in the next round.
            Err(StateBuildError::NotRegistered | StateBuildError::Width) => Ok(false),
            // It goes on when there is room.
            Err(StateBuildError::Store(StoreError::DiskFull { .. } | StoreError::Full { .. })) => Ok(false),
            Err(StateBuildError::Store(error)) => Err(error),
            Err(other) => {
                progress.unavailable = Some(other.to_string());
                Ok(false)
            }
        }
    }

    /// The function of today and its states, which the store keeps from now on.
    fn register(&self, entry: &RollupEntry) -> Result<(KeptStates, Arc<dyn Aggregation>), Unregistered> {
        let unavailable = |reason: String| Unregistered::Unavailable(reason);
        let bound = self.services.registry.load().bind(&entry.aggregation);
        let function = bound.map_err(|error| unavailable(cause_chain(&error)))?.function;
        let identity = function.state_identity().ok_or_else(|| {
            unavailable("its states cannot be merged, or depend on the times of samples".to_owned())
        })?;
        let states = match self.services.store.register_states(&entry.rollup(identity)) {
            Ok(states) => states,
            Err(StateBuildError::Store(error)) => return Err(Unregistered::Store(error)),
            Err(error) => return Err(unavailable(error.to_string())),
        };
        entry.progress.lock().states = Some(states);
        Ok((states, function))
    }

    /// Removes the states that nobody has wanted for a while: those of the plugin's version before, of rollups that are no
    /// longer configured. Those of a function that is not to be had today may be wanted tomorrow.
    fn remove_unwanted(&self) -> Result<(), StoreError> {
        let now = self.clock.monotonic();
        let mut unwanted = self.unwanted.lock();
        for (identity, states) in self.services.store.kept_states() {
            let wanted = self.set.entries.iter().any(|entry| {
                let progress = entry.progress.lock();
                progress.states == Some(states) || (progress.unavailable.is_some() && entry.is_of(&identity))
            });
            if wanted {
                unwanted.remove(&states.fingerprint);
                continue;
            }
            let since = *unwanted.entry(states.fingerprint).or_insert(now);
            if now.saturating_sub(since) >= limits::UNWANTED_STATES_AGE {
                let (function, origin) = (identity.function.as_str(), identity.origin.as_str());
                tracing::info!(source = "Bridge_Telemetry", function, origin, "unwanted states are removed");
                self.services.store.remove_states(states)?;
                unwanted.remove(&states.fingerprint);
            }
        }
        Ok(())
    }
}

/// Why a rollup is not built.
enum Unregistered {
    /// Its function is not to be had, or cannot be kept.
    Unavailable(String),
    Store(StoreError),
}
