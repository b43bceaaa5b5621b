//! Parts that fail: what a query answers then, and what the plugin is charged with.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;

use bridge_telemetry::MetricQuery;
use bridge_telemetry_tests::guest;
use serde_json::Map;
use telemetry_core::ErrorCode;
use telemetry_sandbox::Plugin;

use super::readers::{Looks, Meeting};
use super::{COMMON, FATAL, filled, loaded_with_wait, named, pieces, questions, run};

/// The plugin with so many instances, all of them made: for helpers they are made one at a time.
fn warm_pieces(instances: u32) -> Plugin {
    let plugin = pieces(instances);
    let counted = plugin.aggregations().unwrap().find("counted", &Map::new()).unwrap().unwrap();
    let all: Vec<_> = (0..instances).map(|_| counted.accumulator().unwrap()).collect();
    drop(all);
    assert_eq!(plugin.status().instances, u64::from(instances));
    plugin
}

#[test]
fn a_trap_in_one_part_is_the_failure_of_its_query_alone() {
    let store = filled();
    let plugin = pieces(2);
    let fragile = MetricQuery::default().aggregate(format!("fragile(at={FATAL})"));
    let counted = MetricQuery::default().aggregate("counted");
    let expected = run(&plugin, &store, &counted, 1).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..10 {
                    assert_eq!(run(&plugin, &store, &counted, 2).unwrap(), expected);
                }
            });
        }
        let error = run(&plugin, &store, &fragile, 2).unwrap_err();
        assert_eq!(error.code(), ErrorCode::PluginFailure, "{error}");
        assert_eq!(error.details()["reason"], "trap");
    });
    let status = plugin.status();
    assert_eq!(status.failures_by_kind, BTreeMap::from([("trap", 1)]), "{status:?}");
    assert!(status.state.is_active(), "{status:?}");
    // Helpers wait for the plugin to show that it recovered.
    assert_eq!(run(&plugin, &store, &counted, 1).unwrap(), expected);
    let harmless = MetricQuery::default().aggregate("fragile(at=12345)");
    let found = run(&plugin, &Meeting::over(&store), &harmless, 2).unwrap();
    assert_eq!(named(found, "counted"), expected);
}

#[test]
fn a_trap_in_every_part_at_once_is_one_fault_of_one_query() {
    let store = filled();
    let plugin = warm_pieces(6);
    let fragile = MetricQuery::default().aggregate(format!("fragile(at={COMMON})"));
    let error = run(&plugin, &Meeting::after(&store, 6), &fragile, 6).unwrap_err();
    assert_eq!(error.details()["reason"], "trap");
    let status = plugin.status();
    assert_eq!(status.failures_by_kind, BTreeMap::from([("trap", 6)]), "{status:?}");
    assert_eq!((plugin.faults(), status.state.is_active()), (1, true), "{status:?}");
    let counted = MetricQuery::default().aggregate("counted");
    run(&plugin, &store, &counted, 6).unwrap();
}

#[test]
fn saves_that_lose_their_instances_cost_one_fault_and_not_the_answer() {
    let store = filled();
    for instances in [2, 6] {
        let plugin = warm_pieces(instances);
        let threads = instances as usize;
        let expected = run(&plugin, &store, &MetricQuery::default().aggregate("counted"), 1).unwrap();
        let question = MetricQuery::default().aggregate("unsaved(traps=true)");
        let found = run(&plugin, &Meeting::after(&store, threads), &question, threads).unwrap();
        assert_eq!(named(found, "counted"), expected);
        let status = plugin.status();
        let traps = status.failures_by_kind["trap"];
        assert!((1..=u64::from(instances)).contains(&traps) && status.failures == traps, "{status:?}");
        assert_eq!((plugin.faults(), status.state.is_active()), (1, true), "{status:?}");
        assert_eq!(status.unsplit_aggregates, ["unsaved"]);
        assert_eq!(named(run(&plugin, &store, &question, threads).unwrap(), "counted"), expected);
        assert_eq!(plugin.status().failures, traps, "it is not tried again");
    }
}

/// Instances go from query to query after each part. Only a query that has not begun is told that all are busy.
#[test]
fn no_query_fails_for_want_of_an_instance_after_it_has_begun() {
    let store = filled();
    let plugin = loaded_with_wait(guest("pieces").unwrap(), 2, 1);
    let questions = questions("summed");
    let expected: Vec<_> = questions.iter().map(|one| run(&plugin, &store, one, 1).unwrap()).collect();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for (question, expected) in questions.iter().zip(&expected) {
                    loop {
                        let looks = Looks { store: &store, count: AtomicUsize::new(0) };
                        match run(&plugin, &looks, question, 1) {
                            Ok(found) => {
                                assert_eq!(found, *expected);
                                break;
                            }
                            Err(error) => {
                                assert_eq!(error.details()["reason"], "busy");
                                assert_eq!(looks.count.into_inner(), 0, "it had begun");
                            }
                        }
                    }
                }
            });
        }
    });
}

#[test]
fn a_function_that_merges_by_its_word_alone_is_answered_and_not_split_again() {
    let store = filled();
    let plugin = pieces(2);
    let (unsaved, counted) = ("unsaved", "counted");
    let expected = run(&plugin, &store, &MetricQuery::default().aggregate(counted), 1).unwrap();
    let question = MetricQuery::default().aggregate(unsaved);
    let found = run(&plugin, &Meeting::over(&store), &question, 2).unwrap();
    assert_eq!(named(found, counted), expected);
    let failures = plugin.status().failures;
    assert!((1..=2).contains(&failures), "{failures}");
    assert_eq!(plugin.faults(), 1);
    assert_eq!(named(run(&plugin, &store, &question, 2).unwrap(), counted), expected);
    assert_eq!(plugin.status().failures, failures);
    let lines = plugin.log().after(0, 100);
    assert!(lines.iter().any(|line| line.message.contains("unsaved do not merge")), "{lines:?}");
}
