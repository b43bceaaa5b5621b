//! Queries, aggregations and kept states.

use std::time::Duration;

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
/// Calls over HTTP that read the store at once: half of the threads that the command line has for calls. Others wait.
pub const MAX_READING_CALLS: usize = 32;
/// Threads that work on queries at most, beside those that ask; no more than there are cores.
pub const MAX_QUERY_THREADS: usize = 8;
/// Pause before a query that has begun asks once more for an instance of a plugin, where asking takes no longer by itself.
pub const BUSY_PAUSE: Duration = Duration::from_millis(10);
/// Memory of one query in bytes: series, cells and states. The most values of an exact percentile fit, and as much again while
/// states are merged.
pub const MAX_QUERY_BYTES: u64 = 512 << 20;
/// Memory of all queries of a host together, in bytes; beyond, the one that asks for more is refused and may ask again.
pub const MAX_QUERIES_BYTES: u64 = 1 << 30;
/// Samples that are held at once to merge series by time: 24 MiB.
pub const MAX_MERGED_SAMPLES: usize = 1 << 20;
/// States of a plugin's aggregation that go from one accumulator to another at once: saved, they must fit into what one call may
/// answer. Beyond, the samples are read once more, by one thread where parts of them were read side by side.
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
