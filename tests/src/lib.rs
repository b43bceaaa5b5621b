//! What the end-to-end tests and the benchmarks share: where the built programs and components are.
//!
//! The tests themselves are one binary, `e2e/main.rs`, with a module per behaviour: linking RocksDB and wasmtime is
//! what takes the time.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")
)]

/// The README's code is compiled as a test.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

mod artifact;
mod crash;

pub use artifact::{ArtifactError, component_folder, guest, host_binary, language_project, plugin};
pub use crash::{CRASH_MONITOR, CRASH_SAMPLES, crash_event_id, crash_signal};
