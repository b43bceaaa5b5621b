//! Samples: what goes in comes out, exactly, from heads and chunks, by scan and by id.

use std::collections::HashSet;
use std::ops::ControlFlow;

use telemetry_core::{MetricValue, ScanBlock, ScanOptions, TimeRange};
use telemetry_store::StoredRecord;

use crate::fixture::*;

#[test]
fn values_keep_their_kind_and_every_bit() {
    let directory = tempfile::tempdir().unwrap();
    let mut fixture = Fixture::in_directory(directory.path());
    let values: Vec<MetricValue> = vec![
        42.into(),
        42.0.into(),
        (-0.0).into(),
        i64::MAX.into(),
        i64::MIN.into(),
        ((1_i64 << 53) + 1).into(),
        f64::MIN_POSITIVE.into(),
        0.1.into(),
        "text".into(),
        "".into(),
    ];
    let samples = values.iter().map(|value| sample("m", noon(), value.clone())).collect();
    let ids = fixture.samples(samples).sample_ids;
    for step in ["head", "sealed", "reopened"] {
        if step == "sealed" {
            fixture.store.seal().unwrap();
        }
        if step == "reopened" {
            fixture = fixture.reopen();
        }
        for (id, value) in ids.iter().zip(&values) {
            let Some(StoredRecord::Sample(found)) = fixture.store.find(*id).unwrap() else {
                panic!("{step}: {value} is gone")
            };
            assert_eq!(format!("{:?}", found.value), format!("{value:?}"), "{step}");
            assert_eq!((found.event_id, found.timestamp), (*id, noon()));
            assert_eq!(&*found.series.name, "m");
        }
        assert_eq!(count_of(&fixture.store, "m"), 10, "{step}");
        assert_eq!(values_of(&fixture.store, "m").len(), 8, "{step}: texts are no numbers");
    }
}

#[test]
fn equal_times_keep_the_order_of_arrival_through_sealing_and_merging() {
    let fixture = Fixture::in_memory();
    let mut ids = Vec::new();
    for value in 0..30 {
        ids.extend(fixture.samples(vec![sample("m", noon(), f64::from(value))]).sample_ids);
        // A late one between, so that chunks overlap.
        fixture.samples(vec![sample("m", noon().minus(SECOND * value), f64::from(1000 + value))]);
        if value % 3 == 0 {
            fixture.store.seal().unwrap();
        }
    }
    fixture.store.maintain().unwrap();
    for (value, id) in ids.iter().enumerate().skip(1) {
        let Some(StoredRecord::Sample(found)) = fixture.store.find(*id).unwrap() else { panic!("{value}") };
        assert_eq!(found.value.as_f64(), Some(value as f64));
    }
    let at_noon: Vec<f64> = values_of(&fixture.store, "m")
        .into_iter()
        .filter(|(time, value)| *time == noon().nanos() && *value < 1000.0)
        .map(|(_, value)| value)
        .collect();
    assert_eq!(at_noon, (0..30).map(f64::from).collect::<Vec<_>>());
}

#[test]
fn digests_stand_for_whole_chunks_and_never_cross_an_edge() {
    let fixture = Fixture::in_memory();
    fixture.samples(run_of("m", noon(), 10_000));
    fixture.store.seal().unwrap();
    fixture.samples(run_of("m", noon().plus(SECOND * 10_000), 10));
    let series = series_of(&fixture.store, "m");
    let mean = |range: TimeRange, bucket: Option<i64>| {
        let (mut sum, mut count, mut digests) = (0.0, 0, 0);
        let options = ScanOptions { digests: true, bucket, ..ScanOptions::default() };
        let stats = fixture
            .store
            .scan(&series, range, options, &mut |index, block| {
                assert_eq!(index, 0);
                match block {
                    ScanBlock::Digest(digest) => {
                        assert!(range.contains(digest.first_time) && range.contains(digest.last_time));
                        if let Some(step) = bucket {
                            assert_eq!(digest.first_time.floor_to(step), digest.last_time.floor_to(step));
                        }
                        digests += 1;
                        sum += digest.sum;
                        count += digest.count;
                    }
                    ScanBlock::Samples { values, .. } => {
                        sum += values.iter().sum::<f64>();
                        count += values.len() as u64;
                    }
                    ScanBlock::Text { .. } => panic!("no text"),
                    ScanBlock::State(_) => panic!("no states were asked for"),
                }
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(stats.digests, digests);
        assert_eq!(stats.samples, count);
        (sum, count, digests)
    };
    let all = (0..10_000).chain(0..10).map(f64::from).sum::<f64>();
    let (sum, count, digests) = mean(TimeRange::ALL, None);
    assert_eq!((sum, count), (all, 10_010));
    assert!(digests >= 1, "whole chunks are not decoded");
    let (sum, count, digests) = mean(TimeRange::ALL, Some(10_000_000_000));
    assert_eq!((sum, count, digests), (all, 10_010, 0));
    let cut = TimeRange::between(noon().plus(SECOND * 7), noon().plus(SECOND * 9_992));
    assert_eq!(mean(cut, None).1, 9_986);
}

#[test]
fn a_break_ends_the_scan() {
    let fixture = Fixture::in_memory();
    fixture.samples(run_of("m", noon(), 5_000));
    fixture.store.seal().unwrap();
    let mut blocks = 0;
    let series = series_of(&fixture.store, "m");
    fixture
        .store
        .scan(&series, TimeRange::ALL, ScanOptions::default(), &mut |_, _| {
            blocks += 1;
            ControlFlow::Break(())
        })
        .unwrap();
    assert_eq!(blocks, 1);
}

#[test]
fn a_series_may_be_asked_twice_and_unknown_ones_are_empty() {
    let fixture = Fixture::in_memory();
    fixture.samples(run_of("m", noon(), 10));
    fixture.store.seal().unwrap();
    fixture.samples(run_of("m", noon().plus(MINUTE), 5));
    let id = series_of(&fixture.store, "m")[0];
    let mut counts = [0; 3];
    fixture
        .store
        .scan(&[id, 77_777, id], TimeRange::ALL, ScanOptions::default(), &mut |index, block| {
            if let ScanBlock::Samples { values, .. } = block {
                counts[index] += values.len();
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(counts, [15, 0, 15]);
}

#[test]
fn samples_of_several_days_lie_in_their_partitions() {
    let fixture = Fixture::in_memory();
    let days: Vec<_> = (0..5).map(|day| sample("m", noon().minus(DAY * day), f64::from(day))).collect();
    let ids = fixture.samples(days).sample_ids;
    fixture.store.seal().unwrap();
    assert_eq!(fixture.store.stats().partitions.len(), 5);
    assert_eq!(
        values_of(&fixture.store, "m").iter().map(|pair| pair.1).collect::<Vec<_>>(),
        [4., 3., 2., 1., 0.]
    );
    for (day, id) in ids.iter().enumerate() {
        let Some(StoredRecord::Sample(found)) = fixture.store.find(*id).unwrap() else { panic!("day {day}") };
        assert_eq!(found.value.as_f64(), Some(day as f64));
    }
    assert_eq!(fixture.store.stats().metrics_total, 5);
}

#[test]
fn many_samples_at_one_instant() {
    let fixture = Fixture::in_memory();
    for part in 0..3 {
        let same = (0..10_000).map(|n| sample("m", noon(), f64::from(part * 10_000 + n))).collect();
        fixture.samples(same);
        fixture.store.seal().unwrap();
    }
    let values: Vec<f64> = values_of(&fixture.store, "m").into_iter().map(|pair| pair.1).collect();
    assert_eq!(values, (0..30_000).map(f64::from).collect::<Vec<_>>());
}

#[test]
fn closed_partitions_are_merged_into_full_chunks() {
    let fixture = Fixture::in_memory();
    for part in 0..40 {
        fixture.samples(run_of("m", noon().plus(SECOND * 100 * part), 100));
        fixture.store.seal().unwrap();
    }
    let chunks = |fixture: &Fixture| {
        let series = series_of(&fixture.store, "m");
        let options = ScanOptions { digests: true, ..ScanOptions::default() };
        fixture
            .store
            .scan(&series, TimeRange::ALL, options, &mut |_, _| ControlFlow::Continue(()))
            .unwrap()
            .chunks
    };
    let before = values_of(&fixture.store, "m");
    assert_eq!(chunks(&fixture), 40);
    fixture.clock.advance(DAY);
    let done = fixture.store.maintain().unwrap();
    assert_eq!(done.folded_chunks, 40);
    assert_eq!(chunks(&fixture), 1);
    assert_eq!(values_of(&fixture.store, "m"), before);
    assert_eq!(fixture.store.maintain().unwrap().folded_chunks, 0, "once is enough");
}

/// What chunks hold at an instant is looked up once and not for each sample: otherwise this takes minutes.
#[test]
fn whole_batches_at_one_instant_have_ids_of_their_own() {
    let fixture = Fixture::in_memory();
    let mut ids = HashSet::new();
    for round in 0..2 {
        let batch = (0..30_000).map(|n| sample("m", noon(), f64::from(round * 30_000 + n))).collect();
        ids.extend(fixture.samples(batch).sample_ids);
        fixture.store.seal().unwrap();
    }
    assert_eq!((ids.len(), count_of(&fixture.store, "m")), (60_000, 60_000));
    let last = fixture.samples(vec![sample("m", noon(), 5.5)]).sample_ids[0];
    assert!(ids.insert(last));
    let Some(StoredRecord::Sample(found)) = fixture.store.find(last).unwrap() else { panic!("{last}") };
    assert_eq!(found.value, 5.5.into());
}

#[test]
fn full_heads_of_a_closed_partition_become_few_chunks() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::in_directory(directory.path());
    let start = noon().minus(8 * HOUR);
    for part in 0..17 {
        fixture.samples(run_of("m", start.plus(SECOND * (part * 1024)), 1024));
        fixture.store.seal().unwrap();
    }
    let (before, chunks) = (values_of(&fixture.store, "m"), || {
        let id = series_of(&fixture.store, "m");
        let options = ScanOptions { digests: true, ..ScanOptions::default() };
        let seen = fixture.store.scan(&id, TimeRange::ALL, options, &mut |_, _| ControlFlow::Continue(()));
        seen.unwrap().chunks
    });
    assert_eq!((before.len(), chunks()), (17_408, 17));
    fixture.clock.advance(DAY);
    assert_eq!(fixture.store.maintain().unwrap().folded_chunks, 17);
    assert_eq!(chunks(), 2, "17,408 samples are two chunks of at most 16,384");
    assert_eq!(values_of(&fixture.store, "m"), before);
    // A late sample of another series opens the partition again: what has its final form already is left alone.
    fixture.samples(run_of("late", start, 3));
    fixture.store.seal().unwrap();
    fixture.clock.advance(2 * HOUR);
    assert_eq!(fixture.store.maintain().unwrap().folded_chunks, 0);
}
