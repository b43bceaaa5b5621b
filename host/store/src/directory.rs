//! The store's directory: its lock, and whether RocksDB's files in it can be what a store left.
//!
//! Invariant: files that may hold records are never taken for leavings.

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
    _file: Option<File>,
}

impl DirectoryLock {
    /// Of a store in memory: there is nothing to hold.
    pub(crate) fn of_nothing() -> Self {
        Self { _file: None }
    }
}

/// Takes the directory for this process; makes it if it is absent.
pub(crate) fn lock(directory: &Path) -> Result<DirectoryLock, OpenError> {
    std::fs::create_dir_all(directory).map_err(|error| io_failure(directory, error))?;
    let path = directory.join(LOCK_FILE);
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| io_failure(&path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(DirectoryLock { _file: Some(file) }),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked { directory: directory.to_owned() }),
        Err(TryLockError::Error(error)) => Err(io_failure(&path, error)),
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

/// A failure of the file system, by what it means for opening.
pub(crate) fn io_failure(path: &Path, error: io::Error) -> OpenError {
    if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) {
        OpenError::Permission { path: path.to_owned(), source: error }
    } else {
        OpenError::Failed { directory: path.to_owned(), source: Box::new(error) }
    }
}
