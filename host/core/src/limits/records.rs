//! Records, calls and connections on their way in.

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
/// Deepest nesting of an event's field or a context: what is shown within other JSON must not go beyond the next one.
pub const MAX_JSON_DEPTH: usize = 100;
/// Digits of an integer that an error about it shows at most.
pub const MAX_SHOWN_DIGITS: usize = 40;
/// Deepest nesting of JSON that is parsed at all: serde_json's own recursion limit.
pub const MAX_PARSED_JSON_DEPTH: usize = 127;
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

/// Largest window of loop detection in events: 24 bytes each, and more would not be a loop in its period.
pub const MAX_LOOP_WINDOW: u32 = 100_000;
/// Records of one code of the host's own fault, within [`REPEATED_ERROR_PERIOD`], that ask for a restart (spec §2).
pub const REPEATED_ERRORS: usize = 3;
/// See [`REPEATED_ERRORS`].
pub const REPEATED_ERROR_PERIOD: Duration = Duration::from_secs(600);
