//! Looks at a package, trusted or not: what it is, what it asks for, and whether this host would run it.

use std::path::{Path, PathBuf};

use serde::Serialize;
use telemetry_sandbox::PluginInfo;

use super::effective::GrantReport;
use super::error::PackageError;
use super::file::Links;
use super::install::{InstallOptions, installed_name};
use super::manifest::Manifest;
use super::packages::PluginPackages;
use super::source::UnverifiedPackage;
use super::switch::unknown;
use super::verify::{Trust, disagreements};
use crate::config::{PluginsConfig, is_package};
use crate::envelope::cause_chain;
use crate::plugins::inspect::inspect_bytes;

/// What a package is.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    /// Where it lies.
    pub place: PathBuf,
    /// What its component says of itself. It was described, never initialised.
    pub info: PluginInfo,
    /// Its manifest.
    pub manifest: Option<Manifest>,
    /// What it may reach in this configuration.
    pub grants: GrantReport,
    /// Why it may be run here; absent when it is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust: Option<Trust>,
    /// Why it would not be run here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refusal>,
}

/// Why a package would not be run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The error's name.
    pub kind: &'static str,
    /// The error in words.
    pub message: String,
}

/// Looks at `what`: a package's folder, an archive of one, a component, or the name of a plugin of the configuration.
pub fn inspect(plugins: &PluginsConfig, what: &str) -> Result<Inspection, PackageError> {
    let path = Path::new(what);
    if path.is_file() || is_package(path) {
        let package = UnverifiedPackage::read(path, Links::Follow)?;
        return inspected(plugins, package, None);
    }
    let is_known = plugins.component_of(what).filter(|place| place.is_file() || is_package(place));
    let Some(place) = is_known else {
        let directory =
            plugins.directory.as_deref().ok_or_else(|| PackageError::Absent { place: path.to_owned() })?;
        return Err(unknown(plugins, directory, what));
    };
    inspected(plugins, UnverifiedPackage::read(&place, Links::Follow)?, Some(what))
}

/// All for which [`install`](super::install()) refuses the package at `place` whatever the host's policy, keys and pins: its files,
/// its component's hash, its name, and what its component says of itself otherwise than the manifest. Of a component that could
/// not be asked, without `info`, only the files and the hash can be judged; of one without a manifest nothing.
pub fn package_faults(place: &Path, info: Option<&PluginInfo>) -> Vec<PackageError> {
    let package = match UnverifiedPackage::read(place, Links::Follow) {
        Ok(package) => package,
        Err(error) => return vec![error],
    };
    let Some(found) = &package.manifest else { return Vec::new() };
    let name = &found.manifest.name;
    let mut faults: Vec<PackageError> = package.check_hash(name).err().into_iter().collect();
    if let Some(info) = info {
        faults.extend(installed_name(&package, info, &InstallOptions::default()).err());
        faults.extend(disagreements(name, &found.manifest, found.config_schema.as_deref(), info));
    }
    faults
}

/// What the component at `place`, a file or a package's folder, says of itself, trusted or not.
pub(crate) fn describe(place: &Path) -> Result<PluginInfo, PackageError> {
    let package = UnverifiedPackage::read(place, Links::Follow)?;
    inspect_bytes(&package.component, &package.place)
}

/// `name` is that of a plugin of the configuration; without it the package is to be installed first.
fn inspected(
    plugins: &PluginsConfig,
    package: UnverifiedPackage,
    name: Option<&str>,
) -> Result<Inspection, PackageError> {
    let info = inspect_bytes(&package.component, &package.place)?;
    let manifest = package.manifest().cloned();
    let called =
        name.or(manifest.as_ref().map(|manifest| manifest.name.as_str())).unwrap_or(&info.name).to_owned();
    let settings = plugins.settings_of(&called);
    let grants = GrantReport::of(manifest.as_ref(), info.kind, &settings.grants);
    let place = package.place.clone();
    let verdict = match name {
        Some(name) => PluginPackages::of(plugins).verified(name).and_then(|verified| {
            verified.check_description(&info)?;
            Ok(verified.trust)
        }),
        None => package.check_own(&called, plugins.policy, &plugins.trusted_keys).and_then(|signer| {
            let trust = Trust { policy: plugins.policy, pinned: false, signer };
            package.verified(&called, trust.clone()).check_description(&info)?;
            Ok(trust)
        }),
    };
    let (trust, refused) = match verdict {
        Ok(trust) => (Some(trust), None),
        Err(error) => (None, Some(Refusal { kind: error.kind(), message: cause_chain(&error) })),
    };
    Ok(Inspection { place, info, manifest, grants, trust, refused })
}
