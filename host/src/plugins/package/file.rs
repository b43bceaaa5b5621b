//! Reads files that nobody vouches for yet: never through a symbolic link, never more than a limit, never what is no file.
//!
//! Invariant: what is read is read once; nothing is looked at by its path first and opened by it later.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

/// A file or folder that is not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// It is a symbolic link, which may lead anywhere.
    #[error("{} is a symbolic link; put the file itself there", path.display())]
    Link {
        /// Where.
        path: PathBuf,
    },
    /// It is a folder, a device, a pipe.
    #[error("{} is not {wanted}", path.display())]
    Kind {
        /// Where.
        path: PathBuf,
        /// What it should be.
        wanted: &'static str,
    },
    /// It is too long.
    #[error("{} has more than {limit} bytes, the limit", path.display())]
    TooLarge {
        /// Where.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// It cannot be read or written.
    #[error("{} cannot be {action}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl FileError {
    pub(crate) fn read(path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Io { path: path.to_owned(), action: "read", source: source.into() }
    }

    pub(super) fn written(path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Io { path: path.to_owned(), action: "written", source: source.into() }
    }
}

/// Whether a symbolic link in the last place of a path is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Links {
    /// Where the operator names the path.
    Follow,
    /// Where the path was found.
    Refuse,
}

/// An open folder: what is read from it is in it, whatever becomes of its path.
#[derive(Debug)]
pub(super) struct Folder {
    handle: OwnedFd,
    path: PathBuf,
}

impl Folder {
    /// Opens the folder; `None` when there is nothing at the path.
    pub(super) fn open(path: &Path, links: Links) -> Result<Option<Self>, FileError> {
        let mut flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        flags.set(OFlags::NOFOLLOW, links == Links::Refuse);
        match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(handle) => Ok(Some(Self { handle, path: path.to_owned() })),
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::LOOP | Errno::NOTDIR) if is_link(path) => {
                Err(FileError::Link { path: path.to_owned() })
            }
            Err(Errno::NOTDIR) => Err(FileError::Kind { path: path.to_owned(), wanted: "a folder" }),
            Err(error) => Err(FileError::read(path, error)),
        }
    }

    /// The path it was opened by.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The bytes of a file in it; `None` when there is no such file. `name` must be a plain file name.
    pub(super) fn read(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, FileError> {
        read_at(&self.handle, Path::new(name), &self.path.join(name), limit, Links::Refuse)
    }
}

/// The bytes of a file; `None` when there is no such file.
pub(super) fn read(path: &Path, limit: u64, links: Links) -> Result<Option<Vec<u8>>, FileError> {
    read_at(CWD, path, path, limit, links)
}

fn read_at(
    folder: impl std::os::fd::AsFd,
    name: &Path,
    path: &Path,
    limit: u64,
    links: Links,
) -> Result<Option<Vec<u8>>, FileError> {
    // A pipe would wait for its other end.
    let mut flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    flags.set(OFlags::NOFOLLOW, links == Links::Refuse);
    let file = match rustix::fs::openat(folder, name, flags, Mode::empty()) {
        Ok(handle) => File::from(handle),
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::LOOP) => return Err(FileError::Link { path: path.to_owned() }),
        Err(error) => return Err(FileError::read(path, error)),
    };
    let found = file.metadata().map_err(|error| FileError::read(path, error))?;
    if !found.is_file() {
        return Err(FileError::Kind { path: path.to_owned(), wanted: "a file" });
    }
    let mut bytes = Vec::new();
    // One byte more than the limit tells a file that is too large, whatever its length claims.
    let most = limit.saturating_add(1);
    file.take(most).read_to_end(&mut bytes).map_err(|error| FileError::read(path, error))?;
    if bytes.len() as u64 > limit {
        return Err(FileError::TooLarge { path: path.to_owned(), limit });
    }
    Ok(Some(bytes))
}

/// Whether the path itself is a symbolic link.
pub(super) fn is_link(path: &Path) -> bool {
    rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Symlink)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn only_files_are_read_and_only_within_the_limit() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        std::fs::write(at("file"), "12345").unwrap();
        std::fs::create_dir(at("folder")).unwrap();
        symlink(at("file"), at("link")).unwrap();
        symlink(at("folder"), at("way")).unwrap();
        rustix::fs::mknodat(CWD, at("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        let folder = Folder::open(directory.path(), Links::Refuse).unwrap().unwrap();
        assert_eq!(folder.read("file", 5).unwrap().unwrap(), b"12345");
        assert!(folder.read("absent", 5).unwrap().is_none());
        assert!(matches!(folder.read("file", 4), Err(FileError::TooLarge { limit: 4, .. })));
        assert!(matches!(folder.read("link", 5), Err(FileError::Link { .. })));
        for no_file in ["folder", "pipe"] {
            assert!(matches!(folder.read(no_file, 5), Err(FileError::Kind { .. })), "{no_file}");
        }
        assert!(matches!(read(&at("link"), 5, Links::Refuse), Err(FileError::Link { .. })));
        assert_eq!(read(&at("link"), 5, Links::Follow).unwrap().unwrap(), b"12345");
        assert!(matches!(Folder::open(&at("way"), Links::Refuse), Err(FileError::Link { .. })));
        assert!(matches!(Folder::open(&at("file"), Links::Refuse), Err(FileError::Kind { .. })));
        assert!(Folder::open(&at("way"), Links::Follow).unwrap().is_some());
        assert!(Folder::open(&at("absent"), Links::Follow).unwrap().is_none());
    }
}
