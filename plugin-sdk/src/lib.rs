//! SDK for authors of [Bridge Telemetry](https://docs.rs/bridge-telemetry) plugins.
//!
//! A plugin is a sandboxed WebAssembly component of one of four kinds. Implement [`Plugin`] and the trait of the kind, and name
//! the type in one macro:
//!
//! | kind | trait | macro | it can use |
//! |---|---|---|---|
//! | refuses or normalises records before they are stored | [`Validator`] | [`export_validator!`] | [`log`], [`counters`], [`patterns`], [`json_schemas`] |
//! | adds aggregate functions to queries | [`Aggregation`] | [`export_aggregation!`] | [`log`], [`counters`] |
//! | watches stored records and raises signals | [`Monitor`] | [`export_monitor!`] | also [`patterns`], [`json_schemas`], [`key_value`], [`query`] |
//! | delivers alerts or routes them on | [`Sink`] | [`export_sink!`] | also [`patterns`], [`key_value`], [`http`] |
//!
//! A call of anything that the kind cannot use compiles, but the host refuses to load the component and names the import.
//!
//! # A complete plugin
//!
//! A validator that wants every command event to carry an id of bounded length:
//!
//! ```
//! use bridge_telemetry_plugin::{Event, EventVerdict, Plugin, Result, Subscription, Validator, export_validator};
//! use schemars::JsonSchema;
//! use serde::Deserialize;
//!
//! /// The configuration; the host checks it against the schema that is derived from this.
//! #[derive(Deserialize, JsonSchema)]
//! #[serde(default, deny_unknown_fields)]
//! struct Config {
//!     /// Longest `command_id` that is accepted.
//!     longest: usize,
//! }
//!
//! impl Default for Config {
//!     fn default() -> Self {
//!         Self { longest: 64 }
//!     }
//! }
//!
//! struct CommandId {
//!     longest: usize,
//! }
//!
//! impl Plugin for CommandId {
//!     const NAME: &'static str = "command-id";
//!     type Config = Config;
//!
//!     fn new(config: Config) -> Result<Self> {
//!         Ok(Self { longest: config.longest })
//!     }
//! }
//!
//! /// The part of `data` that is looked at; its strings are borrowed from the batch.
//! #[derive(Deserialize)]
//! struct Command<'a> {
//!     command_id: &'a str,
//! }
//!
//! impl Validator for CommandId {
//!     fn subscribe(&self) -> Subscription {
//!         Subscription::none().event_types(["COMMAND_*"])
//!     }
//!
//!     fn validate_event(&mut self, event: Event<'_>, verdict: &mut EventVerdict) -> Result<()> {
//!         match event.data_as::<Command<'_>>() {
//!             Err(error) => verdict.reject(event, "bad_command", "/data", error.message()),
//!             Ok(command) if command.command_id.len() > self.longest => {
//!                 verdict.reject(event, "too_long", "/data/command_id", "the command's id is too long");
//!             }
//!             Ok(_) => {}
//!         }
//!         Ok(())
//!     }
//! }
//!
//! export_validator!(CommandId);
//!
//! // In a #[test], natively, with plain `cargo test`:
//! use bridge_telemetry_plugin::testing::{self, EventBatchBuilder};
//!
//! let mut plugin: CommandId = testing::restart(r#"{"longest":4}"#, None)?;
//! let batch = EventBatchBuilder::new()
//!     .event("COMMAND_RECEIVED", "bridge_injector", r#"{"command_id":"c1"}"#)
//!     .event("COMMAND_RECEIVED", "bridge_injector", r#"{"command_id":"c1-and-more"}"#)
//!     .event("COMMAND_RECEIVED", "bridge_injector", "{}")
//!     .build();
//! let mut verdict = EventVerdict::default();
//! plugin.validate_events(&batch, &mut verdict)?;
//! let found: Vec<_> = verdict.issues().iter().map(|issue| (issue.row, issue.code.as_str())).collect();
//! assert_eq!(found, [(1, "too_long"), (2, "bad_command")]);
//! # Ok::<(), bridge_telemetry_plugin::PluginError>(())
//! ```
//!
//! It is built with `bridge-telemetry plugin build`, or with plain cargo. The crate's README goes through all of it from an empty
//! folder, `Cargo.toml` and the host's configuration included. [`Aggregate`], [`Monitor`] and [`Sink`] have examples of the
//! other kinds.
//!
//! # State
//!
//! A plugin that has learnt something implements [`Plugin::save`] and [`Plugin::restore`]; see [`SavedState`]. The host saves
//! a monitor's state together with its signals and its place in the log, so that nothing is seen twice and nothing left out.
//!
//! # What a plugin cannot do
//!
//! No files, no sockets, no environment, no clock but the host's: a monitor takes the time from [`Monitor::tick`] and from its
//! records. Nothing is printed: write with [`log`]. Panics are contained (the host discards the instance and makes a new one), but answer a [`PluginError`] where you can.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        reason = "tests"
    )
)]

/// The README's code is compiled as a test, too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod aggregation;
#[cfg(all(target_arch = "wasm32", target_os = "unknown", feature = "allocator"))]
mod allocator;
mod batch;
#[doc(hidden)]
pub mod bindings;
pub mod counters;
mod error;
mod export;
mod grouped;
#[doc(hidden)]
pub mod guest;
pub mod http;
pub mod json;
pub mod json_schemas;
pub mod key_value;
pub mod log;
#[cfg(any(test, target_arch = "wasm32"))]
mod memory;
mod monitor;
pub mod number;
pub mod patterns;
mod period;
mod plugin;
pub mod query;
#[doc(hidden)]
pub mod schema;
mod sink;
mod state;
mod subscription;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
mod validator;

pub use aggregation::{
    Accumulator, Aggregate, AggregateInfo, AggregateValue, Aggregates, Aggregation, Run, Runs,
};
pub use batch::{Event, EventBatch, EventValue, EventValues, Sample, SampleBatch, Series};
pub use error::{PluginError, Result};
pub use grouped::{Grouped, MAX_GROUPS};
pub use monitor::{Monitor, Severity, Signal};
pub use period::Period;
pub use plugin::{NoConfig, Plugin};
pub use schemars;
pub use serde;
pub use serde_json;
pub use sink::{Alert, AlertStatus, Outcome, Sink};
pub use state::SavedState;
pub use subscription::Subscription;
pub use validator::{EventRewrite, EventVerdict, Issue, SampleVerdict, SeriesRewrite, Validator};

/// Nanoseconds since the Unix epoch, UTC.
pub type Timestamp = i64;

/// A JSON object.
pub type JsonObject = serde_json::Map<String, serde_json::Value>;

/// Whole milliseconds as they cross the boundary: at least one for a time that is not zero, at most what fits.
fn milliseconds(duration: std::time::Duration) -> u32 {
    // Not in 128 bits, whose division is another kilobyte.
    let milliseconds = duration.as_secs().checked_mul(1_000);
    let milliseconds =
        milliseconds.and_then(|all| all.checked_add(duration.subsec_nanos().div_ceil(1_000_000).into()));
    milliseconds.and_then(|all| u32::try_from(all).ok()).unwrap_or(u32::MAX)
}
