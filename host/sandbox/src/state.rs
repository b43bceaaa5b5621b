//! What the host keeps for one instance while guest code runs: its limits, its deadline, and what its imports reach.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;
use telemetry_core::batch::{EventTexts, Places};
use telemetry_core::extension::{FailureReason, QueryPort};
use telemetry_core::{Timestamp, limits};
use tracing::Level;
use wasmtime::Trap;

use crate::engine::Execution;
use crate::http::HttpClient;
use crate::kept::Kept;
use crate::key_value::KeyValueSpace;
use crate::limiter::InstanceLimiter;
use crate::limits::{counts_per_call, port_calls_per_call, queries_per_call, searches_per_call};
use crate::log::LineBuffer;
use crate::meters::Meters;
use crate::pattern::Pattern;
use crate::plugin::PluginShared;
use crate::quota::Quota;
use crate::schema::Schema;

/// The data of one store.
pub(crate) struct HostState {
    pub(crate) plugin: Arc<PluginShared>,
    pub(crate) limiter: InstanceLimiter,
    pub(crate) ports: InstancePorts,
    pub(crate) random: StdRng,
    /// The time of the batch: all the time that a guest can see.
    pub(crate) now: Timestamp,
    /// The events that the call is about.
    pub(crate) events: Option<Arc<EventTexts>>,
    /// Where the plugin asked last for values in them.
    pub(crate) places: Option<Arc<Places>>,
    /// The regular expressions that the plugin keeps.
    pub(crate) patterns: Kept<Pattern>,
    /// The JSON Schemas that it keeps.
    pub(crate) schemas: Kept<Schema>,
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
    port_calls: Quota,
    queries: Quota,
    /// Where calls have no end in time: when the host's work for this one is to end.
    host_end: Option<Instant>,
    readings: Quota,
    searches: Quota,
    http_requests: u32,
    /// Lines that this call may still write.
    lines: Quota,
    /// How often it may still call its counters.
    counts: Quota,
    /// Time that this call spent in the host's imports.
    waited: Duration,
}

/// What one call may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    /// Time from its beginning to its end.
    pub(crate) whole: Duration,
    /// What of that its own code may take: none of it is waiting.
    pub(crate) own: Option<Duration>,
    /// Records, samples, alerts or groups that it is about: with them grows what it may say and count.
    pub(crate) rows: usize,
}

impl Allowance {
    /// An allowance for a call about so many rows.
    pub(crate) fn for_rows(whole: Duration, rows: usize) -> Self {
        Self { whole, own: None, rows }
    }
}

impl From<Duration> for Allowance {
    fn from(whole: Duration) -> Self {
        Self::for_rows(whole, 0)
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
            events: None,
            places: None,
            patterns: Kept::at_most(limits::MAX_PATTERNS),
            schemas: Kept::at_most(limits::MAX_KEPT_SCHEMAS),
            stdout: LineBuffer::default(),
            stderr: LineBuffer::default(),
            last_words: None,
            last_error: None,
            begun: Instant::now(),
            deadline: Instant::now(),
            own_time: None,
            host_end: None,
            port_calls: Quota::of("calls to the host within one call"),
            queries: Quota::of("queries within one call"),
            readings: Quota::of("readings of events' values within one call"),
            searches: Quota::of("searches for patterns and judgements by schemas within one call"),
            http_requests: 0,
            lines: Quota::of("log lines within one call"),
            counts: Quota::of("calls to its counters within one call"),
            waited: Duration::ZERO,
        }
    }

    /// A call begins at `start`.
    pub(crate) fn begin(&mut self, start: Instant, allowance: Allowance, now: Timestamp) {
        self.limiter.begin();
        self.begun = start;
        self.deadline = start.checked_add(allowance.whole).unwrap_or(start);
        self.own_time = allowance.own;
        self.host_end = None;
        self.now = now;
        self.last_words = None;
        self.last_error = None;
        self.port_calls.begin(port_calls_per_call(allowance.rows));
        self.queries.begin(queries_per_call(allowance.rows));
        self.readings.begin(limits::MAX_READINGS_PER_CALL.into());
        self.searches.begin(searches_per_call(allowance.rows));
        self.http_requests = 0;
        self.lines.begin(self.plugin.limits.lines_per_call(allowance.rows));
        self.counts.begin(counts_per_call(allowance.rows));
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

    /// When that time is over, unless the host is waited for. `None` where a call ends by the fuel that it burns: the host burns none.
    pub(crate) fn own_end(&self) -> Option<Instant> {
        match self.plugin.runtime.options.execution {
            Execution::Fast => Instant::now().checked_add(self.own_time_left()),
            Execution::Repeatable => None,
        }
    }

    /// When what the host does for this call ends: with the call's own time, or where that has no end, some time after it was first
    /// asked for something.
    fn host_end(&mut self) -> Option<Instant> {
        let own = self.own_end();
        let first = || Instant::now().checked_add(limits::MAX_HOST_TIME);
        own.or_else(|| {
            self.host_end = self.host_end.or_else(first);
            self.host_end
        })
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
        self.port_calls.take(1)?;
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

    /// Counts a query.
    pub(crate) fn count_query(&mut self) -> wasmtime::Result<()> {
        self.queries.take(1)
    }

    /// Counts a reading of events' values.
    pub(crate) fn count_reading(&mut self) -> wasmtime::Result<()> {
        self.readings.take(1)
    }

    /// Counts a search for a regular expression, a judgement by a schema, or one of either that is compiled.
    /// Answers when it is to end; a call whose time is over ends at once.
    pub(crate) fn count_search(&mut self) -> wasmtime::Result<Option<Instant>> {
        self.searches.take(1)?;
        let end = self.host_end();
        if end.is_some_and(|end| Instant::now() >= end) {
            return Err(Trap::Interrupt.into());
        }
        Ok(end)
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
    pub(crate) fn say(&mut self, level: Level, message: String, fields: String) -> wasmtime::Result<()> {
        self.lines.take(1 + full_lines(message.len().saturating_add(fields.len())))?;
        if level == Level::ERROR {
            self.last_error = Some(message.clone());
        }
        self.plugin.log.write(level, message, fields);
        Ok(())
    }

    /// The guest calls one of its counters by this name.
    pub(crate) fn count(&mut self, name: &str) -> wasmtime::Result<&Meters> {
        self.counts.take(1 + full_lines(name.len()))?;
        Ok(&self.plugin.meters)
    }

    /// Standard output became lines of the log.
    pub(crate) fn print(&mut self, bytes: &[u8]) -> wasmtime::Result<()> {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.lines.take(lines_of(part))?;
            if let Some(line) = self.stdout.push(part) {
                self.plugin.log.write(Level::INFO, line, String::new());
            }
        }
        Ok(())
    }

    /// Standard error became lines of the log, and the last of them says why a call failed.
    pub(crate) fn complain(&mut self, bytes: &[u8]) -> wasmtime::Result<()> {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.lines.take(lines_of(part))?;
            if let Some(line) = self.stderr.push(part) {
                self.remember(line);
            }
        }
        Ok(())
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

/// As many lines as a part of what is printed counts for. What ends none is counted with the part that ends it; until then it
/// costs the guest's own time alone.
fn lines_of(part: &[u8]) -> u64 {
    u64::from(part.ends_with(b"\n")) + full_lines(part.len())
}

/// Text that is longer than a line counts for the lines that it would fill.
fn full_lines(bytes: usize) -> u64 {
    (bytes / limits::MAX_PLUGIN_LOG_BYTES) as u64
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
