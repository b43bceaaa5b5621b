//! The store's directory: making it, its lock, and whether RocksDB's files in it can be what a store left.
//!
//! Invariants: files that may hold records are never taken for leavings, nor is a new store begun while they lie beside its
//! place; before a record is accepted, the names of the directories above it are on the disk.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Damage, OpenError};

/// RocksDB's files within the store's directory.
pub(crate) const ROCKS_DIRECTORY: &str = "rocksdb";
/// Follows the name of a store that was moved aside; a number comes after it.
pub(crate) const SET_ASIDE: &str = ".set-aside-";
/// Follows the name of a directory that is not finished yet.
pub(crate) const INCOMPLETE: &str = ".incomplete";
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

/// There is no store in a directory, but beside it lies what an interrupted restore or repair left of one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OutOfPlace {
    directory: PathBuf,
    /// Stores that were moved aside.
    set_aside: Vec<PathBuf>,
    /// The one that was to take the place.
    draft: Option<PathBuf>,
}

impl std::fmt::Display for OutOfPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { directory, set_aside, draft } = self;
        let directory = directory.display();
        write!(f, "no store is in {directory}, but beside it lies what a restore or repair left: ")?;
        for aside in set_aside {
            write!(f, "{} is a store that was moved aside; ", aside.display())?;
        }
        if let Some(draft) = draft {
            write!(f, "{} is the one that was to take the place; ", draft.display())?;
        }
        write!(
            f,
            "remove {directory} if it is there and rename the one to be used to {directory}, or move them elsewhere to begin with an empty store"
        )
    }
}

impl std::error::Error for OutOfPlace {}

impl OutOfPlace {
    /// What lies beside a directory without a store; `None` if there is a store, or nothing of that name beside it.
    fn find(directory: &Path) -> Option<Self> {
        if holds_store(directory) {
            return None;
        }
        let directory = std::path::absolute(directory).ok()?;
        let (parent, name) = (directory.parent()?, directory.file_name()?);
        let (mut set_aside, mut draft) = (Vec::new(), None);
        for entry in std::fs::read_dir(parent).ok()?.flatten() {
            let (path, other) = (entry.path(), entry.file_name());
            let Some(end) = other.as_encoded_bytes().strip_prefix(name.as_encoded_bytes()) else { continue };
            if end == INCOMPLETE.as_bytes() {
                draft = is_whole(&path).then_some(path);
            } else if end.strip_prefix(SET_ASIDE.as_bytes()).is_some_and(is_number) && holds_store(&path) {
                set_aside.push(path);
            }
        }
        set_aside.sort();
        (draft.is_some() || !set_aside.is_empty()).then_some(Self { directory, set_aside, draft })
    }
}

impl From<OutOfPlace> for OpenError {
    fn from(found: OutOfPlace) -> Self {
        Self::Failed { directory: found.directory.clone(), source: Box::new(found) }
    }
}

fn is_number(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

/// Whether there are files of RocksDB's in a store's directory. What cannot be looked at counts: opening tells what is wrong.
fn holds_store(directory: &Path) -> bool {
    match std::fs::read_dir(directory.join(ROCKS_DIRECTORY)) {
        Ok(mut files) => files.next().is_some(),
        Err(error) => !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
    }
}

/// Whether a directory that is being prepared has come so far that it has an index. The tables are copied before it.
fn is_whole(draft: &Path) -> bool {
    let rocks = draft.join(ROCKS_DIRECTORY);
    rocks.join("CURRENT").symlink_metadata().is_ok() && without_its_index(&rocks).is_none()
}

/// Takes the directory of a store that is to be opened; makes it if it is absent, unless its store lies beside it: the host
/// would run with an empty one without a word.
pub(crate) fn lock(directory: &Path) -> Result<DirectoryLock, OpenError> {
    if let Some(found) = OutOfPlace::find(directory) {
        return Err(found.into());
    }
    take_in_place(directory)
}

/// Takes the directory and looks once more whether its store lies beside it: a restore or repair may have moved it meanwhile.
fn take_in_place(directory: &Path) -> Result<DirectoryLock, OpenError> {
    let (lock, is_new) = take_or_make(directory)?;
    let Some(found) = OutOfPlace::find(directory) else { return Ok(lock) };
    if is_new {
        // It would be in the way of whoever is about to give a store this name. What holds more than the lock stays.
        let removed = std::fs::remove_file(directory.join(LOCK_FILE));
        if let Err(error) = removed.and_then(|()| std::fs::remove_dir(directory)) {
            tracing::warn!(%error, path = %directory.display(), "an empty directory could not be removed");
        }
    }
    Err(found.into())
}

/// Takes the directory for this process; makes it if it is absent.
pub(crate) fn take(directory: &Path) -> Result<DirectoryLock, OpenError> {
    take_or_make(directory).map(|(lock, _)| lock)
}

/// Takes the directory; answers also whether it was absent and this call made it.
fn take_or_make(directory: &Path) -> Result<(DirectoryLock, bool), OpenError> {
    let is_new = make(directory).map_err(|error| io_failure(directory, error))?;
    let path = directory.join(LOCK_FILE);
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| io_failure(&path, error))?;
    match file.try_lock() {
        Ok(()) => Ok((DirectoryLock { file: Some(file) }, is_new)),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked { directory: directory.to_owned() }),
        Err(TryLockError::Error(error)) => Err(io_failure(&path, error)),
    }
}

/// Makes the directory and those above it that are absent; answers whether it was. A directory is on the disk once the one above
/// it is synced.
fn make(directory: &Path) -> io::Result<bool> {
    let absent: Vec<&Path> = directory.ancestors().take_while(|path| is_absent(path)).collect();
    std::fs::create_dir_all(directory)?;
    let was_absent = !absent.is_empty();
    absent.into_iter().rev().try_for_each(sync_above)?;
    Ok(was_absent)
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

    /// A directory with RocksDB's index, whole or without what it names.
    fn store(path: &Path, whole: bool) {
        let rocks = path.join(ROCKS_DIRECTORY);
        std::fs::create_dir_all(&rocks).unwrap();
        std::fs::write(rocks.join("CURRENT"), "MANIFEST-000004\n").unwrap();
        if whole {
            std::fs::write(rocks.join("MANIFEST-000004"), "").unwrap();
        }
    }

    #[test]
    fn only_stores_of_its_name_are_missed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for other in ["data.set-aside-", "data.set-aside-1x", "data2.set-aside-1", "data.incomplete.1"] {
            store(&at(other), true);
        }
        // What was moved aside was no store, what was prepared is not whole.
        std::fs::create_dir(at("data.set-aside-7")).unwrap();
        store(&at("data.incomplete"), false);
        assert_eq!(OutOfPlace::find(&at("data")), None);
        store(&at("data.incomplete"), true);
        store(&at("data.set-aside-2"), true);
        let found = OutOfPlace::find(&at("data")).unwrap();
        assert_eq!(found.set_aside, [at("data.set-aside-2")]);
        assert_eq!(found.draft, Some(at("data.incomplete")));
        std::fs::create_dir_all(at("data").join(ROCKS_DIRECTORY)).unwrap();
        assert_eq!(OutOfPlace::find(&at("data")), Some(found), "an empty directory is no store");
        assert!(lock(&at("data")).is_err());
        drop(take(&at("data")).unwrap());
        store(&at("data"), false);
        drop(lock(&at("data")).unwrap());
    }

    /// A restore moved the store aside after the first look.
    #[test]
    fn what_was_made_where_a_store_is_missed_is_removed_again() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        store(&at("data.set-aside-1"), true);
        assert!(matches!(take_in_place(&at("data")), Err(OpenError::Failed { .. })));
        assert!(!at("data").exists(), "nothing is in the way of the store that gets the name");
        // What was there before stays.
        std::fs::create_dir(at("data")).unwrap();
        assert!(take_in_place(&at("data")).is_err());
        assert!(at("data").exists());
        drop(take(&at("data")).unwrap());
    }

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
