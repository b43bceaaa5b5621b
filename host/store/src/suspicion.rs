//! That a table was found damaged, kept beside RocksDB in the file `DAMAGED`.
//!
//! RocksDB stops all writes when its compaction meets damage, and meets it again after every opening. While the file is
//! there, an opening reads the partitions that are still compacted through, and lets those that are damaged rest. A lost
//! mark costs one more opening.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// The file's name.
const FILE: &str = "DAMAGED";

/// Whether damage was met, now or before the store was opened.
#[derive(Debug)]
pub(crate) struct Suspicion {
    /// `None` where nothing outlives the process.
    path: Option<PathBuf>,
}

impl Suspicion {
    /// Of a store in memory.
    pub(crate) fn in_memory() -> Self {
        Self { path: None }
    }

    /// Of the store in `directory`.
    pub(crate) fn at(directory: &Path) -> Self {
        Self { path: Some(directory.join(FILE)) }
    }

    /// Whether damage was met. When that cannot be told, it was.
    pub(crate) fn is_raised(&self) -> bool {
        self.path.as_ref().is_some_and(|path| path.try_exists().unwrap_or(true))
    }

    /// Damage was met.
    pub(crate) fn raise(&self) {
        let outcome =
            self.path.as_ref().map_or(Ok(()), |path| File::create(path).and_then(|file| file.sync_all()));
        tell("noted", outcome);
    }

    /// Nothing is damaged.
    pub(crate) fn clear(&self) {
        let outcome = self.path.as_ref().map_or(Ok(()), std::fs::remove_file);
        tell("forgotten", outcome);
    }
}

fn tell(what: &str, outcome: io::Result<()>) {
    if let Err(error) = outcome {
        tracing::warn!(%error, "that a table is damaged could not be {what}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_outlives_the_process_that_raised_it() {
        let directory = tempfile::tempdir().unwrap();
        assert!(!Suspicion::at(directory.path()).is_raised());
        Suspicion::at(directory.path()).raise();
        assert!(Suspicion::at(directory.path()).is_raised());
        Suspicion::at(directory.path()).clear();
        assert!(!Suspicion::at(directory.path()).is_raised());
        Suspicion::in_memory().raise();
        assert!(!Suspicion::in_memory().is_raised());
    }
}
