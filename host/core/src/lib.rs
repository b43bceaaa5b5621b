//! Domain types, extension traits and pure rules of Bridge Telemetry.
//!
//! This crate knows no I/O, no storage engine and no plugin runtime: everything here is plain data, a trait or a pure
//! function, so that every other crate can share it and every rule in it can be tested alone.
//!
//! A record's way is visible in the types: an [`EventDraft`] or [`MetricDraft`] is what a caller offers, an
//! [`AdmittedEvent`] or [`AdmittedSample`] is what passed [`admission`], a [`StoredEvent`] or [`StoredSample`] is what the
//! store answers with.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")
)]

pub mod admission;
pub mod aggregation;
pub mod alert;
pub mod batch;
pub mod clock;
pub mod context;
pub mod error;
pub mod event;
pub mod extension;
pub mod filter;
pub mod id;
pub mod json;
pub mod limits;
pub mod query;
pub mod sample;
mod scan;
pub mod signal;
pub mod subscription;
pub mod time;
pub mod value;

pub use alert::{Alert, AlertStatus, DeadLetter, PendingDelivery};
pub use batch::{EventBatch, EventRow, SampleBatch, SampleRow, TextColumn};
pub use clock::{Clock, ManualClock, SystemClock};
pub use context::Context;
pub use error::{ErrorCode, ValidationIssue};
pub use event::{AdmittedEvent, EventDraft, StoredEvent};
pub use filter::{LabelFilter, LabelMatcher};
pub use id::{EventIdGenerator, RecordId};
pub use json::JsonObject;
pub use query::{EventOrder, EventPage, EventQuery, MetricSelection, TimeRange};
pub use sample::{AdmittedSample, MetricDraft, SeriesKey, StoredSample};
pub use scan::{ScanBlock, ScanOptions};
pub use signal::{Severity, Signal};
pub use subscription::Subscription;
pub use time::Timestamp;
pub use value::MetricValue;
