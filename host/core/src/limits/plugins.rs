//! Plugins at work: calls, output, ports, supervision, reloading and HTTP.

use std::time::Duration;

/// Time for a plugin's `describe`, `init` and `snapshot`: interpreters start slowly. A monitor's checkpoints have a call's time for their
/// snapshots, or [`CHECKPOINT_INTERVAL`](super::CHECKPOINT_INTERVAL) where that is more.
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
/// Most different regular expressions in one JSON Schema; together they may take [`MAX_SCHEMA_PATTERNS_MEMORY`].
pub const MAX_SCHEMA_PATTERNS: usize = 64;
/// Most bytes of the text of one of them: what the engine prepares to find long ones sooner takes far more than they do.
pub const MAX_SCHEMA_PATTERN_BYTES: usize = 384;
/// Most bytes of one of them as an automaton, in either direction, and of what one search keeps for its states: sixty-four letters of any
/// script take half of that.
pub const MAX_SCHEMA_REGEX_BYTES: usize = 8 << 20;
/// Most bytes that all of them are taken to need: known before the first is compiled, and some tenths of a second to compile.
pub const MAX_SCHEMA_PATTERNS_MEMORY: usize = 32 << 20;
/// Most values that a JSON Schema with `unevaluatedProperties` or `unevaluatedItems` may have with its references followed: it is
/// compiled like that.
pub const MAX_SCHEMA_EXPANSION: usize = 100_000;
/// Most levels of values in a JSON Schema with its references followed, some hundred types that refer to one another: looking at each of
/// them, and letting go of what they are compiled to, needs some hundred bytes of the stack.
pub const MAX_SCHEMA_DEPTH: usize = 600;
/// Most levels of schemas within each other as they are written: judging a schema by the one for schemas needs some kilobytes of the
/// stack for each, and nothing looks at the stack meanwhile.
pub const MAX_SCHEMA_NESTING: usize = 64;
/// Most schemas and references that are met on all ways from those with `unevaluatedProperties` or `unevaluatedItems` through what evaluates with them:
/// the first judgement goes all of them.
pub const MAX_SCHEMA_WAYS: usize = 100_000;
/// Most names, patterns and conditions that are met on all ways from one of those with `unevaluatedProperties`: the first judgement copies
/// each of them, some hundredths of a second for all.
pub const MAX_SCHEMA_MERGED: usize = 100_000;
/// Most bytes of the identifier of a JSON Schema: of a usual address. Each reference within keeps it.
pub const MAX_SCHEMA_IDENTIFIER_BYTES: usize = 512;
/// Most bytes of the places of all schemas within a JSON Schema, each as often as it is kept when compiled: an ordinary one of 100 KB
/// needs some three million.
pub const MAX_SCHEMA_PATH_BYTES: usize = 64 << 20;
/// Most bytes in memory of the values of a JSON Schema, each counted once for every schema that it stands in: what refuses a schema, and
/// `not`, keep copies of what is within.
pub const MAX_SCHEMA_COPIES_BYTES: usize = 128 << 20;
/// Most schemas that compiling one JSON Schema may meet: thousands more than are written, and what they need is known only afterwards.
pub const MAX_SCHEMA_COMPILE_STEPS: u64 = 30_000;
/// Time that compiling one JSON Schema may take: what has all the other limits is compiled in some tenths of a second.
pub const MAX_SCHEMA_COMPILE_TIME: Duration = Duration::from_secs(5);
/// Most bytes of a thread's stack that compiling may take: half of it.
pub const MAX_SCHEMA_COMPILE_STACK_BYTES: usize = 1 << 20;
/// Most bytes of a thread's stack that judging may take: a quarter of it, and as much may be the guest's.
pub const MAX_SCHEMA_STACK_BYTES: usize = 512 << 10;
/// Most steps that judging one document by such a schema may take: schemas that are looked at, each with its size.
pub const MAX_SCHEMA_STEPS: u64 = 2_000_000;
/// Most bytes that all that is wrong with it may take, with the copies of parts of the document: it is collected before the first of it
/// is handed out.
pub const MAX_FAULTS_BYTES: u64 = 128 << 20;
/// Bytes that each fault is taken to need besides its paths: that of a member's name is kept within another one.
pub const FAULT_BYTES: u64 = 800;
/// Time of one judgement, where calls have an end: one costly event of a sender is told as such, and does not take the time of others.
pub const MAX_JUDGEMENT_TIME: Duration = Duration::from_millis(100);
/// Time that an event must have had until it is told as costly, or a sixteenth of the call's where that is less: many times what a usual
/// one takes. Where others left it less, it is not to blame, and the call fails for now.
pub const MIN_JUDGEMENT_TIME: Duration = Duration::from_millis(5);
/// Most patterns of each list of a subscription.
pub const MAX_SUBSCRIPTION_PATTERNS: usize = 1_024;
/// Shortest tick of a monitor: every tick stands in the durable log.
pub const MIN_TICK: Duration = Duration::from_millis(100);
/// Most aggregate functions of one plugin.
pub const MAX_PLUGIN_AGGREGATES: usize = 64;
/// Samples that cross to an aggregation plugin in one call: enough to hide the call, 1 MiB with their times.
pub const MAX_SAMPLES_PER_CALL: usize = 65_536;
/// Largest value of an aggregate that is JSON, in bytes: some ten thousand numbers, such as a histogram's. Parsed it takes many times
/// as much.
pub const MAX_AGGREGATE_JSON_BYTES: usize = 1 << 20;
/// Most signals of one call of a monitor.
pub const MAX_SIGNALS_PER_CALL: usize = 10_000;
/// Largest labels of a signal as JSON in bytes, which is how components for version 0.1 of the contract give them: a whole context's,
/// with what escapes make of it.
pub const MAX_SIGNAL_LABELS_JSON_BYTES: usize = 64 << 10;
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
/// Most queries within one call of a plugin, of these calls: each may read all samples that there are, on all processors. One answers
/// for many series.
pub const MAX_QUERIES_PER_CALL: u32 = 256;
/// Queries more for each record or alert that the call is about.
pub const MAX_QUERIES_PER_ROW: u32 = 1;
/// Time that these calls may take together within one call of a plugin: a query may take half of it, and with thousands of them a
/// call would last for days.
pub const MAX_PORT_TIME: Duration = Duration::from_secs(60);
/// Largest request of a plugin's query, as JSON in bytes.
pub const MAX_PLUGIN_QUERY_BYTES: usize = 64 << 10;
/// Largest answer to a plugin's query, as JSON in bytes.
pub const MAX_PLUGIN_QUERY_ANSWER_BYTES: usize = 4 << 20;
/// Most places within events' `data` that a plugin may ask for at once.
pub const MAX_PLACES: usize = 64;
/// Longest of these places, JSON pointers, in bytes.
pub const MAX_PLACE_BYTES: usize = 256;
/// Most steps of one of these places: at each of them all of the value below is stepped over once more.
pub const MAX_PLACE_STEPS: usize = 16;
/// Most bytes of the values that are found at these places in a batch: as much as one call may answer. What is found is kept up to
/// as many bytes for other plugins, as long as the batch is.
pub const MAX_VALUES_BYTES: usize = 16 << 20;
/// Bytes of `data` that are stepped over in search of such values until it is asked again whether the call's time is over: some tens
/// of microseconds.
pub const VALUES_BYTES_PER_LOOK: usize = 64 << 10;
/// Most records of a batch that a validator judges: within the time of one call that is its default, by a usual schema of some sixty types.
/// All its values at the most places can be read. Calls with more are judged in parts.
pub const MAX_VALIDATOR_ROWS: usize = 2_048;
const _: () = assert!(MAX_VALIDATOR_ROWS * MAX_PLACES <= MAX_VALUES_BYTES / size_of::<f64>());
/// Most bytes of text of such a batch: a record that has more is judged alone. A validator with the memory that is its default can
/// hold it several times.
pub const MAX_VALIDATOR_BYTES: usize = 4 << 20;
/// Most batches that one call keeps packed for validators that see the same of its records: that of all and two others, which covers
/// chains in which most want everything and some want less. Each has the text of a batch, and what was found in it.
pub const MAX_KEPT_BATCHES: usize = 3;
const _: () = assert!(MAX_KEPT_BATCHES > 1, "the largest stays, and another goes");
/// Times that one call of a plugin may ask for such values: once for all that it does with a batch, and some more.
pub const MAX_READINGS_PER_CALL: u32 = 64;
/// Longest regular expression of a plugin in bytes: Unicode classes take long to spell out, some hundred of them fit.
pub const MAX_PATTERN_EXPRESSION_BYTES: usize = 4 << 10;
/// Most bytes of one such expression as an automaton, in either direction: a hundred of Unicode's classes of words.
pub const MAX_PATTERN_BYTES: usize = 4 << 20;
/// Most states of either automaton together with the ways out of them: what finding one state of the lazy automaton costs at the worst,
/// a tenth of a millisecond; where it is much, fewer of them are found anew.
pub const MAX_PATTERN_WEIGHT: usize = 32 << 10;
/// Most classes of characters in an expression that ignores case: each takes some milliseconds to read at the worst.
pub const MAX_FOLDED_CLASSES: usize = 64;
/// What searches for one such expression keep of the states that they found, in bytes for either direction; those of large automata
/// keep what they need at least.
pub const PATTERN_CACHE_BYTES: usize = 128 << 10;
/// How often searches may find these states anew before the text at hand is followed state by state: each time takes some milliseconds.
pub const MAX_PATTERN_CACHE_CLEARS: usize = 12;
/// A text may be followed state by state as long as the states that may be met at one byte, with their ways, are no more for all bytes:
/// four tenths of a second at the worst, where all are met at all bytes, and some milliseconds where they are few.
pub const MAX_PATTERN_STEPS: usize = 64 << 20;
/// Most regular expressions that one instance of a plugin keeps.
pub const MAX_PATTERNS: usize = 256;
/// Most places that one search of many texts may find: a matched letter in each of a megabyte.
pub const MAX_PATTERN_PLACES: usize = 1 << 20;
/// Time of searches and judgements of the host within one call of a plugin where calls have no end in time: they run repeatably, and
/// none with sound texts takes as long.
pub const MAX_HOST_TIME: Duration = Duration::from_secs(10);
/// Most JSON Schemas that one instance of a plugin keeps: one for each type of event, and some more.
pub const MAX_KEPT_SCHEMAS: usize = 1_024;
/// Bytes that a schema is taken to need for each byte of its text: some hundred for each keyword.
pub const SCHEMA_BYTES_PER_BYTE: usize = 32;
/// Bytes that each schema within it is taken to need besides, with the one that counts before it: what is compiled for `{}` too.
pub const SCHEMA_OBJECT_BYTES: usize = 2 << 10;
/// Bytes that each value within it is taken to need besides: those of `enum` are kept twice.
pub const SCHEMA_VALUE_BYTES: usize = 160;
/// What searches for one of its regular expressions keep of the states that they found, in bytes for each thread that searches, and
/// each direction.
pub const SCHEMA_PATTERN_CACHE_BYTES: usize = 64 << 10;
/// Bytes that each regular expression in it is taken to need besides its automata: the caches of two threads, since an instance is
/// called by one after the other, in both directions.
pub const SCHEMA_PATTERN_BYTES: usize = 2 * 2 * SCHEMA_PATTERN_CACHE_BYTES;
/// Bytes that each name or pattern that `unevaluatedProperties` merges is taken to need besides, for what is remembered of it twice.
pub const SCHEMA_MERGED_BYTES: usize = 320;
/// Most bytes of a text that is searched for a pattern of a schema, or of an object's names that are for all of them, each with all states
/// that may be met at it: nearly always a byte costs one step, and at the worst a search takes a second and a half. That is for
/// configurations.
pub const MAX_SCHEMA_PATTERN_STEPS: u64 = 256 << 20;
/// The same in events: a search cannot be stopped, so it takes no more than a judgement may ([`MAX_JUDGEMENT_TIME`]).
pub const MAX_JUDGED_PATTERN_STEPS: u64 = MAX_SCHEMA_PATTERN_STEPS / 16;
/// Most faults of one event that a judgement tells of.
pub const MAX_JUDGED_FAULTS_PER_EVENT: usize = 256;
/// Most values that comparing the items of one array with each other may look at, of different items that are arrays or objects and have
/// one hash, as they can be made to: nothing stops a comparison that has begun. Of numbers no more than some thousand have one hash, and
/// no texts.
pub const MAX_COMPARED_VALUES: usize = 4 << 20;
/// Bytes that an event's data is taken to need for each of its values while it is judged.
pub const JUDGED_VALUE_BYTES: usize = 192;
/// Most bytes of the faults that the judgement of many events finds: a kilobyte of each event in the largest batch. Beyond that only the
/// keyword of an event's first fault is told.
pub const MAX_JUDGED_BYTES: usize = 16 << 20;
/// Expressions and schemas compiled, searches and judgements made within one call of a plugin.
pub const MAX_SEARCHES_PER_CALL: u32 = 2_000;
const _: () = assert!(MAX_PATTERNS + MAX_KEPT_SCHEMAS < MAX_SEARCHES_PER_CALL as usize);
/// Such calls more for each record, sample or alert that the call is about: as if each were searched for every expression that may be
/// kept.
pub const MAX_SEARCHES_PER_ROW: u32 = 256;
/// Random bytes of one request of a plugin.
pub const MAX_PLUGIN_RANDOM_BYTES: u64 = 64 << 10;

/// Most bytes that one plugin keeps in its key-value space.
pub const PLUGIN_KEY_VALUE_BYTES: u64 = 64 << 20;

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
/// How long queries of an aggregate function are not split after its states did not get from one instance to another for a reason that
/// may pass, and how long no instance is made for one that only helps after one could not be made. Each time costs an instance; of those of all
/// functions one counts as a fault in that time, so that they alone neither bring a plugin into quarantine nor take a new version back.
pub const UNSPLIT_PAUSE: Duration = Duration::from_secs(300);
const _: () = assert!(UNSPLIT_PAUSE.as_secs() > RELOAD_PROBATION.as_secs());
const _: () = assert!(UNSPLIT_PAUSE.as_secs() > PLUGIN_FAILURE_WINDOW.as_secs());
/// How much nicer the threads of monitors and sinks are, and those that try new versions: they give way to those that record: one that computes without end
/// takes a tenth of a core that others want, and all of it otherwise.
pub const PLUGIN_THREAD_NICENESS: i32 = 10;
/// The longest quarantine.
pub const MAX_PLUGIN_QUARANTINE: Duration = Duration::from_secs(600);

/// How long a new version of a plugin is watched after it replaced another, which is kept until then.
pub const RELOAD_PROBATION: Duration = Duration::from_secs(60);
/// Failures of a new version within [`RELOAD_PROBATION`] after which the one before takes its place again: fewer than bring it
/// into quarantine, more than one record that would have killed any version.
pub const RELOAD_FAILURES: u64 = 3;
/// Tries to take such a version back where what is in the way may pass: a monitor that is busy, a store that takes no checkpoint.
/// With the pauses between them they span some minutes; after the last one the new version stays.
pub const MAX_ROLLBACK_TRIES: u32 = 8;
/// The pause before the second of these tries; doubles with each further one.
pub const MIN_ROLLBACK_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause between these tries.
pub const MAX_ROLLBACK_PAUSE: Duration = Duration::from_secs(60);
/// Recent records that a new version is shown in its trial run: some tenths of a second of a busy bridge, and no more than a validator is
/// ever given at once.
pub const TRIAL_RECORDS: u64 = MAX_VALIDATOR_ROWS as u64;
/// Time after which a trial run is shown no more: it has seen enough, and who reloads waits.
pub const TRIAL_TIME: Duration = Duration::from_secs(5);
/// How long a reload, and whoever disables or removes a plugin, waits for a monitor to come to the end of what it is at.
pub const HANDOVER_WAIT: Duration = Duration::from_secs(60);
/// How often it is looked whether a thread that was told to end did, which tells nobody.
pub const THREAD_END_LOOK: Duration = Duration::from_millis(5);
/// Default of how often the plugins' files are looked at. A change is acted upon when it was seen twice alike.
pub const PLUGIN_WATCH_INTERVAL: Duration = Duration::from_secs(2);
/// Most files that are watched: as many as there may be plugins.
pub const MAX_WATCHED_FILES: usize = 1_024;
/// Most counters of plugins that are recorded as metrics at one time, each plugin's share being the same: 32 plugins have all that
/// they may have ([`MAX_PLUGIN_COUNTERS`]), and as many plugins as there may be still eight each.
pub const MAX_RECORDED_PLUGIN_COUNTERS: usize = 8_192;
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
