//! The decoder of a backup's manifest.

use super::manifest::{FileEntry, Manifest};
use crate::fuzz::{Decoder, comes_back, payloads};

pub(crate) fn decoders() -> [Decoder; 1] {
    [Decoder::new("backup_manifest", read, examples)]
}

fn read(bytes: &[u8]) {
    comes_back(1, bytes, Manifest::decode, |found| found.encode().expect("it was just decoded"));
}

fn examples() -> Vec<Vec<u8>> {
    let entry = |path: &str| FileEntry { path: path.to_owned(), bytes: 3, crc32c: 7 };
    let files = vec![entry("rocksdb/CURRENT"), entry("SYNCED")];
    let made_at = "2026-03-10T12:00:00Z".to_owned();
    payloads([Manifest { store_format: 2, last_sequence: 9, made_at, files }.encode().expect("it is one")])
}
