//! The numbered files beside the log: `NAME.1` is the newest full one.

use std::io;
use std::path::{Path, PathBuf};

/// The `n`-th full file of the log at `path`.
pub(super) fn numbered(path: &Path, n: u32) -> PathBuf {
    path.with_added_extension(n.to_string())
}

/// Makes room for a new `.1`: files move up by one, as far as the first gap; at `count` the oldest is removed.
/// A crash in between leaves a gap and loses nothing.
pub(super) fn shift(path: &Path, count: u32) -> io::Result<()> {
    let mut first_free = 1;
    while first_free < count && numbered(path, first_free).symlink_metadata().is_ok() {
        first_free += 1;
    }
    // Renaming onto the last one removes it.
    for n in (1..first_free).rev() {
        std::fs::rename(numbered(path, n), numbered(path, n + 1))?;
    }
    Ok(())
}

/// Removes full files beyond `count`, which are there when fewer are kept than before. Other files are left alone.
pub(super) fn remove_beyond(path: &Path, count: u32) -> io::Result<()> {
    let (Some(name), Some(directory)) = (path.file_name().and_then(|name| name.to_str()), path.parent())
    else {
        return Ok(());
    };
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let number = entry.file_name().to_str().and_then(|found| {
            let digits = found.strip_prefix(name)?.strip_prefix('.')?;
            let number = digits.parse::<u32>().ok()?;
            (number.to_string() == digits).then_some(number)
        });
        if number.is_some_and(|number| number > count) && entry.file_type()?.is_file() {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(directory: &Path) -> Vec<String> {
        let mut found = std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| {
                let text = std::fs::read_to_string(&path).unwrap();
                format!("{}={text}", path.file_name().unwrap().to_str().unwrap())
            })
            .collect::<Vec<_>>();
        found.sort();
        found
    }

    fn files(contents: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in contents {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        let path = directory.path().join("t.log");
        (directory, path)
    }

    #[test]
    fn files_move_up_and_the_oldest_goes() {
        let (directory, path) =
            files(&[("t.log", "d"), ("t.log.1", "c"), ("t.log.2", "b"), ("t.log.3", "a")]);
        shift(&path, 3).unwrap();
        assert_eq!(listing(directory.path()), ["t.log.2=c", "t.log.3=b", "t.log=d"]);
    }

    #[test]
    fn a_gap_takes_the_shift_up() {
        let (directory, path) = files(&[("t.log.1", "c"), ("t.log.3", "a")]);
        shift(&path, 3).unwrap();
        assert_eq!(listing(directory.path()), ["t.log.2=c", "t.log.3=a"]);
        shift(&path, 3).unwrap();
        assert_eq!(listing(directory.path()), ["t.log.2=c", "t.log.3=a"]);
    }

    #[test]
    fn only_full_files_beyond_the_count_are_removed() {
        let names = [
            "t.log",
            "t.log.1",
            "t.log.2",
            "t.log.03",
            "t.log.4",
            "t.log.4.gz",
            "t.log.x",
            "s.log.9",
            "t.logx.9",
        ];
        let (directory, path) = files(&names.map(|name| (name, "")));
        std::fs::create_dir(directory.path().join("t.log.7")).unwrap();
        remove_beyond(&path, 2).unwrap();
        std::fs::remove_dir(directory.path().join("t.log.7")).unwrap();
        let left = [
            "s.log.9=",
            "t.log.03=",
            "t.log.1=",
            "t.log.2=",
            "t.log.4.gz=",
            "t.log.x=",
            "t.log=",
            "t.logx.9=",
        ];
        let mut left = left.to_vec();
        left.sort_unstable();
        assert_eq!(listing(directory.path()), left);
    }
}
