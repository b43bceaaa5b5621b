//! The cache of compiled code: hit, damage, foreign directories.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::SystemTime;

use telemetry_sandbox::SandboxOptions;

use crate::fixture::{Fixture, events, spec};

fn works(cache: &Path) {
    let fixture = Fixture::with(SandboxOptions {
        cache_directory: Some(cache.to_owned()),
        ..SandboxOptions::default()
    });
    let plugin = fixture.sandbox.load(spec("evil")).unwrap();
    plugin.validator().unwrap().validate_events(&events(&["harmless"])).unwrap();
}

fn entry(cache: &Path) -> std::path::PathBuf {
    let mut entries: Vec<_> = fs::read_dir(cache).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries.remove(0)
}

#[test]
fn compiled_once_and_used_again() {
    let directory = tempfile::tempdir().unwrap();
    let cache = directory.path().join("cache");
    works(&cache);
    let path = entry(&cache);
    assert_eq!(fs::metadata(&cache).unwrap().permissions().mode() & 0o777, 0o700);
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    works(&cache);
    assert_eq!(
        fs::metadata(entry(&cache)).unwrap().modified().unwrap(),
        SystemTime::UNIX_EPOCH,
        "a hit writes nothing"
    );
}

#[test]
fn a_damaged_entry_is_compiled_anew() {
    let directory = tempfile::tempdir().unwrap();
    let cache = directory.path().join("cache");
    works(&cache);
    let path = entry(&cache);
    let whole = fs::read(&path).unwrap();
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0xFF;
    for bytes in [&damaged[..], &whole[..whole.len() / 2], b"", b"\x7fELF garbage"] {
        fs::write(&path, bytes).unwrap();
        works(&cache);
        assert_eq!(fs::metadata(&path).unwrap().len(), whole.len() as u64, "written anew");
    }
}

#[test]
fn a_directory_that_others_can_write_is_not_used() {
    let directory = tempfile::tempdir().unwrap();
    let cache = directory.path().join("cache");
    fs::create_dir(&cache).unwrap();
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o777)).unwrap();
    works(&cache);
    assert_eq!(fs::read_dir(&cache).unwrap().count(), 0);
}
