//! The store's files in the directory in which it is repaired: tables as links, since nothing writes into a table, all
//! else as copies. The store itself is only read.

use std::fs;
use std::path::Path;

use crate::backup::{BackupError, files};
use crate::directory::ROCKS_DIRECTORY;
use crate::synced;

/// Brings the files of the store in `store` into `draft`.
pub(super) fn bring(store: &Path, draft: &Path) -> Result<(), BackupError> {
    let (from, to) = (store.join(ROCKS_DIRECTORY), draft.join(ROCKS_DIRECTORY));
    fs::create_dir(&to).map_err(BackupError::io(&to, "made"))?;
    for entry in fs::read_dir(&from).map_err(BackupError::io(&from, "read"))? {
        let entry = entry.map_err(BackupError::io(&from, "read"))?;
        let name = entry.file_name();
        let Some(text) = name.to_str() else { continue };
        let (source, target) = (entry.path(), to.join(&name));
        if !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        if is_table(text) {
            // Another file system, or one without links.
            if fs::hard_link(&source, &target).is_err() {
                files::copy(&source, &target)?;
            }
        } else if text == "CURRENT"
            || text == "IDENTITY"
            || is_manifest(text)
            || is_options(text)
            || is_log(text)
        {
            files::copy(&source, &target)?;
        }
    }
    let mark = store.join(synced::FILE);
    if mark.is_file() {
        files::copy(&mark, &draft.join(synced::FILE))?;
    }
    Ok(())
}

pub(super) fn is_table(name: &str) -> bool {
    name.strip_suffix(".sst").is_some_and(is_number)
}

pub(super) fn is_log(name: &str) -> bool {
    name.strip_suffix(".log").is_some_and(is_number)
}

pub(super) fn is_manifest(name: &str) -> bool {
    name.strip_prefix("MANIFEST-").is_some_and(is_number)
}

pub(super) fn is_options(name: &str) -> bool {
    name.strip_prefix("OPTIONS-").is_some_and(is_number)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The names in a directory that `wanted` wants, ascending.
pub(super) fn names(directory: &Path, wanted: fn(&str) -> bool) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        if let Ok(name) = entry?.file_name().into_string()
            && wanted(&name)
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}
