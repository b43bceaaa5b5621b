//! The cache of compiled code: native code that this program wrote, in a directory that only this user can write.
//!
//! Loading native code is as good as running it, so an entry is used only from a directory and file that are ours, with a
//! whole checksum, under the hash of its component and of the compiler's settings, which the checksum covers: an entry that
//! was renamed is no other component's code. Everything else is compiled anew; no trouble here ever fails a load.
//!
//! The cache vouches for nothing: it is asked by the hash of bytes that the caller holds and has checked.
//!
//! An entry is the code, its checksum and a mark. The code stands first, so that it is mapped from the file and only the
//! pages that run take memory. Entries are renamed into place and unlinked, never changed.

use std::fs::{self, DirBuilder, File};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use telemetry_core::limits;
use wasmtime::Engine;
use wasmtime::component::Component;
use xxhash_rust::xxh3::Xxh3Default;

use crate::compiler::CompiledCode;

/// The last bytes of every entry; a change of the form changes them.
const MARK: [u8; 8] = *b"BTCODE2\n";
/// Checksum and mark.
const TRAILER_BYTES: usize = 16 + MARK.len();
const SUFFIX: &str = "cwasm";

/// A directory of compiled components.
#[derive(Debug)]
pub(crate) struct CodeCache {
    directory: PathBuf,
    /// Differs between engines whose code cannot be exchanged.
    engine: u64,
}

/// A directory that is not used, and why.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CacheError {
    #[error("it cannot be created or read: {0}")]
    Io(#[from] io::Error),
    #[error("it is not a directory of this user's own that nobody else can write")]
    NotOurs,
}

impl CodeCache {
    /// Opens the directory and creates it if it is missing.
    pub(crate) fn open(directory: &Path, engine: &Engine) -> Result<Self, CacheError> {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let found = fs::symlink_metadata(directory)?;
        if !found.is_dir() || !is_ours(&found) {
            return Err(CacheError::NotOurs);
        }
        let mut hasher = Xxh3Default::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Self { directory: directory.to_owned(), engine: hasher.finish() })
    }

    /// Whether there is an entry for this hash; whether it can be used only shows when it is loaded.
    pub(crate) fn has(&self, sha256: &str) -> bool {
        self.path(sha256).is_file()
    }

    /// The compiled component with this hash, if the cache has it whole.
    pub(crate) fn load(&self, engine: &Engine, sha256: &str) -> Option<Component> {
        let path = self.path(sha256);
        match self.check_entry(sha256, &path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "a cache entry of compiled code is ignored");
                return None;
            }
        }
        #[allow(unsafe_code, reason = "loading native code; see the safety comment")]
        // SAFETY: this file holds a `CompiledCode` that was given to `save`: the directory and the file belong to this
        // user and nobody else can write them, the checksum says that it is whole and this component's, and that the same
        // compiler made it. Nothing here changes a file that has its name.
        let component = unsafe { Component::deserialize_file(engine, &path) };
        match component {
            Ok(component) => Some(component),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "a cache entry of compiled code is ignored");
                None
            }
        }
    }

    /// Keeps a compiled component: written beside its place, then renamed, so that readers see all of it or nothing.
    pub(crate) fn save(&self, sha256: &str, code: &CompiledCode) {
        let path = self.path(sha256);
        match self.write(sha256, &path, code.bytes()) {
            Ok(()) => self.prune(),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "compiled code could not be kept in the cache");
            }
        }
    }

    fn path(&self, sha256: &str) -> PathBuf {
        self.directory.join(format!("{sha256}-{:016x}.{SUFFIX}", self.engine))
    }

    /// The checksum of an entry, begun with what it stands for.
    fn checksum(&self, sha256: &str) -> Xxh3Default {
        let mut checksum = Xxh3Default::new();
        checksum.update(sha256.as_bytes());
        checksum.update(&self.engine.to_le_bytes());
        checksum
    }

    fn write(&self, sha256: &str, path: &Path, code: &[u8]) -> io::Result<()> {
        let mut checksum = self.checksum(sha256);
        checksum.update(code);
        let draft = self.directory.join(format!(".{}-{:016x}", std::process::id(), rand::random::<u64>()));
        let written = (|| {
            let mut file = File::options().write(true).create_new(true).mode(0o600).open(&draft)?;
            file.write_all(code)?;
            file.write_all(&checksum.digest128().to_le_bytes())?;
            file.write_all(&MARK)?;
            fs::rename(&draft, path)
        })();
        if written.is_err() {
            // The draft may not exist; there is nothing more to do about one that stays.
            let _ = fs::remove_file(&draft);
        }
        written
    }

    /// Checks that an entry is ours, whole, and of this component.
    fn check_entry(&self, sha256: &str, path: &Path) -> io::Result<()> {
        let refused = |reason: &str| io::Error::new(io::ErrorKind::InvalidData, reason.to_owned());
        let no_link = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
        let mut file = File::options().read(true).custom_flags(no_link).open(path)?;
        let found = file.metadata()?;
        if !found.is_file() || !is_ours(&found) {
            return Err(refused("it is not a file of this user's own"));
        }
        let length =
            found.len().checked_sub(TRAILER_BYTES as u64).ok_or_else(|| refused("it is too short"))?;
        let mut checksum = self.checksum(sha256);
        let mut code = Read::by_ref(&mut file).take(length);
        let mut part = vec![0; 64 << 10];
        loop {
            match code.read(&mut part)? {
                0 => break,
                read => checksum.update(part.get(..read).unwrap_or_default()),
            }
        }
        let mut trailer = [0; TRAILER_BYTES];
        file.read_exact(&mut trailer)?;
        if trailer == [&checksum.digest128().to_le_bytes()[..], &MARK].concat().as_slice() {
            Ok(())
        } else {
            Err(refused("its checksum is wrong"))
        }
    }

    /// Removes the oldest entries above the limit.
    fn prune(&self) {
        let Ok(listing) = fs::read_dir(&self.directory) else { return };
        let mut entries: Vec<_> = listing
            .flatten()
            .filter(|entry| entry.path().extension().is_some_and(|extension| extension == SUFFIX))
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        entries.sort();
        let surplus = entries.len().saturating_sub(limits::MAX_CACHED_COMPONENTS);
        for (_, path) in entries.into_iter().take(surplus) {
            // Somebody else's prune may have been faster.
            let _ = fs::remove_file(path);
        }
    }
}

/// Whether only this user can write it.
fn is_ours(found: &fs::Metadata) -> bool {
    found.uid() == rustix::process::geteuid().as_raw() && found.mode() & 0o022 == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Execution, engine};
    use std::os::unix::fs::{PermissionsExt, symlink};

    const SHA: &str = "00ff";

    fn code() -> CompiledCode {
        CompiledCode::of(&wat::parse_str("(component (core module (func)))").unwrap(), Execution::Fast)
            .unwrap()
    }

    fn filled(directory: &Path) -> (Engine, CodeCache, PathBuf) {
        let engine = engine(Execution::Fast).unwrap();
        let cache = CodeCache::open(directory, &engine).unwrap();
        cache.save(SHA, &code());
        let path = cache.path(SHA);
        assert!(path.is_file());
        (engine, cache, path)
    }

    #[test]
    fn what_was_saved_is_loaded() {
        let directory = tempfile::tempdir().unwrap();
        let (engine, cache, _) = filled(&directory.path().join("new/deep"));
        assert!(cache.has(SHA) && cache.load(&engine, SHA).is_some());
        assert!(!cache.has("another") && cache.load(&engine, "another").is_none());
    }

    #[test]
    fn any_changed_byte_makes_the_entry_unused() {
        let directory = tempfile::tempdir().unwrap();
        let (engine, cache, path) = filled(&directory.path().join("c"));
        let whole = fs::read(&path).unwrap();
        for at in [0, 9, 30, whole.len() / 2, whole.len() - 1] {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(&path, &bytes).unwrap();
            assert!(cache.load(&engine, SHA).is_none(), "byte {at}");
        }
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        assert!(cache.load(&engine, SHA).is_none());
        fs::write(&path, &whole).unwrap();
        assert!(cache.load(&engine, SHA).is_some());
    }

    #[test]
    fn code_under_another_components_name_is_not_used() {
        let directory = tempfile::tempdir().unwrap();
        let (engine, cache, path) = filled(&directory.path().join("c"));
        fs::copy(&path, cache.path("beef")).unwrap();
        assert!(cache.has("beef") && cache.load(&engine, "beef").is_none());
        assert!(cache.load(&engine, SHA).is_some());
    }

    #[test]
    fn what_others_can_write_is_not_used() {
        let directory = tempfile::tempdir().unwrap();
        let (engine, cache, path) = filled(&directory.path().join("c"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        assert!(cache.load(&engine, SHA).is_none());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let moved = directory.path().join("moved");
        fs::rename(&path, &moved).unwrap();
        symlink(&moved, &path).unwrap();
        assert!(cache.load(&engine, SHA).is_none());

        let open = directory.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(CodeCache::open(&open, &engine), Err(CacheError::NotOurs)));
        let link = directory.path().join("link");
        symlink(directory.path().join("c"), &link).unwrap();
        assert!(matches!(CodeCache::open(&link, &engine), Err(CacheError::NotOurs)));
    }

    #[test]
    fn the_oldest_entries_go_first() {
        let directory = tempfile::tempdir().unwrap();
        let (_, cache, path) = filled(&directory.path().join("c"));
        let ancient = std::time::SystemTime::UNIX_EPOCH;
        File::options().write(true).open(&path).unwrap().set_modified(ancient).unwrap();
        for n in 0..limits::MAX_CACHED_COMPONENTS {
            fs::write(cache.directory.join(format!("{n}.{SUFFIX}")), b"x").unwrap();
        }
        cache.save("another", &code());
        assert!(!path.exists());
    }
}
