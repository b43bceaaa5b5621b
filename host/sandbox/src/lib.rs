//! The plugin runtime of Bridge Telemetry: WebAssembly components as validators, aggregations, monitors and sinks.
//!
//! A [`Sandbox`] loads a [`Plugin`] from a [`PluginSpec`]; the plugin is used through core's traits, whose callers never see
//! WebAssembly. What a plugin does is bounded ([`PluginLimits`]), what it reaches is granted ([`Grants`]), what it answers is
//! checked before it becomes a core value, and a plugin that fails is restarted, and after repeated failures put into
//! quarantine, without harm to the host.
//!
//! The way in: `component` (bytes to compiled code; `outline`, `census` and `world` before, then `compiler`, with `cache` beside it) → `prepared` (tried
//! with the ports of `trial` before it replaces another version) → `birth` → `instance` (a live copy,
//! with `state`, `limiter` and `linker` around it, entered through `guest`) → `pool`, `monitor` and `sink` (who holds instances) → `validator` and
//! `aggregation` (with `accumulator`). `convert` is the only way out.
//!
//! Calls run on the caller's thread and need up to 1 MiB of its stack; Rust's own threads have 2 MiB. A thread with less must
//! not call a plugin.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")
)]

mod accumulator;
mod aggregation;
mod bindings;
mod birth;
mod cache;
mod census;
mod compiler;
mod component;
mod convert;
mod engine;
mod error;
mod failure;
mod faults;
mod grants;
mod guest;
mod heap;
mod http;
mod inspect;
mod instance;
mod kept;
mod key_value;
mod limiter;
mod limits;
mod linker;
mod log;
mod log_ring;
mod meters;
mod monitor;
mod outline;
mod pattern;
mod plugin;
mod pool;
mod prepared;
mod quota;
mod runtime;
mod sandbox;
mod schema;
mod sink;
mod spec;
mod splitting;
mod state;
mod status;
mod supervisor;
mod text;
mod ticker;
mod trial;
mod validator;
mod world;

pub use compiler::{CompileLimits, Compiler, CompilerProgram, compile_for_parent};
pub use component::{ComponentOutline, component_sha256};
pub use engine::Execution;
pub use error::{CompileLimit, LoadError, SandboxError};
pub use grants::{Grants, Secrets};
pub use http::{HttpAnswer, HttpFault, HttpPort, HttpRequest, NamePort};
pub use inspect::{AggregateInfo, PluginInfo};
pub use limits::PluginLimits;
pub use log_ring::{LogLine, LogRing};
pub use plugin::Plugin;
pub use prepared::{InstanceCost, PreparedPlugin};
pub use sandbox::Sandbox;
pub use schema::SchemaFault;
pub use spec::{Component, PluginSpec, Ports, SandboxOptions};
pub use status::{PluginState, PluginStatus};
pub use supervisor::SupervisionPolicy;
pub use world::{CONTRACT_VERSION, Contract, PluginKind, WorldError};
