//! `plugins.lock`, beside the plugins: which bytes were installed, in which version each ran, and which plugins are switched off.
//!
//! A pin vouches for what was installed: it notices any later change of a component or manifest by somebody who does not
//! change the pins as well. Who can write the folder can do both; against that there is `policy = "signed"`. What is noted of
//! versions is as good: who can write this file can bring an older signed version back, and nobody else can. Under that policy, too, he
//! can stop a plugin that runs, by what is noted as disabled and removed; only `required` in the configuration keeps it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use semver::Version;
use serde::{Deserialize, Serialize};
use telemetry_core::{Timestamp, limits};

use super::file::{self, FileError, Links};
use super::sha256::Sha256;

/// The name of the file of pins.
pub const LOCK_FILE: &str = "plugins.lock";
const FORMAT: u32 = 1;
const HEADER: &str = "# Which plugins were installed here. `bridge-telemetry plugin` writes this file, and a host notes newer versions that run.\n";

/// What is noted of the plugins of a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PluginLock {
    /// How the file is written: 1.
    pub format: u32,
    /// Plugins that are not loaded until they are enabled again.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub disabled: BTreeSet<String>,
    /// The highest version that ran and was not installed, by plugin name; under the policy `signed` no older one runs. It stays
    /// when a plugin is removed, and goes when one is installed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub floors: BTreeMap<String, Version>,
    /// When plugins were removed by command that were neither installed nor loaded again, by plugin name: a host that runs one stops
    /// it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub removed: BTreeMap<String, String>,
    /// By plugin name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub plugins: BTreeMap<String, Pin>,
}

/// What was installed under one name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// Its version, as it says itself.
    pub version: String,
    /// The SHA-256 of its component.
    pub sha256: Sha256,
    /// The SHA-256 of its manifest; absent for a component without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest_sha256: Option<Sha256>,
    /// When it was installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installed_at: Option<String>,
    /// The name of the trusted key that had signed it then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
}

/// Pins that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// The file cannot be read or written.
    #[error("the pins of the installed plugins cannot be used")]
    File(#[from] FileError),
    /// The file is not as this version writes it.
    #[error("{} is not a file of pins: {reason}; restore it, or remove it and install the plugins again", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Another command changes the plugins.
    #[error("another command is changing the plugins of {}", directory.display())]
    Busy {
        /// The folder.
        directory: PathBuf,
    },
}

impl Default for PluginLock {
    fn default() -> Self {
        Self {
            format: FORMAT,
            disabled: BTreeSet::new(),
            floors: BTreeMap::new(),
            removed: BTreeMap::new(),
            plugins: BTreeMap::new(),
        }
    }
}

impl Pin {
    /// What is pinned of something that is installed now.
    pub(super) fn new(version: String, sha256: Sha256, now: Timestamp) -> Self {
        let installed_at = Some(now.floor_to_millis().to_string());
        Self { version, sha256, manifest_sha256: None, installed_at, signer: None }
    }
}

impl PluginLock {
    /// The folder's pins; none where there is no file.
    pub fn read(directory: &Path) -> Result<Self, LockError> {
        let path = directory.join(LOCK_FILE);
        match file::read(&path, limits::MAX_LOCK_BYTES, Links::Refuse)? {
            None => Ok(Self::default()),
            Some(bytes) => Self::parse(&bytes).map_err(|reason| LockError::Malformed { path, reason }),
        }
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
        let lock: Self = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        if lock.format == FORMAT {
            Ok(lock)
        } else {
            Err(format!("its format is {}, this version knows {FORMAT}", lock.format))
        }
    }

    /// The text of the file.
    fn text(&self) -> Result<String, toml::ser::Error> {
        Ok(format!("{HEADER}{}", toml::to_string(self)?))
    }

    /// Changes the file where `change` finds something to change. Who finds nothing writes nothing, and waits for nobody.
    pub(super) fn change(directory: &Path, change: impl Fn(&mut Self) -> bool) -> Result<(), LockError> {
        if !change(&mut Self::read(directory)?) {
            return Ok(());
        }
        let _claim = Claim::of(directory)?;
        let mut lock = Self::read(directory)?;
        if change(&mut lock) { lock.write(directory) } else { Ok(()) }
    }

    /// Writes the pins whole: beside the file first, then renamed.
    pub(super) fn write(&self, directory: &Path) -> Result<(), LockError> {
        let path = directory.join(LOCK_FILE);
        let text = self
            .text()
            .map_err(|error| LockError::Malformed { path: path.clone(), reason: error.to_string() })?;
        if text.len() as u64 > limits::MAX_LOCK_BYTES {
            // Nobody could read it again.
            return Err(FileError::TooLarge { path, limit: limits::MAX_LOCK_BYTES }.into());
        }
        let draft = directory.join(format!(".{LOCK_FILE}.{}", std::process::id()));
        let written = write_durably(&draft, text.as_bytes()).and_then(|()| std::fs::rename(&draft, &path));
        if written.is_err() {
            // The draft may not exist; there is nothing more to do about one that stays.
            let _ = std::fs::remove_file(&draft);
        }
        written.map_err(|error| FileError::written(&path, error))?;
        sync_folder(directory)?;
        Ok(())
    }
}

/// Whoever changes a folder's plugins holds this: the pins that were read are those that are replaced.
#[derive(Debug)]
pub(super) struct Claim {
    _folder: File,
}

impl Claim {
    /// Claims the folder until it is dropped.
    pub(super) fn of(directory: &Path) -> Result<Self, LockError> {
        let folder = File::open(directory).map_err(|error| FileError::read(directory, error))?;
        match rustix::fs::flock(folder.as_fd(), FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _folder: folder }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(LockError::Busy { directory: directory.to_owned() }),
            Err(error) => Err(FileError::read(directory, error).into()),
        }
    }
}

/// A new file that everybody may read, on the disk when this returns.
pub(super) fn write_durably(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o644).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Renames in the folder are on the disk when this returns.
pub(super) fn sync_folder(directory: &Path) -> Result<(), FileError> {
    File::open(directory)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| FileError::written(directory, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock() -> PluginLock {
        let now = Timestamp::parse("2026-11-28T12:00:00.5Z").unwrap();
        let bare = Pin::new("1.0".to_owned(), Sha256::of(b"a"), now);
        let signed = Pin {
            manifest_sha256: Some(Sha256::of(b"m")),
            signer: Some("ada".to_owned()),
            ..Pin::new("0.8.0".to_owned(), Sha256::of(b"b"), now)
        };
        PluginLock {
            disabled: BTreeSet::from(["ewma".to_owned()]),
            floors: BTreeMap::from([("a.b".to_owned(), Version::new(1, 4, 0))]),
            removed: BTreeMap::from([("webhook".to_owned(), now.to_string())]),
            plugins: BTreeMap::from([("a.b".to_owned(), bare), ("redact".to_owned(), signed)]),
            ..PluginLock::default()
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(PluginLock::read(directory.path()).unwrap(), PluginLock::default());
        lock().write(directory.path()).unwrap();
        assert_eq!(PluginLock::read(directory.path()).unwrap(), lock());
        PluginLock::default().write(directory.path()).unwrap();
        assert_eq!(PluginLock::read(directory.path()).unwrap(), PluginLock::default());
        let names: Vec<_> =
            std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, [LOCK_FILE], "no draft stays");
    }

    #[test]
    fn what_is_no_file_of_pins() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(LOCK_FILE);
        let good = lock().text().unwrap();
        let wrong = [
            "format = 2\n".to_owned(),
            "format = 1\nfoo = 1\n".to_owned(),
            "disabled = []\n".to_owned(),
            good.replace("signer", "signr"),
            good.replace("\"1.4.0\"", "\"1.4\""),
            good.replace(Sha256::of(b"b").as_str(), "abc"),
            good.replace("[plugins.redact]", "[plugins.redact"),
        ];
        for text in wrong {
            std::fs::write(&path, &text).unwrap();
            let read = PluginLock::read(directory.path());
            assert!(matches!(read, Err(LockError::Malformed { .. })), "{text}: {read:?}");
        }
        std::fs::write(&path, b"\xff").unwrap();
        assert!(matches!(PluginLock::read(directory.path()), Err(LockError::Malformed { .. })));
        std::fs::write(&path, vec![b'#'; limits::MAX_LOCK_BYTES as usize + 1]).unwrap();
        assert!(matches!(PluginLock::read(directory.path()), Err(LockError::File(_))));
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/null", &path).unwrap();
        assert!(matches!(PluginLock::read(directory.path()), Err(LockError::File(FileError::Link { .. }))));
    }

    #[test]
    fn what_could_not_be_read_again_is_not_written() {
        let directory = tempfile::tempdir().unwrap();
        lock().write(directory.path()).unwrap();
        let mut large = lock();
        large.disabled.extend((0..limits::MAX_LOCK_BYTES / 8).map(|number| format!("p{number:08}")));
        let written = large.write(directory.path());
        assert!(matches!(written, Err(LockError::File(FileError::TooLarge { .. }))), "{written:?}");
        assert_eq!(PluginLock::read(directory.path()).unwrap(), lock());
    }

    #[test]
    fn one_at_a_time_changes_a_folder() {
        let directory = tempfile::tempdir().unwrap();
        let claim = Claim::of(directory.path()).unwrap();
        assert!(matches!(Claim::of(directory.path()), Err(LockError::Busy { .. })));
        drop(claim);
        assert!(Claim::of(directory.path()).is_ok());
    }
}
