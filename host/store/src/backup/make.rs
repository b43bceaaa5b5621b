//! Making a backup of a live store.
//!
//! RocksDB links its tables and copies its log into a folder of the store's own file system, which is quick wherever the
//! backup goes. Meanwhile no partition is created: the log would tell of a family that the copied manifest does not have.

use std::fs;
use std::path::Path;

use super::error::BackupError;
use super::files::{self, Draft};
use super::manifest::{self, BackupSummary, Manifest};
use crate::directory::ROCKS_DIRECTORY;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::meta::FORMAT;
use crate::options::Location;
use crate::store::Store;
use crate::suspicion::Suspicion;
use crate::synced::SyncedMark;

/// Where RocksDB's files are brought together, within the store's directory.
const STAGING: &str = "backup.staging";
/// Where RocksDB itself prepares that folder.
const STAGING_DRAFT: &str = "backup.staging.tmp";
/// No write buffer is flushed for a backup: the log has what they hold.
const NEVER_FLUSH: u64 = u64::MAX;

/// Removes what an interrupted backup left in the store's directory: its links would keep expired tables on the disk.
pub(crate) fn clear_staging(directory: &Path) {
    for path in [STAGING, STAGING_DRAFT].map(|name| directory.join(name)) {
        match fs::remove_dir_all(&path) {
            Ok(()) => tracing::info!(path = %path.display(), "what an interrupted backup left was removed"),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "an interrupted backup's files remain");
            }
        }
    }
}

impl Store {
    /// Makes a backup in `target`, which must be absent or an empty directory, while the store goes on. It holds every
    /// record that was acknowledged before the call, whole calls only. On the store's own file system its tables are
    /// links, which take no room of their own but share the disk's fate; elsewhere they are copies.
    ///
    /// # Errors
    /// The store is in memory or no longer writes, the target is not empty, or the file system failed. Then there is
    /// nothing under the target's name.
    pub fn backup(&self, target: &Path) -> Result<BackupSummary, BackupError> {
        self.engine.backup(target)
    }
}

impl Engine {
    fn backup(&self, target: &Path) -> Result<BackupSummary, BackupError> {
        let Location::Directory(store) = &self.options.location else { return Err(BackupError::InMemory) };
        if !files::is_vacant(target)? {
            return Err(BackupError::NotEmpty { directory: target.to_owned() });
        }
        let draft = Draft::begin(target)?;
        let made_at = self.clock.now().to_string();
        let last_sequence = self.bring_together(store, &draft.path().join(ROCKS_DIRECTORY))?;
        let failed = BackupError::io(draft.path(), "written");
        SyncedMark::open(draft.path()).and_then(|mark| mark.reset(last_sequence)).map_err(failed)?;
        if self.database.suspicion().is_raised() {
            Suspicion::at(draft.path()).raise();
        }
        let files = files::entries(draft.path())?;
        let manifest = Manifest { store_format: FORMAT, last_sequence, made_at, files };
        let content = manifest
            .encode()
            .map_err(|source| BackupError::NotABackup { directory: target.to_owned(), source })?;
        let path = draft.path().join(manifest::FILE);
        fs::write(&path, content).map_err(BackupError::io(&path, "written"))?;
        files::sync(&path)?;
        draft.finish()?;
        Ok(manifest.summary())
    }

    /// Puts RocksDB's files as of now into `target`; answers up to which record they certainly go.
    fn bring_together(&self, store: &Path, target: &Path) -> Result<u64, BackupError> {
        let _alone = self.backing_up.lock();
        clear_staging(store);
        let staging = store.join(STAGING);
        let last_sequence = {
            let _held = self.catalogue.hold_creation();
            let last_sequence = self.sync()?;
            rocksdb::checkpoint::Checkpoint::new(self.database.rocks())
                .and_then(|checkpoint| checkpoint.create_checkpoint_with_log_size(&staging, NEVER_FLUSH))
                .map_err(EngineError)?;
            last_sequence
        };
        let moved = files::move_files(&staging, target);
        if moved.is_err() {
            clear_staging(store);
        }
        moved.map(|()| last_sequence)
    }
}
