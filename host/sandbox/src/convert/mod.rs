//! Guest output to core values: the only place where they are made. Ranges, sizes, JSON and numbers are checked; what
//! breaks the contract fails the call, and text for people is cut and made safe to show.

mod aggregate;
mod info;
mod outcome;
mod signal;
mod subscription;
mod verdict;

use telemetry_core::extension::FailureReason;
use telemetry_core::limits;

pub(crate) use aggregate::{CheckedAggregate, aggregates, values};
pub(crate) use info::{CheckedInfo, info};
pub(crate) use outcome::{Alerts, outcomes};
pub(crate) use signal::signals;
pub(crate) use subscription::subscription;
pub(crate) use verdict::{event_verdict, sample_verdict};

/// An answer that cannot be used.
fn unusable(reason: impl Into<String>) -> FailureReason {
    FailureReason::Output(crate::text::shown(reason.into(), limits::MAX_PLUGIN_MESSAGE_BYTES))
}

/// Text that is to be parsed has no more than `limit` bytes: parsed it would take many times as much memory as it has.
fn check_size(text: &str, limit: usize) -> Result<(), String> {
    match text.len() {
        size if size > limit => Err(format!("has {size} bytes, the limit is {limit}")),
        _ => Ok(()),
    }
}

/// Text for people.
fn message(text: String) -> String {
    crate::text::shown(text, limits::MAX_PLUGIN_MESSAGE_BYTES)
}

/// The time of a batch: its latest record's.
pub(crate) fn time_of(timestamps: &[i64]) -> telemetry_core::Timestamp {
    telemetry_core::Timestamp::from_nanos(timestamps.iter().copied().max().unwrap_or(0))
}
