//! Monitors that share what they read do not disturb each other.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::follower::Step;
use super::log_store::LogStore;
use super::testbed::{POISON, Sabotage, World};
use crate::alerts::model::Record;

fn sample(value: f64) -> Record {
    Record::Sample("a".to_owned(), value)
}

#[test]
fn while_one_looks_for_a_poison_record_over_a_gap_the_other_goes_on() {
    let mut world = World::new();
    let immune = Arc::new(Sabotage::default());
    immune.immune.store(true, Ordering::SeqCst);
    let mut other = world.beside("other", &immune);
    world.store.record([sample(1.0), sample(50.0), Record::Lost, Record::Lost]);
    world.store.record([sample(5.0), sample(POISON), sample(50.0)]);
    let (last, mut rounds) = (world.store.last_sequence(), 0);
    while world.follower.durable() <= last || other.durable() <= last {
        rounds += 1;
        assert!(rounds < 1_000, "{:?} {:?}", world.status(), other.status().lock());
        for follower in [&mut world.follower, &mut other] {
            match follower.step() {
                Step::Progress => {}
                Step::CaughtUp => follower.flush(),
                Step::Pause(pause) => world.clock.advance(pause),
            }
        }
    }
    let seen = |monitor: &str| {
        let key = (monitor.to_owned(), "seen:a".to_owned());
        String::from_utf8(world.store.state.lock().key_values[&key].clone()).unwrap()
    };
    assert_eq!((seen("levels").as_str(), seen("other").as_str()), ("4", "5"), "each once");
    let (hunter, other) = (world.status(), other.status().lock().clone());
    assert_eq!((hunter.poison_records, hunter.gap_records), (1, 2));
    assert_eq!((other.poison_records, other.gap_records, other.failures), (0, 2, 0));
}
