//! Aggregations: groups, states, times, and hostile ones.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Map, json};
use telemetry_core::aggregation::{
    Accumulator, AccumulatorsAtOnce, AggregateValue, Aggregation, AggregationError, SampleRun,
};
use telemetry_core::extension::SavedState;
use telemetry_core::{Timestamp, limits};
use telemetry_sandbox::Plugin;

use crate::fixture::{Fixture, NOW, spec};

fn found(plugin: &Plugin, name: &str) -> Arc<dyn Aggregation> {
    plugin.aggregations().unwrap().find(name, &Map::new()).unwrap().unwrap()
}

fn run<'a>(group: u32, values: &'a [f64]) -> SampleRun<'a> {
    SampleRun { group, timestamps: &[], values }
}

fn numbers(accumulator: &mut dyn Accumulator) -> Vec<f64> {
    let value = |value| match value {
        AggregateValue::Number(number) => number,
        other => panic!("{other:?}"),
    };
    accumulator.evaluate().unwrap().into_iter().map(value).collect()
}

#[test]
fn groups_are_kept_apart_and_states_merge() {
    let plugin = Fixture::new().guest("evil-aggregation");
    let sum = found(&plugin, "GOOD_SUM");
    assert!(sum.mergeable() && !sum.needs_timestamps());
    let mut one = sum.accumulator().unwrap();
    one.update(&[run(0, &[1.0, 2.0]), run(2, &[5.0]), run(0, &[4.0])]).unwrap();
    one.update(&[run(1, &[10.0])]).unwrap();
    assert_eq!(numbers(&mut *one), [7.0, 10.0, 5.0]);
    let saved = one.save().unwrap();
    drop(one);
    let mut two = sum.accumulator().unwrap();
    two.update(&[run(0, &[100.0])]).unwrap();
    two.merge(&saved, &[0, 3, 1]).unwrap();
    assert_eq!(numbers(&mut *two), [107.0, 5.0, 0.0, 10.0]);
    let foreign = SavedState { version: 9, bytes: vec![] };
    assert!(matches!(two.merge(&foreign, &[]), Err(AggregationError::SavedState { .. })));
    two.update(&[]).unwrap();
    assert_eq!(numbers(&mut *two).len(), 4, "a refusal leaves the states as they are");
}

#[test]
fn long_runs_cross_in_several_calls() {
    let plugin = Fixture::new().guest("evil-aggregation");
    let mut sum = found(&plugin, "good_sum").accumulator().unwrap();
    let values: Vec<f64> = (0..limits::MAX_SAMPLES_PER_CALL * 2 + 7).map(|n| (n % 10) as f64).collect();
    let (first, second) = values.split_at(values.len() / 3);
    let before = plugin.status().calls;
    sum.update(&[run(0, first), run(1, second), run(0, &[0.5])]).unwrap();
    assert_eq!(plugin.status().calls - before, 3);
    let expected = [first.iter().sum::<f64>() + 0.5, second.iter().sum()];
    assert_eq!(numbers(&mut *sum), expected);
}

#[test]
fn times_cross_where_they_are_needed() {
    let plugin = Fixture::new().guest("evil-aggregation");
    let span = found(&plugin, "span");
    assert!(span.needs_timestamps() && !span.mergeable());
    let mut accumulator = span.accumulator().unwrap();
    accumulator.update(&[SampleRun { group: 0, timestamps: &[3, 8, 20], values: &[0.0; 3] }]).unwrap();
    assert_eq!(numbers(&mut *accumulator), [17.0]);
    assert!(accumulator.update(&[run(0, &[1.0])]).is_err());
}

#[test]
fn parameters_are_checked_against_the_plugins_schema() {
    let plugin = Fixture::new().guest("evil-aggregation");
    let source = plugin.aggregations().unwrap();
    assert!(source.names().contains(&"good_sum".to_owned()));
    assert!(source.find("nobody", &Map::new()).is_none());
    let parameters = |value: serde_json::Value| value.as_object().unwrap().clone();
    assert!(source.find("good_sum", &parameters(json!({"factor": 2}))).unwrap().is_ok());
    let Some(Err(error)) = source.find("good_sum", &parameters(json!({"factor": "x"}))) else { panic!() };
    assert!(error.to_string().starts_with("Unsupported aggregation method: good_sum (/factor: "), "{error}");
    let error = found(&plugin, "refuse").accumulator().err().unwrap();
    assert!(
        matches!(&error, AggregationError::Unsupported { reason: Some(reason), .. } if reason.contains("today")),
        "{error}"
    );
    assert_eq!(plugin.status().instances, 1, "a refusal keeps the instance");
}

#[test]
fn an_accumulator_has_an_instance_of_its_own() {
    let fixture = Fixture::new();
    let mut spec = spec("evil-aggregation");
    spec.limits.instances = Some(2);
    spec.limits.wait_ms = 20;
    let plugin = fixture.sandbox.load(spec).unwrap();
    let sum = found(&plugin, "good_sum");
    let (mut one, mut two) = (sum.accumulator().unwrap(), sum.accumulator().unwrap());
    one.update(&[run(0, &[1.0])]).unwrap();
    two.update(&[run(0, &[2.0])]).unwrap();
    assert_eq!((numbers(&mut *one), numbers(&mut *two)), (vec![1.0], vec![2.0]));
    let Err(AggregationError::Plugin(failure)) = sum.accumulator() else { panic!("a third instance") };
    assert_eq!(failure.reason.kind(), "busy");
    drop(one);
    let mut three = sum.accumulator().unwrap();
    three.update(&[run(0, &[3.0])]).unwrap();
    assert_eq!(numbers(&mut *three), [3.0]);
}

#[test]
fn who_only_helps_takes_instances_that_nobody_waits_for() {
    let mut spec = spec("evil-aggregation");
    spec.limits.instances = Some(2);
    spec.limits.wait_ms = 60_000;
    let plugin = Fixture::new().sandbox.load(spec).unwrap();
    let sum = found(&plugin, "good_sum");
    assert_eq!(sum.accumulators_at_once(), AccumulatorsAtOnce::PerThread(2));
    assert_eq!(found(&plugin, "span").accumulators_at_once(), AccumulatorsAtOnce::ONE, "it needs one order");
    let own = sum.accumulator().unwrap();
    let spare = sum.spare_accumulator().unwrap().unwrap();
    assert_eq!(plugin.status().instances, 2);
    assert!(sum.spare_accumulator().unwrap().is_none(), "there are two");
    assert!(!own.is_wanted() && !spare.is_wanted());
    let third = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| sum.accumulator().unwrap());
        while !spare.is_wanted() {
            assert!(!waiting.is_finished(), "it waits");
            std::thread::yield_now();
        }
        assert!(sum.spare_accumulator().unwrap().is_none());
        drop(spare);
        waiting.join().unwrap()
    });
    assert!(!own.is_wanted() && sum.spare_accumulator().unwrap().is_none());
    drop(third);
    assert!(sum.spare_accumulator().unwrap().is_some());
    assert_eq!(plugin.status().failures, 0, "to get none is no failure");
}

#[test]
fn of_several_helpers_one_gives_way_for_each_that_waits() {
    let mut spec = spec("evil-aggregation");
    spec.limits.instances = Some(3);
    spec.limits.wait_ms = 60_000;
    let plugin = Fixture::new().sandbox.load(spec).unwrap();
    let sum = found(&plugin, "good_sum");
    let _own = sum.accumulator().unwrap();
    let mut helpers: Vec<_> = (0..2).map(|_| sum.spare_accumulator().unwrap().unwrap()).collect();
    let wanted = |helpers: &[Box<dyn Accumulator>]| -> Vec<bool> {
        helpers.iter().map(|helper| helper.is_wanted()).collect()
    };
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| sum.accumulator().unwrap());
        while wanted(&helpers) == [false, false] {
            assert!(!waiting.is_finished(), "it waits");
            std::thread::yield_now();
        }
        assert_eq!(wanted(&helpers), [true, false]);
        assert_eq!(wanted(&helpers), [true, false], "who was told stays told");
        drop(helpers.remove(0));
        waiting.join().unwrap()
    });
    assert_eq!(wanted(&helpers), [false]);
}

#[test]
fn who_waits_for_an_instance_comes_before_who_comes_later() {
    let mut spec = spec("evil-aggregation");
    spec.limits.instances = Some(1);
    spec.limits.wait_ms = 60_000;
    let plugin = Fixture::new().sandbox.load(spec).unwrap();
    let sum = found(&plugin, "good_sum");
    let own = sum.accumulator().unwrap();
    let order = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let _accumulator = sum.accumulator().unwrap();
            order.lock().unwrap().push("who waits");
        });
        while !own.is_wanted() {
            assert!(!waiting.is_finished(), "it waits");
            std::thread::yield_now();
        }
        drop(own);
        let _accumulator = sum.accumulator().unwrap();
        order.lock().unwrap().push("who comes later");
    });
    assert_eq!(order.into_inner().unwrap(), ["who waits", "who comes later"]);
}

#[test]
fn an_instance_that_cannot_be_made_for_a_helper_is_no_fault() {
    let fixture = Fixture::new();
    let now = Timestamp::parse(NOW).unwrap().nanos() / 1_000_000_000;
    let mut spec = spec("evil-aggregation").with_config(json!({"order": format!("init/trap-after {now}")}));
    spec.limits.instances = Some(2);
    let plugin = fixture.sandbox.load(spec).unwrap();
    let sum = found(&plugin, "good_sum");
    fixture.clock.advance(Duration::from_secs(3_600));
    let own = sum.accumulator().unwrap();
    for _ in 0..5 {
        assert!(sum.spare_accumulator().unwrap().is_none());
    }
    assert_eq!(plugin.status().failures_by_kind, [("trap", 1)].into(), "it is seen, and tried once");
    assert_eq!((plugin.faults(), plugin.status().state.is_active()), (0, true));
    fixture.clock.advance(limits::UNSPLIT_PAUSE);
    assert!(sum.spare_accumulator().unwrap().is_none());
    assert_eq!(plugin.status().failures, 2, "it is tried again after a while");
    assert!(sum.accumulator().is_err());
    assert_eq!(plugin.faults(), 1, "who cannot do without one has met a fault");
    drop(own);
}

#[test]
fn what_the_threads_of_one_query_meet_side_by_side_is_one_fault() {
    for first in 0..6 {
        let mut spec = spec("evil-aggregation");
        spec.limits.instances = Some(6);
        let plugin = Fixture::new().sandbox.load(spec).unwrap();
        let bad = found(&plugin, "panic_in_evaluate");
        let mut accumulators = vec![bad.accumulator().unwrap()];
        accumulators.extend((1..6).map(|_| bad.spare_accumulator().unwrap().unwrap()));
        accumulators.rotate_left(first);
        for accumulator in &mut accumulators {
            accumulator.update(&[run(0, &[1.0])]).unwrap();
        }
        for accumulator in &mut accumulators {
            accumulator.evaluate().unwrap_err();
        }
        drop(accumulators);
        let status = plugin.status();
        assert_eq!(status.failures_by_kind, [("trap", 6)].into());
        assert_eq!((plugin.faults(), status.state.is_active()), (1, true), "{status:?}");
        assert!(attack(&plugin, "panic_in_evaluate").is_some());
        assert_eq!(plugin.faults(), 2, "that was another query");
    }
}

#[test]
fn no_helper_tries_a_plugin_that_failed() {
    let plugin = Fixture::new().guest("evil-aggregation");
    let sum = found(&plugin, "good_sum");
    drop(sum.spare_accumulator().unwrap().unwrap());
    assert!(attack(&plugin, "panic_in_evaluate").is_some());
    assert!(sum.spare_accumulator().unwrap().is_none());
    assert_eq!(attack(&plugin, "good_sum"), None);
    assert!(sum.spare_accumulator().unwrap().is_some());
}

/// A function whose states could not be saved is not split, and the plugin says so; whether it is split again after a while.
fn is_split_again(order: &str, name: &str, remark: &str) -> bool {
    let fixture = Fixture::new();
    let mut spec = spec("evil-aggregation").with_config(json!({"order": order}));
    spec.limits.instances = Some(2);
    let plugin = fixture.sandbox.load(spec).unwrap();
    let function = found(&plugin, name);
    let may_split = AccumulatorsAtOnce::PerThread(2);
    assert_eq!(function.accumulators_at_once(), may_split);
    let error = function.accumulator().unwrap().save().unwrap_err();
    function.handing_over_failed(&error);
    function.handing_over_failed(&error);
    for function in [&function, &found(&plugin, &name.to_uppercase())] {
        assert_eq!(function.accumulators_at_once(), AccumulatorsAtOnce::ONE);
    }
    assert_eq!(found(&plugin, "good_sum").accumulators_at_once(), may_split);
    assert_eq!(plugin.status().unsplit_aggregates, [name]);
    let lines = plugin.log().after(0, 100);
    let told = lines.iter().filter(|line| line.message.starts_with(remark));
    assert_eq!(told.count(), 1, "{lines:?}");
    fixture.clock.advance(limits::UNSPLIT_PAUSE);
    let is_split = function.accumulators_at_once() == may_split;
    assert_eq!(plugin.status().unsplit_aggregates.is_empty(), is_split);
    is_split
}

#[test]
fn a_function_whose_states_do_not_merge_is_not_split_any_more() {
    assert!(!is_split_again("save/error", "nan", "the states of nan do not merge"));
}

#[test]
fn states_that_were_too_large_once_end_splitting_for_a_while() {
    assert!(is_split_again("", "giant_state", "states of giant_state did not merge"));
}

#[test]
fn too_many_groups_are_refused_by_the_host() {
    let plugin = Fixture::new().guest("evil-aggregation");
    let mut sum = found(&plugin, "good_sum").accumulator().unwrap();
    let error = sum.update(&[run(u32::MAX, &[1.0])]).unwrap_err();
    assert!(matches!(error, AggregationError::Limit { what: "groups", .. }), "{error}");
    sum.update(&[run(0, &[1.0])]).unwrap();
    assert_eq!(numbers(&mut *sum), [1.0]);
}

/// Uses an aggregate to the end and answers where and how it failed.
fn attack(plugin: &Plugin, name: &str) -> Option<(&'static str, String)> {
    let failed = |step, error: AggregationError| {
        let AggregationError::Plugin(failure) = error else { panic!("{error}") };
        Some((step, failure.reason.kind().to_owned()))
    };
    let mut accumulator = match found(plugin, name).accumulator() {
        Ok(accumulator) => accumulator,
        Err(error) => return failed("create", error),
    };
    if let Err(error) = accumulator.update(&[run(0, &[1.0])]) {
        return failed("update", error);
    }
    if let Err(error) = accumulator.save() {
        return failed("save", error);
    }
    match accumulator.evaluate() {
        Ok(_) => None,
        Err(error) => failed("evaluate", error),
    }
}

#[test]
fn hostile_aggregations_are_contained() {
    let fixture = Fixture::new();
    let check = |name: &str, step: &str, kind: &str| {
        let plugin = fixture.guest("evil-aggregation");
        assert_eq!(
            attack(&plugin, name),
            Some((step, kind.to_owned())).map(|(_, kind)| (static_step(step), kind)),
            "{name}"
        );
        assert_eq!(attack(&plugin, "good_sum"), None, "after {name}");
    };
    check("nan", "evaluate", "output");
    check("short", "evaluate", "output");
    check("broken_json", "evaluate", "output");
    check("panic_in_create", "create", "trap");
    check("panic_in_evaluate", "evaluate", "trap");
    check("giant_state", "save", "output");
}

fn static_step(step: &str) -> &'static str {
    ["create", "update", "save", "evaluate"].into_iter().find(|known| *known == step).unwrap()
}

#[test]
fn a_loop_in_update_meets_its_deadline() {
    // Little time, in which the step before has to be done all the same.
    let mut spec = spec("evil-aggregation");
    spec.limits.deadline_ms = 500;
    let plugin = Fixture::new().sandbox.load(spec).unwrap();
    assert_eq!(attack(&plugin, "loop_in_update"), Some(("update", "deadline".to_owned())));
}

#[test]
fn a_trap_in_drop_loses_the_instance_and_nothing_else() {
    let plugin = Fixture::new().guest("evil-aggregation");
    assert_eq!(attack(&plugin, "panic_in_drop"), None);
    assert_eq!(plugin.status().instances, 0);
    assert_eq!(plugin.status().failures_by_kind["trap"], 1);
    assert_eq!(attack(&plugin, "good_sum"), None);
}
