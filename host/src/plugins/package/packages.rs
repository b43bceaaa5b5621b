//! The plugins of a configuration as packages: where each lies, whether it is switched off, and, checked, what it is made of.
//!
//! This is the seam between trust and loading: [`PluginPackages::verified`] gives the bytes to compile, and there is no other
//! way from a plugin's name to its component.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::error::PackageError;
use super::file::Links;
use super::floor::VersionFloor;
use super::lock::PluginLock;
use super::source::UnverifiedPackage;
use super::verify::{Demands, VerifiedPackage};
use crate::config::PluginsConfig;

/// The packages that a configuration names.
#[derive(Clone, Copy, Debug)]
pub struct PluginPackages<'a> {
    plugins: &'a PluginsConfig,
}

impl<'a> PluginPackages<'a> {
    /// Those of `plugins`. Nothing is read yet: every answer is of the moment it is asked.
    pub const fn of(plugins: &'a PluginsConfig) -> Self {
        Self { plugins }
    }

    /// The pins of `plugins.directory`; none without a directory.
    pub fn lock(&self) -> Result<PluginLock, PackageError> {
        match &self.plugins.directory {
            Some(directory) => Ok(PluginLock::read(directory)?),
            None => Ok(PluginLock::default()),
        }
    }

    /// Names of the plugins that are to be loaded: enabled in the configuration, and not disabled by command.
    pub fn enabled(&self) -> io::Result<Vec<String>> {
        Ok(self.split()?.0)
    }

    /// Names of the plugins that would be loaded, had they not been disabled by command.
    pub fn disabled(&self) -> io::Result<Vec<String>> {
        Ok(self.split()?.1)
    }

    fn split(&self) -> io::Result<(Vec<String>, Vec<String>)> {
        // Pins that cannot be read show when a plugin is verified.
        let lock = self.lock().unwrap_or_default();
        let names = self.plugins.enabled()?.into_iter().map(|(name, _)| name);
        Ok(names.partition(|name| !lock.disabled.contains(name)))
    }

    /// Names of the plugins that were removed by command, and of which nothing was put back.
    pub fn removed(&self) -> BTreeSet<String> {
        // Pins that cannot be read show when a plugin is verified.
        let removed = self.lock().unwrap_or_default().removed.into_keys();
        removed.filter(|name| !self.is_there(name)).collect()
    }

    /// Whether anything lies where the component of `name` should be.
    pub(crate) fn is_there(&self, name: &str) -> bool {
        self.plugins.component_of(name).is_some_and(|place| place.exists())
    }

    /// Reads the plugin's package and checks it against manifest, signature, pin and policy.
    pub fn verified(&self, name: &str) -> Result<VerifiedPackage, PackageError> {
        let place = self.plugins.component_of(name).ok_or(PackageError::NoDirectory)?;
        let installed_name = self.name_in_directory(&place);
        let links = if installed_name.is_some() { Links::Refuse } else { Links::Follow };
        self.check_ambiguity(installed_name.as_deref())?;
        let package = UnverifiedPackage::read(&place, links)?;
        if let (Some(folder), Some(manifest)) = (&installed_name, package.manifest())
            && *folder != manifest.name
        {
            return Err(PackageError::FolderName { place, manifest: manifest.name.clone() });
        }
        let lock = self.lock()?;
        let entry = lock.entry(installed_name.as_deref().unwrap_or(name), installed_name.is_some());
        let demands = Demands {
            policy: self.plugins.policy,
            trusted_keys: &self.plugins.trusted_keys,
            floor: VersionFloor::of(entry.pin.as_ref(), lock.floors.get(&entry.name)),
            entry,
            configured: self.plugins.settings.get(name).and_then(|settings| settings.sha256.as_ref()),
        };
        package.verify(name, demands)
    }

    /// The name under which a place is installed in the directory: that of a package's folder, or of a component's file.
    fn name_in_directory(&self, place: &Path) -> Option<String> {
        let inside = place.strip_prefix(self.plugins.directory.as_ref()?).ok()?;
        let mut parts = inside.iter();
        let (first, second, third) = (parts.next()?, parts.next(), parts.next());
        if third.is_some() {
            return None;
        }
        let is_file = second.is_none() && !place.is_dir();
        let name = if is_file { Path::new(first).file_stem()? } else { first };
        Some(name.to_str()?.to_owned())
    }

    /// A component and a package of one name: which of them would run must not depend on the order of a listing.
    fn check_ambiguity(&self, name: Option<&str>) -> Result<(), PackageError> {
        let (Some(name), Some(directory)) = (name, &self.plugins.directory) else { return Ok(()) };
        let (file, folder) = (component_file(directory, name), directory.join(name));
        if file.symlink_metadata().is_ok() && folder.symlink_metadata().is_ok() {
            return Err(PackageError::Ambiguous { name: name.to_owned(), file, folder });
        }
        Ok(())
    }
}

/// Where a component without a manifest is installed.
pub(super) fn component_file(directory: &Path, name: &str) -> PathBuf {
    directory.join(name).with_added_extension("wasm")
}
