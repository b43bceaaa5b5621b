//! The plugins of a host: found in the configuration, loaded through the sandbox, sorted by what they extend.
//!
//! Invariant: a plugin that cannot be loaded never stops the host, unless its settings say `required`, as suits
//! a validator that must see every record.

mod error;
mod inspect;
mod installed;
mod listing;
mod load;
mod loaded;
pub mod package;
mod ports;
mod prepared;
mod progress;
mod spec;

pub use error::PluginLoadError;
pub use inspect::{InspectError, inspect_component};
pub use installed::installed_plugins;
pub use listing::{PluginListing, PluginState};
pub use prepared::PackageReport;
pub use progress::OpenProgress;
pub use telemetry_sandbox::{CONTRACT_VERSION, PluginInfo, PluginKind};

pub(crate) use listing::plugin_listings;
pub(crate) use load::load_plugins;
pub(crate) use loaded::LoadedPlugins;
pub(crate) use ports::{LateQueryPort, StoreKeyValuePort};
pub(crate) use progress::Progress;
