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
mod bag;
mod chunk_cache;
mod crash;
mod damage;
mod fixture;
mod formats;
mod late_chunks;
mod late_ids;
mod limits;
mod log;
mod model;
mod opening;
mod oracle;
mod recovery;
mod repair;
mod repair_derived;
mod retention;
mod rollups;
mod samples;
mod states;
mod threads;
mod torn;
