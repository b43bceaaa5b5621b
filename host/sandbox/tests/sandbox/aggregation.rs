//! Aggregations: groups, states, times, and hostile ones.

use std::sync::Arc;

use serde_json::{Map, json};
use telemetry_core::aggregation::{Accumulator, AggregateValue, Aggregation, AggregationError, SampleRun};
use telemetry_core::extension::SavedState;
use telemetry_core::limits;
use telemetry_sandbox::Plugin;

use crate::fixture::{Fixture, spec};

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
    let plugin = Fixture::new().hurried_guest("evil-aggregation");
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
