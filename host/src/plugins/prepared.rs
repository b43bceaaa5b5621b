//! From a plugin's name to all that the sandbox needs: the bytes that were checked, the settings, the effective grants.
//!
//! Invariant: whatever is loaded into a host, at its start or later, comes through here.

use semver::Version;
use serde::Serialize;
use telemetry_sandbox::{Plugin, PluginKind, PluginSpec, PreparedPlugin, Sandbox};
use telemetry_store::Store;

use super::error::PluginLoadError;
use super::package::{
    GrantReport, LockEntry, PackageError, PluginPackages, RunningVersion, Trust, VerifiedPackage,
};
use super::spec;
use crate::config::{Config, ReceiverConfig};

/// A plugin that may be loaded.
pub(crate) struct Prepared {
    spec: PluginSpec,
    report: PackageReport,
    /// Without the component, which is in the spec.
    package: VerifiedPackage,
}

/// What operators see of a plugin's package.
#[derive(Clone, Debug, Serialize)]
pub struct PackageReport {
    /// Why it may be run.
    pub trust: Trust,
    /// What it may reach, and what it asks for.
    pub grants: GrantReport,
    /// See [`VerifiedPackage::content`].
    #[serde(skip)]
    pub(crate) content: String,
    /// Its manifest's version.
    #[serde(skip)]
    pub(crate) version: Option<Version>,
    /// What `plugins.lock` said of it.
    #[serde(skip)]
    pub(crate) entry: LockEntry,
}

impl PackageReport {
    /// A package as it was checked, with what it may reach.
    pub(super) fn of(package: &VerifiedPackage, grants: GrantReport) -> Self {
        Self {
            trust: package.trust.clone(),
            grants,
            content: package.content(),
            version: package.manifest.as_ref().map(|manifest| manifest.version.clone()),
            entry: package.entry.clone(),
        }
    }

    /// Which version runs with it; `None` of a component without a manifest.
    pub(crate) fn running(&self) -> Option<RunningVersion> {
        let version = self.version.clone()?;
        Some(RunningVersion { entry: self.entry.clone(), version })
    }
}

/// The package of the plugin `name`, if it may be run.
pub(crate) fn verified(config: &Config, name: &str) -> Result<VerifiedPackage, PluginLoadError> {
    let refused = |source| PluginLoadError::Package { plugin: name.to_owned(), source };
    PluginPackages::of(&config.plugins).verified(name).map_err(refused)
}

impl Prepared {
    /// A plugin under its own name.
    pub(crate) fn plugin(config: &Config, name: &str, kind: PluginKind) -> Result<Self, PluginLoadError> {
        Self::of(config, verified(config, name)?, kind, None)
    }

    /// A sink plugin's copy for one receiver.
    pub(crate) fn receiver(
        config: &Config,
        name: &str,
        receiver: &ReceiverConfig,
    ) -> Result<Self, PluginLoadError> {
        let package = verified(config, &receiver.plugin)?;
        Self::of(config, package, PluginKind::Sink, Some((name, receiver)))
    }

    /// What a package becomes, under its own name or as a receiver's copy.
    pub(crate) fn of(
        config: &Config,
        mut package: VerifiedPackage,
        kind: PluginKind,
        receiver: Option<(&str, &ReceiverConfig)>,
    ) -> Result<Self, PluginLoadError> {
        let name = package.name.as_str();
        let component = std::mem::take(&mut package.component);
        let settings = config.plugins.settings_of(name);
        let own = receiver.and_then(|(_, receiver)| receiver.grants.as_ref());
        let configured = own.unwrap_or(&settings.grants);
        let grants = GrantReport::of(package.manifest.as_ref(), kind, configured);
        let effective = grants.effective(configured);
        let spec = match receiver {
            None => spec::plugin_spec(name, component, &settings, &effective),
            Some((name, receiver)) => spec::receiver_spec(name, component, &settings, receiver, &effective),
        };
        let spec = spec.map_err(|source| PluginLoadError::Secret { plugin: name.to_owned(), source })?;
        let report = PackageReport::of(&package, grants);
        Ok(Self { spec, report, package })
    }

    /// Loads the plugin, if its component is still the one with this SHA-256.
    pub(crate) fn load(
        self,
        sha256: &str,
        sandbox: &Sandbox,
        store: &Store,
    ) -> Result<(Plugin, PackageReport), PluginLoadError> {
        let Self { spec, report, package } = self;
        let plugin = || package.name.clone();
        if package.sha256.as_str() != sha256 {
            let source = PackageError::Replaced { name: plugin() };
            return Err(PluginLoadError::Package { plugin: plugin(), source });
        }
        announce(&spec.name, &report.grants);
        if let Some(room) = &report.grants.key_value {
            store.limit_plugin_space(&spec.name, room.effective);
        }
        let loaded = sandbox.load(spec);
        let loaded = loaded.map_err(|source| PluginLoadError::Component { plugin: plugin(), source })?;
        let checked = package.check_description(loaded.info());
        checked.map_err(|source| PluginLoadError::Package { plugin: plugin(), source })?;
        Ok((loaded, report))
    }
}

impl Prepared {
    /// Compiles and checks a new version of a plugin that may run already: nothing of that one is touched.
    pub(crate) fn prepare(
        self,
        sandbox: &Sandbox,
    ) -> Result<(PreparedPlugin, PackageReport), PluginLoadError> {
        let Self { spec, report, package } = self;
        let name = spec.name.clone();
        let plugin = || name.clone();
        announce(&spec.name, &report.grants);
        let failed = |source| PluginLoadError::Component { plugin: plugin(), source };
        let prepared = sandbox.prepare(spec).map_err(failed)?;
        if package.manifest.is_some() {
            let checked = package.check_description(&prepared.inspect().map_err(failed)?);
            checked.map_err(|source| PluginLoadError::Package { plugin: plugin(), source })?;
        }
        Ok((prepared, report))
    }
}

/// Says which grants are configured in vain.
fn announce(name: &str, grants: &GrantReport) {
    for refused in grants.refused() {
        tracing::warn!(
            source = "Bridge_Telemetry",
            plugin = name,
            "the grant {refused} is configured, but the plugin's manifest does not request it: it is not given"
        );
    }
}
