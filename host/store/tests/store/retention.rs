//! Retention by age and size, and clocks that cannot be trusted.

use std::time::Duration;

use telemetry_core::admission::admit_event;
use telemetry_core::{Clock, EventDraft, JsonObject, Timestamp};
use telemetry_store::{Class, RecordBatch, StoreError, StoreOptions};

use crate::fixture::*;

const YEAR: Duration = Duration::from_secs(365 * 86_400);

fn day(back: u32) -> Timestamp {
    noon().minus(DAY * back)
}

/// A value that no codec makes small.
fn noise(n: u64) -> f64 {
    let mixed = (n ^ 0x9E37_79B9).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    f64::from_bits(0x3FF0_0000_0000_0000 | (mixed ^ (mixed >> 31)) >> 12)
}

/// A sample and an event on each of the last days.
fn filled(fixture: &Fixture, days: u32) {
    for back in (0..days).rev() {
        fixture.samples(vec![sample("m", day(back), f64::from(back))]);
        fixture.events(vec![fixture.event("E", day(back))]);
    }
}

#[test]
fn whole_partitions_go_by_their_class_age() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::in_directory(directory.path());
    filled(&fixture, 6);
    assert_eq!(fixture.store.maintain().unwrap().expired_partitions, Vec::<String>::new());
    fixture.clock.advance(DAY * 4);
    let expired = fixture.store.maintain().unwrap().expired_partitions;
    assert_eq!(expired, ["e.20260305", "e.20260306"], "events live seven days, and up to a day longer");
    let stats = fixture.store.stats();
    assert_eq!((stats.events_total, stats.metrics_total), (4, 6));
    let fixture = fixture.reopen();
    assert_eq!(fixture.store.stats().events_total, 4);
    fixture.clock.advance(DAY * 24);
    let expired = fixture.store.maintain().unwrap().expired_partitions;
    assert!(expired.contains(&"m.20260305".to_owned()), "{expired:?}");
    assert!(!values_of(&fixture.store, "m").iter().any(|pair| pair.1 > 4.0));
}

#[test]
fn what_was_dropped_is_refused() {
    let fixture = Fixture::in_memory();
    filled(&fixture, 7);
    fixture.clock.advance(DAY * 3);
    fixture.store.maintain().unwrap();
    let old = RecordBatch { events: vec![fixture.event("E", day(5))], ..RecordBatch::default() };
    let error = fixture.store.append(&old).unwrap_err();
    let StoreError::Expired { class, oldest, .. } = &error else { panic!("{error:?}") };
    assert_eq!((*class, *oldest), (Class::Events, fixture.store.oldest_kept(Class::Events)));
    assert!(!error.is_write_failure() && !error.poisoned());
    fixture.samples(vec![sample("m", day(6), 1.0)]);
}

#[test]
fn unsealed_samples_of_a_dropped_partition_are_gone_too() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = StoreOptions::in_directory(directory.path());
    options.metrics_retention = DAY * 2;
    let fixture = Fixture::open(StoreOptions { background: false, min_free_bytes: 0, ..options });
    fixture.samples(vec![sample("m", day(2), 1.0), sample("m", noon(), 2.0)]);
    fixture.clock.advance(HOUR * 13);
    // Dropped before it was ever sealed.
    let expired = fixture.store.maintain().unwrap().expired_partitions;
    assert_eq!(expired, ["m.20260308"]);
    assert_eq!(values_of(&fixture.store, "m").len(), 1);
    let fixture = fixture.reopen();
    assert_eq!(values_of(&fixture.store, "m").len(), 1);
    assert_eq!(fixture.store.stats().metrics_total, 1);
}

#[test]
fn a_jump_ahead_deletes_nothing_and_is_reported() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::in_directory(directory.path());
    filled(&fixture, 6);
    fixture.store.maintain().unwrap();
    fixture.clock.jump_to(noon().plus(YEAR));
    let done = fixture.store.maintain().unwrap();
    assert_eq!(done.expired_partitions, Vec::<String>::new());
    let jump = fixture.store.stats().clock_jump.unwrap();
    assert_eq!((jump.wall, jump.trusted), (noon().plus(YEAR), noon()));
    // Neither does it after a restart, nor does the trusted time stand still.
    let fixture = fixture.reopen();
    assert_eq!(fixture.store.maintain().unwrap().expired_partitions, Vec::<String>::new());
    assert!(fixture.store.stats().clock_jump.is_some());
    fixture.clock.advance(DAY * 4);
    assert_eq!(fixture.store.maintain().unwrap().expired_partitions, ["e.20260305", "e.20260306"]);
    fixture.clock.jump_to(noon().plus(DAY * 4));
    fixture.store.maintain().unwrap();
    assert_eq!(fixture.store.stats().clock_jump, None);
    assert_eq!(fixture.store.stats().events_total, 4);
}

#[test]
fn jumps_either_way_expire_only_what_real_time_has() {
    let half_an_hour = HOUR / 2;
    let ahead = |by: Duration| move |at: Timestamp| at.plus(by);
    let back = |by: Duration| move |at: Timestamp| at.minus(by);
    let jumps: [&dyn Fn(Timestamp) -> Timestamp; 4] = [&ahead(HOUR), &back(HOUR), &ahead(YEAR), &back(YEAR)];
    for (number, jump) in jumps.into_iter().enumerate() {
        let fixture = Fixture::in_memory();
        filled(&fixture, 8);
        // Half an hour before the oldest events have reached their age.
        fixture.clock.advance(HOUR * 12 - half_an_hour);
        let right = noon().plus(HOUR * 12 - half_an_hour);
        fixture.clock.jump_to(jump(right));
        for _ in 0..3 {
            let expired = fixture.store.maintain().unwrap().expired_partitions;
            assert_eq!(expired, Vec::<String>::new(), "jump {number}");
        }
        assert_eq!((fixture.store.stats().events_total, fixture.store.stats().metrics_total), (8, 8));
        fixture.clock.jump_to(right);
        fixture.clock.advance(half_an_hour);
        assert_eq!(fixture.store.maintain().unwrap().expired_partitions, ["e.20260303"], "jump {number}");
        assert_eq!(fixture.store.stats().clock_jump, None);
    }
}

#[test]
fn an_operator_may_accept_the_clock() {
    let fixture = Fixture::in_memory();
    filled(&fixture, 3);
    fixture.clock.jump_to(noon().plus(DAY * 7));
    fixture.store.maintain().unwrap();
    assert_eq!(fixture.store.stats().events_total, 3);
    fixture.store.accept_clock().unwrap();
    fixture.store.maintain().unwrap();
    assert_eq!(fixture.store.stats().events_total, 1);
    assert_eq!(fixture.store.stats().clock_jump, None);
}

#[test]
fn over_the_size_limit_the_oldest_partition_of_any_class_goes() {
    let directory = tempfile::tempdir().unwrap();
    let options = StoreOptions {
        max_bytes: Some(6 << 20),
        background: false,
        min_free_bytes: 0,
        ..StoreOptions::in_directory(directory.path())
    };
    let fixture = Fixture::open(options);
    // About a megabyte each day.
    for back in (0..8_u32).rev() {
        for part in 0..13_u64 {
            let samples = (0..10_000_u64)
                .map(|n| {
                    sample(
                        "m",
                        day(back).plus(Duration::from_millis(part * 10_000 + n)),
                        noise(part << 20 | n),
                    )
                })
                .collect();
            fixture.samples(samples);
        }
        fixture.events(vec![fixture.event("E", day(back))]);
        fixture.store.seal().unwrap();
        fixture.store.maintain().unwrap();
    }
    let stats = fixture.store.stats();
    for gone in ["e.20260303", "m.20260303"] {
        assert!(
            !stats.partitions.contains(&gone.to_owned()),
            "the oldest of both classes: {:?}",
            stats.partitions
        );
    }
    assert!(stats.partitions.contains(&"m.20260310".to_owned()), "{:?}", stats.partitions);
    assert!(
        stats.partitions.iter().filter(|name| name.starts_with("m.")).count() >= 3,
        "{:?}",
        stats.partitions
    );
    assert!(stats.refusing.is_none());
    let late = RecordBatch { samples: vec![sample("m", day(7), 1.0)], ..RecordBatch::default() };
    assert!(matches!(fixture.store.append(&late), Err(StoreError::Expired { .. })));
}

#[test]
fn with_nothing_old_left_writes_are_refused_and_reads_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let options = StoreOptions {
        max_bytes: Some(1 << 20),
        background: false,
        min_free_bytes: 0,
        ..StoreOptions::in_directory(directory.path())
    };
    let fixture = Fixture::open(options);
    let part = |part: u64| {
        let samples = (0..10_000_u64).map(|n| {
            sample("m", noon().plus(Duration::from_millis(part * 10_000 + n)), noise(part << 20 | n))
        });
        RecordBatch { samples: samples.collect(), ..RecordBatch::default() }
    };
    let (mut stored, mut refusals) = (0, 0);
    // Sealing makes room once or twice; then there is none.
    while refusals < 2 {
        match fixture.store.append(&part(stored)) {
            Ok(_) => (stored, refusals) = (stored + 1, 0),
            Err(error) => {
                assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
                assert!(error.is_write_failure() && !error.poisoned());
                refusals += 1;
                fixture.store.seal().unwrap();
                fixture.store.maintain().unwrap();
            }
        }
        assert!(stored < 100, "nothing is refused");
    }
    assert_eq!(count_of(&fixture.store, "m"), stored * 10_000);
    // A clock that says it is next year makes nothing old.
    let today = fixture.clock.now();
    fixture.clock.jump_to(today.plus(YEAR));
    assert_eq!(fixture.store.maintain().unwrap().expired_partitions, Vec::<String>::new());
    fixture.clock.jump_to(today);
    // Tomorrow today's partition is old.
    fixture.clock.advance(DAY);
    assert_eq!(fixture.store.maintain().unwrap().expired_partitions, ["m.20260310"]);
    fixture.samples(run_of("m", noon().plus(DAY), 1));
}

#[test]
fn a_full_disk_refuses_writes() {
    let directory = tempfile::tempdir().unwrap();
    let options = StoreOptions {
        min_free_bytes: u64::MAX,
        background: false,
        ..StoreOptions::in_directory(directory.path())
    };
    let fixture = Fixture::open(options);
    let batch = RecordBatch { samples: run_of("m", noon(), 1), ..RecordBatch::default() };
    let error = fixture.store.append(&batch).unwrap_err();
    assert!(matches!(error, StoreError::DiskFull { .. }), "{error:?}");
    assert!(fixture.store.stats().refusing.is_some());
    assert_eq!(fixture.store.last_sequence(), 0);
}

#[test]
fn long_retention_widens_partitions() {
    let fixture = Fixture::open(StoreOptions {
        metrics_retention: YEAR,
        events_retention: YEAR,
        background: false,
        ..StoreOptions::in_memory()
    });
    for back in (0..365).rev() {
        fixture.samples(vec![sample("m", day(back), 1.0)]);
        fixture.events(vec![fixture.event("E", day(back))]);
    }
    assert!(fixture.store.stats().partitions.len() <= 64, "{:?}", fixture.store.stats().partitions);
    assert_eq!(count_of(&fixture.store, "m"), 365);
}

#[test]
fn partitions_are_made_ahead_of_midnight() {
    let fixture = Fixture::in_memory();
    filled(&fixture, 1);
    fixture.store.maintain().unwrap();
    assert_eq!(fixture.store.stats().partitions, ["e.20260310", "m.20260310"]);
    fixture.clock.advance(HOUR * 11);
    fixture.store.maintain().unwrap();
    assert_eq!(fixture.store.stats().partitions, ["e.20260310", "e.20260311", "m.20260310", "m.20260311"]);
}

/// Bytes of the database's files.
fn on_disk(directory: &std::path::Path) -> u64 {
    let files = std::fs::read_dir(directory.join("rocksdb")).unwrap().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|found| found.len()).sum()
}

/// Text that hardly compresses.
fn noisy_text(n: u64, bytes: u64) -> String {
    (0..bytes / 13)
        .map(|part| format!("{:013x}", noise(n * 100_000 + part).to_bits() & 0x000F_FFFF_FFFF_FFFF))
        .collect()
}

#[test]
fn the_size_limit_holds_while_much_is_written() {
    const LIMIT: u64 = 64 << 20;
    const EVENT: u64 = 64 << 10;
    let directory = tempfile::tempdir().unwrap();
    let options = StoreOptions::in_directory(directory.path());
    let options = StoreOptions { background: false, min_free_bytes: 0, max_bytes: Some(LIMIT), ..options };
    let fixture = Fixture::open(options);
    let (mut most, mut n) = (0, 0);
    // Ten days, several times as much as there is room for.
    for round in 0..60 {
        for _ in 0..40 {
            let now = fixture.clock.now();
            n += 1;
            let data = JsonObject::parse(&format!("{{\"noise\":\"{}\"}}", noisy_text(n, EVENT))).unwrap();
            let draft = EventDraft::new("E", "test").at(now).with_data(data);
            let event = admit_event(draft, &any_time(), fixture.store.event_ids()).unwrap();
            let samples =
                (0..100_u32).map(|second| sample("m", now.plus(SECOND * second), noise(u64::from(second))));
            fixture.store.append(&RecordBatch { events: vec![event], samples: samples.collect() }).unwrap();
            most = most.max(on_disk(directory.path()));
        }
        fixture.clock.advance(HOUR * 4);
        if round % 3 == 0 {
            fixture.store.maintain().unwrap();
            most = most.max(on_disk(directory.path()));
        }
    }
    let stats = fixture.store.stats();
    assert!(most <= LIMIT + LIMIT / 20, "{most}");
    assert!(stats.usage_bytes > LIMIT / 2, "what fits is kept: {stats:?}");
}
