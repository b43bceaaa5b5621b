//! Copying, summing and syncing the files of a backup.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::error::BackupError;
use super::manifest::FileEntry;
use crate::error::Damage;

/// Bytes read at a time.
const BUFFER_BYTES: usize = 1 << 20;
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

/// A directory that is being prepared beside its final name; removed when it is dropped before it was finished.
#[derive(Debug)]
pub(crate) struct Draft {
    path: PathBuf,
    target: PathBuf,
    done: bool,
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
        name.push(".incomplete");
        let path = parent.join(name);
        match fs::create_dir(&path) {
            Ok(()) => Ok(Self { path, target, done: false }),
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
        fs::rename(&self.path, &self.target).map_err(BackupError::io(&self.target, "put in place"))?;
        self.done = true;
        match self.target.parent() {
            Some(parent) => sync(parent),
            None => Ok(()),
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.done
            && let Err(error) = fs::remove_dir_all(&self.path)
        {
            tracing::warn!(%error, path = %self.path.display(), "an unfinished directory could not be removed");
        }
    }
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
