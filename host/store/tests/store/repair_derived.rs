//! Repairing a partition of which whole tables are lost: rollups and kept states never tell of samples that are gone.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use telemetry_core::{ManualClock, ScanBlock, ScanOptions, TimeRange};
use telemetry_store::{RepairMode, RepairReport, Store, StoreOptions, repair};

use crate::bag::*;
use crate::fixture::*;

const FAMILY: &str = "m.20260310";

fn options(directory: &Path) -> StoreOptions {
    StoreOptions { background: false, min_free_bytes: 0, ..StoreOptions::in_directory(directory) }
}

/// The tables of the partition, in the order in which they were written.
fn tables(directory: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(directory.join("rocksdb")).unwrap().map(|entry| entry.unwrap().path());
    let of_it = |path: &PathBuf| {
        path.extension().is_some_and(|extension| extension == "sst")
            && fs::read(path).unwrap().windows(FAMILY.len()).any(|part| part == FAMILY.as_bytes())
    };
    let mut found: Vec<_> = files.filter(of_it).collect();
    found.sort();
    found
}

/// A day before, so that the series is known by name whatever is lost; two tables with chunks, in a table of its own what was
/// made from them.
fn fill(directory: &Path) {
    let mut fixture = Fixture::in_directory(directory);
    fixture.samples(run("m", -86_400, 10, 100));
    for from in [0, 3600 * 3] {
        fixture.samples(run("m", from, 10, 2 * 360));
        fixture.store.seal().unwrap();
        fixture = fixture.reopen();
    }
    fixture.clock.advance(HOUR * 8);
    // The log no longer has what is in chunks.
    fixture.store.maintain().unwrap();
    assert!(build(&fixture.store, &rollup("v1", 60, &[])) > 0);
    drop(fixture.reopen());
}

/// Samples by minute; with digests from rollups where there are any.
fn by_minute(store: &Store, digests: bool) -> BTreeMap<i64, u64> {
    let minute = 60 * NANOS;
    let mut found = BTreeMap::new();
    let options = ScanOptions { digests, bucket: Some(minute), ..ScanOptions::default() };
    store
        .scan(&series_of(store, "m"), TimeRange::ALL, options, &mut |_, block| {
            let mut add = |time: i64, count| *found.entry(time.div_euclid(minute)).or_default() += count;
            match block {
                ScanBlock::Digest(digest) => add(digest.first_time.nanos(), digest.count),
                ScanBlock::Samples { timestamps, .. } => timestamps.iter().for_each(|time| add(*time, 1)),
                ScanBlock::Text { .. } | ScanBlock::State(_) => panic!("neither is there"),
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    found
}

fn repaired(directory: &Path) -> RepairReport {
    repair(&options(directory), Arc::new(ManualClock::at(noon())), RepairMode::Replace)
        .unwrap_or_else(|error| panic!("{error:?}"))
}

#[test]
fn what_was_made_from_lost_chunks_goes_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let origin = folder.path().join("origin");
    fill(&origin);
    let count = tables(&origin).len();
    assert!(count >= 3, "chunks and states are in different tables: {count}");
    let mut lost = Vec::new();
    for table in 0..count {
        let directory = folder.path().join(format!("store-{table}"));
        fs::create_dir_all(directory.join("rocksdb")).unwrap();
        for entry in fs::read_dir(origin.join("rocksdb")).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, directory.join("rocksdb").join(path.file_name().unwrap())).unwrap();
        }
        fs::copy(origin.join("SYNCED"), directory.join("SYNCED")).unwrap();
        fs::remove_file(&tables(&directory)[table]).unwrap();
        let report = repaired(&directory);
        lost.push(report.samples_lost);
        check_derived(&directory);
        assert!(report.notes.iter().any(|note| note.contains("rollups and kept states")), "{report:?}");
    }
    // What the second table had comes back from the log.
    assert!(lost.contains(&720) && lost.contains(&0), "{lost:?}");
}

/// Whatever is asked, the answer is that of the samples that are there; at once, and when all is made again.
fn check_derived(directory: &Path) {
    let rollup = rollup("v1", 60, &[]);
    let fixture = Fixture::in_directory(directory);
    fixture.clock.advance(DAY * 2);
    check(&fixture.store, rollup.states(), &[TimeRange::ALL]);
    assert_eq!(by_minute(&fixture.store, true), by_minute(&fixture.store, false));
    build(&fixture.store, &rollup);
    assert!(check(&fixture.store, rollup.states(), &[TimeRange::ALL]) > 0, "states are made again");
    for _ in 0..3 {
        fixture.clock.advance(DAY);
        fixture.store.maintain().unwrap();
    }
    check(&fixture.store, rollup.states(), &[TimeRange::ALL]);
    assert_eq!(by_minute(&fixture.store, true), by_minute(&fixture.store, false));
}
