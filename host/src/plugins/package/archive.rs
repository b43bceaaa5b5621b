//! A package in a tar archive, plain or compressed with gzip. Nothing is unpacked to the disk: what matters is kept in memory.
//!
//! The files are at the archive's top or in one folder there. Any entry that leads out of the archive, or is neither a file
//! nor a folder, refuses the whole.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Component, Path};

use flate2::read::GzDecoder;
use tar::{Archive, EntryType};
use telemetry_core::limits;

use super::error::PackageError;
use super::manifest::MANIFEST_FILE;

const GZIP: [u8; 2] = [0x1f, 0x8b];
/// Where a tar header says what it is.
const TAR_MARK: (usize, &[u8]) = (257, b"ustar");

/// The files at an archive's top.
#[derive(Debug, Default)]
pub(super) struct ArchivedFiles {
    files: BTreeMap<String, Vec<u8>>,
}

/// Whether these bytes begin like an archive.
pub(super) fn is_archive(bytes: &[u8]) -> bool {
    let (at, mark) = TAR_MARK;
    bytes.starts_with(&GZIP) || bytes.get(at..).is_some_and(|rest| rest.starts_with(mark))
}

impl ArchivedFiles {
    /// Reads an archive whole.
    pub(super) fn of(bytes: &[u8], place: &Path) -> Result<Self, PackageError> {
        if bytes.starts_with(&GZIP) {
            Self::unpack(GzDecoder::new(bytes), place)
        } else {
            Self::unpack(bytes, place)
        }
    }

    /// The bytes of a file.
    pub(super) fn get(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(Vec::as_slice)
    }

    fn unpack(bytes: impl Read, place: &Path) -> Result<Self, PackageError> {
        let damaged = |error: io::Error| PackageError::Archive {
            place: place.to_owned(),
            entry: String::new(),
            reason: format!("it cannot be read: {error}"),
        };
        // Bytes of headers and of what is skipped count too: a small archive can unpack to very many.
        let mut archive = Archive::new(bytes.take(limits::MAX_PACKAGE_BYTES.saturating_add(1)));
        let mut folders: BTreeMap<String, Self> = BTreeMap::new();
        let (mut entries, mut total) = (0_usize, 0_u64);
        for entry in archive.entries().map_err(damaged)? {
            let mut entry = entry.map_err(damaged)?;
            let path = entry.path().map_err(damaged)?.into_owned();
            let refused = |reason: &str| PackageError::Archive {
                place: place.to_owned(),
                entry: path.display().to_string(),
                reason: reason.to_owned(),
            };
            entries += 1;
            if entries > limits::MAX_PACKAGE_ENTRIES {
                return Err(refused(&format!("there are more than {} entries", limits::MAX_PACKAGE_ENTRIES)));
            }
            let parts = plain_parts(&path).map_err(refused)?;
            match entry.header().entry_type() {
                EntryType::Regular | EntryType::Continuous => {}
                EntryType::Directory => continue,
                EntryType::Symlink | EntryType::Link => return Err(refused("it is a link")),
                _ => return Err(refused("it is neither a file nor a folder")),
            }
            total = total.saturating_add(entry.size());
            if total > limits::MAX_PACKAGE_BYTES {
                return Err(refused(&format!(
                    "the files have more than {} bytes",
                    limits::MAX_PACKAGE_BYTES
                )));
            }
            let (folder, name) = match parts.as_slice() {
                [name] => ("", name),
                [folder, name] => (folder.as_str(), name),
                // What lies deeper, such as sources, is no part of the package.
                _ => continue,
            };
            let mut content = Vec::new();
            entry.read_to_end(&mut content).map_err(damaged)?;
            let files = &mut folders.entry(folder.to_owned()).or_default().files;
            if files.insert(name.clone(), content).is_some() {
                return Err(refused("it is there twice"));
            }
        }
        Self::of_the_manifest(folders).map_err(|reason| PackageError::Archive {
            place: place.to_owned(),
            entry: MANIFEST_FILE.to_owned(),
            reason: reason.to_owned(),
        })
    }

    /// The files beside the manifest.
    fn of_the_manifest(folders: BTreeMap<String, Self>) -> Result<Self, &'static str> {
        let mut found = folders.into_iter().filter(|(_, files)| files.get(MANIFEST_FILE).is_some());
        // The archive's own top comes first.
        match (found.next(), found.next()) {
            (None, _) => Err("there is none, neither at the top nor in a folder there"),
            (Some((_, files)), None) => Ok(files),
            (Some((top, files)), Some(_)) if top.is_empty() => Ok(files),
            (Some(_), Some(_)) => Err("there are several, in several folders"),
        }
    }
}

/// The names of a path that stays inside.
fn plain_parts(path: &Path) -> Result<Vec<String>, &'static str> {
    let mut parts = Vec::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::Normal(name) => {
                let name = name.to_str().ok_or("its name is not UTF-8")?;
                parts.push(name.to_owned());
            }
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err("its path leads out of the package");
            }
        }
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use tar::{Builder, Header};

    const PLACE: &str = "pager.tar";

    /// An archive of entries as they come, whatever their paths say.
    fn archive(entries: &[(&str, EntryType, &str)]) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        for (path, kind, content) in entries {
            let mut header = Header::new_ustar();
            let field = &mut header.as_old_mut().name;
            field[..path.len()].copy_from_slice(path.as_bytes());
            header.set_entry_type(*kind);
            header.set_size(content.len() as u64);
            if matches!(kind, EntryType::Symlink | EntryType::Link) {
                header.set_link_name("/etc/passwd").unwrap();
            }
            header.set_cksum();
            builder.append(&header, content.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn read(entries: &[(&str, EntryType, &str)]) -> Result<ArchivedFiles, String> {
        ArchivedFiles::of(&archive(entries), Path::new(PLACE)).map_err(|error| error.to_string())
    }

    const MANIFEST: (&str, EntryType, &str) = ("plugin.toml", EntryType::Regular, "m");

    #[test]
    fn files_at_the_top_or_in_one_folder() {
        for prefix in ["", "./", "pager/", "./pager/"] {
            let (manifest, component) = (format!("{prefix}plugin.toml"), format!("{prefix}pager.wasm"));
            let (folder, deep) = (format!("{prefix}src/"), format!("{prefix}src/deep/lib.rs"));
            let entries = [
                (folder.as_str(), EntryType::Directory, ""),
                (deep.as_str(), EntryType::Regular, "code"),
                (manifest.as_str(), EntryType::Regular, "m"),
                (component.as_str(), EntryType::Regular, "c"),
            ];
            let bytes = archive(&entries);
            let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packed.write_all(&bytes).unwrap();
            for bytes in [bytes, packed.finish().unwrap()] {
                assert!(is_archive(&bytes));
                let files = ArchivedFiles::of(&bytes, Path::new(PLACE)).unwrap();
                assert_eq!(files.get("plugin.toml"), Some(&b"m"[..]), "{prefix}");
                assert_eq!(files.get("pager.wasm"), Some(&b"c"[..]), "{prefix}");
                assert_eq!(files.get("lib.rs"), None);
            }
        }
        assert!(!is_archive(b"\0asm") && !is_archive(b""));
    }

    #[test]
    fn what_leads_out_of_the_archive_refuses_it() {
        for path in
            ["../plugin.wasm", "/etc/x.wasm", "a/../../x.wasm", "a/b/c/../../../../x.wasm", "..", "a/.."]
        {
            let refused = read(&[MANIFEST, (path, EntryType::Regular, "c")]).unwrap_err();
            assert!(refused.contains("leads out"), "{path}: {refused}");
            assert!(refused.contains(PLACE) && refused.contains(path), "{refused}");
        }
    }

    #[test]
    fn only_files_and_folders_are_taken() {
        for kind in [EntryType::Symlink, EntryType::Link] {
            let refused = read(&[MANIFEST, ("pager.wasm", kind, "")]).unwrap_err();
            assert!(refused.contains("it is a link"), "{refused}");
        }
        for kind in [EntryType::Fifo, EntryType::Char, EntryType::Block] {
            let refused = read(&[MANIFEST, ("pager.wasm", kind, "")]).unwrap_err();
            assert!(refused.contains("neither a file nor a folder"), "{refused}");
        }
    }

    #[test]
    fn doubled_missing_and_too_many_entries() {
        assert!(read(&[MANIFEST, MANIFEST]).unwrap_err().contains("twice"));
        assert!(read(&[("x.wasm", EntryType::Regular, "c")]).unwrap_err().contains("there is none"));
        let two = [("a/plugin.toml", EntryType::Regular, "m"), ("b/plugin.toml", EntryType::Regular, "m")];
        assert!(read(&two).unwrap_err().contains("several"));
        let names: Vec<String> = (0..=limits::MAX_PACKAGE_ENTRIES).map(|n| format!("f{n}")).collect();
        let many: Vec<_> = names.iter().map(|name| (name.as_str(), EntryType::Regular, "")).collect();
        assert!(read(&many).unwrap_err().contains("more than"));
        let bytes = archive(&[MANIFEST, ("pager.wasm", EntryType::Regular, "component")]);
        for end in [1, 300, 512, 700, 1_100] {
            // Whatever is cut off, there is an answer.
            assert!(ArchivedFiles::of(&bytes[..end], Path::new(PLACE)).is_err(), "{end}");
        }
    }

    #[test]
    fn a_small_archive_that_unpacks_to_very_much_is_refused() {
        let mut header = Header::new_ustar();
        header.set_path("pager.wasm").unwrap();
        header.set_size(limits::MAX_PACKAGE_BYTES + 1);
        header.set_cksum();
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(header.as_bytes()).unwrap();
        let zeros = vec![0; 1 << 20];
        for _ in 0..=limits::MAX_PACKAGE_BYTES >> 20 {
            packed.write_all(&zeros).unwrap();
        }
        let bytes = packed.finish().unwrap();
        assert!(bytes.len() < 2 << 20);
        let refused = ArchivedFiles::of(&bytes, Path::new(PLACE)).unwrap_err().to_string();
        assert!(refused.contains("more than"), "{refused}");
    }
}
