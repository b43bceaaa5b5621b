//! Replays a monitor or a validator over a range of a real store: what would it have raised, or refused?
//!
//! The store is never opened: its files are copied (tables by links) while its lock is held, and the copy is read. Nothing is
//! stored or sent. Records come by their time, as they were stored; ticks come as often as the monitor asks, by that same time.
//! The run is repeatable.

mod copy;
mod feed;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bridge_telemetry::{Config, Host, HostBuilder, HostError, QueryError, SystemClock, TimeRange, Timestamp};
use serde::Serialize;
use serde_json::Value;
use telemetry_core::ManualClock;
use telemetry_core::extension::PluginFailure;
use telemetry_sandbox::{
    Component, LoadError, Plugin, PluginKind, PluginSpec, Ports, Sandbox, SandboxError, SandboxOptions,
};

use crate::run::{KeyValues, name_of, repeatable};
pub use copy::{CopyError, StoreCopy};
use feed::Feed;

/// What is to be replayed.
#[derive(Clone, Debug)]
pub struct ReplayRequest {
    /// The component.
    pub component: PathBuf,
    /// The plugin's configuration.
    pub config: Value,
    /// The records' range; all that is kept where it is open.
    pub range: TimeRange,
    /// The host's configuration: retention and limits are its.
    pub host: Config,
}

/// What a replay found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ReplayReport {
    /// Events that the plugin was shown.
    pub events: u64,
    /// Samples that it was shown.
    pub samples: u64,
    /// Ticks that it was given.
    pub ticks: u64,
    /// The time of the first and of the last record that it was shown.
    pub first: Option<Timestamp>,
    /// As [`Self::first`].
    pub last: Option<Timestamp>,
    /// A monitor's signals, or a validator's issues, in order.
    pub findings: Vec<Value>,
    /// Findings beyond those that are kept.
    pub findings_left_out: u64,
    /// Calls that failed, each with the time of its records. The monitor went on from its last good state.
    pub failures: Vec<Value>,
    /// Calls of the plugin.
    pub calls: u64,
    /// Fuel that they burnt.
    pub fuel: u64,
}

/// A replay could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The plugin is of another kind.
    #[error("a {0} cannot be replayed: monitors and validators can")]
    Kind(PluginKind),
    /// The store cannot be copied.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The copy cannot be opened.
    #[error("the copy of the store could not be opened")]
    Open(#[from] HostError),
    /// The records cannot be read.
    #[error("the records could not be read")]
    Read(#[from] QueryError),
    /// The runtime could not be started.
    #[error("the plugin runtime could not be started")]
    Sandbox(#[from] SandboxError),
    /// The component cannot be used, or not with this configuration.
    #[error("the plugin cannot be loaded")]
    Load(#[from] LoadError),
    /// The monitor could not be started.
    #[error("the plugin did not start")]
    Start(#[from] PluginFailure),
}

/// Replays over a copy of a store.
pub fn replay(request: &ReplayRequest, store: &StoreCopy) -> Result<ReplayReport, ReplayError> {
    let host = open(request, store.directory())?;
    let key_values = Arc::new(KeyValues::default());
    let ports = Ports { key_value: Arc::clone(&key_values) as _, query: host.query_port() };
    let clock = Arc::new(ManualClock::at(request.range.first()));
    let options: SandboxOptions = repeatable();
    let sandbox = Sandbox::new(options, ports, Arc::clone(&clock) as _)?;
    let component = Component::File(request.component.clone());
    let spec = PluginSpec::new(name_of(&request.component), component).with_config(request.config.clone());
    let plugin = sandbox.load(spec)?;
    let mut feed = Feed::of(&plugin, clock, key_values)?;
    let subscription = feed.subscription();
    host.read_records(request.range, &subscription, &mut |record| feed.take(&record))?;
    let report = feed.finish(request.range.end);
    Ok(counted(report, &plugin))
}

/// Opens the copy without plugins and without threads: nothing in it moves.
fn open(request: &ReplayRequest, directory: &Path) -> Result<Host, ReplayError> {
    let mut config = request.host.clone();
    config.storage_config.connection_string = directory.to_owned();
    config.plugins = Default::default();
    config.alerting = Default::default();
    let builder = HostBuilder::new(config).clock(Arc::new(SystemClock::default()));
    Ok(builder.without_background().open()?)
}

fn counted(mut report: ReplayReport, plugin: &Plugin) -> ReplayReport {
    let status = plugin.status();
    (report.calls, report.fuel) = (status.calls, status.fuel_used);
    report
}
