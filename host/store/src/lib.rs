//! The storage engine of Bridge Telemetry on RocksDB: the only crate that knows RocksDB.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")
)]

mod catalogue;
mod codec;
mod column;
mod database;
mod envelope;
mod error;
mod events;
mod families;
mod meta;
mod options;
mod reports;
mod series;
mod tuning;
mod wire;

pub use error::{Damage, EngineError, OpenError, StoreError};
pub use families::Class;
pub use options::{Durability, Location, SYNC_INTERVAL, StoreOptions};
