//! The end-to-end tests: one module per behaviour, against the real store, real components and real servers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests: a failed expectation is a failed test"
)]

mod alerts;
mod cli;
mod components;
mod crash;
mod errors;
mod faults;
mod fixture;
mod holders;
mod hostile;
mod idempotency;
mod injector;
mod log;
mod monitors;
mod plugins;
mod reload;
mod retention;
mod rollups;
mod server;
mod splitting;
mod toolkit;
mod zoo;
