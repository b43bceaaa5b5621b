//! The plugins of a host: found in the configuration, loaded through the sandbox, sorted by what they extend.
//!
//! Invariant: a plugin that cannot be loaded never stops the host, unless its settings say `required`, as suits
//! a validator that must see every record.

mod inspect;
mod listing;
mod load;
mod ports;
mod spec;

pub use inspect::{InspectError, inspect_component};
pub use listing::{PluginListing, PluginState};
pub use load::PluginLoadError;

pub(crate) use listing::plugin_listings;
pub(crate) use load::{LoadedPlugins, load_plugins};
pub(crate) use ports::{LateQueryPort, StoreKeyValuePort};
