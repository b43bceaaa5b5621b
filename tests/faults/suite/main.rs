//! The storage engine on a disk that fails: power failures, full disks, errors of input and output, too many open files.
//!
//! A library that is preloaded into a child process stands between the store and the file system (`preload.c`). It writes
//! down what reaches the disk, and makes operations fail.
//!
//! `BRIDGE_TELEMETRY_FAULTS=long` runs the long forms.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    unreachable_pub,
    missing_docs,
    reason = "tests"
)]

mod descriptors;
mod dice;
mod disk;
mod failing;
mod power;
mod preload;
mod records;
mod trace;

/// Whether the long forms are asked for.
fn long() -> bool {
    std::env::var("BRIDGE_TELEMETRY_FAULTS").is_ok_and(|text| text == "long")
}
