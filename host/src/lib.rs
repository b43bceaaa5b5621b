//! The embeddable telemetry host: recording, queries, monitors, alerts, retention.
//!
//! [`Host`] is the whole interface; [`config::Config`] says how it is set up. Everything else in this crate is what those
//! two take and answer.
//!
//! ```no_run
//! use bridge_telemetry::{Config, EventDraft, Host, MetricDraft, MetricQuery};
//!
//! let host = Host::open(Config::default())?;
//! host.record_event(EventDraft::new("COMMAND_RECEIVED", "bridge_injector"))?;
//! host.record_metric(MetricDraft::new("command_processing_time_ms", 12.5))?;
//! let answer = host.get_metrics(&MetricQuery::of(["command_processing_time_ms"]).aggregate("P99"))?;
//! println!("{}", answer.to_json());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")
)]

pub mod aggregation;
pub mod alerts;
mod builder;
pub mod config;
pub mod envelope;
mod faults;
pub mod guards;
pub mod health;
mod host;
pub mod logging;
pub mod monitors;
pub mod plugins;
mod priority;
pub mod query;
pub mod recording;
mod records;
pub mod rollups;
mod timer;
mod watch;

pub use aggregation::MetricsAnswer;
pub use builder::{HostBuilder, HostError, repair_store};
pub use config::Config;
pub use faults::HostFault;
pub use health::Health;
pub use host::Host;
pub use plugins::OpenProgress;
pub use query::{MetricQuery, QueryError};
pub use recording::{Receipt, RecordError};
pub use records::ReplayedRecord;
pub use telemetry_core::{
    Clock, Context, EventDraft, EventQuery, JsonObject, ManualClock, MetricDraft, MetricValue, StoredEvent,
    StoredSample, SystemClock, TimeRange, Timestamp,
};
pub use telemetry_store::{
    BackupError, BackupSummary, Existing, FamilyCheck, FamilyRepair, Finding, InventoryDepth, LostTable,
    Maintenance, OpenError, RepairError, RepairMode, RepairReport, StoreError, StoreInventory, StoredRecord,
    VerifyReport, check_backup, restore,
};
pub use watch::WatchError;
