//! A plugin's aggregate in parts: several instances work on one query, their states go from one to another as bytes, and nobody can
//! tell from the answer.

mod failures;
mod handing_over;
mod readers;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bridge_telemetry::aggregation::{AggregationRegistry, Engine, SampleReader};
use bridge_telemetry::{Context, ManualClock, MetricDraft, MetricQuery, MetricsAnswer, QueryError};
use bridge_telemetry_tests::{guest, plugin};
use readers::Meeting;
use serde_json::{Value, json};
use telemetry_core::Timestamp;
use telemetry_core::admission::{AcceptedTimes, admit_sample};
use telemetry_core::aggregation::AggregateValue;
use telemetry_core::extension::{KeyValuePort, PortError, QueryPort};
use telemetry_sandbox::{Component, Plugin, PluginSpec, Ports, Sandbox, SandboxOptions};
use telemetry_store::{RecordBatch, Store, StoreOptions};

use crate::fixture::{code, host_with_clock, in_memory, metric, query, start, with_plugin};

const SERIES: usize = 96;
const SAMPLES: usize = 240;
/// A value of one series alone.
const FATAL: f64 = 666_666.0;
/// A value that each series has once.
const COMMON: f64 = 777_777.0;

/// Half of the samples are sealed. No two instants of a series are alike, and all of them are shared by all series.
fn filled() -> Store {
    let options = StoreOptions { background: false, min_free_bytes: 0, ..StoreOptions::in_memory() };
    let store = Store::open(options, Arc::new(ManualClock::at(start()))).unwrap();
    let times = AcceptedTimes::at(start(), Duration::from_secs(30 * 86_400));
    for half in [0..SAMPLES / 2, SAMPLES / 2..SAMPLES] {
        let mut batch = RecordBatch::default();
        for series in 0..SERIES {
            let context = Context::from_labels([
                ("host", format!("{:02}", series % 24).as_str()),
                ("zone", ["a", "b", "c"][series % 3]),
                ("n", &series.to_string()),
            ]);
            for n in half.clone() {
                let value = match (series, n) {
                    (50, 7) => FATAL,
                    (_, 9) => COMMON,
                    _ => ((series * 31 + n * 37) % 1_009) as f64 / 7.0 - 40.0,
                };
                let at = start().minus(Duration::from_secs(60 * (SAMPLES - n) as u64));
                let draft = MetricDraft::new("load", value).with_context(context.clone()).at(at);
                batch.samples.push(admit_sample(draft, &times).unwrap());
            }
        }
        store.append(&batch).unwrap();
        if half.start == 0 {
            store.seal().unwrap();
        }
    }
    store
}

struct NoHost;

impl KeyValuePort for NoHost {
    fn get(&self, _: &str, _: &str) -> Result<Option<Vec<u8>>, PortError> {
        Ok(None)
    }
    fn write(&self, _: &str, _: &str, _: Option<&[u8]>) -> Result<(), PortError> {
        Ok(())
    }
}

impl QueryPort for NoHost {
    fn get_metrics(&self, _: &str, _: Timestamp) -> Result<String, PortError> {
        Err(PortError::Unsupported("there is no host".to_owned()))
    }
}

/// A plugin that may have so many instances, and time enough on a busy machine.
fn loaded(component: PathBuf, instances: u32) -> Plugin {
    loaded_with_wait(component, instances, 60_000)
}

fn loaded_with_wait(component: PathBuf, instances: u32, wait_ms: u32) -> Plugin {
    let ports = Ports { key_value: Arc::new(NoHost), query: Arc::new(NoHost) };
    let clock = Arc::new(ManualClock::at(start()));
    let cache = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("code-cache");
    let options = SandboxOptions { cache_directory: Some(cache), ..SandboxOptions::default() };
    let sandbox = Sandbox::new(options, ports, clock).unwrap();
    let mut spec = PluginSpec::new("pieces", Component::File(component));
    spec.limits.instances = Some(instances);
    spec.limits.deadline_ms = 20_000;
    spec.limits.wait_ms = wait_ms;
    sandbox.load(spec).unwrap()
}

fn pieces(instances: u32) -> Plugin {
    loaded(guest("pieces").unwrap(), instances)
}

fn run(
    plugin: &Plugin,
    reader: &dyn SampleReader,
    query: &MetricQuery,
    threads: usize,
) -> Result<MetricsAnswer, QueryError> {
    let engine = Engine::new(Arc::new(ManualClock::at(start()))).with_threads(threads);
    engine.run(query, reader, &AggregationRegistry::new([plugin.aggregations().unwrap()]), None)
}

/// The answer under another function's name.
fn named(mut answer: MetricsAnswer, name: &str) -> MetricsAnswer {
    for metric in answer.metrics.values_mut() {
        metric.aggregation = name.to_owned();
    }
    answer
}

/// All, in buckets, in many groups, in few, and in both.
fn questions(aggregation: &str) -> Vec<MetricQuery> {
    let whole = MetricQuery::default().aggregate(aggregation);
    let hour = Duration::from_secs(3_600);
    let mut questions = vec![whole.clone(), whole.clone().step(hour)];
    for label in ["host", "zone"] {
        let grouped = whole.clone().group_by([label]);
        questions.extend([grouped.clone(), grouped.step(hour)]);
    }
    questions
}

/// Runs of samples that each instance has seen.
fn runs(plugin: &Plugin) -> Vec<f64> {
    let counters = plugin.status().counters;
    counters.iter().filter(|(name, _)| name.starts_with("runs_")).map(|(_, runs)| *runs).collect()
}

/// The numbers of an answer, in its order.
fn numbers(answer: &MetricsAnswer) -> Vec<f64> {
    let number = |value: &AggregateValue| match value {
        AggregateValue::Number(number) => *number,
        other => panic!("{other:?}"),
    };
    let mut numbers = Vec::new();
    for metric in answer.metrics.values() {
        numbers.push(number(&metric.tally.value));
        numbers.extend(metric.points.iter().flatten().map(|point| number(&point.tally.value)));
        for group in metric.groups.iter().flatten() {
            numbers.push(number(&group.tally.value));
            numbers.extend(group.points.iter().flatten().map(|point| number(&point.tally.value)));
        }
    }
    numbers
}

#[test]
fn two_instances_answer_what_the_built_in_function_does() {
    let store = filled();
    for (ours, built_in) in [("counted", "COUNT"), ("greatest", "MAX")] {
        for (question, expected) in questions(ours).iter().zip(questions(built_in)) {
            let plugin = pieces(2);
            let found = run(&plugin, &Meeting::over(&store), question, 2).unwrap();
            assert_eq!(named(found, built_in), run(&plugin, &store, &expected, 1).unwrap(), "{question:?}");
            let runs = runs(&plugin);
            assert!(runs.len() == 2 && runs.iter().all(|runs| *runs > 0.0), "{question:?}: {runs:?}");
            let status = plugin.status();
            assert_eq!((status.instances, status.failures), (2, 0), "{question:?}");
        }
    }
}

#[test]
fn sums_differ_from_those_in_one_go_by_their_last_digits_and_not_by_threads() {
    let store = filled();
    let (one, two) = (pieces(1), pieces(2));
    for question in questions("summed") {
        let whole = run(&one, &store, &question, 2).unwrap();
        let split = run(&two, &Meeting::over(&store), &question, 2).unwrap();
        assert_eq!(split, run(&two, &store, &question, 1).unwrap(), "{question:?}");
        let (ours, theirs) = (numbers(&split), numbers(&whole));
        assert_eq!(ours.len(), theirs.len());
        for (ours, theirs) in ours.iter().zip(&theirs) {
            assert!((ours - theirs).abs() <= 1e-9 * theirs.abs().max(1.0), "{ours} is not {theirs}");
        }
    }
    assert_eq!(one.status().instances, 1);
}

#[test]
fn what_depends_on_the_order_of_samples_is_not_split() {
    let store = filled();
    for (component, function) in [(guest("pieces").unwrap(), "sequence"), (plugin("ewma").unwrap(), "ewma")] {
        let (one, four) = (loaded(component.clone(), 1), loaded(component, 4));
        for question in questions(function) {
            let expected = run(&one, &store, &question, 1).unwrap();
            assert_eq!(run(&four, &store, &question, 4).unwrap(), expected, "{question:?}");
        }
        assert_eq!(four.status().instances, 1, "{function}");
    }
}

#[test]
fn a_host_answers_alike_however_it_splits() {
    let settings = |instances: u32| json!({"limits": {"instances": instances, "deadline_ms": 20_000}});
    let component = guest("pieces").unwrap();
    let host =
        |instances| host_with_clock(with_plugin(in_memory(), "pieces", &component, settings(instances))).0;
    let hosts = [host(1), host(4)];
    let samples: Vec<Value> = (0..SERIES * 20)
        .map(|n| json!({"metric_name": "load", "metric_value": n % 977, "context": {"host": n % SERIES}}))
        .collect();
    for host in &hosts {
        assert_eq!(code(&metric(host, json!(samples))), "success");
    }
    for aggregation in ["counted", "greatest", "summed", "sequence"] {
        for group_by in [json!([]), json!(["host"])] {
            let question = json!({"aggregation": aggregation, "group_by": group_by});
            let answers = hosts.each_ref().map(|host| query(host, question.clone()).body);
            assert_eq!(answers[0]["status"], "success", "{}", answers[0]);
            assert_eq!(answers[0], answers[1], "{question}");
        }
    }
}
