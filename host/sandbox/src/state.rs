//! What the host keeps for one instance while guest code runs: its limits, its deadline, and what its imports reach.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;
use telemetry_core::extension::{FailureReason, QueryPort};
use telemetry_core::{Timestamp, limits};
use tracing::Level;

use crate::engine::Execution;
use crate::http::HttpClient;
use crate::key_value::KeyValueSpace;
use crate::limiter::InstanceLimiter;
use crate::log::LineBuffer;
use crate::plugin::PluginShared;

/// The data of one store.
pub(crate) struct HostState {
    pub(crate) plugin: Arc<PluginShared>,
    pub(crate) limiter: InstanceLimiter,
    pub(crate) ports: InstancePorts,
    pub(crate) random: StdRng,
    /// The time of the batch: all the time that a guest can see.
    pub(crate) now: Timestamp,
    pub(crate) stdout: LineBuffer,
    pub(crate) stderr: LineBuffer,
    /// What standard error got in this call: what a panic says.
    last_words: Option<String>,
    /// The last entry of level error in this call: what a panic says where there is no standard error.
    last_error: Option<String>,
    /// When the call began.
    begun: Instant,
    /// The call's end in real time.
    deadline: Instant,
    /// What of that its own code may take, where it is less.
    own_time: Option<Duration>,
    port_calls: u32,
    http_requests: u32,
    /// Time that this call spent in the host's imports.
    waited: Duration,
}

/// The time of one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    /// From its beginning to its end.
    pub(crate) whole: Duration,
    /// What of that its own code may take: none of it is waiting.
    pub(crate) own: Option<Duration>,
}

impl From<Duration> for Allowance {
    fn from(whole: Duration) -> Self {
        Self { whole, own: None }
    }
}

/// What the imports of one instance reach, by its kind.
#[derive(Default)]
pub(crate) struct InstancePorts {
    pub(crate) key_value: Option<KeyValueSpace>,
    pub(crate) query: Option<Arc<dyn QueryPort>>,
    pub(crate) http: Option<Arc<HttpClient>>,
}

/// A guest asked more of the host than one call may: ends the call.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(transparent)]
pub(crate) struct Stopped(pub(crate) FailureReason);

impl HostState {
    pub(crate) fn new(plugin: Arc<PluginShared>, ports: InstancePorts) -> Self {
        let limiter = InstanceLimiter::new(Arc::clone(&plugin.meters), plugin.limits.memory());
        plugin.meters.instance_began();
        Self {
            limiter,
            ports,
            random: random(plugin.runtime.options.execution),
            plugin,
            now: Timestamp::EPOCH,
            stdout: LineBuffer::default(),
            stderr: LineBuffer::default(),
            last_words: None,
            last_error: None,
            begun: Instant::now(),
            deadline: Instant::now(),
            own_time: None,
            port_calls: 0,
            http_requests: 0,
            waited: Duration::ZERO,
        }
    }

    /// A call begins at `start`.
    pub(crate) fn begin(&mut self, start: Instant, allowance: Allowance, now: Timestamp) {
        self.limiter.begin();
        self.begun = start;
        self.deadline = start.checked_add(allowance.whole).unwrap_or(start);
        self.own_time = allowance.own;
        self.now = now;
        self.last_words = None;
        self.last_error = None;
        self.port_calls = 0;
        self.http_requests = 0;
        self.waited = Duration::ZERO;
    }

    /// Time left in this call, waiting included.
    pub(crate) fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Time left for the guest's own code.
    pub(crate) fn own_time_left(&self) -> Duration {
        let own = self.own_time.map(|own| own.saturating_sub(self.own_time_used()));
        own.map_or(self.time_left(), |own| own.min(self.time_left()))
    }

    fn own_time_used(&self) -> Duration {
        self.begun.elapsed().saturating_sub(self.waited)
    }

    /// Of a call that was ended: the time that it had.
    pub(crate) fn time_it_had(&self, allowance: Duration) -> Duration {
        self.own_time.filter(|own| *own <= self.own_time_used()).unwrap_or(allowance)
    }

    /// Runs `call` of a port. Its time is not the guest's: each port bounds its own; their number and
    /// the sum of their times are bounded here.
    pub(crate) fn port<R>(&mut self, call: impl FnOnce(&mut Self) -> R) -> wasmtime::Result<R> {
        self.port_calls += 1;
        if self.port_calls > limits::MAX_PORT_CALLS {
            return Err(stop(FailureReason::Limit {
                what: "calls to the host within one call",
                limit: limits::MAX_PORT_CALLS.into(),
            }));
        }
        if self.waited > self.plugin.runtime.options.port_time {
            return Err(stop(FailureReason::Limit {
                what: "seconds within the host's key-value spaces and queries in one call",
                limit: self.plugin.runtime.options.port_time.as_secs(),
            }));
        }
        let start = Instant::now();
        let answer = call(self);
        let took = start.elapsed();
        self.deadline = self.deadline.checked_add(took).unwrap_or(self.deadline);
        self.wait(took);
        Ok(answer)
    }

    /// Counts time that the guest waited for the host.
    pub(crate) fn wait(&mut self, time: Duration) {
        self.waited = self.waited.saturating_add(time);
    }

    /// Time that this call waited for the host.
    pub(crate) fn waited(&self) -> Duration {
        self.waited
    }

    /// Counts an HTTP request. Its time is the guest's own: a delivery has one deadline for all it does.
    pub(crate) fn count_http_request(&mut self) -> wasmtime::Result<()> {
        self.http_requests += 1;
        if self.http_requests > limits::MAX_HTTP_REQUESTS_PER_CALL {
            return Err(stop(FailureReason::Limit {
                what: "HTTP requests within one call",
                limit: limits::MAX_HTTP_REQUESTS_PER_CALL.into(),
            }));
        }
        Ok(())
    }

    /// The guest wrote an entry of its log.
    pub(crate) fn say(&mut self, level: Level, message: String, fields: String) {
        if level == Level::ERROR {
            self.last_error = Some(message.clone());
        }
        self.plugin.log.write(level, message, fields);
    }

    /// Standard output became lines of the log.
    pub(crate) fn print(&mut self, bytes: &[u8]) {
        for line in self.stdout.push(bytes) {
            self.plugin.log.write(Level::INFO, line, String::new());
        }
    }

    /// Standard error became lines of the log, and the last of them says why a call failed.
    pub(crate) fn complain(&mut self, bytes: &[u8]) {
        for line in self.stderr.push(bytes) {
            self.remember(line);
        }
    }

    fn remember(&mut self, line: String) {
        // A panic message has two lines and ends with a hint; the first two say what happened.
        match &mut self.last_words {
            Some(words) if words.len() < limits::MAX_PLUGIN_MESSAGE_BYTES => {
                words.push_str("; ");
                words.push_str(&line);
            }
            Some(_) => {}
            words @ None => *words = Some(line.clone()),
        }
        self.plugin.log.write(Level::WARN, line, String::new());
    }

    /// What was written to standard error since the call began, or else the last error in the log.
    pub(crate) fn last_words(&mut self) -> Option<String> {
        if let Some(line) = self.stdout.take() {
            self.plugin.log.write(Level::INFO, line, String::new());
        }
        if let Some(line) = self.stderr.take() {
            self.remember(line);
        }
        self.last_words.take().or_else(|| self.last_error.take())
    }
}

impl Drop for HostState {
    fn drop(&mut self) {
        self.plugin.meters.instance_ended();
    }
}

/// An instance's random numbers.
fn random(execution: Execution) -> StdRng {
    match execution {
        Execution::Fast => StdRng::from_rng(&mut rand::rng()),
        Execution::Repeatable => StdRng::seed_from_u64(limits::REPEATABLE_SEED),
    }
}

/// An error that ends the call with `reason`.
pub(crate) fn stop(reason: FailureReason) -> wasmtime::Error {
    wasmtime::Error::new(Stopped(reason))
}
