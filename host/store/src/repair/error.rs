//! Why a store could not be repaired, with the remedy.

use std::path::{Path, PathBuf};

use crate::backup::BackupError;
use crate::error::{EngineError, OpenError, StoreError};

/// Why a store could not be repaired. The store is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepairError {
    /// There is nothing on the disk to repair.
    #[error("a store in memory cannot be repaired; open it in a directory")]
    InMemory,
    /// The directory is not a store's.
    #[error("there is no store in {}", directory.display())]
    NoStore {
        /// The directory.
        directory: PathBuf,
    },
    /// The store is in use or cannot be locked.
    #[error("the store to be repaired cannot be taken; stop the host that has it open")]
    Taken(#[source] Box<OpenError>),
    /// The files could not be linked, copied or put in place.
    #[error("the repaired store could not be put together")]
    Files(#[from] BackupError),
    /// What is left cannot be read as a store.
    #[error("the store in {} cannot be repaired; restore a backup", directory.display())]
    Hopeless {
        /// The store's directory.
        directory: PathBuf,
        /// At what repairing ended.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl RepairError {
    /// What ended repairing the store in `directory`.
    pub(super) fn of(directory: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Hopeless { directory: directory.to_owned(), source: source.into() }
    }
}

/// What ends repairing, before the directory is known to the error.
pub(super) type Stop = Box<dyn std::error::Error + Send + Sync>;

/// RocksDB's words as an error of this crate.
pub(super) fn engine(error: rocksdb::Error) -> Stop {
    Box::new(EngineError(error))
}

/// Something of the store that cannot be read or written at all.
pub(super) fn store(error: StoreError) -> Stop {
    Box::new(error)
}
