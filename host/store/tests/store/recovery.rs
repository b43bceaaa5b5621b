//! Recovery: a copy taken in the middle of work, and a write-ahead log that is cut or damaged.

use std::fs;
use std::path::{Path, PathBuf};

use telemetry_store::{Checkpoint, StoreOptions};

use crate::fixture::*;

/// A copy of the directory as a crash would leave it: the store is not closed.
fn copy(from: &Path) -> tempfile::TempDir {
    fn copy_into(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let target = to.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                copy_into(&entry.path(), &target);
            } else {
                fs::copy(entry.path(), target).unwrap();
            }
        }
    }
    let to = tempfile::tempdir().unwrap();
    copy_into(from, to.path());
    to
}

/// The write-ahead logs, oldest first.
fn logs(directory: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(directory.join("rocksdb")).unwrap().map(|entry| entry.unwrap().path());
    let mut logs: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "log")).collect();
    logs.sort();
    logs
}

#[test]
fn a_crash_at_any_step_loses_nothing_and_doubles_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::in_directory(directory.path());
    let mut stored = 0;
    for step in 0..12_u32 {
        fixture.samples(run_of("m", noon().plus(SECOND * 300 * step), 700));
        fixture.samples(vec![labelled("slow", "a", noon().minus(SECOND * step), f64::from(step))]);
        stored += 700;
        if step % 3 == 1 {
            fixture.store.maintain().unwrap();
        }
        if step % 5 == 4 {
            fixture.store.seal().unwrap();
        }
        let crashed = copy(directory.path());
        let recovered = Fixture::in_directory(crashed.path());
        assert_eq!(values_of(&recovered.store, "m"), values_of(&fixture.store, "m"), "step {step}");
        assert_eq!(values_of(&recovered.store, "slow").len() as u32, step + 1);
        assert_eq!(recovered.store.last_sequence(), u64::from(stored + step + 1));
        assert_eq!(recovered.store.stats().metrics_total, u64::from(stored + step + 1));
        assert_eq!(recovered.store.stats().reports, Vec::<String>::new());
        // Once more, after it sealed by itself.
        recovered.store.seal().unwrap();
        let recovered = recovered.reopen();
        assert_eq!(values_of(&recovered.store, "m"), values_of(&fixture.store, "m"), "step {step}");
    }
}

#[test]
fn a_torn_log_gives_a_clean_prefix() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::in_directory(directory.path());
    // Batches of ten: a torn batch would leave a count that is not a multiple of ten.
    for batch in 0..40_u32 {
        fixture.samples(run_of("m", noon().plus(SECOND * 10 * batch), 10));
        fixture.events(vec![fixture.event("E", noon().plus(SECOND * batch))]);
    }
    let whole = copy(directory.path());
    drop(fixture);
    let path = logs(whole.path()).pop().unwrap();
    let bytes = fs::read(&path).unwrap();
    let mut last = 0;
    for cut in (0..bytes.len()).step_by(bytes.len() / 25).chain([bytes.len()]) {
        let crashed = copy(whole.path());
        let name = path.file_name().unwrap();
        fs::write(crashed.path().join("rocksdb").join(name), &bytes[..cut]).unwrap();
        let recovered = Fixture::in_directory(crashed.path());
        let stats = recovered.store.stats();
        let samples = values_of(&recovered.store, "m");
        assert_eq!(samples.len() % 10, 0, "cut at {cut}");
        assert_eq!(samples.len() as u64, stats.metrics_total);
        assert!(samples.iter().enumerate().all(|(n, pair)| pair.1 == (n % 10) as f64));
        assert!(stats.events_total <= stats.metrics_total / 10);
        assert!(stats.events_total + 1 >= stats.metrics_total / 10);
        assert_eq!(recovered.store.last_sequence(), stats.metrics_total + stats.events_total);
        assert!(stats.metrics_total >= last, "a longer log holds no less");
        last = stats.metrics_total;
        // And it goes on.
        let next = recovered.samples(run_of("m", noon().plus(HOUR), 10));
        assert_eq!(next.first_sequence, stats.last_sequence + 1);
    }
    assert_eq!(last, 400);
}

#[test]
fn records_that_were_synced_and_are_gone_are_reported() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::in_directory(directory.path());
    for batch in 0..20_u32 {
        fixture.samples(run_of("m", noon().plus(SECOND * 10 * batch), 10));
    }
    assert_eq!(fixture.store.sync().unwrap(), 200);
    let crashed = copy(directory.path());
    let path = logs(crashed.path()).pop().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xFF;
    fs::write(&path, bytes).unwrap();
    let recovered = Fixture::in_directory(crashed.path());
    let stats = recovered.store.stats();
    assert!(stats.last_sequence < 200 && stats.last_sequence.is_multiple_of(10));
    let expected = format!("records {} to 200 were on the disk and are gone", stats.last_sequence + 1);
    assert!(stats.reports.iter().any(|report| report.starts_with(&expected)), "{:?}", stats.reports);
    let again = recovered.reopen();
    assert_eq!(again.store.stats().reports, Vec::<String>::new(), "reported once");
}

#[test]
fn series_ids_are_not_given_twice() {
    let directory = tempfile::tempdir().unwrap();
    let mut fixture = Fixture::in_directory(directory.path());
    let mut ids = Vec::new();
    for round in 0..4 {
        for host in 0..5 {
            fixture.samples(vec![labelled("m", &format!("{round}-{host}"), noon(), 1.0)]);
        }
        ids = series_of(&fixture.store, "m");
        fixture = fixture.reopen();
        assert_eq!(series_of(&fixture.store, "m"), ids);
    }
    assert_eq!(ids.len(), 20);
}

#[test]
fn recovery_leaves_what_monitors_have_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::in_directory(directory.path());
    fixture.samples(run_of("m", noon(), 100));
    let checkpoint = Checkpoint { monitor: "slow".to_owned(), next_sequence: 40, ..Checkpoint::default() };
    fixture.store.commit_checkpoint(&checkpoint).unwrap();
    fixture.store.seal().unwrap();
    let crashed = copy(directory.path());
    let recovered = Fixture::in_directory(crashed.path());
    let entries = recovered.store.read_log(40, 1000).unwrap();
    assert_eq!((entries[0].first_sequence, entries[0].next_sequence), (40, 101));
    assert_eq!(values_of(&recovered.store, "m").len(), 100);
}

/// What is in the directory when it vanishes from under the store.
#[test]
fn a_failed_write_poisons_until_reopened() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let options = StoreOptions {
        // Small buffers, so that the log rolls over soon; the next file cannot be made.
        memory_bytes: 1 << 20,
        ..StoreOptions::in_directory(&path)
    };
    let fixture = Fixture::open(StoreOptions { background: false, min_free_bytes: 0, ..options });
    fixture.samples(run_of("m", noon(), 10));
    let moved = directory.path().join("moved");
    fs::rename(&path, &moved).unwrap();
    let mut acknowledged = 10;
    let error = loop {
        let from = noon().plus(SECOND * u32::try_from(acknowledged).unwrap());
        let samples = run_of("m", from, 1000);
        let batch = telemetry_store::RecordBatch { samples, ..Default::default() };
        match fixture.store.append(&batch) {
            Ok(_) => acknowledged += 1000,
            Err(error) => break error,
        }
        assert!(acknowledged < 10_000_000, "the missing directory was never noticed");
    };
    assert!(error.is_write_failure() && error.poisoned(), "{error:?}");
    let again = fixture.store.append_tick(noon()).unwrap_err();
    assert!(again.poisoned());
    assert!(fixture.store.stats().poisoned.is_some());
    assert_eq!(fixture.store.last_sequence(), acknowledged, "nothing of the failed batch is visible");
    assert_eq!(count_of(&fixture.store, "m"), acknowledged, "reads go on");
    fs::rename(&moved, &path).unwrap();
    let fixture = fixture.reopen();
    assert!(fixture.store.stats().poisoned.is_none());
    let left = count_of(&fixture.store, "m");
    assert!(left >= acknowledged && left <= acknowledged + 1000, "{left} of {acknowledged}");
    fixture.samples(run_of("m", noon().plus(DAY), 1));
}
