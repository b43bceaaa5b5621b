//! Where a running host gets a plugin from, by name: its bytes, read once, and what its settings say of it.
//!
//! Invariant: what was read is what is tried and what is loaded, whatever happens to the file meanwhile.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use telemetry_core::limits::MAX_COMPONENT_BYTES;
use telemetry_sandbox::{Component, LoadError, PluginSpec};

use super::error::PluginLoadError;
use super::spec::{plugin_spec, receiver_spec};
use crate::config::Config;

/// One plugin, or one receiver's copy of a sink.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PluginSource {
    /// Its own name: the plugin's, or the receiver's.
    pub(crate) name: String,
    /// The name of the plugin whose component it is.
    pub(crate) component: String,
    /// Whether it is a receiver's copy.
    pub(crate) is_receiver: bool,
}

impl PluginSource {
    pub(crate) fn plugin(name: &str) -> Self {
        Self { name: name.to_owned(), component: name.to_owned(), is_receiver: false }
    }

    pub(crate) fn receiver(name: &str, plugin: &str) -> Self {
        Self { name: name.to_owned(), component: plugin.to_owned(), is_receiver: true }
    }

    /// The component's file.
    pub(crate) fn file(&self, config: &Config) -> Option<PathBuf> {
        config.plugins.component_of(&self.component)
    }

    /// Reads the component and puts its settings beside it.
    pub(crate) fn open(&self, config: &Config) -> Result<PluginSpec, PluginLoadError> {
        let file = self.file(config).ok_or_else(|| PluginLoadError::NoComponent {
            plugin: self.name.clone(),
            reason: "it has no component: set plugins.directory or --plugins".to_owned(),
        })?;
        let settings = config.plugins.settings_of(&self.component);
        let receivers = config.alerting.all_receivers();
        let spec = match receivers.get(&self.name).filter(|_| self.is_receiver) {
            Some(receiver) => receiver_spec(&self.name, file.clone(), &settings, receiver),
            None => plugin_spec(&self.name, file.clone(), &settings),
        };
        let mut spec =
            spec.map_err(|source| PluginLoadError::Secret { plugin: self.name.clone(), source })?;
        spec.component = Component::Bytes(read(&file).map_err(|source| PluginLoadError::Component {
            plugin: self.name.clone(),
            source: LoadError::Read { path: file, source },
        })?);
        Ok(spec)
    }
}

/// One byte more than the limit tells a file that is too large, whatever its length claims.
fn read(file: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(MAX_COMPONENT_BYTES.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}
