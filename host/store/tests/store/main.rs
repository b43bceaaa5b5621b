//! The store's behaviour over its public interface, on real RocksDB.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    unreachable_pub,
    missing_docs,
    reason = "tests"
)]

mod alerts;
mod backup;
mod crash;
mod damage;
mod fixture;
mod limits;
mod log;
mod opening;
mod oracle;
mod recovery;
mod retention;
mod rollups;
mod samples;
mod states;
mod threads;
mod torn;
