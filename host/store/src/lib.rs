//! The storage engine of Bridge Telemetry: the only crate that knows RocksDB.
//!
//! A call's records go to the write-ahead log in one commit: one row of the durable log for its samples, one for its
//! events, and the events' own rows. Samples wait in the head of their series until they are sealed into chunks.
//! Everything lies in partitions by time; retention drops whole partitions. `FORMAT.md` gives every byte.
//!
//! Invariants: stored before visible; visible in the order of sequence numbers; an error means that nothing was stored;
//! after a failed write no other is tried; damage is reported and set aside, the rest serves.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")
)]

mod alert_rows;
mod alerts;
mod append;
mod backup;
mod budget;
mod catalogue;
mod checkpoint;
mod chunks;
mod codec;
mod column;
#[cfg(test)]
mod compaction_tests;
#[cfg(test)]
mod damage_tests;
mod database;
mod directory;
mod engine;
mod envelope;
mod error;
mod events;
mod families;
mod find;
mod frames_check;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod head;
mod inventory;
mod log;
mod maintenance;
#[cfg(test)]
mod memory_tests;
mod meta;
mod options;
mod plugin_state;
mod recovery;
mod repair;
mod reports;
mod resolve;
mod retention;
mod retention_clock;
mod rollups;
mod rows;
mod series;
mod space;
mod stats;
mod store;
mod suspicion;
mod synced;
mod tuning;
mod verify;
mod wire;

pub use alert_rows::StoredAlert;
pub use alerts::{AlertChanges, DeadLetterKey, DeliveryKey};
pub use append::{Appended, RecordBatch};
pub use backup::{BackupError, BackupSummary, Existing, check_backup, restore};
pub use checkpoint::Checkpoint;
pub use chunks::ScanStats;
pub use error::{Damage, EngineError, OpenError, StoreError};
pub use events::IdClaim;
pub use families::Class;
pub use find::StoredRecord;
pub use inventory::{FamilyStats, InventoryDepth, LevelStats, PartitionStats, StoreInventory, StoreLimits};
pub use log::{LogBody, LogEntry};
pub use maintenance::Maintenance;
pub use options::{Durability, Location, SYNC_INTERVAL, StoreOptions};
pub use plugin_state::SavedCursor;
pub use repair::{FamilyRepair, LostTable, RepairError, RepairMode, RepairReport, repair};
pub use retention_clock::ClockJump;
pub use rollups::{StateBuild, StateBuildError, StateRollup, StateRollupStats};
pub use series::SeriesRef;
pub use stats::{MemoryShare, MemoryStats, StoreStats};
pub use store::Store;
pub use verify::{FamilyCheck, Finding, VerifyReport};
