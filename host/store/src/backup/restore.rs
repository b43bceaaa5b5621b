//! Bringing a backup back, and checking one.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::error::BackupError;
use super::files::{self, Draft};
use super::manifest::{BackupSummary, Manifest};
use crate::directory;

/// What becomes of a store where a backup is to be restored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// It stays: restoring fails unless the directory is absent or empty.
    #[default]
    Keep,
    /// It is moved aside, whole, to a directory beside it.
    SetAside,
}

/// Reads every file of a backup and compares it with the manifest.
///
/// # Errors
/// Names the first file that is missing or not as it was written.
pub fn check_backup(backup: &Path) -> Result<BackupSummary, BackupError> {
    let manifest = Manifest::read(backup)?;
    for entry in &manifest.files {
        let file = entry.within(backup);
        files::compare(entry, &file, files::sums_of(&file, |_| Ok(()))?)?;
    }
    Ok(manifest.summary())
}

/// Copies a backup to where a store shall be. Every file is checked on the way; the directory appears, or replaces the
/// store that is there, only when all were right. Answers what was restored and where the store before went.
///
/// # Errors
/// The backup is not whole, the directory is not empty or its store is open. Then the directory is as it was.
pub fn restore(
    backup: &Path,
    directory: &Path,
    existing: Existing,
) -> Result<(BackupSummary, Option<PathBuf>), BackupError> {
    let vacant = files::is_vacant(directory)?;
    if !vacant && existing == Existing::Keep {
        return Err(BackupError::NotEmpty { directory: directory.to_owned() });
    }
    let manifest = Manifest::read(backup)?;
    // Taken first: nobody must write into what is about to be replaced.
    let lock = match vacant {
        true => None,
        false => Some(directory::take(directory).map_err(|error| BackupError::Taken(Box::new(error)))?),
    };
    let draft = Draft::begin(directory)?;
    for entry in &manifest.files {
        let (from, to) = (entry.within(backup), entry.within(draft.path()));
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(BackupError::io(parent, "made"))?;
        }
        let mut target = File::options()
            .write(true)
            .create_new(true)
            .open(&to)
            .map_err(BackupError::io(&to, "written"))?;
        let found =
            files::sums_of(&from, |part| target.write_all(part).map_err(BackupError::io(&to, "written")))?;
        files::compare(entry, &from, found)?;
        target.sync_all().map_err(BackupError::io(&to, "synced"))?;
    }
    let aside = match lock {
        Some(_) => Some(draft.replace()?),
        None => {
            draft.finish()?;
            None
        }
    };
    Ok((manifest.summary(), aside))
}
