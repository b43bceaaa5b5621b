//! Up to which record the disk is known to have everything, kept beside RocksDB in the file `SYNCED`.
//!
//! A write-ahead log that was cut or damaged in its middle reads like a shorter one; this file tells the difference. Two
//! slots are written in turn, so that a torn write leaves the other one. A lost update is harmless: the older number is
//! still true.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use parking_lot::Mutex;

use crate::envelope;

/// The file's name.
pub(crate) const FILE: &str = "SYNCED";
const VERSION: u8 = 1;
/// An envelope around one number.
const SLOT_BYTES: usize = envelope::ENVELOPE_BYTES + 8;
/// Where slots begin: apart by more than a sector, so that no torn write touches both.
const SLOT_OFFSETS: [u64; 2] = [0, 4096];

/// The last synced sequence number, in a file or only in memory.
#[derive(Debug)]
pub(crate) struct SyncedMark {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: Option<File>,
    sequence: u64,
    writes: usize,
}

impl SyncedMark {
    /// A mark that is not kept.
    pub(crate) fn in_memory() -> Self {
        Self { state: Mutex::new(State { file: None, sequence: 0, writes: 0 }) }
    }

    /// The mark of the store in `directory`.
    pub(crate) fn open(directory: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(directory.join(FILE))?;
        let sequence =
            SLOT_OFFSETS.into_iter().filter_map(|offset| read_slot(&file, offset)).max().unwrap_or(0);
        Ok(Self { state: Mutex::new(State { file: Some(file), sequence, writes: 0 }) })
    }

    /// The last number noted.
    pub(crate) fn sequence(&self) -> u64 {
        self.state.lock().sequence
    }

    /// Notes that everything up to `sequence` is on the disk.
    pub(crate) fn advance(&self, sequence: u64) -> io::Result<()> {
        let mut state = self.state.lock();
        if sequence > state.sequence {
            state.write(sequence)?;
        }
        Ok(())
    }

    /// Starts again from what was recovered: a shortfall is reported once, not at every opening.
    pub(crate) fn reset(&self, sequence: u64) -> io::Result<()> {
        let mut state = self.state.lock();
        state.write(sequence)?;
        state.write(sequence)
    }
}

impl State {
    fn write(&mut self, sequence: u64) -> io::Result<()> {
        self.sequence = sequence;
        self.writes = self.writes.wrapping_add(1);
        if let (Some(file), Some(offset)) = (&self.file, SLOT_OFFSETS.get(self.writes % SLOT_OFFSETS.len())) {
            file.write_all_at(&envelope::wrap(VERSION, &sequence.to_le_bytes()), *offset)?;
        }
        Ok(())
    }
}

fn read_slot(file: &File, offset: u64) -> Option<u64> {
    let mut slot = [0_u8; SLOT_BYTES];
    file.read_exact_at(&mut slot, offset).ok()?;
    sequence_in(&slot)
}

fn sequence_in(slot: &[u8]) -> Option<u64> {
    let payload = envelope::open("synced mark", VERSION, slot).ok()?;
    payload.try_into().ok().map(u64::from_le_bytes)
}

/// What the fuzzer does with a slot's bytes, and with a payload behind a right checksum.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn fuzz_slots(bytes: &[u8]) {
    if let Some(sequence) = sequence_in(bytes) {
        assert_eq!(envelope::wrap(VERSION, &sequence.to_le_bytes()), bytes);
    }
    let _ = sequence_in(&envelope::wrap(VERSION, bytes));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_a_torn_slot() {
        let directory = tempfile::tempdir().unwrap();
        let mark = SyncedMark::open(directory.path()).unwrap();
        assert_eq!(mark.sequence(), 0);
        for sequence in [5, 9, 7] {
            mark.advance(sequence).unwrap();
        }
        drop(mark);
        let mark = SyncedMark::open(directory.path()).unwrap();
        assert_eq!(mark.sequence(), 9);
        let file = OpenOptions::new().write(true).open(directory.path().join(FILE)).unwrap();
        file.write_all_at(&[0xFF], 7).unwrap();
        let left = SyncedMark::open(directory.path()).unwrap().sequence();
        assert!(left == 5 || left == 9, "the other slot is whole: {left}");
        SyncedMark::open(directory.path()).unwrap().reset(3).unwrap();
        assert_eq!(SyncedMark::open(directory.path()).unwrap().sequence(), 3);
    }
}
