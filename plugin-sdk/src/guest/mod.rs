//! Adapters from the generated bindings to the SDK's traits. Used by the `export_…!` macros only.
//!
//! The host makes one instance per component instance, and calls never overlap: the plugin lives in a thread-local slot, and a
//! call that finds it missing or in use is answered with an error.

mod aggregation;
mod delivery;
mod lifecycle;
mod monitoring;
mod validation;

use std::cell::RefCell;
use std::thread::LocalKey;

use crate::error::{PluginError, Result};
use crate::plugin::Plugin;

/// Where the plugin lives.
pub type Slot<P> = RefCell<Option<P>>;

/// What the `export_…!` macros generate: the exported plugin and where it lives.
pub trait Exported: 'static {
    /// The author's type.
    type Plugin: Plugin;
    /// The version in the author's `Cargo.toml`.
    const VERSION: &'static str;
    /// The description in the author's `Cargo.toml`.
    const DESCRIPTION: &'static str;
    /// The slot.
    fn slot() -> &'static LocalKey<Slot<Self::Plugin>>;
}

/// Calls the plugin.
fn with<E: Exported, T>(call: impl FnOnce(&mut E::Plugin) -> Result<T>) -> Result<T> {
    E::slot().with(|slot| {
        let mut slot =
            slot.try_borrow_mut().map_err(|_| PluginError::other("called while a call is under way"))?;
        call(slot.as_mut().ok_or_else(|| PluginError::other("called before init"))?)
    })
}
