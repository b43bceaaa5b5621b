//! Which files and packages changed: seen by sizes and times, twice alike before it counts, so that a file that is being written
//! is left alone.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use telemetry_core::limits::{MAX_PACKAGE_ENTRIES, MAX_WATCHED_FILES};

use crate::config::is_package;
use crate::plugins::package::{MANIFEST_FILE, SIGNATURE_SUFFIX};

/// What a file looked like, with the manifest beside it; or what the files of a package's folder looked like, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mark(Vec<(OsString, Option<SystemTime>, u64)>);

impl Mark {
    fn of(place: &Path) -> Option<Self> {
        let mut files = Vec::new();
        if is_package(place) {
            let entries = std::fs::read_dir(place).ok()?.take(MAX_PACKAGE_ENTRIES);
            files.extend(entries.filter_map(|entry| look_at(&entry.ok()?.path())));
            files.sort();
        } else {
            files.push(look_at(place)?);
            let beside = [MANIFEST_FILE.to_owned(), format!("{MANIFEST_FILE}{SIGNATURE_SUFFIX}")];
            files.extend(beside.iter().filter_map(|name| look_at(&place.with_file_name(name))));
        }
        Some(Self(files))
    }
}

fn look_at(file: &Path) -> Option<(OsString, Option<SystemTime>, u64)> {
    let found = std::fs::metadata(file).ok().filter(std::fs::Metadata::is_file)?;
    Some((file.file_name()?.to_owned(), found.modified().ok(), found.len()))
}

#[derive(Debug, Default)]
struct Watched {
    /// As it was when it counted last.
    settled: Option<Mark>,
    /// As it was at the last look, if that is something else.
    seen: Option<Mark>,
}

/// The files that are watched.
#[derive(Debug, Default)]
pub(super) struct FileWatch {
    files: BTreeMap<PathBuf, Watched>,
}

/// What a look found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// Files that are new, or other than they were.
    pub(super) changed: Vec<PathBuf>,
    /// Files that are gone.
    pub(super) gone: Vec<PathBuf>,
}

impl FileWatch {
    /// Watches these files from what they are now.
    pub(super) fn of(files: impl IntoIterator<Item = PathBuf>) -> Self {
        let watched = |file: PathBuf| {
            let mark = Mark::of(&file);
            (file, Watched { settled: mark.clone(), seen: mark })
        };
        Self { files: files.into_iter().take(MAX_WATCHED_FILES).map(watched).collect() }
    }

    /// Tells a file as changed once more.
    pub(super) fn look_again(&mut self, file: &Option<PathBuf>) {
        if let Some(watched) = file.as_ref().and_then(|file| self.files.get_mut(file)) {
            watched.settled = None;
        }
    }

    /// Looks at `files`; others are forgotten, told as gone if they were there.
    pub(super) fn look(&mut self, files: &BTreeSet<PathBuf>) -> Changes {
        let mut changes = Changes::default();
        let no_more = self.files.extract_if(.., |file, _| !files.contains(file));
        let gone = no_more.filter(|(_, watched)| watched.settled.is_some()).map(|(file, _)| file);
        changes.gone.extend(gone);
        for file in files.iter().take(MAX_WATCHED_FILES) {
            let watched = self.files.entry(file.clone()).or_default();
            let mark = Mark::of(file);
            let was_seen = std::mem::replace(&mut watched.seen, mark.clone()) == mark;
            if mark == watched.settled || !was_seen {
                continue;
            }
            let list = if mark.is_some() { &mut changes.changed } else { &mut changes.gone };
            watched.settled = mark;
            list.push(file.clone());
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(file: &Path, text: &str, second: u64) {
        std::fs::write(file, text).unwrap();
        let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(second);
        std::fs::File::options().write(true).open(file).unwrap().set_modified(time).unwrap();
    }

    #[test]
    fn a_change_counts_when_it_was_seen_twice_alike() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.wasm");
        let files = BTreeSet::from([file.clone()]);
        let mut watch = FileWatch::default();
        let changed = || Changes { changed: vec![file.clone()], gone: vec![] };
        let gone = || Changes { changed: vec![], gone: vec![file.clone()] };
        assert_eq!(watch.look(&files), Changes::default(), "it is not there");
        write(&file, "half", 1);
        assert_eq!(watch.look(&files), Changes::default());
        write(&file, "whole", 2);
        assert_eq!(watch.look(&files), Changes::default(), "it still changes");
        assert_eq!(watch.look(&files), changed());
        assert_eq!(watch.look(&files), Changes::default());
        write(&file, "other", 3);
        assert_eq!(watch.look(&files), Changes::default());
        assert_eq!(watch.look(&files), changed(), "the same size at another time");
        std::fs::remove_file(&file).unwrap();
        assert_eq!(watch.look(&files), Changes::default());
        assert_eq!(watch.look(&files), gone());
        assert_eq!(watch.look(&files), Changes::default());
        write(&file, "back", 4);
        assert_eq!((watch.look(&files), watch.look(&files)), (Changes::default(), changed()));
        assert_eq!(watch.look(&BTreeSet::new()), gone(), "it is not named any more");
    }
}
