//! The store's directory: making it, its lock, and whether RocksDB's files in it can be what a store left.
//!
//! Invariants: files that may hold records are never taken for leavings; before a record is accepted, the names of the
//! directories above it are on the disk.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use crate::error::{Damage, OpenError};

/// RocksDB's files within the store's directory.
pub(crate) const ROCKS_DIRECTORY: &str = "rocksdb";
/// Locked as long as the store is open.
const LOCK_FILE: &str = "store.lock";

/// Holds a directory against other openings.
#[derive(Debug)]
pub(crate) struct DirectoryLock {
    file: Option<File>,
}

impl DirectoryLock {
    /// Of a store in memory: there is nothing to hold.
    pub(crate) fn of_nothing() -> Self {
        Self { file: None }
    }
}

impl Drop for DirectoryLock {
    /// Closing is not enough: a program that this process starts at the same moment has a copy of the file until it runs, and
    /// the lock would last as long.
    fn drop(&mut self) {
        if let Some(Err(error)) = self.file.as_ref().map(File::unlock) {
            tracing::warn!(%error, "the lock of the store's directory could not be given back");
        }
    }
}

/// Takes the directory for this process; makes it if it is absent.
pub(crate) fn lock(directory: &Path) -> Result<DirectoryLock, OpenError> {
    make(directory).map_err(|error| io_failure(directory, error))?;
    let path = directory.join(LOCK_FILE);
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| io_failure(&path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(DirectoryLock { file: Some(file) }),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked { directory: directory.to_owned() }),
        Err(TryLockError::Error(error)) => Err(io_failure(&path, error)),
    }
}

/// Makes the directory and those above it that are absent. A directory is on the disk once the one above it is synced.
fn make(directory: &Path) -> io::Result<()> {
    let absent: Vec<&Path> = directory.ancestors().take_while(|path| is_absent(path)).collect();
    std::fs::create_dir_all(directory)?;
    absent.into_iter().rev().try_for_each(sync_above)
}

fn is_absent(path: &Path) -> bool {
    !path.as_os_str().is_empty() && !path.try_exists().unwrap_or(true)
}

/// Makes RocksDB's directory where it is absent, and has the names of all that the store's directory holds on the disk,
/// and its own: RocksDB syncs only what lies within its own. An opening before this one may have been interrupted.
pub(crate) fn settle(directory: &Path) -> Result<(), OpenError> {
    let settled = std::fs::create_dir_all(directory.join(ROCKS_DIRECTORY))
        .and_then(|()| File::open(directory)?.sync_all())
        .and_then(|()| sync_above(directory));
    settled.map_err(|error| io_failure(directory, error))
}

/// Has the name of a directory on the disk.
fn sync_above(directory: &Path) -> io::Result<()> {
    let above = match directory.parent() {
        None => return Ok(()),
        Some(above) if above.as_os_str().is_empty() => Path::new("."),
        Some(above) => above,
    };
    match File::open(above) {
        Ok(above) => above.sync_all(),
        // A directory that this user may go through, but not list, cannot be synced either.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        Err(error) => Err(error),
    }
}

/// Tables or logs without the manifest that lists them, or without the file that names it: RocksDB would take them for
/// leavings, begin anew and delete them. An interrupted first opening leaves neither.
pub(crate) fn without_its_index(path: &Path) -> Option<Damage> {
    if let Ok(name) = std::fs::read_to_string(path.join("CURRENT")) {
        let lost = name.starts_with("MANIFEST-") && path.join(name.trim_end()).symlink_metadata().is_err();
        return lost
            .then(|| Damage::new("the file rocksdb/CURRENT", format!("{} is missing", name.trim_end())));
    }
    if path.join("CURRENT").symlink_metadata().is_ok() {
        return None;
    }
    let mut files = std::fs::read_dir(path).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let data = files.find(|file| file.extension().is_some_and(|end| end == "sst" || end == "log"))?;
    let file = data.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Some(Damage::new(
        "the file rocksdb/CURRENT",
        format!("it is missing, though data such as {file} is there"),
    ))
}

/// Whether there is a write-ahead log in RocksDB's directory.
pub(crate) fn has_log(path: &Path) -> bool {
    let mut files =
        std::fs::read_dir(path).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    files.any(|file| file.extension().is_some_and(|end| end == "log"))
}

/// A failure of the file system, by what it means for opening.
pub(crate) fn io_failure(path: &Path, error: io::Error) -> OpenError {
    if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) {
        OpenError::Permission { path: path.to_owned(), source: error }
    } else {
        OpenError::of_failure(path, Box::new(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_given_back_though_a_program_that_is_being_started_has_a_copy() {
        let folder = tempfile::tempdir().unwrap();
        let held = lock(folder.path()).unwrap();
        let copy = held.file.as_ref().unwrap().try_clone().unwrap();
        assert!(matches!(lock(folder.path()), Err(OpenError::Locked { .. })));
        drop(held);
        drop(lock(folder.path()).unwrap());
        drop(copy);
    }
}
