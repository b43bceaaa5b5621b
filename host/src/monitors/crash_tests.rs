//! Whatever fails and whenever the host dies, the delivered effects are those of an undisturbed run.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use proptest::prelude::*;
use telemetry_core::extension::{FailureReason, PluginFailure};
use telemetry_core::{Severity, Timestamp};

use super::follower::Step;
use super::testbed::{Levels, POISON, World, level, tick_level};
use super::{StartedFrom, Successor};
use crate::alerts::model::{Fault, Record};

#[derive(Clone, Debug)]
enum Act {
    Record(Vec<(u8, u8)>),
    Tick(u8),
    Steps(u8),
    Deliver,
    Trap(u32),
    FailingRestart,
    Unsaved,
    Fault(Fault),
    Advance(u16),
    /// Another version takes its place, or does not start.
    Replace {
        starts: bool,
    },
    Die,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => prop::collection::vec((0..4_u8, 0..5_u8), 1..20).prop_map(Act::Record),
        3 => (1..4_u8).prop_map(Act::Tick),
        8 => (1..6_u8).prop_map(Act::Steps),
        4 => Just(Act::Deliver),
        3 => (1..3_u32).prop_map(Act::Trap),
        1 => Just(Act::FailingRestart),
        2 => Just(Act::Unsaved),
        2 => prop_oneof![Just(Fault::Before), Just(Fault::After)].prop_map(Act::Fault),
        4 => (0..1500_u16).prop_map(Act::Advance),
        3 => any::<bool>().prop_map(|starts| Act::Replace { starts }),
        2 => Just(Act::Die),
    ]
}

fn sample((name, value): &(u8, u8)) -> Record {
    let name = ["a1", "a2", "a3", "b"][usize::from(*name)];
    Record::Sample(name.to_owned(), [1.0, 50.0, 500.0, 1.0, POISON][usize::from(*value)])
}

/// How many signals the alert of a sample's series has received in its last firing period of an undisturbed run.
pub(super) fn signals_of_last_period(log: &[Record], series: &str) -> Option<u64> {
    let (mut signals, mut firing) = (None, false);
    for record in log {
        if let Record::Sample(name, value) = record
            && name == series
            && *value != POISON
        {
            let now = level(*value).is_some();
            signals = match (firing, now) {
                (false, true) => Some(1),
                (true, _) => signals.map(|signals| signals + 1),
                (false, false) => signals,
            };
            firing = now;
        }
    }
    signals
}

/// What an undisturbed run tells, by key: the changes of level.
pub(super) fn expected(log: &[Record]) -> BTreeMap<String, Vec<Option<Severity>>> {
    let mut told: BTreeMap<String, Vec<Option<Severity>>> = BTreeMap::new();
    let mut ticks = 0;
    for record in log {
        let (key, now) = match record {
            Record::Sample(name, value) if name.starts_with('a') && *value != POISON => {
                (name.as_str(), level(*value))
            }
            Record::Tick(_) => {
                ticks += 1;
                match tick_level(ticks) {
                    Some(level) => ("tick", level),
                    None => continue,
                }
            }
            _ => continue,
        };
        let before = told.get(key).and_then(|levels| levels.last()).copied().flatten();
        if before != now {
            told.entry(key.to_owned()).or_default().push(now);
        }
    }
    told
}

fn perform(mut world: World, act: &Act, second: &mut i64) -> World {
    match act {
        Act::Record(samples) => {
            world.store.record(samples.iter().map(sample));
        }
        Act::Tick(count) => {
            for _ in 0..*count {
                *second += 1;
                world.store.record([Record::Tick(Timestamp::from_millis(*second * 1000))]);
            }
        }
        Act::Steps(count) => {
            for _ in 0..*count {
                if let Step::Pause(pause) = world.follower.step() {
                    world.clock.advance(pause / 2);
                }
            }
        }
        Act::Deliver => {
            world.dispatcher.drain_due();
        }
        // Never so often on the same records that they would count as poison.
        Act::Trap(count) if !world.follower.is_hunting() => {
            world.sabotage.traps.store(*count, Ordering::SeqCst);
            world.sabotage.unsaved.store(0, Ordering::SeqCst);
        }
        Act::Unsaved if !world.follower.is_hunting() && world.sabotage.traps.load(Ordering::SeqCst) == 0 => {
            world.sabotage.unsaved.store(1, Ordering::SeqCst)
        }
        Act::Trap(_) | Act::Unsaved => {}
        Act::FailingRestart => world.sabotage.failing_restarts.store(1, Ordering::SeqCst),
        Act::Fault(fault) => world.store.fail_next(*fault),
        Act::Advance(millis) => world.clock.advance(Duration::from_millis((*millis).into())),
        Act::Replace { starts } => replace(&mut world, *starts),
        Act::Die => return world.restart(),
    }
    if world.store.state.lock().poisoned { world.restart() } else { world }
}

/// What cannot be replaced now goes on.
fn replace(world: &mut World, starts: bool) {
    let sabotage = world.sabotage.clone();
    let _ = world.follower.hand_over(Box::new(move |state| {
        if starts {
            return Ok(Successor {
                monitor: Levels::boxed(&sabotage, state),
                from: StartedFrom::Handed,
                on_probation: false,
            });
        }
        let reason = FailureReason::Trap("a bad version".to_owned());
        Err(PluginFailure { plugin: "levels".to_owned(), reason })
    }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn effects_are_those_of_an_undisturbed_run(acts in prop::collection::vec(act(), 1..80)) {
        let mut world = World::new();
        let mut second = 1_700_000_000;
        for act in &acts {
            world = perform(world, act, &mut second);
        }
        world.store.clear_faults();
        world.sabotage.traps.store(0, Ordering::SeqCst);
        world.sabotage.unsaved.store(0, Ordering::SeqCst);
        world.settle();
        world.clock.advance(Duration::from_secs(10));
        world.settle();

        let state = world.store.state.lock();
        prop_assert!(state.outbox.is_empty() && state.dead.is_empty());
        let mut told: BTreeMap<String, Vec<Option<Severity>>> = BTreeMap::new();
        for (key, level) in world.told() {
            told.entry(key).or_default().push(level);
        }
        prop_assert_eq!(&told, &expected(&state.log));
        for name in ["a1", "a2", "a3"] {
            let seen = state.log.iter().filter(|record| {
                matches!(record, Record::Sample(found, value) if found == name && *value != POISON)
            });
            let counted = state.key_values.get(&("levels".to_owned(), format!("seen:{name}")));
            let counted = counted.map_or(0, |bytes| String::from_utf8_lossy(bytes).parse().unwrap());
            prop_assert_eq!(counted, seen.count(), "{} was counted once each", name);
            let mine = state.alerts.values().filter(|alert| alert.key == name);
            let last = mine.max_by_key(|alert| alert.alert_id).map(|alert| alert.times_seen);
            prop_assert_eq!(last, signals_of_last_period(&state.log, name), "signals of {}", name);
        }
    }
}
