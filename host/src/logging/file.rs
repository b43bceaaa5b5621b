//! The log file: whole lines, appended, rotated by size.
//!
//! Other processes, and other hosts of this one, may write to the same file: each line is one appending write, only
//! the holder of the file's lock rotates, and a file that was moved away is noticed within a second.
//!
//! Invariant: what is in the file ends with a newline, but for a line whose writing a crash or full disk cut off; such
//! a line is ended before the next one.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use telemetry_core::limits;

use super::rotation;

/// Payloads may be confidential: others cannot read the log.
const MODE: u32 = 0o640;

/// How the file is written.
#[derive(Clone, Debug)]
pub(super) struct FileOptions {
    pub(super) path: PathBuf,
    pub(super) max_size: u64,
    pub(super) kept: u32,
}

/// The open log file.
#[derive(Debug)]
pub(super) struct LogFile {
    options: FileOptions,
    file: File,
    identity: (u64, u64),
    /// As far as known: others may have appended.
    size: u64,
    /// Devices and pipes have no size to speak of.
    regular: bool,
    /// The file ends in the middle of a line.
    torn: bool,
    next_look: Duration,
    next_rotation: Duration,
    /// Rotations done, and the last failure of one that was not reported yet.
    pub(super) rotations: u64,
    pub(super) rotation_fault: Option<io::Error>,
}

impl LogFile {
    /// Opens or makes the file and its directory.
    pub(super) fn open(options: FileOptions) -> io::Result<Self> {
        if let Some(directory) = options.path.parent().filter(|path| !path.as_os_str().is_empty()) {
            std::fs::create_dir_all(directory)?;
        }
        let (file, metadata) = open(&options.path)?;
        let regular = metadata.is_file();
        let mut log = Self {
            identity: (metadata.dev(), metadata.ino()),
            size: metadata.len(),
            torn: regular && ends_torn(&options.path, metadata.len()),
            options,
            file,
            regular,
            next_look: Duration::ZERO,
            next_rotation: Duration::ZERO,
            rotations: 0,
            rotation_fault: None,
        };
        if regular {
            log.rotation_fault = rotation::remove_beyond(&log.options.path, log.options.kept).err();
        }
        Ok(log)
    }

    /// Writes one line, which ends with its newline; `now` is monotonic. A failure wrote nothing of it.
    pub(super) fn write_line(&mut self, line: &[u8], now: Duration) -> io::Result<()> {
        if now >= self.next_look {
            self.next_look = now.saturating_add(limits::LOG_FILE_CHECK_INTERVAL);
            self.follow()?;
        }
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        let full = self.size > 0 && self.size.saturating_add(length) > self.options.max_size;
        if self.regular && full && now >= self.next_rotation {
            match self.rotate() {
                Ok(()) => {}
                Err(fault) => {
                    // Better a file that is too large than lines that are lost.
                    self.rotation_fault = Some(fault);
                    self.next_rotation = now.saturating_add(limits::LOG_ROTATION_RETRY);
                }
            }
        }
        if self.torn {
            self.write_whole(b"\n")?;
            self.torn = false;
        }
        self.write_whole(line)
    }

    /// Hands everything to the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        if self.regular { self.file.sync_data() } else { Ok(()) }
    }

    /// Opens the file anew when the path leads elsewhere: somebody moved it away or rotated it.
    fn follow(&mut self) -> io::Result<()> {
        match std::fs::metadata(&self.options.path) {
            Ok(metadata) if (metadata.dev(), metadata.ino()) == self.identity => {
                self.size = metadata.len();
                Ok(())
            }
            Ok(_) => self.reopen(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.reopen(),
            Err(error) => Err(error),
        }
    }

    fn reopen(&mut self) -> io::Result<()> {
        if let Some(directory) = self.options.path.parent().filter(|path| !path.as_os_str().is_empty()) {
            std::fs::create_dir_all(directory)?;
        }
        let (file, metadata) = open(&self.options.path)?;
        self.file = file;
        self.identity = (metadata.dev(), metadata.ino());
        self.size = metadata.len();
        self.regular = metadata.is_file();
        self.torn = false;
        Ok(())
    }

    /// Moves the full file to `.1` and begins a new one. When another writer is at it, nothing is done.
    fn rotate(&mut self) -> io::Result<()> {
        match self.file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // Whoever waited for nothing may still have been overtaken before the lock was taken.
        let metadata = match std::fs::metadata(&self.options.path) {
            Ok(metadata) if (metadata.dev(), metadata.ino()) == self.identity => metadata,
            _ => return self.reopen(),
        };
        self.size = metadata.len();
        let moved = self.make_room();
        let unlocked = self.file.unlock();
        moved?;
        unlocked?;
        if self.options.kept > 0 {
            // If this fails, lines still go to the full file, and the next look tries again.
            self.reopen()?;
        }
        self.rotations += 1;
        Ok(())
    }

    fn make_room(&mut self) -> io::Result<()> {
        if self.options.kept == 0 {
            self.file.set_len(0)?;
            self.size = 0;
            return Ok(());
        }
        rotation::shift(&self.options.path, self.options.kept)?;
        std::fs::rename(&self.options.path, rotation::numbered(&self.options.path, 1))
    }

    /// One write for a whole line, as a rule; a short one is continued, and undone if that fails.
    fn write_whole(&mut self, line: &[u8]) -> io::Result<()> {
        let mut rest = line;
        while !rest.is_empty() {
            let fault = match self.file.write(rest) {
                Ok(0) => io::ErrorKind::WriteZero.into(),
                Ok(written) => {
                    rest = rest.get(written..).unwrap_or_default();
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => error,
            };
            self.take_back(line.len() - rest.len());
            return Err(fault);
        }
        self.size = self.size.saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    /// Removes the beginning of a line that could not be finished; if another writer already went on behind it, the
    /// line is ended later.
    fn take_back(&mut self, written: usize) {
        if written == 0 || !self.regular {
            return;
        }
        let cut = || -> io::Result<bool> {
            let end = (&self.file).stream_position()?;
            let is_last = self.file.metadata()?.len() == end;
            if is_last {
                self.file.set_len(end.saturating_sub(u64::try_from(written).unwrap_or(u64::MAX)))?;
            }
            Ok(is_last)
        };
        self.torn = !matches!(cut(), Ok(true));
    }
}

fn open(path: &Path) -> io::Result<(File, std::fs::Metadata)> {
    let file = OpenOptions::new().append(true).create(true).mode(MODE).open(path)?;
    let metadata = file.metadata()?;
    Ok((file, metadata))
}

/// Whether the last byte is not a newline; a file that cannot be read is taken for whole.
fn ends_torn(path: &Path, size: u64) -> bool {
    if size == 0 {
        return false;
    }
    let mut last = [0_u8];
    let read = File::open(path).and_then(|mut file| {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)
    });
    read.is_ok() && last != *b"\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(directory: &Path, max_size: u64, kept: u32) -> FileOptions {
        FileOptions { path: directory.join("logs/t.log"), max_size, kept }
    }

    fn read(options: &FileOptions, n: u32) -> String {
        let path = if n == 0 { options.path.clone() } else { rotation::numbered(&options.path, n) };
        std::fs::read_to_string(path).unwrap_or_default()
    }

    /// All lines, the oldest first.
    fn lines(options: &FileOptions) -> Vec<String> {
        let files = (0..=options.kept).rev().map(|n| read(options, n));
        files.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
    }

    fn line(n: usize) -> Vec<u8> {
        format!("{n:09}\n").into_bytes()
    }

    #[test]
    fn full_files_move_up_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let options = options(directory.path(), 30, 2);
        let mut log = LogFile::open(options.clone()).unwrap();
        for n in 0..11 {
            log.write_line(&line(n), Duration::ZERO).unwrap();
        }
        assert_eq!(log.rotations, 3);
        let range = |range: std::ops::Range<usize>| range.map(|n| format!("{n:09}\n")).collect::<String>();
        assert_eq!(read(&options, 0), range(9..11));
        assert_eq!(read(&options, 1), range(6..9));
        assert_eq!(read(&options, 2), range(3..6));
        assert_eq!(read(&options, 3), "");
        // A line that is larger than a file has one for itself.
        log.write_line(format!("{}\n", "x".repeat(99)).as_bytes(), Duration::ZERO).unwrap();
        assert_eq!(read(&options, 0).len(), 100);
        log.write_line(&line(12), Duration::ZERO).unwrap();
        assert_eq!(read(&options, 1).len(), 100);
    }

    #[test]
    fn a_restart_goes_on_where_it_stopped() {
        let directory = tempfile::tempdir().unwrap();
        let mut options = options(directory.path(), 30, 9);
        for n in 0..17 {
            LogFile::open(options.clone()).unwrap().write_line(&line(n), Duration::ZERO).unwrap();
        }
        assert_eq!(lines(&options), (0..17).map(|n| format!("{n:09}")).collect::<Vec<_>>());
        options.kept = 2;
        LogFile::open(options.clone()).unwrap();
        assert_eq!(read(&options, 3), "");
        assert_eq!(lines(&options).len(), 8);
    }

    #[test]
    fn with_nothing_kept_a_full_file_is_emptied() {
        let directory = tempfile::tempdir().unwrap();
        let options = options(directory.path(), 30, 0);
        let mut log = LogFile::open(options.clone()).unwrap();
        for n in 0..4 {
            log.write_line(&line(n), Duration::ZERO).unwrap();
        }
        assert_eq!(lines(&options), ["000000003"]);
        assert_eq!(read(&options, 1), "");
    }

    #[test]
    fn a_line_that_was_cut_off_is_ended() {
        let directory = tempfile::tempdir().unwrap();
        let options = options(directory.path(), 1000, 1);
        std::fs::create_dir(directory.path().join("logs")).unwrap();
        std::fs::write(&options.path, "whole\ncut of").unwrap();
        LogFile::open(options.clone()).unwrap().write_line(b"next\n", Duration::ZERO).unwrap();
        assert_eq!(lines(&options), ["whole", "cut of", "next"]);
    }

    #[test]
    fn the_beginning_of_a_failed_line_is_taken_back() {
        let directory = tempfile::tempdir().unwrap();
        let options = options(directory.path(), 1000, 1);
        let mut log = LogFile::open(options.clone()).unwrap();
        log.write_line(b"whole\n", Duration::ZERO).unwrap();
        log.file.write_all(b"beginn").unwrap();
        log.take_back(6);
        log.write_line(b"next\n", Duration::ZERO).unwrap();
        assert_eq!(read(&options, 0), "whole\nnext\n");
        // Somebody else went on behind it.
        log.file.write_all(b"beginn").unwrap();
        LogFile::open(options.clone()).unwrap().file.write_all(b"other\n").unwrap();
        log.take_back(6);
        log.write_line(b"last\n", Duration::ZERO).unwrap();
        assert_eq!(read(&options, 0), "whole\nnext\nbeginnother\n\nlast\n");
    }

    #[test]
    fn a_file_that_was_moved_away_is_begun_anew() {
        let directory = tempfile::tempdir().unwrap();
        let options = options(directory.path(), 1000, 1);
        let mut log = LogFile::open(options.clone()).unwrap();
        log.write_line(&line(0), Duration::ZERO).unwrap();
        std::fs::rename(&options.path, directory.path().join("moved")).unwrap();
        log.write_line(&line(1), limits::LOG_FILE_CHECK_INTERVAL).unwrap();
        assert_eq!(lines(&options), ["000000001"]);
        std::fs::remove_dir_all(directory.path().join("logs")).unwrap();
        log.write_line(&line(2), limits::LOG_FILE_CHECK_INTERVAL * 2).unwrap();
        assert_eq!(lines(&options), ["000000002"]);
    }

    #[test]
    fn a_rotation_that_fails_loses_no_line() {
        let directory = tempfile::tempdir().unwrap();
        let options = options(directory.path(), 30, 2);
        let mut log = LogFile::open(options.clone()).unwrap();
        // A directory that is not empty cannot be replaced by a file.
        std::fs::create_dir_all(rotation::numbered(&options.path, 1).join("x")).unwrap();
        std::fs::create_dir_all(rotation::numbered(&options.path, 2).join("x")).unwrap();
        for n in 0..9 {
            log.write_line(&line(n), Duration::ZERO).unwrap();
        }
        assert!(log.rotation_fault.is_some());
        assert_eq!(read(&options, 0).lines().count(), 9);
        std::fs::remove_dir_all(rotation::numbered(&options.path, 1)).unwrap();
        log.write_line(&line(9), limits::LOG_ROTATION_RETRY).unwrap();
        assert_eq!((read(&options, 1).lines().count(), read(&options, 0).lines().count()), (9, 1));
    }

    #[test]
    fn several_writers_lose_and_split_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let options = options(directory.path(), 2_000, 900);
        let (writers, each) = (4, 3_000);
        std::thread::scope(|scope| {
            for writer in 0..writers {
                let mut log = LogFile::open(options.clone()).unwrap();
                scope.spawn(move || {
                    for n in 0..each {
                        // Every write looks for the file, as if a second had passed.
                        let now = limits::LOG_FILE_CHECK_INTERVAL * u32::try_from(n).unwrap();
                        log.write_line(&line(writer * each + n), now).unwrap();
                    }
                });
            }
        });
        let mut found = lines(&options);
        found.sort();
        assert_eq!(found, (0..writers * each).map(|n| format!("{n:09}")).collect::<Vec<_>>());
    }
}
