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
/// Most records of one batch call.
pub const MAX_BATCH_RECORDS: usize = 100_000;
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
