//! Why a backup could not be made or brought back, with the remedy.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Damage, EngineError, OpenError, StoreError};

/// Why a backup could not be made or brought back. The store, and the directory that was to be written, are as they were.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// There is nothing on the disk to back up.
    #[error("a store in memory cannot be backed up; open it in a directory")]
    InMemory,
    /// The target holds something.
    #[error("{} is not empty; choose another directory", directory.display())]
    NotEmpty {
        /// The target.
        directory: PathBuf,
    },
    /// The name under which the target is prepared is taken.
    #[error(
        "{} is there: another backup or restore is under way, or one was interrupted; if none is, remove it",
        directory.display()
    )]
    Unfinished {
        /// The directory in the way.
        directory: PathBuf,
    },
    /// The directory is not a backup, or not a whole one.
    #[error("{} is not a whole backup", directory.display())]
    NotABackup {
        /// The directory.
        directory: PathBuf,
        /// What is missing or wrong.
        #[source]
        source: Damage,
    },
    /// A newer release made this backup.
    #[error("the backup in {} has store format {found}, this release knows formats up to {known}; use a newer release", directory.display())]
    NewerFormat {
        /// The backup.
        directory: PathBuf,
        /// Its store's format.
        found: u32,
        /// The newest format this release knows.
        known: u32,
    },
    /// A file of the backup is not as it was written.
    #[error("{} of the backup is damaged; use another backup", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What differs.
        #[source]
        source: Damage,
    },
    /// The directory to be replaced is in use or cannot be locked.
    #[error("the store to be replaced cannot be taken")]
    Taken(#[source] Box<OpenError>),
    /// The store cannot be read or does not accept work.
    #[error("the store could not be backed up")]
    Store(#[from] StoreError),
    /// RocksDB could not make the copy.
    #[error("the store's files could not be brought together")]
    Engine(#[from] EngineError),
    /// The file system failed.
    #[error("{} could not be {done}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was to be done with it, such as "written".
        done: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl BackupError {
    pub(crate) fn io(path: &Path, done: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, done, source }
    }
}
