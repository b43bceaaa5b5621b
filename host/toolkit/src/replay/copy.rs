//! A copy of a store that nobody has open: RocksDB's tables never change and are linked, the few other files are copied.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// Locked as long as a store is open.
const LOCK_FILE: &str = "store.lock";
/// RocksDB's files.
const ROCKS_DIRECTORY: &str = "rocksdb";

/// A copy; it is removed when this is dropped.
#[derive(Debug)]
pub struct StoreCopy {
    directory: PathBuf,
    _temporary: TempDir,
}

/// A store cannot be copied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// There is no store.
    #[error("{} is no store", directory.display())]
    NoStore {
        /// Where one was looked for.
        directory: PathBuf,
    },
    /// It is open.
    #[error("the store in {} is in use by a process that is no host that answers", directory.display())]
    InUse {
        /// The store.
        directory: PathBuf,
    },
    /// A file cannot be read, linked or copied.
    #[error("cannot copy {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl StoreCopy {
    /// A folder for a copy, beside `store` where that can be written, so that tables need no copying.
    pub fn folder(store: &Path) -> Result<TempDir, CopyError> {
        let absolute = std::path::absolute(store).ok();
        let beside = absolute.as_deref().and_then(Path::parent);
        let builder = |folder: &Path| tempfile::Builder::new().prefix(".replay-").tempdir_in(folder);
        let made = beside.map(builder).and_then(Result::ok);
        made.map_or_else(|| builder(&std::env::temp_dir()), Ok)
            .map_err(|source| CopyError::File { path: store.to_owned(), source })
    }

    /// What was copied to `directory` within `temporary` by other means, such as restoring a backup.
    pub fn made(directory: PathBuf, temporary: TempDir) -> Self {
        Self { directory, _temporary: temporary }
    }

    /// Copies the store in `store`, which must not be open. Nothing in it is changed.
    pub fn of(store: &Path) -> Result<Self, CopyError> {
        let rocks = store.join(ROCKS_DIRECTORY);
        if !rocks.is_dir() {
            return Err(CopyError::NoStore { directory: store.to_owned() });
        }
        let path = store.join(LOCK_FILE);
        let lock = match File::open(&path) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(CopyError::File { path, source }),
        };
        match lock.as_ref().map(File::try_lock) {
            None | Some(Ok(())) => {}
            Some(Err(TryLockError::WouldBlock)) => {
                return Err(CopyError::InUse { directory: store.to_owned() });
            }
            Some(Err(TryLockError::Error(source))) => return Err(CopyError::File { path, source }),
        }
        let temporary = Self::folder(store)?;
        let directory = temporary.path().join("store");
        copy_folder(&rocks, &directory.join(ROCKS_DIRECTORY))?;
        Ok(Self { directory, _temporary: temporary })
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), CopyError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| CopyError::File { path, source }
    };
    fs::create_dir_all(to).map_err(failed(to))?;
    for entry in fs::read_dir(from).map_err(failed(from))? {
        let entry = entry.map_err(failed(from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if !entry.file_type().map_err(failed(&source))?.is_file() {
            continue;
        }
        let is_table = source.extension().is_some_and(|extension| extension == "sst");
        if !(is_table && fs::hard_link(&source, &target).is_ok()) {
            fs::copy(&source, &target).map_err(failed(&source))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_store_is_not_copied() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store");
        assert!(matches!(StoreCopy::of(&store), Err(CopyError::NoStore { .. })));
        fs::create_dir_all(store.join(ROCKS_DIRECTORY)).unwrap();
        for name in ["1.sst", "CURRENT"] {
            fs::write(store.join(ROCKS_DIRECTORY).join(name), name).unwrap();
        }
        let lock = File::create(store.join(LOCK_FILE)).unwrap();
        lock.lock().unwrap();
        assert!(matches!(StoreCopy::of(&store), Err(CopyError::InUse { .. })));
        lock.unlock().unwrap();
        let copy = StoreCopy::of(&store).unwrap();
        let rocks = copy.directory().join(ROCKS_DIRECTORY);
        assert_eq!(fs::read_to_string(rocks.join("1.sst")).unwrap(), "1.sst");
        fs::write(rocks.join("CURRENT"), "changed").unwrap();
        assert_eq!(fs::read_to_string(store.join(ROCKS_DIRECTORY).join("CURRENT")).unwrap(), "CURRENT");
        let made = copy.directory().to_owned();
        drop(copy);
        assert!(!made.exists());
    }
}
