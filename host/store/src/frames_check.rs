//! A look at RocksDB's logs before it reads them: one kind of damage makes it read for ever.
//!
//! Its logs and manifests are records with a header of checksum, length and type, in blocks of 32 KiB. Where a flipped bit
//! makes a later record's type one of recycled logs, which we do not use, RocksDB 11.8 never gets past that record.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use crate::error::Damage;

const BLOCK_BYTES: usize = 32 << 10;
const HEADER_BYTES: usize = 7;

/// The first log or manifest of the database in `directory` that RocksDB would read for ever. What cannot be read is left
/// to RocksDB to tell.
pub(crate) fn endless_log(directory: &Path) -> Option<Damage> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .ok()?
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.ends_with(".log") || name.starts_with("MANIFEST-"))
        .collect();
    names.sort();
    names.iter().find_map(|name| {
        let at = File::open(directory.join(name)).and_then(endless_record).ok().flatten()?;
        Some(Damage::new("log file", format!("{name} has a record of an impossible type at byte {at}")))
    })
}

/// Where the record begins that is never passed.
pub(crate) fn endless_record(mut file: impl Read) -> io::Result<Option<u64>> {
    let mut block = Vec::with_capacity(BLOCK_BYTES);
    let (mut start, mut read_any) = (0_u64, false);
    loop {
        block.clear();
        if file.by_ref().take(BLOCK_BYTES as u64).read_to_end(&mut block)? == 0 {
            return Ok(None);
        }
        if let Some(place) = endless_in(&block, &mut read_any) {
            return Ok(Some(start.saturating_add(place as u64)));
        }
        start = start.saturating_add(BLOCK_BYTES as u64);
    }
}

/// The same within one block. Behind other damage RocksDB goes on with the next block.
fn endless_in(block: &[u8], read_any: &mut bool) -> Option<usize> {
    let mut rest = block;
    while let Some((header, content)) = rest.split_first_chunk::<HEADER_BYTES>() {
        let [a, b, c, d, low, high, kind] = *header;
        if is_recycled(kind) {
            return read_any.then(|| block.len().saturating_sub(rest.len()));
        }
        let content = content.get(..usize::from(u16::from_le_bytes([low, high])))?;
        if unmasked(u32::from_le_bytes([a, b, c, d]))
            != crc32c::crc32c_append(crc32c::crc32c(&[kind]), content)
        {
            return None;
        }
        *read_any = true;
        rest = rest.get(HEADER_BYTES.saturating_add(content.len())..)?;
    }
    None
}

/// The types of records of recycled logs.
const fn is_recycled(kind: u8) -> bool {
    matches!(kind, 5..=8 | 11 | 131)
}

/// RocksDB stores checksums rotated and shifted.
const fn unmasked(sum: u32) -> u32 {
    sum.wrapping_sub(0xa282_ead8).rotate_right(17)
}

/// A record as RocksDB writes it.
#[cfg(any(test, feature = "fuzzing"))]
fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    let sum = crc32c::crc32c_append(crc32c::crc32c(&[kind]), content);
    let masked = sum.rotate_right(15).wrapping_add(0xa282_ead8);
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX).to_le_bytes();
    [&masked.to_le_bytes()[..], &length, &[kind], content].concat()
}

/// What the fuzzer does with a log's bytes, and with records of right checksums whose lengths and kinds they tell.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn fuzz_log(bytes: &[u8]) {
    let check = |log: &[u8]| {
        if let Ok(Some(place)) = endless_record(log) {
            assert!((place as usize) < log.len(), "a record begins within the log");
        }
    };
    check(bytes);
    let (mut log, mut rest) = (Vec::new(), bytes);
    while let [kind, length, more @ ..] = rest {
        let (content, behind) = more.split_at(more.len().min(usize::from(*length)));
        log.extend(record(*kind, content));
        rest = behind;
    }
    check(&log);
}

/// Logs to begin with.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn example_logs() -> Vec<Vec<u8>> {
    vec![[record(1, b"one"), record(1, b"another")].concat(), b"\x01\x03one\x05\x02no\x83\x01x".to_vec()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_later_record_of_a_recycled_log_is_told() {
        let check = |log: &[u8], expected| assert_eq!(endless_record(log).unwrap(), expected);
        let (one, two) = (record(1, b"one"), record(1, b"another"));
        check(&[&one[..], &two].concat(), None);
        let mut flipped = [&one[..], &two].concat();
        flipped[one.len() + 6] ^= 0x04;
        check(&flipped, Some(one.len() as u64));
        flipped.swap(0, 1);
        check(&flipped, None);
        check(&record(5, b"first"), None);
        // The end of a block is left empty where no header fits.
        let full = record(1, &vec![7; BLOCK_BYTES - HEADER_BYTES - 3]);
        check(&[&full[..], &[0; 3], &one, &record(8, b"")].concat(), Some((BLOCK_BYTES + one.len()) as u64));
        check(b"no log", None);
        check(b"", None);
    }
}
