//! Columns of every form, on a closed day with rollups and on an open one: what goes in comes out, also after late samples.
//!
//! `write_a_fixture` writes the same store to a directory, for a later release's test that it reads this one's format. The archives
//! beside this file are such stores of older formats, without RocksDB's notes of their options and doings.

use std::path::Path;

use telemetry_core::{AdmittedSample, EventQuery, MetricValue, ScanBlock, ScanOptions, TimeRange, Timestamp};

use crate::fixture::*;

/// Samples of each series on the first day.
const SAMPLES: i64 = 1_500;
/// Events on the first day.
const EVENTS: i64 = 40;

/// The metrics, one for each of the forms that columns have.
const METRICS: [&str; 8] =
    ["constant", "walk", "far_walk", "decimals", "averages", "mantissas", "mixed", "jittered"];

fn noise(index: i64, range: i64) -> i64 {
    (index.wrapping_mul(6_364_136_223_846_793_005) >> 33).rem_euclid(range)
}

/// The value of a metric's sample.
fn value(metric: &str, index: i64) -> MetricValue {
    let wander = index / 50 + noise(index, 7);
    match metric {
        "constant" => 42.into(),
        "walk" => wander.into(),
        "far_walk" => (wander * 70_001).into(),
        "decimals" => (wander as f64 / 100.0).into(),
        // What adding leaves beside a decimal.
        "averages" => ((wander as f64 + 0.1) * 1.1).into(),
        "mantissas" => (1.0 / (1.0 + wander as f64)).into(),
        "mixed" if index % 3 == 0 => "text".into(),
        "mixed" if index % 3 == 1 => (-0.0).into(),
        "mixed" => index.into(),
        _ => (index as f64).into(),
    }
}

/// When it was measured: every second, so that there are rollups of minutes and of hours.
fn time(metric: &str, index: i64) -> Timestamp {
    let jitter = if metric == "jittered" { noise(index, 5_000_000) } else { 0 };
    Timestamp::from_nanos(noon().nanos() + index * 1_000_000_000 + jitter)
}

fn all_samples(indices: std::ops::Range<i64>) -> Vec<AdmittedSample> {
    let each = |index| METRICS.map(|metric| sample(metric, time(metric, index), value(metric, index)));
    indices.flat_map(each).collect()
}

#[test]
#[ignore = "writes a fixture of this release's format to the directory that the variable FIXTURE names"]
fn write_a_fixture() {
    let directory = std::env::var_os("FIXTURE").unwrap();
    fill(&Fixture::in_directory(Path::new(&directory)));
}

fn fill(fixture: &Fixture) {
    // A late half between, so that chunks overlap until they are merged.
    for indices in [0..400, 900..SAMPLES, 400..900] {
        fixture.samples(all_samples(indices));
        fixture.store.seal().unwrap();
    }
    let at = |index: i64| noon().plus(SECOND * u32::try_from(index).unwrap());
    fixture.events((0..EVENTS).map(|index| fixture.event("OPERATION", at(index))).collect());
    for _ in 0..40 {
        fixture.clock.advance(MINUTE * 30);
        fixture.store.maintain().unwrap();
    }
    // A second day, partly in chunks, partly in the log.
    let day = 86_400;
    fixture.samples(all_samples(day..day + 100));
    fixture.store.seal().unwrap();
    fixture.samples(all_samples(day + 100..day + 120));
    fixture.store.sync().unwrap();
}

fn check(fixture: &Fixture, indices: &[i64]) {
    for metric in METRICS {
        let numbers = indices.iter().filter_map(|index| {
            let value = value(metric, *index).as_f64()?;
            Some((time(metric, *index).nanos(), value.to_bits()))
        });
        let found = values_of(&fixture.store, metric);
        let found: Vec<_> = found.iter().map(|(time, value)| (*time, value.to_bits())).collect();
        assert_eq!(found, numbers.collect::<Vec<_>>(), "{metric}");
        assert_eq!(count_of(&fixture.store, metric), indices.len() as u64, "{metric}");
        check_minutes(fixture, metric, indices);
    }
    let page = fixture.store.query_events(&EventQuery::default()).unwrap();
    assert_eq!(page.events.len() as i64, EVENTS);
    let report = fixture.store.verify().unwrap();
    assert!(report.is_sound(), "{report:?}");
}

/// Counts and sums by minute, from rollups where there are any.
fn check_minutes(fixture: &Fixture, metric: &str, indices: &[i64]) {
    let minute = 60_000_000_000;
    let mut wanted = std::collections::BTreeMap::new();
    for index in indices {
        if let Some(value) = value(metric, *index).as_f64() {
            let bucket: &mut (u64, f64) =
                wanted.entry(time(metric, *index).nanos().div_euclid(minute)).or_default();
            *bucket = (bucket.0 + 1, bucket.1 + value);
        }
    }
    let mut found = std::collections::BTreeMap::new();
    let options = ScanOptions { digests: true, bucket: Some(minute), ordered: false, states: None };
    let mut add = |time: i64, count: u64, sum: f64| {
        let bucket: &mut (u64, f64) = found.entry(time.div_euclid(minute)).or_default();
        *bucket = (bucket.0 + count, bucket.1 + sum);
    };
    let scanned =
        fixture.store.scan(&series_of(&fixture.store, metric), TimeRange::ALL, options, &mut |_, block| {
            match block {
                ScanBlock::Digest(digest) => add(digest.first_time.nanos(), digest.count, digest.sum),
                ScanBlock::Samples { timestamps, values } => {
                    timestamps.iter().zip(values).for_each(|(time, value)| add(*time, 1, *value));
                }
                ScanBlock::Text { .. } | ScanBlock::State(_) => {}
            }
            std::ops::ControlFlow::Continue(())
        });
    scanned.unwrap();
    assert_eq!(found.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>(), "{metric}");
    for (found, wanted) in found.values().zip(wanted.values()) {
        assert_eq!(found.0, wanted.0, "{metric}");
        assert!((found.1 - wanted.1).abs() <= wanted.1.abs() * 1e-12, "{metric}");
    }
}

#[test]
fn columns_of_every_form_come_back_and_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::in_directory(directory.path());
    fill(&fixture);
    comes_back_and_goes_on(fixture.reopen());
}

/// The format that a store says it has, which is of no use afterwards: RocksDB cannot open it for reading only.
fn format_of(directory: &Path) -> u8 {
    let (options, path) = (rocksdb::Options::default(), directory.join("rocksdb"));
    let families = rocksdb::DB::list_cf(&options, &path).unwrap();
    let rocks = rocksdb::DB::open_cf(&options, path, families).unwrap();
    let identity = rocks.get_cf(rocks.cf_handle("meta").unwrap(), [0x01]).unwrap().unwrap();
    // Behind the envelope's version and checksum.
    identity[5]
}

#[test]
fn a_store_of_format_2_comes_back_and_goes_on() {
    older_comes_back_and_goes_on(2, include_bytes!("format-2.tar.zst"));
}

#[test]
fn a_store_of_format_3_comes_back_and_goes_on() {
    older_comes_back_and_goes_on(3, include_bytes!("format-3.tar.zst"));
}

fn older_comes_back_and_goes_on(format: u8, archive: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let archive = zstd::decode_all(archive).unwrap();
    for copy in ["to-look-at", "to-open"] {
        tar::Archive::new(&archive[..]).unpack(folder.path().join(copy)).unwrap();
    }
    assert_eq!(format_of(&folder.path().join("to-look-at/store")), format);
    let directory = folder.path().join("to-open/store");
    let fixture = Fixture::in_directory(&directory);
    // It was closed so much later.
    fixture.clock.advance(MINUTE * 30 * 40);
    assert!(fixture.store.stats().reports.is_empty(), "{:?}", fixture.store.stats().reports);
    comes_back_and_goes_on(fixture);
    assert_eq!(format_of(&directory), 4);
}

fn comes_back_and_goes_on(mut fixture: Fixture) {
    let day = 86_400;
    let mut indices: Vec<i64> = (0..SAMPLES).chain(day..day + 120).collect();
    check(&fixture, &indices);
    // Late samples are merged with what the closed day has, rows of minutes and of hours too.
    fixture.samples(all_samples(SAMPLES..SAMPLES + 200));
    fixture.store.seal().unwrap();
    indices.extend(SAMPLES..SAMPLES + 200);
    indices.sort_unstable();
    check(&fixture, &indices);
    for _ in 0..100 {
        fixture.clock.advance(MINUTE * 30);
        fixture.store.maintain().unwrap();
    }
    check(&fixture, &indices);
    fixture = fixture.reopen();
    check(&fixture, &indices);
}
