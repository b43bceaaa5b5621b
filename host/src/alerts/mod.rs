//! Alerts: the life of a monitor's signals, and their way to the receivers (spec §7).
//!
//! A signal meets the [`AlertBook`] of its monitor, a pure state machine: it begins, updates or resolves an alert. Each
//! change of state becomes one row of the outbox for each receiver that the [`RoutingTable`] names, and these rows are
//! stored in the same write that advances the monitor. The [`Dispatcher`] hands stored rows to sinks, at least once each,
//! and stores what became of them.
//!
//! Decisions:
//! - Beginning to fire, a change of severity (up or down) and resolution are changes of state and are delivered; other
//!   updates are only stored.
//! - Labels are those of the signal that began the firing period, so that one route serves the whole period. Who was told
//!   that an alert fires is told how it goes on, even when no route names it any more; its end is told to them alone. Who
//!   was told is stored with the alert.
//! - The states of alerts with one identity (monitor and key) reach one receiver in their order: a later state waits for
//!   an earlier one that is retried.
//! - A state is delivered at least once. It is delivered again, with the same idempotency key, only when the host died
//!   before it could store that the sink had answered.
//! - A delivery ends as a dead letter after [`MAX_DELIVERY_ATTEMPTS`](telemetry_core::limits::MAX_DELIVERY_ATTEMPTS) or at
//!   [`MAX_DELIVERY_AGE`](telemetry_core::limits::MAX_DELIVERY_AGE), but never unattempted unless its sink is not there.
//! - Over its limits the outbox turns new rows, also those that a sink forwards, into dead letters at once: listed, counted,
//!   replayable. Of too many dead letters the oldest of the monitor that has most go first, counted.

mod alert_store;
mod backoff;
mod book;
mod bounds;
mod counts;
mod dead_letters;
mod delivery;
mod dispatcher;
mod fault_report;
mod host_alerts;
mod lane;
mod listing;
#[cfg(test)]
pub(crate) mod model;
mod outbox;
mod queue;
mod routes;
mod settlement;
mod status;
#[cfg(test)]
mod tests;

pub use alert_store::AlertStore;
pub(crate) use backoff::Backoff;
pub use book::AlertBook;
pub use dispatcher::{Absent, Dispatcher, DispatcherError, Receiver, ReplayError};
pub use fault_report::FaultReport;
pub use host_alerts::{HOST_MONITOR, HostAlerts};
pub use listing::{AlertFilter, list_alerts};
pub use routes::{Route, RoutingTable};
pub use status::{OutboxStatus, ReceiverStatus};
