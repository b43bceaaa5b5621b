//! Repairing: whatever file is damaged, what is lost is told, the rest is there, and the damaged store is kept as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use telemetry_core::{EventQuery, ManualClock, TimeRange};
use telemetry_store::{
    Checkpoint, OpenError, RecordBatch, RepairError, RepairMode, RepairReport, Store, StoreOptions, repair,
};

use crate::fixture::*;

/// Hosts of the metric `m`, each with [`SAMPLES`] noisy samples.
const HOSTS: u32 = 12;
const SAMPLES: u32 = 1500;
const EVENTS: u32 = 900;

/// A store as a crash leaves it: two days in tables, and a third day in the log alone.
struct Origin {
    folder: tempfile::TempDir,
}

/// A copy of it, to be damaged.
struct Damaged {
    folder: tempfile::TempDir,
}

/// All samples of `m` by host, `tail` and `old`, as they were written.
fn noisy(host: u32, n: u32) -> f64 {
    f64::from(n.wrapping_mul(2_654_435_761) ^ host) / 7.0
}

/// In memory where that is to be had: a case opens and syncs stores of its own.
fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn options(directory: &Path) -> StoreOptions {
    StoreOptions { background: false, min_free_bytes: 0, ..StoreOptions::in_directory(directory) }
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(noon()))
}

fn fill(directory: &Path) -> Store {
    let fixture = Fixture::in_directory(directory);
    for host in 0..HOSTS {
        let run = (0..SAMPLES)
            .map(|n| labelled("m", &format!("host-{host}"), noon().plus(SECOND * n), noisy(host, n)));
        fixture.samples(run.collect());
    }
    for n in 0..EVENTS {
        let kind = format!("E{}", n % 3);
        fixture.events(vec![fixture.event(&kind, noon().plus(SECOND * n))]);
    }
    fixture.samples(run_of("old", noon().minus(DAY), 700));
    fixture.store.seal().unwrap();
    fixture.store.plugin_write("p", "k", Some(b"v")).unwrap();
    // Opening brings the log into tables.
    let fixture = fixture.reopen();
    fixture.samples(run_of("tail", noon().plus(HOUR), 50));
    fixture.samples(run_of("tail", noon().plus(DAY), 60));
    fixture.events(vec![fixture.event("LATE", noon().plus(DAY))]);
    let cursor = Checkpoint { monitor: "watch".to_owned(), next_sequence: 5, ..Checkpoint::default() };
    fixture.store.commit_checkpoint(&cursor).unwrap();
    fixture.store.sync().unwrap();
    fixture.store
}

impl Origin {
    fn new() -> Self {
        let live = scratch();
        let store = fill(live.path());
        let folder = scratch();
        // What is on the disk while the store is open is what a crash would leave.
        copy(live.path(), folder.path());
        drop(store);
        Self { folder }
    }

    fn damaged(&self) -> Damaged {
        let folder = scratch();
        copy(self.folder.path(), &folder.path().join("store"));
        Damaged { folder }
    }
}

impl Damaged {
    fn new() -> Self {
        Origin::new().damaged()
    }

    fn directory(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    fn rocks(&self) -> PathBuf {
        self.directory().join("rocksdb")
    }

    fn files(&self, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
        let files = fs::read_dir(self.rocks()).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> =
            files.filter(|path| wanted(path.file_name().unwrap().to_str().unwrap())).collect();
        files.sort();
        files
    }

    /// The tables of a family, which their properties name.
    fn tables(&self, family: &str) -> Vec<PathBuf> {
        let tables = self.files(|name| name.ends_with(".sst"));
        let of_it = |path: &PathBuf| {
            let bytes = fs::read(path).unwrap();
            bytes.windows(family.len()).any(|part| part == family.as_bytes())
        };
        // `m.` and `e.` have the day in common with the log's text nowhere; `log` is part of no other family's name.
        let found: Vec<_> = tables.into_iter().filter(of_it).collect();
        assert!(!found.is_empty(), "{family} is in a table");
        found
    }

    fn manifest(&self) -> PathBuf {
        self.files(|name| name.starts_with("MANIFEST-")).pop().unwrap()
    }

    fn repair(&self) -> RepairReport {
        let before = contents(&self.directory());
        let report = repair(&options(&self.directory()), clock(), RepairMode::Replace)
            .unwrap_or_else(|error| panic!("{error:?}"));
        assert!(report.damaged, "{report:?}");
        let aside = report.set_aside.clone().unwrap();
        assert_eq!(contents(&aside), before, "the damaged store is kept as it was");
        assert!(!self.folder.path().join("store.incomplete").exists());
        report
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.join("rocksdb")).unwrap();
    for folder in ["", "rocksdb"] {
        for entry in fs::read_dir(from.join(folder)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                fs::copy(entry.path(), to.join(folder).join(entry.file_name())).unwrap();
            }
        }
    }
}

/// Every file with its bytes.
fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for folder in ["", "rocksdb"] {
        for entry in fs::read_dir(directory.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                found.insert(path.strip_prefix(directory).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn flip(path: &Path, place: impl Fn(usize) -> usize) {
    let mut bytes = fs::read(path).unwrap();
    let place = place(bytes.len());
    bytes[place] ^= 0x04;
    fs::write(path, bytes).unwrap();
}

/// What was written, by metric: time and value of every sample.
fn written() -> BTreeMap<&'static str, Vec<(i64, f64)>> {
    let run = |from: telemetry_core::Timestamp, count: u32| {
        (0..count).map(move |n| (from.plus(SECOND * n).nanos(), f64::from(n)))
    };
    let m = (0..HOSTS)
        .flat_map(|host| (0..SAMPLES).map(move |n| (noon().plus(SECOND * n).nanos(), noisy(host, n))));
    BTreeMap::from([
        ("m", m.collect()),
        ("old", run(noon().minus(DAY), 700).collect()),
        ("tail", run(noon().plus(HOUR), 50).chain(run(noon().plus(DAY), 60)).collect()),
    ])
}

fn sorted(mut samples: Vec<(i64, f64)>) -> Vec<(i64, u64)> {
    samples.sort_by(|one, two| one.0.cmp(&two.0).then(one.1.total_cmp(&two.1)));
    samples.into_iter().map(|(time, value)| (time, value.to_bits())).collect()
}

fn events_of(store: &Store) -> u64 {
    let mut query = EventQuery { range: TimeRange::ALL, limit: Some(1000), ..EventQuery::default() };
    let mut count = 0;
    loop {
        let page = store.query_events(&query).unwrap();
        count += page.events.len() as u64;
        match page.next_cursor {
            Some(cursor) => query.cursor = Some(cursor),
            None => return count,
        }
    }
}

/// The repaired store is sound; it has what was written but for what the report says.
fn check(directory: &Path, report: &RepairReport, case: &str) {
    let fixture = Fixture::in_directory(directory);
    let found = fixture.store.verify().unwrap();
    assert!(found.is_sound(), "{case}: {found:?}");
    let (mut there, mut all) = (0, 0);
    for (metric, written) in written() {
        let kept = sorted(values_of(&fixture.store, metric));
        let whole: BTreeSet<_> = sorted(written.clone()).into_iter().collect();
        assert!(
            kept.iter().all(|sample| whole.contains(sample)),
            "{case}: {metric} has samples that nobody wrote"
        );
        assert_eq!(
            kept.iter().collect::<BTreeSet<_>>().len(),
            kept.len(),
            "{case}: {metric} has samples twice"
        );
        assert_eq!(count_of(&fixture.store, metric), kept.len() as u64, "{case}: {metric} by digests");
        there += kept.len() as u64;
        all += written.len() as u64;
    }
    // A series whose name is lost has its samples under another one.
    let recovered = count_of(&fixture.store, "bridge_telemetry_recovered");
    let stats = fixture.store.stats();
    assert_eq!(there + recovered, report.samples_kept, "{case}: {report:?}");
    assert_eq!(stats.metrics_total, report.samples_kept, "{case}");
    assert_eq!(all, report.samples_kept + report.samples_lost, "{case}: {report:?}");
    let events = events_of(&fixture.store);
    assert_eq!((events, stats.events_total), (report.events_kept, report.events_kept), "{case}: {report:?}");
    assert_eq!(u64::from(EVENTS) + 1, report.events_kept + report.events_lost, "{case}: {report:?}");
    // It goes on, also after another opening.
    let next = fixture.store.last_sequence() + 1;
    assert_eq!(fixture.samples(run_of("new", noon(), 10)).first_sequence, next);
    let fixture = fixture.reopen();
    assert_eq!(count_of(&fixture.store, "new"), 10, "{case}");
    assert_eq!(fixture.store.stats().metrics_total, report.samples_kept + 10, "{case}");
    for _ in 0..4 {
        fixture.clock.advance(DAY);
        fixture.store.maintain().unwrap();
    }
    assert_eq!(fixture.store.stats().metrics_total, report.samples_kept + 10, "{case}: in final form");
    assert!(fixture.store.verify().unwrap().is_sound(), "{case}: in final form");
}

fn nothing_is_lost(report: &RepairReport, case: &str) {
    assert_eq!((report.samples_lost, report.events_lost), (0, 0), "{case}: {report:?}");
    assert!(report.tables_lost.is_empty(), "{case}: {report:?}");
}

#[test]
fn a_sound_store_stays_as_it_is() {
    let damaged = Damaged::new();
    let before = contents(&damaged.directory());
    let report = repair(&options(&damaged.directory()), clock(), RepairMode::Replace).unwrap();
    assert!(!report.damaged && report.set_aside.is_none(), "{report:?}");
    let after = contents(&damaged.directory());
    assert_eq!(before, after);
    assert_eq!(fs::read_dir(damaged.folder.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn only_a_store_that_nobody_has_open_is_repaired() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = Fixture::in_directory(folder.path());
    let error = repair(&fixture.options, clock(), RepairMode::Replace).unwrap_err();
    assert!(matches!(error, RepairError::Taken(_)), "{error:?}");
    let error = repair(&StoreOptions::in_memory(), clock(), RepairMode::Replace).unwrap_err();
    assert!(matches!(error, RepairError::InMemory), "{error:?}");
    let error = repair(&options(&folder.path().join("none")), clock(), RepairMode::Replace).unwrap_err();
    assert!(matches!(error, RepairError::NoStore { .. }), "{error:?}");
    assert!(!folder.path().join("none").exists());
}

#[test]
fn a_dry_run_tells_the_same_and_changes_nothing() {
    let damaged = Damaged::new();
    flip(&damaged.tables("m.20260310")[0], |length| length / 2);
    let before = contents(&damaged.directory());
    let told = repair(&options(&damaged.directory()), clock(), RepairMode::DryRun).unwrap();
    assert!(told.damaged && told.set_aside.is_none());
    assert_eq!(contents(&damaged.directory()), before);
    let mut report = damaged.repair();
    report.set_aside = None;
    assert_eq!(told, report);
}

#[test]
fn current_is_told_by_the_manifest() {
    let origin = Origin::new();
    for (case, content) in [
        ("absent", None),
        ("empty", Some("")),
        ("another", Some("MANIFEST-999999\n")),
        ("nonsense", Some("\u{1}ANIFEST")),
    ] {
        let damaged = origin.damaged();
        let current = damaged.rocks().join("CURRENT");
        match content {
            None => fs::remove_file(current).unwrap(),
            Some(content) => fs::write(current, content).unwrap(),
        }
        assert!(
            matches!(Store::open(options(&damaged.directory()), clock()), Err(OpenError::Corrupt { .. })),
            "{case}"
        );
        let report = damaged.repair();
        assert!(report.index[0].contains("CURRENT"), "{case}: {report:?}");
        nothing_is_lost(&report, case);
        check(&damaged.directory(), &report, case);
    }
}

#[test]
fn the_manifest_is_made_anew() {
    let origin = Origin::new();
    let size = fs::metadata(origin.damaged().manifest()).unwrap().len() as usize;
    for place in (0..size).step_by((size / 9).max(1)) {
        let damaged = origin.damaged();
        flip(&damaged.manifest(), |_| place);
        let case = format!("byte {place} of {size}");
        let report = damaged.repair();
        nothing_is_lost(&report, &case);
        check(&damaged.directory(), &report, &case);
    }
    let damaged = origin.damaged();
    fs::remove_file(damaged.manifest()).unwrap();
    let report = damaged.repair();
    nothing_is_lost(&report, "absent");
    check(&damaged.directory(), &report, "absent");
}

/// A way of damaging a table, by its name.
type Way = (&'static str, fn(&Path));

const WAYS: [Way; 6] = [
    ("first block", |path| flip(path, |_| 20)),
    ("middle", |path| flip(path, |length| length / 2)),
    ("footer", |path| flip(path, |length| length - 5)),
    ("before the footer", |path| flip(path, |length| length - 60)),
    ("cut", |path| {
        let half = fs::metadata(path).unwrap().len() / 2;
        fs::File::options().write(true).open(path).unwrap().set_len(half).unwrap();
    }),
    ("absent", |path| fs::remove_file(path).unwrap()),
];

#[test]
fn tables_of_every_family_lose_no_more_than_is_told() {
    let origin = Origin::new();
    for family in ["m.20260310", "e.20260310", "m.20260309", "meta", "log", "plugin_state"] {
        for (way, damage) in WAYS {
            let damaged = origin.damaged();
            damage(damaged.tables(family).first().unwrap());
            let case = format!("{family}, {way}");
            let report = damaged.repair();
            let said = format!("{:?} {:?} {:?}", report.findings, report.tables_lost, report.index);
            assert!(said.contains(family), "{case}: {report:?}");
            check(&damaged.directory(), &report, &case);
        }
    }
}

#[test]
fn a_flipped_block_costs_only_its_rows() {
    let damaged = Damaged::new();
    flip(&damaged.tables("m.20260310")[0], |length| length / 2);
    let report = damaged.repair();
    assert!(report.samples_lost > 0 && report.samples_lost <= 4 * u64::from(SAMPLES), "{report:?}");
    let family = report.families.iter().find(|family| family.family == "m.20260310").unwrap();
    assert!(family.lost[0].starts_with("between samples of series "), "{family:?}");
    assert_eq!(family.records_lost, Some(report.samples_lost));
    let fixture = Fixture::in_directory(&damaged.directory());
    let whole = series_of(&fixture.store, "m").into_iter().filter(|series| {
        let mut count = 0;
        fixture
            .store
            .scan(&[*series], TimeRange::ALL, telemetry_core::ScanOptions::default(), &mut |_, block| {
                if let telemetry_core::ScanBlock::Samples { values, .. } = block {
                    count += values.len() as u32;
                }
                std::ops::ControlFlow::Continue(())
            })
            .unwrap();
        count == SAMPLES
    });
    assert!(whole.count() as u32 >= HOSTS - 4, "the others are whole");
}

#[test]
fn a_log_that_cannot_be_passed_ends_there() {
    let damaged = Damaged::new();
    let log = damaged.files(|name| name.ends_with(".log")).pop().unwrap();
    let bytes = fs::read(&log).unwrap();
    // The header of a later record: its type becomes one of recycled logs.
    let mut place = 0;
    for _ in 0..3 {
        place += 7 + usize::from(u16::from_le_bytes([bytes[place + 4], bytes[place + 5]]));
    }
    flip(&log, |_| place + 6);
    let report = damaged.repair();
    assert!(report.index.iter().any(|text| text.contains("impossible type")), "{report:?}");
    let fixture = Fixture::in_directory(&damaged.directory());
    assert!(fixture.store.verify().unwrap().is_sound());
    assert_eq!(values_of(&fixture.store, "m").len() as u32, HOSTS * SAMPLES);
    let gone = report.notes.iter().any(|note| note.contains("were on the disk and are gone"));
    assert!(gone, "{report:?}");
}

#[test]
fn what_was_given_out_is_not_given_out_again() {
    let damaged = Damaged::new();
    for table in damaged.tables("log").iter().chain(&damaged.tables("meta")) {
        fs::remove_file(table).unwrap();
    }
    let report = damaged.repair();
    let fixture = Fixture::in_directory(&damaged.directory());
    let known: BTreeSet<u32> =
        ["m", "old", "tail"].iter().flat_map(|name| series_of(&fixture.store, name)).collect();
    let batch = RecordBatch { samples: run_of("new", noon(), 5), ..RecordBatch::default() };
    let appended = fixture.store.append(&batch).unwrap();
    assert!(appended.first_sequence > u64::from(HOSTS * SAMPLES + EVENTS), "{report:?}");
    assert!(series_of(&fixture.store, "new").iter().all(|series| !known.contains(series)));
    let fixture = fixture.reopen();
    assert_eq!(count_of(&fixture.store, "new"), 5, "{report:?}");
}
