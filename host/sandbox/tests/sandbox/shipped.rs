//! Shipped components in the sandbox: they load with what their world gives them.

use serde_json::json;
use telemetry_core::aggregation::{AggregateValue, SampleRun};
use telemetry_core::{EventBatch, EventRow};
use telemetry_sandbox::{Component, PluginKind, PluginSpec};

use crate::fixture::{Fixture, shipped};

#[test]
fn percentile_answers_a_quantile() {
    let fixture = Fixture::new();
    let plugin =
        fixture.sandbox.load(PluginSpec::new("percentile", Component::File(shipped("percentile")))).unwrap();
    assert_eq!(plugin.info().kind, PluginKind::Aggregator);
    let parameters = json!({"q": 0.5}).as_object().unwrap().clone();
    let aggregation = plugin.aggregations().unwrap().find("percentile", &parameters).unwrap().unwrap();
    let mut accumulator = aggregation.accumulator().unwrap();
    let values: Vec<f64> = (1..=1000).map(f64::from).collect();
    accumulator.update(&[SampleRun { group: 0, timestamps: &[], values: &values }]).unwrap();
    let AggregateValue::Number(median) = accumulator.evaluate().unwrap()[0] else { panic!() };
    assert!((490.0..=511.0).contains(&median), "{median}");
}

#[test]
fn one_event_that_is_too_large_to_judge_keeps_no_other_from_being_judged() {
    let spec = PluginSpec::new("json-schema", Component::File(shipped("json-schema")))
        .with_config(json!({"schemas": {"*": {"required": ["a"]}}}));
    let plugin = Fixture::new().sandbox.load(spec).unwrap();
    // Short as a text, and several times the plugin's memory when it is parsed.
    let large = format!(r#"{{"a":[{}0]}}"#, "0,".repeat(500_000));
    let mut batch = EventBatch::default();
    for data in [r#"{"a":1}"#, &large, "{}"] {
        batch.push(EventRow { timestamp: 1, id: "i", event_type: "A", source: "s", data, extra: "{}" });
    }
    let verdict = plugin.validator().unwrap().validate_events(&batch).unwrap();
    let issues: Vec<_> = verdict.issues.iter().map(|issue| (issue.row, issue.code.as_str())).collect();
    assert_eq!(issues, [(1, "schema_limit"), (2, "schema_required")]);
}

#[test]
fn every_shipped_plugin_is_of_a_known_world() {
    let folder = shipped("percentile").ancestors().nth(2).unwrap().to_owned();
    let fixture = Fixture::new();
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let package = entry.unwrap().path();
        if package.is_dir() {
            let name = package.file_name().unwrap().to_str().unwrap().to_owned();
            let path = shipped(&name);
            let info =
                fixture.sandbox.inspect(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert_eq!(info.name, name);
            assert!(info.config_schema.is_object(), "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 0);
}

/// Most bytes of a shipped component.
const MOST: u64 = 100_000;
const NAMES: [&str; 9] = [
    "console",
    "error-rate",
    "ewma",
    "json-schema",
    "percentile",
    "redact",
    "router",
    "threshold",
    "webhook",
];

#[test]
fn no_shipped_component_grows_beyond_its_limit() {
    let sizes = NAMES.map(|name| (name, std::fs::metadata(shipped(name)).unwrap().len()));
    let over: Vec<_> = sizes.iter().filter(|(_, bytes)| *bytes > MOST).collect();
    assert!(over.is_empty(), "{over:?}: name, bytes");
}
