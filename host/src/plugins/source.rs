//! Where a running host gets a plugin from, by name: its package, read once and verified, and what its settings say of it.
//!
//! Invariant: what was read is what is tried and what is loaded, whatever happens to the files meanwhile.

use std::path::PathBuf;

use telemetry_sandbox::{ComponentOutline, PluginKind, PreparedPlugin, Sandbox};

use super::error::PluginLoadError;
use super::package::VerifiedPackage;
use super::prepared::{PackageReport, Prepared, verified};
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

    /// Where the component lies: its file, or the folder of its package.
    pub(crate) fn place(&self, config: &Config) -> Option<PathBuf> {
        config.plugins.component_of(&self.component)
    }

    /// Reads the package, and checks that it may be run.
    pub(crate) fn open(&self, config: &Config) -> Result<VerifiedPackage, PluginLoadError> {
        verified(config, &self.component)
    }

    /// What a package's component is, as far as its bytes tell.
    pub(crate) fn outline(
        &self,
        package: &VerifiedPackage,
        sandbox: &Sandbox,
    ) -> Result<ComponentOutline, PluginLoadError> {
        let failed = |source| PluginLoadError::Component { plugin: self.name.clone(), source };
        sandbox.outline(package.component.clone()).map_err(failed)
    }

    /// Puts the settings and the grants beside a package of this kind, and compiles it.
    pub(crate) fn prepare(
        &self,
        config: &Config,
        package: VerifiedPackage,
        kind: PluginKind,
        sandbox: &Sandbox,
    ) -> Result<(PreparedPlugin, PackageReport), PluginLoadError> {
        let receivers = config.alerting.all_receivers();
        let receiver = receivers.get(&self.name).filter(|_| self.is_receiver);
        let receiver = receiver.map(|receiver| (self.name.as_str(), receiver));
        Prepared::of(config, package, kind, receiver)?.prepare(sandbox)
    }
}
