//! Stores and files that cannot be opened: locked, damaged, of a newer format, without permission. What was stored before
//! is there again as soon as the cause is gone.

use std::path::{Path, PathBuf};

use serde_json::json;
use telemetry_core::ErrorCode;

use super::damage::{Place, flip};
use super::{check_refusal, command, refusal, serves};
use crate::fixture::{in_folder, in_memory};

/// Where an ordinary file system takes no new folder, from nobody.
const FORBIDDEN: &str = "/sys/bridge_telemetry";

fn config(place: &Place) -> serde_json::Value {
    in_folder(place.folder.path())
}

/// That everything is there that [`Place::filled`] stored.
fn check_whole(place: &Place) {
    let host = place.open();
    let stats = host.health_check().stats;
    assert_eq!((stats.events_total, stats.metrics_total), (2_000, 40_000));
    assert_eq!(host.health_json().body["status"], "healthy", "{}", host.health_json().body);
    serves(&host);
}

#[test]
fn a_store_that_is_open_elsewhere() {
    let place = Place::filled();
    let host = place.open();
    let words = ["is open elsewhere", "stop the other host", "choose another directory"];
    check_refusal(&refusal(config(&place)), ErrorCode::StorageFailure, &words);
    let (exit, body) = command(place.folder.path(), &["health", "--data", "store"]);
    assert_eq!((exit, &body["error"]["code"]), (3, &json!("STORAGE_FAILURE")), "{body}");
    serves(&host);
    drop(host);
    serves(&place.open());
}

/// A file of RocksDB whose name begins so; the newest one.
fn file(place: &Place, name: &str) -> PathBuf {
    let files = std::fs::read_dir(place.rocksdb()).unwrap().map(|entry| entry.unwrap().path());
    let named = files.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(name));
    named.max().unwrap_or_else(|| panic!("no file {name}"))
}

fn cut(path: &Path) {
    let length = std::fs::metadata(path).unwrap().len();
    std::fs::File::options().write(true).open(path).unwrap().set_len(length / 2).unwrap();
}

#[test]
fn a_damaged_store_is_refused_and_whole_again_when_it_is_mended() {
    let place = Place::filled();
    check_whole(&place);
    let remove = |path: &Path| std::fs::remove_file(path).unwrap();
    let overwrite = |path: &Path| std::fs::write(path, "nonsense").unwrap();
    let spoil = |path: &Path| flip(path, 16);
    type Damage<'a> = &'a dyn Fn(&Path);
    let cases: [(&str, &str, Damage<'_>); 9] = [
        ("CURRENT", "is gone", &remove),
        ("CURRENT", "is nonsense", &overwrite),
        ("CURRENT", "is empty", &|path| std::fs::write(path, "").unwrap()),
        ("MANIFEST", "is gone", &remove),
        ("MANIFEST", "is nonsense", &overwrite),
        ("m.20250520", "is gone", &remove),
        ("e.20250520", "is cut", &cut),
        ("log", "is damaged", &spoil),
        ("meta", "is damaged", &spoil),
    ];
    for (what, how, damage) in cases {
        // Openings in between make new files. All tables of a family: a compaction that a closing cut off leaves one that is
        // not the store's.
        let paths = if what.to_uppercase() == what { vec![file(&place, what)] } else { place.tables(what) };
        let name = format!("{what} {how}");
        let backups: Vec<_> = paths.iter().map(|path| std::fs::read(path).unwrap()).collect();
        paths.iter().for_each(|path| damage(path));
        for _ in 0..2 {
            let error = refusal(config(&place));
            eprintln!("{name}: {}", bridge_telemetry::envelope::cause_chain(&error));
            let words = ["is damaged", "restore a backup, or move the directory away"];
            check_refusal(&error, ErrorCode::StorageFailure, &words);
        }
        paths.iter().zip(backups).for_each(|(path, backup)| std::fs::write(path, backup).unwrap());
        let host = place.open();
        let stats = host.health_check().stats;
        assert!(stats.events_total >= 2_000 && stats.metrics_total >= 40_000, "{name}: {stats:?}");
        serves(&host);
    }
}

/// Rewrites the format in the store's identity, as a newer release would have written it, in the write-ahead log.
fn make_newer(log: &Path) {
    let mut bytes = std::fs::read(log).unwrap();
    // A log's record: masked checksum, length, kind, content.
    let mut at = 0;
    loop {
        let (length, kind) = (usize::from(u16::from_le_bytes([bytes[at + 4], bytes[at + 5]])), bytes[at + 6]);
        assert_eq!(kind, 1, "a whole record");
        let (content, end) = (at + 7, at + 7 + length);
        if let Some(value) = identity_in(&bytes[content..end]) {
            // The identity: version, checksum, format, tag.
            let payload = content + value + 5;
            bytes[payload] += 1;
            let sum =
                crc32c::crc32c_append(crc32c::crc32c(&[1]), &bytes[payload..payload + IDENTITY_PAYLOAD]);
            bytes[payload - 4..payload].copy_from_slice(&sum.to_le_bytes());
            let sum = crc32c::crc32c(&bytes[at + 6..end]);
            let masked = sum.rotate_right(15).wrapping_add(0xA282_EAD8);
            bytes[at..at + 4].copy_from_slice(&masked.to_le_bytes());
            std::fs::write(log, bytes).unwrap();
            return;
        }
        at = end;
    }
}

/// Bytes of format and tag, for a tag of 128 and more.
const IDENTITY_PAYLOAD: usize = 3;

fn identity_in(record: &[u8]) -> Option<usize> {
    record.windows(5 + IDENTITY_PAYLOAD).position(|value| {
        let (sum, payload) = (u32::from_le_bytes([value[1], value[2], value[3], value[4]]), &value[5..]);
        value[0] == 1 && payload[0] < 0x7F && sum == crc32c::crc32c_append(crc32c::crc32c(&[1]), payload)
    })
}

#[test]
fn a_store_of_a_newer_release() {
    // The tag is random; one in 128 is too short to be found so easily.
    let (folder, log) = std::iter::repeat_with(|| {
        let folder = tempfile::tempdir().unwrap();
        drop(crate::fixture::host_with_clock(in_folder(folder.path())));
        let files = std::fs::read_dir(folder.path().join("store/rocksdb")).unwrap();
        let mut logs = files.map(|entry| entry.unwrap().path());
        let log = logs.find(|path| path.extension().is_some_and(|end| end == "log")).unwrap();
        (folder, log)
    })
    .take(20)
    .find(|(_, log)| identity_in(&std::fs::read(log).unwrap()).is_some())
    .unwrap();
    let older = std::fs::read(&log).unwrap();
    make_newer(&log);
    let newer = std::fs::read(&log).unwrap();
    assert_ne!(older, newer);
    let known = older[identity_in(&older).unwrap() + 5];
    let (found, known) = (format!("has format {}", known + 1), format!("knows formats up to {known}"));
    for _ in 0..2 {
        let words = [found.as_str(), known.as_str(), "use a newer release"];
        check_refusal(&refusal(in_folder(folder.path())), ErrorCode::StorageFailure, &words);
    }
}

/// The code of a store where nobody may write.
pub(super) fn store_without_permission() -> String {
    let folder = tempfile::tempdir().unwrap();
    let (exit, body) = command(folder.path(), &["health", "--data", FORBIDDEN]);
    assert_eq!(exit, 3, "{body}");
    let told = body["error"]["message"].as_str().unwrap();
    assert!(told.contains("give this user read and write access"), "{told}");
    assert_eq!(body["error"]["details"]["exception_type"], "OpenError", "{body}");
    body["error"]["code"].as_str().unwrap().to_owned()
}

#[test]
fn a_folder_without_permission() {
    assert_eq!(store_without_permission(), "PERMISSION_DENIED");
    let mut config = in_memory();
    config["storage_config"] = json!({"connection_string": FORBIDDEN});
    check_refusal(&refusal(config), ErrorCode::PermissionDenied, &["no permission for", FORBIDDEN]);
    // The log, and what is imported.
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("log.toml"),
        format!("[logger_config]\nlog_path = \"{FORBIDDEN}.log\"\n"),
    )
    .unwrap();
    let run = ["run", "--no-system", "--listen", "127.0.0.1:0", "--data", "data", "--config", "log.toml"];
    let (exit, body) = command(folder.path(), &run);
    assert_eq!((exit, &body["error"]["code"]), (2, &json!("PERMISSION_DENIED")), "{body}");
    let told = body["error"]["message"].as_str().unwrap();
    assert!(told.contains("choose another logger_config.log_path"), "{told}");
}

/// The code of an import that cannot be read.
pub(super) fn import_of_a_folder() -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("a.jsonl")).unwrap();
    let (exit, body) = command(folder.path(), &["import", "a.jsonl", "--data", "data"]);
    assert_eq!(exit, 2, "{body}");
    let details = &body["error"]["details"];
    assert_eq!(
        (&details["exception_type"], &details["context"]),
        (&json!("IsADirectory"), &json!("a.jsonl"))
    );
    body["error"]["code"].as_str().unwrap().to_owned()
}

#[test]
fn files_that_cannot_be_read() {
    assert_eq!(import_of_a_folder(), "IO_ERROR");
    let folder = tempfile::tempdir().unwrap();
    let (exit, body) = command(folder.path(), &["import", "absent.jsonl", "--data", "data"]);
    assert_eq!((exit, &body["error"]["code"]), (2, &json!("IO_ERROR")), "{body}");
    assert!(body["error"]["message"].as_str().unwrap().starts_with("absent.jsonl: "), "{body}");
}
