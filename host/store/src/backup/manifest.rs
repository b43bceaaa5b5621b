//! The manifest of a backup: which files belong to it, with their checksums. It is written last.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::BackupError;
use crate::envelope;
use crate::error::Damage;
use crate::meta::FORMAT;

/// The manifest's file.
pub(super) const FILE: &str = "BACKUP";
const VERSION: u8 = 1;
const WHAT: &str = "backup manifest";
/// Largest manifest that is read: some hundred thousand files, which a store never has.
const MAX_BYTES: u64 = 64 << 20;

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BackupSummary {
    /// Every record up to this sequence number is in it; later ones may be.
    pub last_sequence: u64,
    /// When it was begun, RFC 3339.
    pub made_at: String,
    /// Number of files.
    pub files: u64,
    /// Their bytes together.
    pub bytes: u64,
}

/// A backup's manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// The format of the store.
    pub(super) store_format: u32,
    pub(super) last_sequence: u64,
    pub(super) made_at: String,
    pub(super) files: Vec<FileEntry>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileEntry {
    /// Within the backup, with `/`.
    pub(super) path: String,
    pub(super) bytes: u64,
    pub(super) crc32c: u32,
}

impl Manifest {
    /// The file's content.
    pub(super) fn encode(&self) -> Result<Vec<u8>, Damage> {
        let payload = serde_json::to_vec(self).map_err(|error| Damage::new(WHAT, error.to_string()))?;
        Ok(envelope::wrap(VERSION, &payload))
    }

    /// Reads the file's content. No entry leads out of the backup, and none is there twice.
    pub(super) fn decode(value: &[u8]) -> Result<Self, Damage> {
        let payload = envelope::open(WHAT, VERSION, value)?;
        let manifest: Self =
            serde_json::from_slice(payload).map_err(|error| Damage::new(WHAT, error.to_string()))?;
        let mut seen = BTreeSet::new();
        for entry in &manifest.files {
            let plain = Path::new(&entry.path).components().all(|part| matches!(part, Component::Normal(_)));
            if !plain || entry.path.is_empty() || entry.path == FILE || !seen.insert(&entry.path) {
                return Err(Damage::new(
                    WHAT,
                    format!("the name {:?} is not one of a file in it", entry.path),
                ));
            }
        }
        Ok(manifest)
    }

    /// Reads the manifest of the backup in `directory`.
    pub(super) fn read(directory: &Path) -> Result<Self, BackupError> {
        let not = |source| BackupError::NotABackup { directory: directory.to_owned(), source };
        let path = directory.join(FILE);
        let mut content = Vec::new();
        match File::open(&path) {
            Ok(file) => {
                file.take(MAX_BYTES).read_to_end(&mut content).map_err(BackupError::io(&path, "read"))?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(not(Damage::new(WHAT, "it is missing; the backup was interrupted, or is none")));
            }
            Err(error) => return Err(BackupError::io(&path, "read")(error)),
        }
        let manifest = Self::decode(&content).map_err(not)?;
        if manifest.store_format > FORMAT {
            let (directory, found) = (directory.to_owned(), manifest.store_format);
            return Err(BackupError::NewerFormat { directory, found, known: FORMAT });
        }
        Ok(manifest)
    }

    /// What it says in short.
    pub(super) fn summary(&self) -> BackupSummary {
        BackupSummary {
            last_sequence: self.last_sequence,
            made_at: self.made_at.clone(),
            files: self.files.len() as u64,
            bytes: self.files.iter().map(|file| file.bytes).fold(0, u64::saturating_add),
        }
    }
}

impl FileEntry {
    /// Where the file is in `directory`.
    pub(super) fn within(&self, directory: &Path) -> PathBuf {
        directory.join(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str) -> Manifest {
        let files = vec![FileEntry { path: path.to_owned(), bytes: 3, crc32c: 7 }];
        Manifest { store_format: FORMAT, last_sequence: 9, made_at: "2026-03-10T12:00:00Z".to_owned(), files }
    }

    #[test]
    fn comes_back_and_every_flip_is_noticed() {
        let manifest = of("rocksdb/CURRENT");
        let content = manifest.encode().unwrap();
        assert_eq!(Manifest::decode(&content).unwrap(), manifest);
        for place in 0..content.len() {
            let mut flipped = content.clone();
            flipped[place] ^= 1;
            assert!(Manifest::decode(&flipped).is_err(), "byte {place}");
            assert!(Manifest::decode(&content[..place]).is_err(), "cut at {place}");
        }
    }

    #[test]
    fn no_file_outside_of_it_is_named() {
        for path in ["/etc/passwd", "../x", "a/../../x", "./x", "", "BACKUP"] {
            assert!(Manifest::decode(&of(path).encode().unwrap()).is_err(), "{path:?}");
        }
        let mut twice = of("a");
        twice.files.extend(twice.files.clone());
        assert!(Manifest::decode(&twice.encode().unwrap()).is_err());
    }
}
