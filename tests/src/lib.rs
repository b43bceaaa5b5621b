//! What the end-to-end tests and the benchmarks share: where the built programs and components are.
//!
//! The tests themselves are one binary, `e2e/main.rs`, with a module per behaviour: linking RocksDB and wasmtime is
//! what takes the time.

mod artifact;
mod crash;

pub use crash::crash_event_id;
pub use artifact::{ArtifactError, component_folder, guest, host_binary, plugin};
