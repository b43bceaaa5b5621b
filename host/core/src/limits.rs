//! Every limit of the host, named and justified in one place.
//!
//! A limit that an operator may change is the default of a configuration key; the rest are fixed.

use std::time::Duration;

/// Largest request body and largest single record in bytes: far above real events, small enough to hold many in memory.
pub const MAX_PAYLOAD_BYTES: usize = 4 << 20;
/// Largest event type, source, metric name or label key in bytes: they are index keys and must stay small.
pub const MAX_NAME_BYTES: usize = 512;
/// Largest context of a metric as canonical JSON in bytes: it is stored once per series and day and kept in memory.
pub const MAX_CONTEXT_BYTES: usize = 8 << 10;
/// Most keys of one context: each is a posting entry.
pub const MAX_CONTEXT_KEYS: usize = 128;
/// Largest string sample in bytes.
pub const MAX_TEXT_VALUE_BYTES: usize = 4 << 10;
/// Deepest nesting of JSON that is accepted: serde_json's own recursion limit.
pub const MAX_JSON_DEPTH: usize = 127;
/// Largest head of a request in bytes, and largest buffer of a connection: a cursor and a dozen filters fit many times.
pub const MAX_REQUEST_HEAD_BYTES: usize = 64 << 10;
/// Connections served at once, each with a request body of the largest size at worst; further ones wait to be accepted.
pub const MAX_CONNECTIONS: usize = 512;
/// Most bytes of a refused body that are read and thrown away: a client that is still sending would not see the answer.
pub const MAX_DISCARDED_BODY_BYTES: u64 = 64 << 20;
/// Pause after a connection could not be accepted: what is missing, such as file handles, comes back only with time.
pub const ACCEPT_PAUSE: Duration = Duration::from_secs(1);
/// Connections in a row that could not be accepted, after which the listener itself is taken for broken: a minute.
pub const MAX_ACCEPT_FAILURES: u32 = 60;
/// Most records of one batch call.
pub const MAX_BATCH_RECORDS: usize = 100_000;
/// Most records that are on their way into the store at once, over all threads; further calls are refused as OVERLOADED.
/// Twice the largest batch: some hundred megabytes of the largest contexts at worst.
pub const MAX_RECORDS_IN_FLIGHT: usize = 200_000;
/// When a caller that was refused as OVERLOADED should come back: a batch of the largest size takes about as long.
pub const OVERLOAD_RETRY: Duration = Duration::from_millis(100);
/// How far ahead of the host's clock a record may be: tolerates skewed clocks, stops one bad clock from minting partitions.
pub const MAX_AHEAD: Duration = Duration::from_secs(3600);
/// Deepest nesting of recording calls made from native subscribers (spec §2).
pub const MAX_RECURSION_DEPTH: u32 = 100;
/// Most issues kept of one refused record: enough to mend it, bounded whatever a validator answers.
pub const MAX_ISSUES: usize = 64;
/// Payloads above this are summarised in the log (spec §2).
pub const MAX_LOGGED_PAYLOAD_BYTES: usize = 1 << 20;
/// Characters of the summary of a payload that was too long for the log (spec §2).
pub const LOGGED_SUMMARY_CHARS: usize = 1000;

/// Most hops of a forwarded alert (spec §7).
pub const MAX_FORWARD_HOPS: u32 = 4;

/// Events of one page of a query at most.
pub const MAX_EVENT_PAGE: usize = 10_000;
/// JSON of one page of events in bytes, at which the page ends early: a few large events must not fill the memory.
pub const MAX_EVENT_PAGE_BYTES: usize = 32 << 20;
/// Events of one page when the caller names no limit.
pub const DEFAULT_EVENT_PAGE: usize = 100;
/// Buckets of one stepped query at most, summed over its groups.
pub const MAX_QUERY_POINTS: usize = 1_000_000;
/// Groups (metrics × label combinations) of one query at most.
pub const MAX_QUERY_GROUPS: usize = 100_000;
/// Label filters of one query at most.
pub const MAX_QUERY_FILTERS: usize = 32;
/// Compiled size of one regular expression of a query in bytes.
pub const MAX_REGEX_BYTES: usize = 1 << 20;

/// Largest component in bytes: a Python plugin has 18 MB.
pub const MAX_COMPONENT_BYTES: u64 = 64 << 20;
/// Largest single function of a component in bytes: the compiler's time and memory grow faster than the size. The
/// interpreter loops of CPython and QuickJS stay below a quarter of it.
pub const MAX_FUNCTION_BYTES: usize = 1 << 20;
/// Most functions of a component over all its modules: CPython has some 20,000.
pub const MAX_COMPONENT_FUNCTIONS: u64 = 200_000;
/// Most core modules of a component: a Python plugin has about thirty.
pub const MAX_COMPONENT_MODULES: u32 = 128;
/// Most bytes times local variables of one function: the compiler looks at each variable at each branch. A processor compiles some
/// twenty million of it in a second, and CPython's interpreter loop stays below a quarter.
pub const MAX_FUNCTION_WORK: u64 = 1 << 30;
/// The same of all functions together: minutes, where nothing else ends the compiler.
pub const MAX_COMPONENT_WORK: u64 = 1 << 32;
/// Most globals of a component over all its modules: position-independent modules have some thousands.
pub const MAX_COMPONENT_GLOBALS: u64 = 100_000;
/// Most types that a component declares, over all that is in it.
pub const MAX_COMPONENT_TYPES: u64 = 100_000;
/// How deep modules and components may lie in one another: real ones have three levels, and as many again when composed.
pub const MAX_COMPONENT_DEPTH: u64 = 16;
/// Most instances that a component becomes, with those of the components within it: CPython has about a hundred.
pub const MAX_COMPONENT_INSTANCES: u64 = 2_000;
/// Processor time for compiling one component in a process of its own: a Python plugin takes ten seconds.
pub const COMPILE_CPU: Duration = Duration::from_secs(120);
/// Time for it by the clock: a busy machine must not make a good component fail.
pub const COMPILE_DEADLINE: Duration = Duration::from_secs(600);
/// Address space of that process: several times what CPython takes to compile.
pub const COMPILE_MEMORY_BYTES: u64 = 4 << 30;
/// Largest machine code of one component in bytes: it is some times larger than the component.
pub const MAX_CODE_BYTES: u64 = 8 * MAX_COMPONENT_BYTES;
/// Bytes kept of what the compiler's process says when it fails.
pub const MAX_COMPILER_WORDS: usize = 4 << 10;
/// How much the compiler's process gives way to others: what is recorded goes before what is loaded.
pub const COMPILE_NICENESS: i32 = 10;
/// Core instances, memories and tables of one plugin instance at most; each costs address space and host memory.
pub const MAX_CORE_INSTANCES: usize = 256;
/// Elements of all tables of one plugin instance at most, 8 bytes each: CPython has some 10,000.
pub const MAX_TABLE_ELEMENTS: usize = 200_000;
/// Handles alive at once in one plugin instance: accumulators and streams, a few in practice.
pub const MAX_PLUGIN_HANDLES: usize = 1_024;
/// Bytes of native stack that WebAssembly code may use; a quarter of a Rust thread's stack, so that host calls fit above it.
pub const MAX_WASM_STACK_BYTES: usize = 512 << 10;
/// How often deadlines are looked at: fine enough for deadlines of tenths of seconds, 200 wake-ups a second.
pub const EPOCH_TICK: Duration = Duration::from_millis(5);

/// Time for a plugin's `describe`, `init` and `snapshot`: interpreters start slowly.
pub const PLUGIN_INIT_DEADLINE: Duration = Duration::from_secs(5);
/// Default of a plugin's time for one call: far above the microseconds a call takes, short enough for a waiting recorder.
pub const PLUGIN_CALL_DEADLINE: Duration = Duration::from_millis(500);
/// Samples of a replay that are in memory at once; a stretch of time with more of them is read in parts.
pub const MAX_REPLAY_ROWS: usize = 1_000_000;
/// Findings of a replay that are kept; the others are counted.
pub const MAX_REPLAY_FINDINGS: usize = 100_000;
/// Fuel that stands for a millisecond of a call's time where guests run repeatably: about one is burnt for each instruction, and
/// a core does some thousand million of them in a second.
pub const FUEL_PER_MILLISECOND: u64 = 1_000_000;
/// Where random numbers begin where guests run repeatably.
pub const REPEATABLE_SEED: u64 = 0x0062_7269_6467_6531;
/// Default of a plugin's memory per instance: an interpreter fits.
pub const PLUGIN_MEMORY_BYTES: u64 = 64 << 20;
/// Default of what one call may answer in bytes: a batch of rewritten events fits.
pub const PLUGIN_OUTPUT_BYTES: u64 = 16 << 20;
/// Default of the log lines a plugin may write in a second, over time.
pub const PLUGIN_LOG_LINES_PER_SECOND: u32 = 20;
/// Log lines a plugin may write at once, in seconds of its allowance.
pub const PLUGIN_LOG_BURST_SECONDS: u32 = 5;
/// Log lines that one call of a plugin may write, beside those that its rate lets through at once: ten times as many as these are
/// by default. What is left out still has to be taken and counted, so that a flood of it is the plugin's failure.
pub const MAX_LOG_LINES_PER_CALL: u32 = 1_000;
/// Log lines more for each record, sample, alert or group that the call is about: a short trace of a fault for each of them.
pub const MAX_LOG_LINES_PER_ROW: u32 = 8;
/// Calls to its counters that one call of a plugin may make: four for each counter that there may be.
pub const MAX_COUNTER_CALLS_PER_CALL: u32 = 1_000;
/// Calls to its counters more for each record, sample, alert or group that the call is about: counting each of them in some ways.
pub const MAX_COUNTER_CALLS_PER_ROW: u32 = 8;
/// Bytes of one write of a plugin to standard output or error: what the stream says that it takes.
pub const MAX_PLUGIN_WRITE_BYTES: u64 = 64 << 10;
/// Default of how long a call waits for a free instance of a plugin.
pub const PLUGIN_WAIT: Duration = Duration::from_secs(1);
/// Most bytes of one line of a plugin's log, and of its fields.
pub const MAX_PLUGIN_LOG_BYTES: usize = 4 << 10;
/// Lines of one plugin's log that are kept for whoever asks: some screens.
pub const MAX_KEPT_LOG_LINES: usize = 1_000;
/// Bytes of these lines at most.
pub const MAX_KEPT_LOG_BYTES: usize = 256 << 10;
/// Most counters of one plugin: they are kept for ever and shown in health.
pub const MAX_PLUGIN_COUNTERS: usize = 256;
/// Most bytes of the messages that a plugin answers: errors, issues, summaries, references.
pub const MAX_PLUGIN_MESSAGE_BYTES: usize = 1 << 10;
/// Most bytes of a configuration schema, and of a plugin's description of itself.
pub const MAX_PLUGIN_SCHEMA_BYTES: usize = 256 << 10;
/// Most patterns of each list of a subscription.
pub const MAX_SUBSCRIPTION_PATTERNS: usize = 1_024;
/// Shortest tick of a monitor: every tick stands in the durable log.
pub const MIN_TICK: Duration = Duration::from_millis(100);
/// Most aggregate functions of one plugin.
pub const MAX_PLUGIN_AGGREGATES: usize = 64;
/// Samples that cross to an aggregation plugin in one call: enough to hide the call, 1 MiB with their times.
pub const MAX_SAMPLES_PER_CALL: usize = 65_536;
/// Most signals of one call of a monitor.
pub const MAX_SIGNALS_PER_CALL: usize = 10_000;
/// Most labels of one signal.
pub const MAX_SIGNAL_LABELS: usize = 64;
/// Most receivers that one outcome of a sink names.
pub const MAX_FORWARD_RECEIVERS: usize = 32;
/// Largest key of a plugin's key-value space in bytes.
pub const MAX_PLUGIN_KEY_BYTES: usize = 512;
/// Largest value of a plugin's key-value space in bytes.
pub const MAX_PLUGIN_VALUE_BYTES: usize = 1 << 20;
/// Most bytes that a monitor may write between two checkpoints; they are committed in one write.
pub const MAX_BUFFERED_WRITE_BYTES: usize = 16 << 20;
/// Most calls to key-value and query together within one call of a plugin: their time does not count against its own. A tick goes
/// through thousands of series.
pub const MAX_PORT_CALLS: u32 = 10_000;
/// Such calls more for each record or alert that the call is about: each has a state that is read and written, so that a monitor
/// that catches up does not fail where it kept up before.
pub const MAX_PORT_CALLS_PER_ROW: u32 = 4;
/// Time that these calls may take together within one call of a plugin: a query may take half of it, and with thousands of them a
/// call would last for days.
pub const MAX_PORT_TIME: Duration = Duration::from_secs(60);
/// Largest request of a plugin's query, as JSON in bytes.
pub const MAX_PLUGIN_QUERY_BYTES: usize = 64 << 10;
/// Largest answer to a plugin's query, as JSON in bytes.
pub const MAX_PLUGIN_QUERY_ANSWER_BYTES: usize = 4 << 20;
/// Random bytes of one request of a plugin.
pub const MAX_PLUGIN_RANDOM_BYTES: u64 = 64 << 10;

/// Failures of a plugin within [`PLUGIN_FAILURE_WINDOW`] that bring it into quarantine.
pub const PLUGIN_FAILURES_TO_QUARANTINE: u32 = 5;
/// The window in which a plugin's failures are counted.
pub const PLUGIN_FAILURE_WINDOW: Duration = Duration::from_secs(60);
/// Restarts that a plugin has until it was healthy for [`PLUGIN_HEALTHY_AFTER`]: catches one that fails slowly for ever.
pub const PLUGIN_RESTART_BUDGET: u32 = 20;
/// Time without a failure after which a plugin counts as healthy again.
pub const PLUGIN_HEALTHY_AFTER: Duration = Duration::from_secs(60);
/// The wait before the second restart in a row; doubles with each further one. The first restart does not wait.
pub const PLUGIN_RESTART_BACKOFF: Duration = Duration::from_millis(100);
/// The longest wait before a restart.
pub const MAX_PLUGIN_RESTART_BACKOFF: Duration = Duration::from_secs(10);
/// The first quarantine; doubles with each further one.
pub const PLUGIN_QUARANTINE: Duration = Duration::from_secs(30);
/// How much the threads of monitors and sinks give way to those that record: one that computes without end takes a quarter of a core
/// that others want, and all of it otherwise.
pub const PLUGIN_THREAD_NICENESS: i32 = 5;
/// The longest quarantine.
pub const MAX_PLUGIN_QUARANTINE: Duration = Duration::from_secs(600);

/// How long a new version of a plugin is watched after it replaced another, which is kept until then.
pub const RELOAD_PROBATION: Duration = Duration::from_secs(60);
/// Failures of a new version within [`RELOAD_PROBATION`] after which the one before takes its place again: fewer than bring it
/// into quarantine, more than one record that would have killed any version.
pub const RELOAD_FAILURES: u64 = 3;
/// Recent records that a new version is shown in its trial run: a second of a busy bridge, some calls of a plugin.
pub const TRIAL_RECORDS: u64 = 4_096;
/// Time after which a trial run is shown no more: it has seen enough, and who reloads waits.
pub const TRIAL_TIME: Duration = Duration::from_secs(5);
/// How long a reload waits for a monitor to come to the end of what it is at.
pub const HANDOVER_WAIT: Duration = Duration::from_secs(60);
/// Default of how often the plugins' files are looked at. A change is acted upon when it was seen twice alike.
pub const PLUGIN_WATCH_INTERVAL: Duration = Duration::from_secs(2);
/// Most files that are watched: as many as there may be plugins.
pub const MAX_WATCHED_FILES: usize = 1_024;
/// Default of how often the plugins' own figures are recorded.
pub const PLUGIN_METRICS_INTERVAL: Duration = Duration::from_secs(10);
/// Lines of a plugin's log in one answer when the caller names no number.
pub const DEFAULT_LOG_LINES: usize = 100;
/// Default of how far a monitor with the policy `block` may fall behind before recording waits for it.
pub const MAX_BACKLOG_RECORDS: u64 = 100_000;
/// Records after which the bytes of a backlog are counted again.
pub const BACKLOG_CHECK_RECORDS: u64 = 1_000;

/// Largest body of a plugin's HTTP request in bytes.
pub const MAX_HTTP_REQUEST_BYTES: usize = 1 << 20;
/// Largest body of an answer to a plugin's HTTP request in bytes.
pub const MAX_HTTP_RESPONSE_BYTES: usize = 1 << 20;
/// Longest URL of a plugin's HTTP request in bytes: what servers take.
pub const MAX_HTTP_URL_BYTES: usize = 8 << 10;
/// Largest head of a plugin's HTTP request in bytes, secrets in their places.
pub const MAX_HTTP_HEAD_BYTES: usize = 64 << 10;
/// Most header lines of a plugin's HTTP request.
pub const MAX_HTTP_HEADERS: usize = 64;
/// Longest time of one HTTP exchange of a plugin.
pub const MAX_HTTP_TIME: Duration = Duration::from_secs(30);
/// HTTP requests within one call of a plugin.
pub const MAX_HTTP_REQUESTS_PER_CALL: u32 = 256;
/// Most origins of one grant.
pub const MAX_GRANTED_ORIGINS: usize = 64;
/// Entries of the cache of compiled code; the oldest go first.
pub const MAX_CACHED_COMPONENTS: usize = 64;

/// Most monitors of one host: each has a thread of its own.
pub const MAX_MONITORS: usize = 64;
/// Most receivers of one host: each has a thread of its own.
pub const MAX_RECEIVERS: usize = 64;
/// Records that a monitor reads from the log at once: enough to amortise the read.
pub const MAX_LOG_READ: usize = 4096;
/// Bytes of events shown by one reading of the log, give or take the last event: a batch must fit a plugin's memory.
pub const MAX_LOG_READ_BYTES: usize = 4 << 20;
/// Longest time between two checkpoints of a monitor that moves on: bounds what is replayed after a crash (design.md).
pub const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);
/// Most records between two checkpoints, so that catching up at full speed does not widen the replay.
pub const CHECKPOINT_RECORDS: u64 = 50_000;
/// How long a monitor that caught up waits for the log in one go: also the longest it takes to notice a stop.
pub const LOG_WAIT: Duration = Duration::from_millis(50);
/// Failures on one batch before its poison record is searched for: a passing fault gets two more tries.
pub const MONITOR_KILLS_BEFORE_HUNT: u32 = 3;
/// Poison records in a row, without a good one between, after which the monitor itself is taken for broken and no more
/// records are skipped.
pub const MAX_POISON_IN_A_ROW: u32 = 16;
/// First pause of a failing monitor; doubles with each failure that follows without progress.
pub const MIN_MONITOR_BACKOFF: Duration = Duration::from_millis(50);
/// Longest pause of a failing monitor.
pub const MAX_MONITOR_BACKOFF: Duration = Duration::from_secs(30);
/// Shortest interval between the ticks of a monitor: each tick is a record of the log.
pub const MIN_TICK_INTERVAL: Duration = Duration::from_millis(100);
/// Longest interval between the ticks of a monitor.
pub const MAX_TICK_INTERVAL: Duration = Duration::from_secs(86_400);

/// Alerts of one monitor that may fire at once: more than people can look at, few enough to hold in memory.
pub const MAX_FIRING_ALERTS: usize = 1_000;
/// Resolved alerts kept for listing, for each monitor.
pub const MAX_RESOLVED_ALERTS: usize = 200;
/// How long resolved alerts are kept for listing.
pub const RESOLVED_ALERT_AGE: Duration = Duration::from_secs(7 * 86_400);
/// Largest summary of an alert in bytes: one line for a person.
pub const MAX_SUMMARY_BYTES: usize = 1 << 10;
/// Most labels of one alert.
pub const MAX_ALERT_LABELS: usize = 32;
/// How long an alert of the host's own about an incident fires after the incident's last sign.
pub const INCIDENT_HOLD: Duration = Duration::from_secs(300);
/// Deliveries that may wait in the outbox: it is mirrored in memory. More become dead letters at once.
pub const MAX_PENDING_DELIVERIES: usize = 20_000;
/// Deliveries of one monitor's alerts that may wait, so that one noisy monitor leaves room for the others.
pub const MAX_PENDING_PER_MONITOR: usize = 4_000;
/// Dead letters kept; the oldest go first, counted.
pub const MAX_DEAD_LETTERS: usize = 10_000;
/// When a replay that found the outbox full is worth another try: a receiver's thread brings some hundred rows to its sink in
/// this time.
pub const REPLAY_RETRY: Duration = Duration::from_secs(5);
/// Dead letters of one listing when the caller names no limit.
pub const DEFAULT_DEAD_LETTERS: usize = 100;
/// Attempts before a delivery is given up: with the longest pause between them, a receiver may be away for a day.
pub const MAX_DELIVERY_ATTEMPTS: u32 = 300;
/// Age of a delivery after which a failed attempt is the last one, and after which it no longer waits for a sink that could
/// not be loaded: a weekend on which nobody mends the receiver passes; older news is for whoever replays dead letters.
pub const MAX_DELIVERY_AGE: Duration = Duration::from_secs(3 * 86_400);
/// First pause before a delivery is tried again; doubles with each attempt, with jitter up to twice the pause.
pub const MIN_DELIVERY_BACKOFF: Duration = Duration::from_secs(1);
/// Longest pause before jitter.
pub const MAX_DELIVERY_BACKOFF: Duration = Duration::from_secs(300);
/// Longest pause that a sink may ask for.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);
/// Alerts handed to a sink in one call.
pub const MAX_DELIVERY_BATCH: usize = 64;
/// Time that a sink has for one call.
pub const DELIVERY_DEADLINE: Duration = Duration::from_secs(10);
/// Largest reason kept of a failed delivery in bytes.
pub const MAX_REASON_BYTES: usize = 1 << 10;
/// Pause after the store refused a write, before it is asked again.
pub const STORE_RETRY_PAUSE: Duration = Duration::from_secs(1);
/// Longest sleep of a timer: a wall clock that jumps is noticed after this.
pub const MAX_TIMER_WAIT: Duration = Duration::from_secs(1);

/// Longest text that names an aggregation with its parameters, in bytes.
pub const MAX_AGGREGATION_TEXT_BYTES: usize = 1 << 10;
/// Groups of one accumulator at most: every group and bucket of the largest query, with room for its totals.
pub const MAX_ACCUMULATOR_GROUPS: usize = MAX_QUERY_POINTS + MAX_QUERY_GROUPS + 1024;
/// Metric names of one query at most, and entries of its map of aggregations.
pub const MAX_QUERY_NAMES: usize = 10_000;
/// Labels that one query groups by at most.
pub const MAX_QUERY_LABELS: usize = 32;
/// Shortest step of a query: time is taken in milliseconds.
pub const MIN_QUERY_STEP: Duration = Duration::from_millis(1);
/// Longest cursor of a page of events in bytes; real ones have a few dozen.
pub const MAX_CURSOR_BYTES: usize = 1 << 10;
/// Default of the time that one query may take.
pub const QUERY_DEADLINE: Duration = Duration::from_secs(30);
/// Threads that work on queries at most, beside those that ask; no more than there are cores.
pub const MAX_QUERY_THREADS: usize = 8;
/// Memory of one query in bytes: series, cells and states. The most values of an exact percentile fit, and as much again while
/// states are merged.
pub const MAX_QUERY_BYTES: u64 = 512 << 20;
/// Samples that are held at once to merge series by time: 24 MiB.
pub const MAX_MERGED_SAMPLES: usize = 1 << 20;
/// States of a plugin's aggregation that one query merges at most: saved, they must fit into what one call may answer. Beyond, the
/// samples are read once more.
pub const MAX_MERGED_STATES: usize = 4096;
/// Kinds of kept states that one host configures: sealing looks for the rows of each.
pub const MAX_STATE_ROLLUPS: usize = 32;
/// Shortest bucket of kept states: shorter ones hold too few samples to pay.
pub const MIN_STATE_BUCKET: Duration = Duration::from_secs(60);
/// Samples of a bucket from which its state is kept: to merge a state costs about as much as to read this many.
pub const MIN_KEPT_SAMPLES: u64 = 64;
/// Largest kept state in bytes: a sketch of two signs and 4,096 buckets fits; larger ones are not quicker than the samples.
pub const MAX_KEPT_STATE_BYTES: usize = 64 << 10;
/// Series that wait to have states built, over all partitions; beyond, whole partitions are looked through instead.
pub const MAX_PENDING_STATE_SERIES: usize = 1 << 20;
/// Pause after a function failed at a series' states, before that series is tried again.
pub const STATE_RETRY: Duration = Duration::from_secs(600);
/// Series whose states are built in one go: bounds how long a stop, or a change of plugins, waits.
pub const STATE_SERIES_PER_ROUND: usize = 64;
/// Time between two rounds of building states where there is nothing to do.
pub const STATE_ROUND: Duration = Duration::from_secs(2);
/// Share of a core that building states takes at most: after each round it rests as long as the round took.
pub const STATE_REST_PER_ROUND: u32 = 1;
/// How long a kind of kept states is wanted by nobody before it is removed: a plugin that is exchanged and put back keeps its
/// states, and a command that runs with another configuration removes nothing.
pub const UNWANTED_STATES_AGE: Duration = Duration::from_secs(600);
/// Longest pause of a kind of kept states whose function fails.
pub const MAX_STATE_PAUSE: Duration = Duration::from_secs(300);

/// Values that an exact percentile keeps at most: 128 MiB, and as much again while states are merged.
pub const MAX_EXACT_VALUES: usize = 16 << 20;
/// Most bytes that one plugin keeps in its key-value space.
pub const PLUGIN_KEY_VALUE_BYTES: u64 = 64 << 20;

/// Largest manifest of a plugin in bytes: a page of text, and every grant with its reason.
pub const MAX_MANIFEST_BYTES: u64 = 128 << 10;
/// Longest description, licence, author and reason of a manifest in bytes: one line for a person.
pub const MAX_MANIFEST_LINE_BYTES: usize = 1 << 10;
/// Most authors that a manifest names.
pub const MAX_MANIFEST_AUTHORS: usize = 64;
/// Most origins, and most secrets, that a manifest requests: as many as can be granted.
pub const MAX_REQUESTED_GRANTS: usize = MAX_GRANTED_ORIGINS;
/// Most keys whose signatures a host trusts: each is tried.
pub const MAX_TRUSTED_KEYS: usize = 64;
/// Largest signature file in bytes: four lines, the longest of them a comment.
pub const MAX_SIGNATURE_BYTES: u64 = 8 << 10;
/// Largest file of pins in bytes: thousands of plugins fit.
pub const MAX_LOCK_BYTES: u64 = 1 << 20;
/// Entries of one plugin package at most: four matter, and an author adds a README or two.
pub const MAX_PACKAGE_ENTRIES: usize = 256;
/// Bytes of all that an archive of a package unpacks to: the largest component, and as much again beside it.
pub const MAX_PACKAGE_BYTES: u64 = 2 * MAX_COMPONENT_BYTES;
/// Longest name of a file of a package in bytes: what file systems take.
pub const MAX_FILE_NAME_BYTES: usize = 255;

/// Largest configuration file in bytes: a thousand plugins fit.
pub const MAX_CONFIG_BYTES: u64 = 4 << 20;
/// Largest configuration of one plugin as JSON in bytes: a large JSON Schema fits.
pub const MAX_PLUGIN_CONFIG_BYTES: usize = 1 << 20;
/// Largest name of a plugin, receiver or secret in bytes: it stands in keys, paths and log lines.
pub const MAX_CONFIGURED_NAME_BYTES: usize = 128;
/// Largest secret in bytes: a certificate fits.
pub const MAX_SECRET_BYTES: usize = 64 << 10;

/// Smallest size at which the log may be rotated: below, every other line would rotate it.
pub const MIN_LOG_FILE_BYTES: u64 = 1 << 10;
/// Most rotated log files that are kept: each rotation renames them all.
pub const MAX_ROTATED_LOG_FILES: u32 = 1_000;
/// Largest message, source or error text of a log record in bytes; what is longer is cut. A payload has its own limit.
pub const MAX_LOGGED_TEXT_BYTES: usize = 16 << 10;
/// Most bytes of a payload that the console copy shows: a screen's worth; the file has all of it.
pub const MAX_CONSOLE_PAYLOAD_BYTES: usize = 1 << 10;
/// How often it is looked whether the log file was moved or removed by somebody else.
pub const LOG_FILE_CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Pause after a rotation that failed, in which the file may grow beyond its size.
pub const LOG_ROTATION_RETRY: Duration = Duration::from_secs(10);
/// Refused records that are logged at once; together with the rate below, a fault is seen in full and a flood is not.
pub const REFUSALS_LOGGED_AT_ONCE: u32 = 50;
/// Refused records that are logged in a second, over time.
pub const REFUSALS_LOGGED_PER_SECOND: u32 = 10;
/// Faults of the host with one code that are logged at once: a failing disk must not fill itself with its own log.
pub const FAULTS_LOGGED_AT_ONCE: u32 = 10;
/// Faults of the host with one code that are logged in a second, over time.
pub const FAULTS_LOGGED_PER_SECOND: u32 = 1;

/// Largest window of loop detection in events: 24 bytes each, and more would not be a loop in its period.
pub const MAX_LOOP_WINDOW: u32 = 100_000;
/// Records of one code of the host's own fault, within [`REPEATED_ERROR_PERIOD`], that ask for a restart (spec §2).
pub const REPEATED_ERRORS: usize = 3;
/// See [`REPEATED_ERRORS`].
pub const REPEATED_ERROR_PERIOD: Duration = Duration::from_secs(600);

/// Samples of one stored chunk at most: a day of one every six seconds is one chunk, and decoding any bytes allocates little.
pub const MAX_CHUNK_SAMPLES: usize = 16_384;
/// Text of one chunk's dictionary in bytes at most: every sample of a compacted chunk a string of the greatest length.
pub const MAX_CHUNK_TEXT_BYTES: usize = MAX_CHUNK_SAMPLES * (MAX_TEXT_VALUE_BYTES + 2);
