//! Disables, enables and removes what is installed.

use std::path::Path;

use super::error::PackageError;
use super::file::FileError;
use super::install::remove_whatever;
use super::lock::{Claim, PluginLock, sync_folder};
use super::packages::component_file;
use crate::config::{PluginsConfig, check_name, nearest};

/// Keeps a plugin from being loaded from now on; whether it was not so already.
pub fn disable(plugins: &PluginsConfig, name: &str) -> Result<bool, PackageError> {
    let directory = directory_with(plugins, name)?;
    if plugins.settings.get(name).is_some_and(|settings| settings.required) {
        let reason = "it is required; a host would not start without it";
        return Err(PackageError::Configured { name: name.to_owned(), key: "required", reason });
    }
    change(directory, |lock| lock.disabled.insert(name.to_owned()))
}

/// Lets a plugin be loaded again from now on; whether it was not so already.
pub fn enable(plugins: &PluginsConfig, name: &str) -> Result<bool, PackageError> {
    let directory = directory_with(plugins, name)?;
    if plugins.settings.get(name).is_some_and(|settings| !settings.enabled) {
        let reason = "it is false there";
        return Err(PackageError::Configured { name: name.to_owned(), key: "enabled", reason });
    }
    change(directory, |lock| lock.disabled.remove(name))
}

/// Removes a plugin's files and its pin.
pub fn remove(plugins: &PluginsConfig, name: &str) -> Result<(), PackageError> {
    let directory = plugins.directory.as_deref().ok_or(PackageError::NoDirectory)?;
    // The name becomes a path.
    check_name(name).map_err(|reason| PackageError::Name { name: name.to_owned(), reason })?;
    let places = [directory.join(name), component_file(directory, name)];
    let _claim = Claim::of(directory)?;
    let mut lock = PluginLock::read(directory)?;
    let is_there = places.iter().any(|place| place.symlink_metadata().is_ok());
    let was_noted = lock.plugins.remove(name).is_some() | lock.disabled.remove(name);
    if !is_there && !was_noted {
        return Err(unknown(plugins, directory, name));
    }
    // Files without a pin are refused; a pin without files is a name that does not exist. The files go first.
    for place in places {
        remove_whatever(&place)?;
    }
    sync_folder(directory)?;
    lock.write(directory)?;
    Ok(())
}

/// The directory, if there is a plugin of this name: in it, or with settings of its own.
fn directory_with<'a>(plugins: &'a PluginsConfig, name: &str) -> Result<&'a Path, PackageError> {
    let directory = plugins.directory.as_deref().ok_or(PackageError::NoDirectory)?;
    let found = plugins.in_directory().map_err(|error| FileError::read(directory, error))?;
    let is_copy = plugins.settings.get(name).is_some_and(|settings| settings.component.is_some());
    if is_copy || found.contains_key(name) { Ok(directory) } else { Err(unknown(plugins, directory, name)) }
}

pub(super) fn unknown(plugins: &PluginsConfig, directory: &Path, name: &str) -> PackageError {
    let known = plugins.in_directory().unwrap_or_default();
    PackageError::Unknown {
        name: name.to_owned(),
        directory: directory.to_owned(),
        hint: nearest(name, known.keys().chain(plugins.settings.keys())),
    }
}

fn change(directory: &Path, change: impl FnOnce(&mut PluginLock) -> bool) -> Result<bool, PackageError> {
    let _claim = Claim::of(directory)?;
    let mut lock = PluginLock::read(directory)?;
    let is_new = change(&mut lock);
    if is_new {
        lock.write(directory)?;
    }
    Ok(is_new)
}
