//! Operations that fail: full disks, errors of input and output, no more descriptors.
//!
//! Every test runs in a child process with the preloaded library. It lets one life of a store after the other meet the
//! fault, each at a later operation, until a life ends before its fault comes: once with a fault that passes, once with one
//! that lasts until it is taken away.

use std::collections::BTreeSet;
use std::path::Path;

use telemetry_store::{Durability, OpenError, Store, StoreError};

use crate::preload::{
    CREATE, Control, EIO, EMFILE, ENOSPC, Fault, MKDIR, OPEN, READ, REMOVE, RENAME, RESIZE, SYNC, TREE,
    WRITE, in_child,
};
use crate::records::{batch, batches_in, open};

/// Batches of one life.
const BATCHES: u64 = 40;
/// In the long form every one of so many first operations fails, and later ones at distances of this part of their number.
const DENSITY: i64 = 24;

/// What one life came to.
#[derive(Default)]
struct Life {
    acknowledged: BTreeSet<u64>,
    attempted: BTreeSet<u64>,
    stopped: bool,
}

impl Life {
    fn append(&mut self, store: &Store, number: u64) {
        let records = batch(store, number);
        self.attempted.insert(number);
        match store.append(&records) {
            Ok(_) => {
                assert!(!self.stopped, "batch {number} was accepted after a write had failed");
                self.acknowledged.insert(number);
            }
            Err(error) => self.note(&error),
        }
    }

    /// The error is of a kind that tells what is the matter, and once writing stopped it stays so.
    fn note(&mut self, error: &StoreError) {
        let known = matches!(
            error,
            StoreError::Write { .. }
                | StoreError::Poisoned { .. }
                | StoreError::Read { .. }
                | StoreError::Partition { .. }
        );
        assert!(known, "{error:?}");
        if self.stopped {
            assert!(!error.is_write_failure() || matches!(error, StoreError::Poisoned { .. }), "{error:?}");
        }
        self.stopped |= error.poisoned();
    }

    fn write(&mut self, store: &Store) {
        for number in 0..BATCHES {
            self.append(store, number);
            let upkeep = match number % 10 {
                3 => store.seal(),
                6 => store.maintain().map(drop),
                9 => store.sync().map(drop),
                _ => Ok(()),
            };
            if let Err(error) = upkeep {
                self.note(&error);
            }
            assert!(!self.stopped || store.stats().poisoned.is_some());
        }
    }
}

/// Whether the fault only strikes writers, so that readers must not notice it.
fn spares_readers(fault: &Fault) -> bool {
    fault.kinds & (OPEN | READ) == 0
}

/// One life that meets the fault; whether the fault came.
fn strike(control: &Control, fault: Fault, folder: &Path) -> bool {
    let place = format!("{fault:?}");
    let mut life = Life::default();
    control.arm(fault);
    match open(folder, Durability::Power, false) {
        Err(error) => check_refusal(&error, &fault),
        Ok(store) => {
            let before = control.failed();
            life.write(&store);
            let met = control.failed() > before;
            if !spares_readers(&fault) {
                control.disarm();
            }
            assert_eq!(batches_in(&store), life.acknowledged, "{place}: as long as it is open");
            if met && fault.name == ".log" {
                assert!(life.stopped, "{place}: writing went on after an error of the write-ahead log");
            }
            control.disarm();
            if life.stopped {
                let refused = store.append(&batch(&store, BATCHES)).unwrap_err();
                assert!(matches!(refused, StoreError::Poisoned { .. }), "{place}: {refused:?}");
            }
        }
    }
    let came = control.failed() > 0;
    control.disarm();
    check_afterwards(&life, folder, &place);
    std::fs::remove_dir_all(folder).unwrap_or_default();
    came
}

/// When the cause is gone, the store opens, has all that was acknowledged, and goes on.
fn check_afterwards(life: &Life, folder: &Path, place: &str) {
    let store = open(folder, Durability::Power, false).unwrap_or_else(|error| panic!("{place}: {error:?}"));
    let found = batches_in(&store);
    assert!(
        found.is_superset(&life.acknowledged),
        "{place}: lost {:?}",
        life.acknowledged.difference(&found)
    );
    assert!(found.is_subset(&life.attempted), "{place}");
    assert_eq!(store.stats().reports, Vec::<String>::new(), "{place}");
    store.append(&batch(&store, BATCHES + 1)).unwrap();
    store.seal().unwrap();
    drop(store);
    let store = open(folder, Durability::Power, false).unwrap();
    let mut after = batches_in(&store);
    assert!(after.remove(&(BATCHES + 1)));
    assert_eq!(after, found, "{place}");
}

fn check_refusal(error: &OpenError, fault: &Fault) {
    let text = error.to_string();
    match fault.error {
        // RocksDB tries again in one place, and where that goes well it has forgotten the cause.
        _ if !fault.lasting && matches!(error, OpenError::Failed { .. }) => {}
        ENOSPC => {
            assert!(matches!(error, OpenError::NoRoom { .. }), "{error:?}");
            assert!(text.contains("the disk is full; free some space"), "{text}");
        }
        EMFILE => {
            assert!(matches!(error, OpenError::TooManyFiles { .. }), "{error:?}");
            assert!(text.contains("too many files are open; raise the limit"), "{text}");
        }
        _ => {
            assert!(matches!(error, OpenError::Failed { .. }), "{error:?}");
            assert!(text.contains("mend the cause below"), "{text}");
        }
    }
}

/// Lives that meet a fault of these kinds, of files whose names contain `name`.
fn meets(kinds: u32, error: i32, name: &'static str) {
    let control = Control::of_this_process();
    let tree = std::env::var_os(TREE).unwrap();
    let folder = Path::new(&tree).join("store");
    let mut lives = 0;
    for lasting in [false, true] {
        for torn in [false, true] {
            if torn && kinds & WRITE == 0 {
                continue;
            }
            let mut after = 0;
            while strike(&control, Fault { kinds, error, name, after, lasting, torn }, &folder) {
                lives += 1;
                // RocksDB waits a second after some failures: the short form leaves most operations out.
                after += 1 + if crate::long() { after / DENSITY } else { after * 3 };
            }
            assert!(after > 0, "such an operation never came");
        }
    }
    println!("\ndisk: kinds {kinds:#x} of \"{name}\" fail with {error}: lives={lives} lost=0 doubled=0");
}

#[test]
fn a_full_disk_stops_writing_and_loses_nothing() {
    if in_child("failing::a_full_disk_stops_writing_and_loses_nothing") {
        meets(WRITE, ENOSPC, "");
    }
}

#[test]
fn a_full_disk_has_no_room_for_new_files() {
    if in_child("failing::a_full_disk_has_no_room_for_new_files") {
        meets(CREATE | MKDIR | RESIZE, ENOSPC, "");
    }
}

#[test]
fn writes_that_fail_stop_writing_and_lose_nothing() {
    if in_child("failing::writes_that_fail_stop_writing_and_lose_nothing") {
        meets(WRITE, EIO, "");
    }
}

#[test]
fn an_error_of_the_write_ahead_log_stops_writing() {
    if in_child("failing::an_error_of_the_write_ahead_log_stops_writing") {
        meets(WRITE | SYNC, EIO, ".log");
    }
}

#[test]
fn a_failed_fsync_stops_writing_and_loses_nothing() {
    if in_child("failing::a_failed_fsync_stops_writing_and_loses_nothing") {
        meets(SYNC, EIO, "");
    }
}

#[test]
fn files_that_cannot_be_renamed_or_removed_lose_nothing() {
    if in_child("failing::files_that_cannot_be_renamed_or_removed_lose_nothing") {
        meets(RENAME | REMOVE, EIO, "");
    }
}

#[test]
fn reads_that_fail_lose_nothing() {
    if in_child("failing::reads_that_fail_lose_nothing") {
        meets(READ, EIO, "");
    }
}

#[test]
fn no_descriptor_left_is_told_and_loses_nothing() {
    if in_child("failing::no_descriptor_left_is_told_and_loses_nothing") {
        meets(OPEN | CREATE, EMFILE, "");
    }
}
