//! The plugins of a host: found in the configuration, loaded through the sandbox, sorted by what they extend.
//!
//! Invariants: a plugin that cannot be loaded never stops the host, unless its settings say `required`, as suits a validator
//! that must see every record; and a new version that is no good never takes the one that runs down.

mod calls;
mod error;
mod history;
mod inspect;
mod installed;
mod lag;
mod listing;
mod load;
mod loaded;
pub mod package;
mod ports;
mod prepared;
mod progress;
mod reload;
mod runtime_metrics;
mod source;
mod spec;

pub use error::PluginLoadError;
pub use history::PluginHistory;
pub use inspect::{InspectError, inspect_component};
pub use installed::installed_plugins;
pub use listing::{PluginListing, PluginState};
pub use prepared::PackageReport;
pub use progress::OpenProgress;
pub use reload::{
    PluginSwitch, PluginVersion, ReloadError, ReloadOutcome, ReloadReport, ReloadStage, ReloadTrigger,
    StateHandover, SwitchError, TrialFailure, TrialSummary,
};
pub use telemetry_sandbox::{
    CONTRACT_VERSION, CompileLimits, CompilerProgram, PluginInfo, PluginKind, compile_for_parent,
};

pub(crate) use lag::Lags;
pub(crate) use listing::plugin_listings;
pub(crate) use load::load_plugins;
pub(crate) use loaded::{Absence, LivePlugins, LoadedPlugins};
pub(crate) use ports::{LateQueryPort, StoreKeyValuePort};
pub(crate) use progress::Progress;
pub(crate) use reload::{Reloader, ReloaderParts, watched_files};
pub(crate) use runtime_metrics::RuntimeMetrics;
pub(crate) use spec::receiver_config;
