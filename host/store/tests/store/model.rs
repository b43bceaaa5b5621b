//! Random lives of a store against lists in memory: records of all kinds and ages, sealing, closed days, expiry, clocks that
//! jump, checkpoints, closings, crashes, backups. After each upheaval, every way of reading answers as the lists do.
//!
//! `STORE_MODEL_CASES` sets the number of lives (24 when absent).

mod events;
mod late;
mod log;
mod monitor;
mod samples;
mod step;
mod world;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::fixture::*;
use step::{Step, step};
use world::World;

fn cases() -> u32 {
    std::env::var("STORE_MODEL_CASES").map_or(24, |text| text.parse().unwrap())
}

/// Ranges to read, in seconds from noon: start and length.
pub type Cuts = Vec<(i64, i64)>;

#[test]
fn the_store_lives_like_lists() {
    let config = ProptestConfig {
        cases: cases(),
        failure_persistence: None,
        max_shrink_iters: 400,
        ..Default::default()
    };
    let lives = (
        prop::collection::vec(step(), 1..32),
        prop::collection::vec((-200_000_i64..200_000, 0_i64..150_000), 2),
    );
    TestRunner::new(config)
        .run(&lives, |(steps, cuts)| {
            live(&steps, &cuts);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

fn live(steps: &[Step], cuts: &Cuts) {
    let mut world = World::new();
    for step in steps {
        if world.carry_out(step) {
            check(&world, cuts);
        }
    }
    check(&world, cuts);
    world.carry_out(&Step::Midnight);
    check(&world, cuts);
    world.carry_out(&Step::Crash);
    check(&world, cuts);
}

fn check(world: &World, cuts: &Cuts) {
    let at = |seconds: i64| telemetry_core::Timestamp::from_nanos(noon().nanos() + seconds * step::NANOS);
    let mut ranges = vec![telemetry_core::TimeRange::ALL];
    ranges.extend(
        cuts.iter().map(|(start, length)| telemetry_core::TimeRange::between(at(*start), at(start + length))),
    );
    let stats = world.fixture.store.stats();
    assert_eq!(stats.reports, Vec::<String>::new());
    assert_eq!(stats.metrics_total, world.samples().count() as u64);
    assert_eq!(stats.events_total, world.events().count() as u64);
    assert_eq!(stats.last_sequence, world.last_sequence);
    samples::check(world, &ranges);
    events::check(world, &ranges);
    log::check(world);
    monitor::check(world);
}
