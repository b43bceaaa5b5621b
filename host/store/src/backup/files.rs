//! Copying, summing and syncing the files of a backup.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::error::BackupError;
use super::manifest::FileEntry;
use crate::directory::{INCOMPLETE, SET_ASIDE};
use crate::error::Damage;

/// Bytes read at a time.
const BUFFER_BYTES: usize = 1 << 20;
/// Names tried for a store that is set aside before that is given up.
const MAX_SET_ASIDE: u32 = 1000;
const WHAT: &str = "backup file";

/// Whether nothing is at `directory`, or an empty directory.
pub(super) fn is_vacant(directory: &Path) -> Result<bool, BackupError> {
    match fs::read_dir(directory) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => Ok(false),
        Err(error) => Err(BackupError::io(directory, "read")(error)),
    }
}

/// A directory that is being prepared beside its final name; removed when it is dropped before it was finished, unless it may be
/// all that there is.
#[derive(Debug)]
pub(crate) struct Draft {
    path: PathBuf,
    target: PathBuf,
    /// Whether dropping leaves it where it is.
    stays: bool,
}

impl Draft {
    /// Begins the directory that will be `target`.
    pub(crate) fn begin(target: &Path) -> Result<Self, BackupError> {
        let target = std::path::absolute(target).map_err(BackupError::io(target, "found"))?;
        let (Some(parent), Some(name)) = (target.parent(), target.file_name()) else {
            return Err(BackupError::NotEmpty { directory: target });
        };
        fs::create_dir_all(parent).map_err(BackupError::io(parent, "made"))?;
        let mut name = name.to_owned();
        name.push(INCOMPLETE);
        let path = parent.join(name);
        match fs::create_dir(&path) {
            Ok(()) => Ok(Self { path, target, stays: false }),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                Err(BackupError::Unfinished { directory: path })
            }
            Err(error) => Err(BackupError::io(&path, "made")(error)),
        }
    }

    /// The directory's name until it is finished.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the directory its name. It replaces at most an empty one.
    pub(crate) fn finish(mut self) -> Result<(), BackupError> {
        sync_directories(&self.path)?;
        self.put_in_place()?;
        self.sync_names()
    }

    /// Gives the directory its name; the one that has it is moved aside. Answers where that went.
    pub(crate) fn replace(mut self) -> Result<PathBuf, BackupError> {
        // Before anything is moved: between the two renames nothing has the name, and a crash must not find them far apart.
        sync_directories(&self.path)?;
        self.sync_names()?;
        let aside = set_aside(&self.target)?;
        self.take_place_of(&aside)?;
        self.sync_names().map(|()| aside)
    }

    /// Gives the directory its name, or else gives it back to the one that was moved aside.
    fn take_place_of(&mut self, aside: &Path) -> Result<(), BackupError> {
        let Err(error) = self.put_in_place() else { return Ok(()) };
        fs::rename(aside, &self.target).map_err(|failed| {
            // Neither has the name: which of them gets it is not for a failing file system to decide.
            self.stays = true;
            BackupError::io(aside, "put back")(failed)
        })?;
        Err(error)
    }

    fn put_in_place(&mut self) -> Result<(), BackupError> {
        fs::rename(&self.path, &self.target).map_err(BackupError::io(&self.target, "put in place"))?;
        self.stays = true;
        Ok(())
    }

    fn sync_names(&self) -> Result<(), BackupError> {
        self.target.parent().map_or(Ok(()), sync)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.stays
            && let Err(error) = fs::remove_dir_all(&self.path)
        {
            tracing::warn!(%error, path = %self.path.display(), "an unfinished directory could not be removed");
        }
    }
}

/// Moves a directory, which is named from the root on, to a name beside it that is free.
fn set_aside(directory: &Path) -> Result<PathBuf, BackupError> {
    for number in 1..MAX_SET_ASIDE {
        let mut name = directory.file_name().unwrap_or_default().to_owned();
        name.push(format!("{SET_ASIDE}{number}"));
        let aside = directory.with_file_name(name);
        if aside.try_exists().map_err(BackupError::io(&aside, "found"))? {
            continue;
        }
        fs::rename(directory, &aside).map_err(BackupError::io(directory, "moved aside"))?;
        return Ok(aside);
    }
    Err(BackupError::NotEmpty { directory: directory.to_owned() })
}

/// Makes a file, or a directory's entries, durable.
pub(super) fn sync(path: &Path) -> Result<(), BackupError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(BackupError::io(path, "synced"))
}

fn sync_directories(directory: &Path) -> Result<(), BackupError> {
    for entry in fs::read_dir(directory).map_err(BackupError::io(directory, "read"))? {
        let entry = entry.map_err(BackupError::io(directory, "read"))?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            sync_directories(&entry.path())?;
        }
    }
    sync(directory)
}

/// Moves a directory of files; copies them where it lies on another file system.
pub(super) fn move_files(from: &Path, to: &Path) -> Result<(), BackupError> {
    match fs::rename(from, to) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::CrossesDevices => {}
        Err(error) => return Err(BackupError::io(to, "written")(error)),
    }
    fs::create_dir(to).map_err(BackupError::io(to, "made"))?;
    for entry in fs::read_dir(from).map_err(BackupError::io(from, "read"))? {
        let entry = entry.map_err(BackupError::io(from, "read"))?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    fs::remove_dir_all(from).map_err(BackupError::io(from, "removed"))
}

/// Copies a file and syncs the copy; answers length and checksum of what was copied.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(u64, u32), BackupError> {
    let mut target =
        File::options().write(true).create_new(true).open(to).map_err(BackupError::io(to, "written"))?;
    let sums = read_through(from, |part| target.write_all(part).map_err(BackupError::io(to, "written")))?;
    target.sync_all().map_err(BackupError::io(to, "synced"))?;
    Ok(sums)
}

/// The entries of all files below `directory`, which are synced.
pub(super) fn entries(directory: &Path) -> Result<Vec<FileEntry>, BackupError> {
    let mut found = Vec::new();
    collect(directory, "", &mut found)?;
    found.sort_by(|one: &FileEntry, two| one.path.cmp(&two.path));
    Ok(found)
}

fn collect(directory: &Path, prefix: &str, found: &mut Vec<FileEntry>) -> Result<(), BackupError> {
    for entry in fs::read_dir(directory).map_err(BackupError::io(directory, "read"))? {
        let entry = entry.map_err(BackupError::io(directory, "read"))?;
        let path = entry.path();
        // All names are RocksDB's and ours: plain text.
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type().map_err(BackupError::io(&path, "read"))?.is_dir() {
            collect(&path, &format!("{name}/"), found)?;
        } else {
            sync(&path)?;
            let (bytes, crc32c) = read_through(&path, |_| Ok(()))?;
            found.push(FileEntry { path: name, bytes, crc32c });
        }
    }
    Ok(())
}

/// Whether a file's length and checksum, as read, are those of its entry.
pub(super) fn compare(entry: &FileEntry, file: &Path, found: (u64, u32)) -> Result<(), BackupError> {
    let damaged =
        |reason: String| BackupError::Damaged { file: file.to_owned(), source: Damage::new(WHAT, reason) };
    match found {
        (bytes, _) if bytes != entry.bytes => {
            Err(damaged(format!("it has {bytes} bytes instead of {}", entry.bytes)))
        }
        (_, sum) if sum != entry.crc32c => Err(damaged("its checksum does not match".to_owned())),
        _ => Ok(()),
    }
}

/// Reads a file that a manifest names, showing its parts; a missing one is damage.
pub(super) fn sums_of(
    file: &Path,
    see: impl FnMut(&[u8]) -> Result<(), BackupError>,
) -> Result<(u64, u32), BackupError> {
    read_through(file, see).map_err(|error| match error {
        BackupError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            BackupError::Damaged { file: file.to_owned(), source: Damage::new(WHAT, "it is missing") }
        }
        error => error,
    })
}

fn read_through(
    path: &Path,
    mut see: impl FnMut(&[u8]) -> Result<(), BackupError>,
) -> Result<(u64, u32), BackupError> {
    let mut file = File::open(path).map_err(BackupError::io(path, "read"))?;
    let mut buffer = vec![0; BUFFER_BYTES];
    let (mut bytes, mut sum) = (0_u64, 0);
    loop {
        let read = match file.read(&mut buffer) {
            Ok(0) => return Ok((bytes, sum)),
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(BackupError::io(path, "read")(error)),
        };
        let part = buffer.get(..read).unwrap_or_default();
        sum = crc32c::crc32c_append(sum, part);
        bytes = bytes.saturating_add(read as u64);
        see(part)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_stays_where_neither_it_nor_what_it_replaces_has_the_name() {
        let folder = tempfile::tempdir().unwrap();
        let (target, aside) = (folder.path().join("data"), folder.path().join("data.set-aside-1"));
        for name_is_taken in [false, true] {
            let mut draft = Draft::begin(&target).unwrap();
            let path = draft.path().to_owned();
            fs::create_dir_all(&aside).unwrap();
            if name_is_taken {
                // By somebody who does not know what goes on.
                fs::create_dir(&target).unwrap();
                fs::write(target.join("file"), "").unwrap();
                assert!(draft.take_place_of(&aside).is_err());
                drop(draft);
                assert!(path.exists() && aside.exists(), "both are there for the operator");
            } else {
                draft.take_place_of(&aside).unwrap();
                drop(draft);
                assert!(target.exists() && !path.exists() && aside.exists());
                fs::remove_dir(&target).unwrap();
            }
        }
    }
}
