//! Shipped components in the sandbox: they load with what their world gives them.

use serde_json::{Value, json};
use telemetry_core::aggregation::{AggregateValue, SampleRun};
use telemetry_core::extension::DeliveryOutcome;
use telemetry_core::{EventBatch, EventRow, SampleBatch, limits};
use telemetry_sandbox::{Plugin, PluginKind};

use crate::fixture::{Fixture, shipped, shipped_spec};
use crate::sink::{TIME, alert};

fn loaded(name: &str, config: Value) -> Plugin {
    Fixture::new().sandbox.load(shipped_spec(name).with_config(config)).unwrap()
}

#[test]
fn percentile_answers_a_quantile() {
    let plugin = loaded("percentile", json!({}));
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
    let plugin = loaded("json-schema", json!({"schemas": {"*": {"required": ["a"]}}}));
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
fn redact_survives_contexts_that_are_too_long_with_their_secrets_masked() {
    let plugin = loaded("redact", json!({}));
    let context = format!(r#"{{"pad":"{}","token":1}}"#, "x".repeat(limits::MAX_CONTEXT_BYTES - 20));
    let mut batch = SampleBatch::default();
    let series = batch.add_series("logins", &context);
    batch.push(series, 1, 1.0);
    // As many failures would set it aside, and nothing could be recorded.
    for _ in 0..limits::PLUGIN_FAILURES_TO_QUARANTINE {
        let verdict = plugin.validator().unwrap().validate_samples(&batch).unwrap();
        assert_eq!(verdict.rewrites[0].context.as_str(), r#"{"redacted":true}"#);
    }
    let status = plugin.status();
    let counted = status.counters["objects_masked_whole"];
    assert_eq!((status.failures, counted), (0, f64::from(limits::PLUGIN_FAILURES_TO_QUARANTINE)));
}

#[test]
fn redact_searches_with_the_words_of_ascii_or_is_not_started() {
    // With Unicode's there is no end of a word between the two.
    let text = |secret: &str| format!(r#"{{"note":"密码{secret}"}}"#);
    let plugin = loaded("redact", json!({"patterns": [r"\bpassword=\S+"]}));
    let data = text("password=hunter2");
    let mut batch = EventBatch::default();
    batch.push(EventRow { timestamp: 1, id: "i", event_type: "A", source: "s", data: &data, extra: "{}" });
    let verdict = plugin.validator().unwrap().validate_events(&batch).unwrap();
    assert_eq!(verdict.rewrites[0].data.as_ref().unwrap().as_str(), text("***"));
    // More than may be kept, in both forms.
    let patterns: Vec<String> = (0..200).map(|number| format!(r"\b{number}.")).collect();
    let spec = shipped_spec("redact").with_config(json!({"patterns": patterns}));
    let error = Fixture::new().sandbox.load(spec).err().unwrap();
    assert!(format!("{error:?}").contains("patterns["), "{error:?}");
}

#[test]
fn a_route_whose_label_is_too_long_to_be_searched_does_not_match() {
    let routes = json!([
        {"match": {"host": {"regex": r"\b[ab]{4000}c"}}, "receivers": ["nobody"]},
        {"match": {"team": "db"}, "receivers": ["db"]},
    ]);
    let plugin = loaded("router", json!({"routes": routes}));
    let mut alert = alert("key");
    // Words that end as in Unicode, beside many states: each byte costs all of them.
    let host = format!("é{}", "a".repeat(12_000));
    alert.alert.labels = [("host".to_owned(), host), ("team".to_owned(), "db".to_owned())].into();
    let outcomes = plugin.sink().unwrap().deliver(&[alert], TIME).unwrap();
    assert_eq!(outcomes, [DeliveryOutcome::Forward(vec!["db".to_owned()])]);
    assert_eq!(plugin.status().counters["routes_not_judged"], 1.0);
}

#[test]
fn many_rules_for_one_metric_are_no_flood_of_counters() {
    let rule = |threshold: i32| json!({"metric": "cpu", "comparison": ">", "threshold": threshold});
    let rules: Vec<Value> = (0..20).map(rule).collect();
    let plugin = loaded("threshold", json!({"rules": rules, "max_series": 0}));
    let mut batch = SampleBatch::starting_at(1);
    let series = batch.add_series("cpu", "{}");
    (0..1_000).for_each(|time| batch.push(series, time, 100.0));
    let signals = plugin.monitor(None).unwrap().unwrap().on_samples(&batch).unwrap();
    assert!(signals.is_empty(), "{signals:?}");
    assert_eq!(plugin.status().counters["series_ignored"], 20_000.0);
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
