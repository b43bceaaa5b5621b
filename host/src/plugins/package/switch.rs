//! Disables, enables and removes what is installed.

use std::path::Path;

use telemetry_core::Timestamp;

use super::error::PackageError;
use super::file::FileError;
use super::floor::LockEntry;
use super::install::{is_there, remove_whatever};
use super::lock::{Claim, LockError, PluginLock, sync_folder};
use super::packages::component_file;
use crate::config::{PluginsConfig, check_name, nearest};

/// Keeps a plugin from being loaded from now on; whether it was not so already. A host that runs it and watches the folder stops
/// it; [`Host::disable_plugin`](crate::Host::disable_plugin) stops it at once.
pub fn disable(plugins: &PluginsConfig, name: &str) -> Result<bool, PackageError> {
    let directory = directory_with(plugins, name)?;
    check_not_required(plugins, name)?;
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

/// Removes a plugin's files and its pin. That it was removed is noted, so that a host that runs it and watches the folder stops it,
/// and so is its version: an older one that is put there does not run under the policy `signed` until it is installed. A further copy
/// that settings make of a component has no files of its own, and cannot be removed.
pub fn remove(plugins: &PluginsConfig, name: &str, now: Timestamp) -> Result<(), PackageError> {
    let directory = plugins.directory.as_deref().ok_or(PackageError::NoDirectory)?;
    // The name becomes a path.
    check_name(name).map_err(|reason| PackageError::Name { name: name.to_owned(), reason })?;
    check_not_required(plugins, name)?;
    if plugins.settings.get(name).is_some_and(|settings| settings.component.is_some()) {
        let reason = "its component is not its own; disable it, or remove these settings";
        return Err(PackageError::Configured { name: name.to_owned(), key: "component", reason });
    }
    let _claim = Claim::of(directory)?;
    let mut lock = PluginLock::read(directory)?;
    let floor = lock.floor(name);
    let was_noted = lock.plugins.remove(name).is_some() | lock.disabled.remove(name);
    if !is_there(directory, name) && !was_noted {
        return Err(unknown(plugins, directory, name));
    }
    lock.floors.extend(floor.map(|floor| (name.to_owned(), floor.version)));
    lock.removed.insert(name.to_owned(), now.to_string());
    // Files without a pin are refused; a pin without files is a name that does not exist. The files go first.
    for place in [directory.join(name), component_file(directory, name)] {
        remove_whatever(&place)?;
    }
    sync_folder(directory)?;
    lock.write(directory)?;
    Ok(())
}

/// Forgets that plugins were removed which were put back and loaded since: where they are gone once more, that is nobody's word.
pub(crate) fn note_put_back(plugins: &PluginsConfig, loaded: &[LockEntry]) -> Result<(), LockError> {
    let back: Vec<&LockEntry> = loaded.iter().filter(|entry| entry.removed.is_some()).collect();
    let Some(directory) = plugins.directory.as_deref().filter(|_| !back.is_empty()) else { return Ok(()) };
    let is_back = |name: &String, at: &String| {
        back.iter().any(|entry| entry.name == *name && entry.removed.as_ref() == Some(at))
    };
    PluginLock::change(directory, |lock| {
        let before = lock.removed.len();
        lock.removed.retain(|name, at| !is_back(name, at));
        lock.removed.len() < before
    })
}

fn check_not_required(plugins: &PluginsConfig, name: &str) -> Result<(), PackageError> {
    if plugins.settings.get(name).is_some_and(|settings| settings.required) {
        let reason = "it is required; a host would not start without it";
        return Err(PackageError::Configured { name: name.to_owned(), key: "required", reason });
    }
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
