//! States that do not get from one instance to another: queries are answered all the same, so that alone they bring no plugin into
//! quarantine and take no version back, however many functions and queries meet it.

use std::sync::{Arc, Barrier};

use bridge_telemetry::MetricQuery;
use bridge_telemetry_tests::guest;
use serde_json::Map;
use telemetry_core::aggregation::{Accumulator, Aggregation, AggregationError, SampleRun};
use telemetry_core::limits::{PLUGIN_FAILURES_TO_QUARANTINE, RELOAD_FAILURES};
use telemetry_sandbox::Plugin;

use super::{filled, loaded, run};
use crate::fixture::with_order;

/// Functions that differ where they are evaluated alone.
const SUMS: [&str; 5] = ["good_sum", "nan", "short", "broken_json", "panic_in_evaluate"];
// A fault of each would take a version back, and bring it into quarantine.
const _: () = assert!(SUMS.len() as u64 >= RELOAD_FAILURES);
const _: () = assert!(SUMS.len() >= PLUGIN_FAILURES_TO_QUARANTINE as usize);

/// A plugin that traps whenever states are to be merged.
fn unmerging(instances: u32) -> Plugin {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("unmerging.wasm");
    std::fs::write(&file, with_order(&guest("evil-aggregation").unwrap(), "merge/trap")).unwrap();
    loaded(file, instances)
}

fn found(plugin: &Plugin, name: &str) -> Arc<dyn Aggregation> {
    plugin.aggregations().unwrap().find(name, &Map::new()).unwrap().unwrap()
}

/// An accumulator that could not take another's states over.
fn failed(function: &dyn Aggregation) -> (Box<dyn Accumulator>, AggregationError) {
    let mut part = function.accumulator().unwrap();
    part.update(&[SampleRun { group: 0, timestamps: &[], values: &[1.0] }]).unwrap();
    let states = part.save().unwrap();
    drop(part);
    let mut whole = function.accumulator().unwrap();
    let error = whole.merge(&states, &[0]).unwrap_err();
    (whole, error)
}

#[test]
fn of_several_functions_one_fault_counts() {
    let plugin = unmerging(2);
    for name in SUMS {
        let function = found(&plugin, name);
        let (whole, error) = failed(&*function);
        function.handing_over_failed(&error);
        drop(whole);
    }
    let status = plugin.status();
    assert_eq!((plugin.faults(), status.state.is_active()), (1, true), "{status:?}");
    assert_eq!(status.failures_by_kind, [("trap", SUMS.len() as u64)].into(), "each is seen");
    assert_eq!(status.unsplit_aggregates, SUMS);
}

#[test]
fn of_several_queries_at_once_one_fault_counts() {
    let plugin = unmerging(5);
    let function = found(&plugin, "good_sum");
    let mut parts: Vec<_> = (0..5).map(|_| function.accumulator().unwrap()).collect();
    parts[0].update(&[SampleRun { group: 0, timestamps: &[], values: &[1.0] }]).unwrap();
    let states = parts[0].save().unwrap();
    for part in &mut parts {
        let error = part.merge(&states, &[0]).unwrap_err();
        function.handing_over_failed(&error);
    }
    drop(parts);
    let status = plugin.status();
    assert_eq!((plugin.faults(), status.state.is_active()), (1, true), "{status:?}");
    assert_eq!(status.failures_by_kind, [("trap", 5)].into());
}

#[test]
fn states_that_do_not_merge_for_another_reason_count_as_ever() {
    let plugin = unmerging(2);
    for (function, faults) in SUMS.map(|name| found(&plugin, name)).iter().zip(1..RELOAD_FAILURES) {
        let (whole, _) = failed(&**function);
        drop(whole);
        assert_eq!(plugin.faults(), faults);
    }
    assert!(plugin.status().unsplit_aggregates.is_empty());
}

#[test]
fn queries_whose_states_do_not_merge_are_all_answered() {
    let store = filled();
    let question = MetricQuery::default().aggregate("good_sum");
    let whole = loaded(guest("evil-aggregation").unwrap(), 1);
    let expected = run(&whole, &store, &question, 1).unwrap();
    let plugin = unmerging(2);
    let barrier = Barrier::new(5);
    std::thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| {
                barrier.wait();
                assert_eq!(run(&plugin, &store, &question, 1).unwrap(), expected);
            });
        }
    });
    let status = plugin.status();
    assert_eq!((plugin.faults(), status.state.is_active()), (1, true), "{status:?}");
    assert_eq!(status.unsplit_aggregates, ["good_sum"]);
}
