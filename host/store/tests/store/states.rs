//! Kept states: shown wherever they cover a bucket, and never wrong, whatever comes late.

use proptest::prelude::*;
use telemetry_core::{MetricValue, TimeRange};
use telemetry_store::{StateBuildError, StateRollup, Store, StoreOptions};

use crate::bag::*;
use crate::fixture::*;

fn states_of(store: &Store, rollup: &StateRollup) -> telemetry_store::StateRollupStats {
    let fingerprint = format!("{:016x}", rollup.states().fingerprint);
    store.stats().state_rollups.into_iter().find(|stats| stats.fingerprint == fingerprint).unwrap()
}

#[test]
fn whole_days_hours_and_edges() {
    let fixture = Fixture::in_memory();
    let rollup = rollup("v1", 60, &[]);
    // From noon on three days, a sample every ten seconds; a bucket of an hour has 360.
    fixture.samples(run("m", 0, 10, 3 * 8640));
    fixture.clock.advance(DAY * 3 + HOUR);
    fixture.store.seal().unwrap();
    assert_eq!(build(&fixture.store, &rollup), 72 + 3, "hours, and the days that are over");
    let states = rollup.states();
    let (_, stats) = scanned(&fixture.store, TimeRange::ALL, 0, states);
    assert_eq!((stats.states, stats.decoded), (3 + 12, 0), "{stats:?}");
    let (_, stats) = scanned(&fixture.store, TimeRange::between(at(100), at(2 * 86_400 - 1)), 0, states);
    assert_eq!(stats.states, 11 + 1 + 11, "the hours at both ends are cut: {stats:?}");
    let (_, stats) = scanned(&fixture.store, TimeRange::ALL, 3600 * NANOS, states);
    assert_eq!(stats.states, 72);
    let (_, stats) = scanned(&fixture.store, TimeRange::ALL, 1800 * NANOS, states);
    assert_eq!(stats.states, 0, "half hours are not made of hours");
    let ranges = [TimeRange::ALL, TimeRange::between(at(5_000), at(200_000))];
    check(&fixture.store, states, &ranges);
    // Late samples are in the head first; once they are sealed, their hours and days are read sample by sample again.
    fixture.samples(run("m", 50_000, 3, 100));
    check(&fixture.store, states, &ranges);
    fixture.store.seal().unwrap();
    let stats = states_of(&fixture.store, &rollup);
    // The series waits in the partition of the late samples, and in the one whose day is not over.
    assert_eq!((stats.states_invalidated, stats.pending_series), (2, 2), "an hour and its day");
    check(&fixture.store, states, &ranges);
    assert_eq!(build(&fixture.store, &rollup), 2);
    let (_, stats) = scanned(&fixture.store, TimeRange::ALL, 0, states);
    assert_eq!((stats.states, stats.decoded), (3 + 12, 0), "{stats:?}");
    check(&fixture.store, states, &ranges);
    // A text takes its bucket's state away for good.
    fixture.samples(vec![sample("m", at(50_000), MetricValue::from("text"))]);
    fixture.store.seal().unwrap();
    assert_eq!(build(&fixture.store, &rollup), 0);
    check(&fixture.store, states, &ranges);
}

#[test]
fn an_open_bucket_and_what_waits_in_the_head_have_no_state() {
    let fixture = Fixture::in_memory();
    let rollup = rollup("v1", 60, &["m*"]);
    fixture.store.register_states(&rollup).unwrap();
    fixture.clock.advance(MINUTE * 90);
    fixture.samples(run("m", 0, 10, 540));
    fixture.samples(run("other", 0, 10, 540));
    assert_eq!(build(&fixture.store, &rollup), 0, "nothing is sealed");
    fixture.store.seal().unwrap();
    assert_eq!(build(&fixture.store, &rollup), 1, "the second hour is open, the other metric not wanted");
    assert_eq!(states_of(&fixture.store, &rollup).pending_series, 1);
    fixture.clock.advance(MINUTE * 25);
    assert_eq!(build(&fixture.store, &rollup), 0);
    fixture.clock.advance(MINUTE * 5);
    fixture.samples(vec![sample("m", at(5_500), 1)]);
    assert_eq!(build(&fixture.store, &rollup), 0, "a sample of the second hour waits in the head");
    fixture.store.seal().unwrap();
    assert_eq!(build(&fixture.store, &rollup), 1);
    check(&fixture.store, rollup.states(), &[TimeRange::ALL]);
}

#[test]
fn buckets_with_few_samples_are_read_but_count_in_their_day() {
    let fixture = Fixture::in_memory();
    let rollup = rollup("v1", 60, &[]);
    fixture.samples(run("m", 12 * 3600, 600, 144));
    fixture.clock.advance(DAY * 2);
    fixture.store.seal().unwrap();
    assert_eq!(build(&fixture.store, &rollup), 1);
    let (_, stats) = scanned(&fixture.store, TimeRange::ALL, 86_400 * NANOS, rollup.states());
    assert_eq!((stats.states, stats.decoded), (1, 0));
    check(&fixture.store, rollup.states(), &[TimeRange::ALL, TimeRange::between(at(50_000), at(100_000))]);
}

#[test]
fn a_restart_finds_what_was_built_and_what_is_left() {
    let directory = tempfile::tempdir().unwrap();
    let mut fixture = Fixture::in_directory(directory.path());
    let rollup = rollup("v1", 60, &["a", "b"]);
    for name in ["a", "b", "c"] {
        fixture.samples(run(name, 0, 10, 2 * 8640));
    }
    fixture.clock.advance(DAY * 4);
    fixture.store.maintain().unwrap();
    assert_eq!(build(&fixture.store, &rollup), 2 * (48 + 3));
    fixture = fixture.reopen();
    let known = fixture.store.kept_states();
    assert_eq!(known, [(rollup.identity.clone(), rollup.states())]);
    assert!(!states_of(&fixture.store, &rollup).registered);
    check(&fixture.store, rollup.states(), &[TimeRange::ALL]);
    assert_eq!(build(&fixture.store, &rollup), 0);
    // Late samples take states away before anybody registered them.
    fixture = fixture.reopen();
    fixture.samples(run("a", 100, 3, 10));
    fixture.store.seal().unwrap();
    check(&fixture.store, rollup.states(), &[TimeRange::ALL]);
    fixture = fixture.reopen();
    check(&fixture.store, rollup.states(), &[TimeRange::ALL]);
    assert_eq!(build(&fixture.store, &rollup), 2, "an hour and its day");
    // Another metric is wanted: what was looked through is looked through again.
    let more = StateRollup { metrics: Vec::new(), ..rollup.clone() };
    assert_eq!(build(&fixture.store, &more), 48 + 3);
    assert!(fixture.store.verify().unwrap().is_sound());
}

#[test]
fn another_version_has_states_of_its_own_and_the_old_ones_go() {
    let fixture = Fixture::in_memory();
    fixture.samples(run("m", 0, 10, 8640));
    fixture.clock.advance(DAY * 2);
    fixture.store.seal().unwrap();
    let (old, new) = (rollup("v1", 60, &[]), rollup("v2", 60, &[]));
    assert!(build(&fixture.store, &old) > 0);
    assert_eq!(scanned(&fixture.store, TimeRange::ALL, 0, new.states()).1.states, 0);
    assert_eq!(build(&fixture.store, &new), 24 + 2);
    fixture.store.remove_states(old.states()).unwrap();
    assert_eq!(scanned(&fixture.store, TimeRange::ALL, 0, old.states()).1.states, 0);
    assert_eq!(fixture.store.kept_states(), [(new.identity.clone(), new.states())]);
    assert!(check(&fixture.store, new.states(), &[TimeRange::ALL]) > 0);
    let refused = fixture.store.build_states(old.states(), &Bag::default(), 1);
    assert!(matches!(refused, Err(StateBuildError::NotRegistered)), "{refused:?}");
    let week = StateRollup { width: DAY * 7, ..new };
    assert!(matches!(fixture.store.register_states(&week), Err(StateBuildError::Width)));
}

#[test]
fn states_live_and_die_with_their_partition() {
    let directory = tempfile::tempdir().unwrap();
    let options = StoreOptions {
        background: false,
        min_free_bytes: 0,
        metrics_retention: DAY * 5,
        ..StoreOptions::in_directory(directory.path())
    };
    let fixture = Fixture::open(options);
    let rollup = rollup("v1", 1440, &[]);
    fixture.samples(run("m", 0, 60, 3 * 1440));
    fixture.clock.advance(DAY * 3 + HOUR * 13);
    fixture.store.maintain().unwrap();
    assert_eq!(build(&fixture.store, &rollup), 4, "states of days alone");
    fixture.clock.advance(DAY * 2);
    assert_eq!(fixture.store.maintain().unwrap().expired_partitions.len(), 1);
    assert_eq!(check(&fixture.store, rollup.states(), &[TimeRange::ALL]), 3 + 3);
    assert_eq!(build(&fixture.store, &rollup), 0);
}

#[test]
fn a_function_that_fails_at_a_series_does_not_hold_the_others() {
    let fixture = Fixture::in_memory();
    let rollup = rollup("v1", 60, &[]);
    for (name, bad) in [("a", 1.0), ("b", -5.0), ("c", 1.0)] {
        let mut samples = run(name, 0, 10, 360);
        samples.push(sample(name, at(30), bad));
        fixture.samples(samples);
    }
    fixture.clock.advance(HOUR);
    fixture.store.seal().unwrap();
    let states = fixture.store.register_states(&rollup).unwrap();
    let failing = Bag { refused: Some(-5.0) };
    let first = fixture.store.build_states(states, &failing, 10).unwrap();
    assert!(first.failure.is_some() && first.more);
    let second = fixture.store.build_states(states, &failing, 10).unwrap();
    assert!(second.failure.is_none() && !second.more);
    assert_eq!(first.states + second.states, 2);
    let stats = states_of(&fixture.store, &rollup);
    assert_eq!(
        (stats.failures, stats.pending_series),
        (1, 3),
        "all three wait, two of them for the end of the day"
    );
    check(&fixture.store, states, &[TimeRange::ALL]);
    fixture.clock.advance(telemetry_core::limits::STATE_RETRY);
    assert_eq!(build(&fixture.store, &rollup), 1);
    check(&fixture.store, states, &[TimeRange::ALL]);
}

#[derive(Clone, Debug)]
enum Step {
    Run { name: &'static str, from: i64, step: i64, count: i64 },
    Text { name: &'static str, time: i64 },
    Seal,
    Build,
    Wait,
    Close,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let name = prop_oneof![Just("a"), Just("b")];
    let from = prop_oneof![Just(0_i64), Just(7200), Just(40_000), -60_000_i64..100_000];
    let step = prop_oneof![Just(0_i64), Just(1), Just(10), Just(60)];
    let rows = (name.clone(), from, step, 1_i64..900).prop_map(|(name, from, step, count)| Step::Run {
        name,
        from,
        step,
        count,
    });
    prop_oneof![
        10 => rows,
        1 => (name, -60_000_i64..100_000).prop_map(|(name, time)| Step::Text { name, time }),
        4 => Just(Step::Seal),
        5 => Just(Step::Build),
        2 => Just(Step::Wait),
        1 => Just(Step::Close),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_states_tell_is_what_samples_tell(
        steps in prop::collection::vec(step(), 1..24),
        minutes in prop_oneof![Just(1_u64), Just(5), Just(60), Just(1440)],
        cuts in prop::collection::vec((-70_000_i64..100_000, 0_i64..100_000), 2),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let mut fixture = Fixture::in_directory(directory.path());
        let rollup = rollup("v1", minutes, &[]);
        let mut ranges = vec![TimeRange::ALL];
        ranges.extend(cuts.iter().map(|(start, length)| TimeRange::between(at(*start), at(start + length))));
        // Most buckets are in the past.
        fixture.clock.advance(HOUR * 12);
        for step in steps {
            match step {
                Step::Run { name, from, step, count } => drop(fixture.samples(run(name, from, step, count))),
                Step::Text { name, time } => {
                    fixture.samples(vec![sample(name, at(time), MetricValue::from("text"))]);
                }
                Step::Seal => fixture.store.seal().unwrap(),
                Step::Build => {
                    build(&fixture.store, &rollup);
                    check(&fixture.store, rollup.states(), &ranges[..1]);
                }
                Step::Wait => {
                    fixture.clock.advance(MINUTE * 21);
                    fixture.store.maintain().unwrap();
                }
                Step::Close => {
                    fixture.clock.advance(DAY * 3);
                    fixture.store.maintain().unwrap();
                }
                Step::Reopen => fixture = fixture.reopen(),
            }
        }
        check(&fixture.store, rollup.states(), &ranges);
        fixture.clock.advance(DAY * 3);
        fixture.store.maintain().unwrap();
        build(&fixture.store, &rollup);
        check(&fixture.store, rollup.states(), &ranges);
        prop_assert!(fixture.store.verify().unwrap().is_sound());
    }
}
