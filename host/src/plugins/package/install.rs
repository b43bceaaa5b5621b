//! Installs a package: everything is checked in memory first; then it is written beside its place, renamed, and pinned.
//!
//! Invariant: a package that is refused leaves no trace; one that is interrupted is refused by its pin until it is installed
//! again.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags};
use semver::Version;
use telemetry_core::Timestamp;
use telemetry_sandbox::PluginInfo;

use super::error::PackageError;
use super::file::{FileError, Links, is_link};
use super::lock::{Claim, LOCK_FILE, Pin, PluginLock, sync_folder, write_durably};
use super::manifest::{MANIFEST_FILE, Manifest};
use super::packages::component_file;
use super::sha256::Sha256;
use super::source::{SIGNATURE_SUFFIX, UnverifiedPackage};
use super::verify::Trust;
use crate::config::{PluginsConfig, check_name};
use crate::plugins::inspect::inspect_bytes;

/// How a package is installed.
#[derive(Clone, Debug, Default)]
pub struct InstallOptions {
    /// The name of a component that has no manifest; what it calls itself when absent.
    pub name: Option<String>,
    /// The SHA-256 that the component must have.
    pub sha256: Option<Sha256>,
    /// Whether an older version may replace a newer one.
    pub allow_downgrade: bool,
}

/// What was installed.
#[derive(Clone, Debug)]
pub struct Installation {
    /// The plugin's name.
    pub name: String,
    /// Where it lies now.
    pub place: PathBuf,
    /// What its component says of itself.
    pub info: PluginInfo,
    /// Its manifest.
    pub manifest: Option<Manifest>,
    /// Why it is trusted.
    pub trust: Trust,
    /// The version that was there before.
    pub replaced: Option<String>,
}

/// Installs what lies at `source` (a package's folder, an archive of one, or a component) into `plugins.directory`.
pub fn install(
    plugins: &PluginsConfig,
    source: &Path,
    options: &InstallOptions,
    now: Timestamp,
) -> Result<Installation, PackageError> {
    let directory = plugins.directory.as_deref().ok_or(PackageError::NoDirectory)?;
    let package = UnverifiedPackage::read(source, Links::Follow)?;
    let called = package.manifest().map_or("it", |manifest| manifest.name.as_str());
    if let Some(expected) = &options.sha256
        && *expected != package.sha256
    {
        let (expected, found) = (expected.clone(), package.sha256.clone());
        return Err(PackageError::ExpectedHash { name: called.to_owned(), expected, found });
    }
    let signer = package.check_own(called, plugins.policy, &plugins.trusted_keys)?;
    let info = inspect_bytes(&package.component, source)?;
    let name = installed_name(&package, &info, options)?;
    let trust = Trust { policy: plugins.policy, pinned: true, signer };
    let verified = package.clone().verified(&name, trust.clone());
    verified.check_description(&info)?;

    fs::create_dir_all(directory).map_err(|error| FileError::written(directory, error))?;
    let _claim = Claim::of(directory)?;
    let mut lock = PluginLock::read(directory)?;
    let replaced = lock.plugins.get(&name).map(|pin| pin.version.clone());
    // What takes no other's place goes back from nothing: the operator begins anew.
    let takes_a_place = replaced.is_some() || is_there(directory, &name);
    if let (Some(floor), Ok(version)) = (lock.floor(&name), Version::parse(&info.version))
        && takes_a_place
        && !options.allow_downgrade
    {
        floor.check(&name, &version)?;
    }
    let place = put(directory, &name, &package)?;
    let mut pin = Pin::new(info.version.clone(), package.sha256, now);
    pin.manifest_sha256 = package.manifest.map(|found| found.sha256);
    pin.signer = trust.signer.clone();
    lock.plugins.insert(name.clone(), pin);
    // From here on the pin's version is the lowest.
    lock.floors.remove(&name);
    lock.removed.remove(&name);
    lock.write(directory)?;
    Ok(Installation { name, place, info, manifest: verified.manifest, trust, replaced })
}

/// Whether something of this name lies in the folder.
pub(super) fn is_there(directory: &Path, name: &str) -> bool {
    let places = [directory.join(name), component_file(directory, name)];
    places.iter().any(|place| place.symlink_metadata().is_ok())
}

/// The name that a package is installed under, which is to be one that a plugin can have.
pub(super) fn installed_name(
    package: &UnverifiedPackage,
    info: &PluginInfo,
    options: &InstallOptions,
) -> Result<String, PackageError> {
    let name = match (package.manifest(), &options.name) {
        (Some(manifest), None) => &manifest.name,
        (Some(manifest), Some(name)) if *name == manifest.name => name,
        (Some(manifest), Some(name)) => {
            let reason = format!("its manifest calls it \"{}\"", manifest.name);
            return Err(PackageError::Name { name: name.clone(), reason });
        }
        (None, Some(name)) => name,
        (None, None) => &info.name,
    };
    match check_name(name) {
        Ok(()) if name != LOCK_FILE => Ok(name.clone()),
        Ok(()) => {
            Err(PackageError::Name { name: name.clone(), reason: "the file of pins is called so".into() })
        }
        Err(reason) => Err(PackageError::Name { name: name.clone(), reason }),
    }
}

/// Writes the package to its place, whole.
fn put(directory: &Path, name: &str, package: &UnverifiedPackage) -> Result<PathBuf, FileError> {
    let draft = directory.join(format!(".{name}.{:016x}", rand::random::<u64>()));
    let (folder, file) = (directory.join(name), component_file(directory, name));
    let (place, other) = if package.manifest.is_some() { (folder, file) } else { (file, folder) };
    let written = write_draft(&draft, package).and_then(|()| swap(&draft, &place));
    // What was at the place before, or a draft that was not to be finished.
    remove_whatever(&draft)?;
    written?;
    remove_whatever(&other)?;
    sync_folder(directory)?;
    Ok(place)
}

fn write_draft(draft: &Path, package: &UnverifiedPackage) -> Result<(), FileError> {
    let write = |path: &Path, bytes: &[u8]| {
        write_durably(path, bytes).map_err(|error| FileError::written(path, error))
    };
    let Some(found) = &package.manifest else { return write(draft, &package.component) };
    DirBuilder::new().mode(0o755).create(draft).map_err(|error| FileError::written(draft, error))?;
    write(&draft.join(MANIFEST_FILE), &found.bytes)?;
    write(&draft.join(&found.manifest.component), &package.component)?;
    if let Some(signature) = &found.signature {
        write(&draft.join(format!("{MANIFEST_FILE}{SIGNATURE_SUFFIX}")), signature)?;
    }
    if let (Some(name), Some(schema)) = (&found.manifest.config_schema, &found.config_schema) {
        write(&draft.join(name), schema)?;
    }
    sync_folder(draft)
}

/// Moves the draft to its place in one step; what was there is where the draft was.
fn swap(draft: &Path, place: &Path) -> Result<(), FileError> {
    let flags = if place.symlink_metadata().is_ok() { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
    rustix::fs::renameat_with(CWD, draft, CWD, place, flags).map_err(|error| FileError::written(place, error))
}

/// Removes a file, a folder with all that is in it, or a link, if there is one.
pub(super) fn remove_whatever(path: &Path) -> Result<(), FileError> {
    let removed = match path.symlink_metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => Err(error),
        Ok(found) if found.is_dir() && !is_link(path) => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    };
    removed.map_err(|error| FileError::written(path, error))
}
