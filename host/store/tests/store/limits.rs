//! Limits of active series: their samples count, their contexts are not kept.

use std::time::Duration;

use telemetry_core::{MetricSelection, TimeRange};
use telemetry_store::{InventoryDepth, StoreOptions, StoredRecord};

use crate::fixture::*;

fn limited(per_metric: u32, total: u32) -> Fixture {
    Fixture::open(StoreOptions {
        background: false,
        max_series_per_metric: per_metric,
        max_series: total,
        ..StoreOptions::in_memory()
    })
}

#[test]
fn further_series_share_the_overflow_series() {
    let fixture = limited(10, 1000);
    let samples = (0..25).map(|n| labelled("m", &format!("host {n}"), noon(), f64::from(n))).collect();
    let appended = fixture.samples(samples);
    assert_eq!(appended.overflowed, 15);
    assert_eq!(count_of(&fixture.store, "m"), 25, "every value counts");
    assert_eq!(values_of(&fixture.store, "m").iter().map(|pair| pair.1).sum::<f64>(), 300.0);
    let stats = fixture.store.stats();
    assert_eq!((stats.active_series, stats.overflowed_samples), (11, 15));
    let kept = fixture.store.find(appended.sample_ids[0]).unwrap().unwrap();
    let dropped = fixture.store.find(appended.sample_ids[24]).unwrap().unwrap();
    let (StoredRecord::Sample(kept), StoredRecord::Sample(dropped)) = (kept, dropped) else {
        panic!("samples")
    };
    assert!(!kept.context_dropped && dropped.context_dropped);
    assert_eq!(kept.series.context.label("host").as_deref(), Some("host 0"));
    assert!(dropped.series.context.is_empty());
    assert_eq!(dropped.value.as_f64(), Some(24.0));
}

#[test]
fn a_series_without_context_is_not_the_overflow_series() {
    let fixture = limited(2, 1000);
    let samples = vec![
        sample("m", noon(), 1.0),
        labelled("m", "a", noon(), 2.0),
        labelled("m", "b", noon(), 3.0),
        sample("m", noon(), 4.0),
    ];
    let appended = fixture.samples(samples);
    assert_eq!(appended.overflowed, 1);
    assert_eq!(series_of(&fixture.store, "m").len(), 3);
    let StoredRecord::Sample(plain) = fixture.store.find(appended.sample_ids[3]).unwrap().unwrap() else {
        panic!("a sample")
    };
    assert!(!plain.context_dropped);
}

#[test]
fn a_flood_of_names_is_bounded_too() {
    let fixture = limited(100, 20);
    let samples = (0..500).map(|n| labelled(&format!("metric {n}"), "a", noon(), f64::from(n))).collect();
    let appended = fixture.samples(samples);
    assert_eq!(appended.overflowed, 480);
    let all = fixture.store.select_series(&MetricSelection::default(), TimeRange::ALL).unwrap();
    assert!(all.len() <= 41, "{} series", all.len());
    assert_eq!(fixture.store.stats().metrics_total, 500);
}

#[test]
fn the_overflow_series_is_the_same_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let options = StoreOptions {
        background: false,
        min_free_bytes: 0,
        max_series_per_metric: 1,
        ..StoreOptions::in_directory(directory.path())
    };
    let mut fixture = Fixture::open(options);
    for round in 0..3 {
        fixture
            .samples(vec![labelled("m", "a", noon(), 1.0), labelled("m", &format!("b{round}"), noon(), 2.0)]);
        fixture = fixture.reopen();
    }
    assert_eq!(series_of(&fixture.store, "m").len(), 2);
    assert_eq!(count_of(&fixture.store, "m"), 6);
}

/// The small form of `cargo xtask bench store --only bomb`.
#[test]
fn a_flood_of_series_is_bounded_and_counted() {
    const SERIES: u64 = 120_000;
    const LIMIT: u32 = 500;
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::open(StoreOptions {
        background: false,
        min_free_bytes: 0,
        max_series_per_metric: LIMIT,
        max_series: LIMIT * 2,
        memory_bytes: 16 << 20,
        ..StoreOptions::in_directory(directory.path())
    });
    let sum_of = |fixture: &Fixture, name: &str| {
        values_of(&fixture.store, name).into_iter().map(|pair| pair.1).sum::<f64>()
    };
    let names = ["a", "b", "c"];
    let mut overflowed = 0;
    for first in (0..SERIES).step_by(1000) {
        let samples = (first..first + 1000).map(|n| {
            let name = names[usize::try_from(n % 3).unwrap()];
            labelled(name, &format!("request {n}"), noon().plus(Duration::from_millis(n)), n as f64)
        });
        overflowed += fixture.samples(samples.collect()).overflowed;
        let stats = fixture.store.stats();
        assert!(stats.active_series <= u64::from(LIMIT) * 2 + names.len() as u64, "{stats:?}");
        assert!(stats.buffered_bytes <= 4 << 20, "{stats:?}");
        if first % 16_000 == 0 {
            fixture.store.maintain().unwrap();
        }
    }
    let check = |fixture: &Fixture| {
        for (place, name) in names.iter().enumerate() {
            assert_eq!(count_of(&fixture.store, name), SERIES / 3, "every sample of {name} counts");
            let wanted: u64 = (0..SERIES).skip(place).step_by(3).sum();
            assert_eq!(sum_of(fixture, name), wanted as f64, "every value of {name} counts");
        }
        let all = fixture.store.select_series(&MetricSelection::default(), TimeRange::ALL).unwrap();
        assert!(all.len() <= LIMIT as usize * 2 + names.len(), "{} series are defined", all.len());
        assert_eq!(fixture.store.stats().metrics_total, SERIES);
    };
    // All that are not of the first ones of their metric, or came when all were taken.
    assert_eq!(overflowed, SERIES - u64::from(LIMIT) * 2);
    assert_eq!(fixture.store.stats().overflowed_samples, overflowed);
    check(&fixture);
    fixture.store.seal().unwrap();
    check(&fixture);
    let fixture = fixture.reopen();
    check(&fixture);
    fixture.clock.advance(DAY * 2);
    fixture.store.maintain().unwrap();
    check(&fixture);
}

/// A tenth of the series is replaced every hour, for seven days.
#[test]
fn churned_series_are_gone_with_their_partition() {
    let fixture = Fixture::open(StoreOptions {
        background: false,
        metrics_retention: DAY,
        max_series_per_metric: 1000,
        ..StoreOptions::in_memory()
    });
    let hours: u32 = 7 * 24;
    for hour in 0..hours {
        let now = noon().plus(HOUR * hour);
        let samples = (hour * 2..hour * 2 + 20).map(|n| labelled("m", &format!("host {n}"), now, 1.0));
        fixture.samples(samples.collect());
        fixture.clock.advance(HOUR);
        fixture.store.maintain().unwrap();
    }
    let stats = fixture.store.stats();
    assert_eq!(stats.overflowed_samples, 0, "series that came and went do not count against the limit");
    assert!(stats.active_series <= 22, "{} active series", stats.active_series);
    // The day that retention asks for, and at most one longer; a series of before has no definition left.
    let kept = series_of(&fixture.store, "m").len();
    assert!((48..=2 * 48 + 24 + 20).contains(&kept), "{kept} series of {}", hours * 2 + 18);
    assert!(stats.metrics_total <= 20 * 60, "{}", stats.metrics_total);
}

/// Bytes of tables, bytes of the index in memory, and series that are known, after an opening.
fn footprint(fixture: &Fixture) -> (u64, u64, usize) {
    let known = series_of(&fixture.store, "m").len();
    let inventory = fixture.store.inventory(InventoryDepth::Quick).unwrap();
    let tables = inventory.families.iter().map(|family| family.table_bytes).sum();
    (tables, inventory.store.memory.index.used_bytes, known)
}

#[test]
fn churn_costs_neither_disk_nor_memory_once_its_partition_is_gone() {
    const SERIES: u32 = 200;
    let directory = tempfile::tempdir().unwrap();
    let mut fixture = Fixture::open(StoreOptions {
        background: false,
        min_free_bytes: 0,
        metrics_retention: DAY,
        ..StoreOptions::in_directory(directory.path())
    });
    let mut footprints = Vec::new();
    for hour in 0..7 * 24 {
        let now = noon().plus(HOUR * hour);
        let first = hour * SERIES / 10;
        let samples = (first..first + SERIES).map(|n| labelled("m", &format!("host {n}"), now, f64::from(n)));
        fixture.samples(samples.collect());
        fixture.clock.advance(HOUR);
        fixture.store.maintain().unwrap();
        if (hour + 1) % 24 == 0 {
            // Opening brings what is in the log into tables.
            fixture = fixture.reopen();
            footprints.push(footprint(&fixture));
        }
    }
    let ((disk, memory, series), (later_disk, later_memory, later_series)) = (footprints[2], footprints[6]);
    assert_eq!(later_series, series, "{footprints:?}");
    assert!(later_disk <= disk + disk / 10, "{footprints:?}");
    assert!(later_memory <= memory + memory / 10, "{footprints:?}");
    // When nothing comes any more, nothing is left.
    for _ in 0..4 {
        fixture.clock.advance(DAY);
        fixture.store.maintain().unwrap();
    }
    let fixture = fixture.reopen();
    let (disk, memory, series) = footprint(&fixture);
    assert_eq!((series, fixture.store.stats().metrics_total), (0, 0));
    assert!(memory < 1000 && disk < later_disk / 2, "{memory} {disk} of {later_disk}");
    let left = fixture.store.inventory(InventoryDepth::Counted).unwrap();
    assert!(
        left.partitions.iter().all(|partition| partition.records == 0 && partition.chunks == Some(0)),
        "{left:?}"
    );
}

#[test]
fn idle_series_are_let_go_and_come_back_under_their_id() {
    let fixture = limited(1000, 1000);
    let first = fixture.samples(vec![labelled("m", "a", noon(), 1.0)]);
    let ids = series_of(&fixture.store, "m");
    fixture.clock.advance(HOUR * 2);
    let done = fixture.store.maintain().unwrap();
    assert_eq!((done.sealed_samples, done.idle_series), (1, 1));
    assert_eq!(fixture.store.stats().active_series, 0);
    assert!(fixture.store.find(first.sample_ids[0]).unwrap().is_some());
    let second = fixture.samples(vec![labelled("m", "a", noon(), 2.0)]);
    assert_eq!(series_of(&fixture.store, "m"), ids);
    assert_ne!(first.sample_ids, second.sample_ids, "the chunk's sample at the same time counts");
    assert_eq!(values_of(&fixture.store, "m").iter().map(|pair| pair.1).collect::<Vec<_>>(), [1.0, 2.0]);
}
