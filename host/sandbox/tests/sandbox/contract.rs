//! Guests that were built for the contract's version before load and do all that they did: every kind, every import.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, json};
use telemetry_core::aggregation::{AggregateValue, SampleRun};
use telemetry_core::extension::{
    DeliveryOutcome, EventRewrite, EventVerdict, KeyValuePort, RowIssue, SampleVerdict, SeriesRewrite,
};
use telemetry_core::{Context, JsonObject, Severity, Timestamp};
use telemetry_sandbox::{CONTRACT_VERSION, Component, Plugin, PluginLimits, PluginSpec};

use crate::fixture::{Fixture, NOW, events, sample};
use crate::sink::{TIME, alert};

/// A guest of version 0.1.0, as it was built then.
fn old_guest(fixture: &Fixture, name: &str) -> Plugin {
    let plugin = guest_of(fixture, "0.1.0", name);
    assert_eq!(plugin.info().contract, "0.1.0");
    plugin
}

/// A guest as it was built for this version.
fn guest_of(fixture: &Fixture, version: &str, name: &str) -> Plugin {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/contract-{version}"));
    let mut spec = PluginSpec::new(name, Component::File(folder.join(name).with_extension("wasm")));
    spec.limits = PluginLimits { deadline_ms: 20_000, ..PluginLimits::default() };
    fixture.sandbox.load(spec).unwrap()
}

#[test]
fn guests_of_a_version_that_had_less() {
    for version in ["0.2.0", "0.2.1"] {
        let fixture = Fixture::new();
        let plugin = guest_of(&fixture, version, "evil");
        assert_eq!(plugin.info().contract, CONTRACT_VERSION, "{version}");
        let verdict = plugin.validator().unwrap().validate_events(&events(&["harmless", "warn"])).unwrap();
        assert_eq!((verdict.issues[0].row, verdict.issues[0].reject), (1, false), "{version}");
        let plugin = guest_of(&fixture, version, "evil-monitor");
        let mut monitor = plugin.monitor(None).unwrap().unwrap();
        let signals = monitor.on_events(&events(&["ATTACK_disk"])).unwrap();
        let found = (signals[0].key.as_str(), signals[0].labels["evil"].as_str());
        assert_eq!(found, ("disk", "yes"), "{version}");
    }
}

#[test]
fn what_a_version_added_is_there_for_its_guests() {
    let fixture = Fixture::new();
    let plugin = guest_of(&fixture, "0.2.1", "evil");
    let verdict = plugin.validator().unwrap().validate_events(&events(&["values"])).unwrap();
    assert_eq!(verdict.issues[0].message, "[4, 0] [1.0, 0.0] [0, 0]");
    let plugin = guest_of(&fixture, "0.2.1", "evil-monitor");
    let mut monitor = plugin.monitor(None).unwrap().unwrap();
    assert_eq!(monitor.on_events(&events(&["ATTACK_VALUES"])).unwrap()[0].value, Some(1.0));
}

#[test]
fn the_present_contract_is_told_too() {
    assert_eq!(Fixture::new().guest("evil-monitor").info().contract, CONTRACT_VERSION);
}

#[test]
fn a_validator_of_the_version_before() {
    let plugin = old_guest(&Fixture::new(), "evil");
    let validator = plugin.validator().unwrap();
    let verdict = validator.validate_events(&events(&["harmless", "escape_codes", "warn"])).unwrap();
    let issue = |row: u32, reject: bool, message: &str| RowIssue {
        row,
        reject,
        code: "evil".to_owned(),
        path: "/data".to_owned(),
        message: message.to_owned(),
    };
    let issues = vec![issue(1, true, "\\u{1b}[2Jnew\\nline"), issue(2, false, "be careful")];
    assert_eq!(verdict, EventVerdict { issues, rewrites: Vec::new() });
    // The guest always rewrites the first row, and of that its data alone.
    let verdict = validator.validate_events(&events(&["rewrite", "warn"])).unwrap();
    let data = JsonObject::from(json!({"rewritten": true}).as_object().unwrap());
    let rewrites = vec![EventRewrite { row: 0, data: Some(data), extra: None }];
    assert_eq!(verdict, EventVerdict { issues: vec![issue(1, false, "be careful")], rewrites });
    let failure = validator.validate_events(&events(&["harmless", "rewrite_row"])).unwrap_err();
    assert!(failure.reason.to_string().contains("row 77, the batch has 2"), "{failure}");

    assert_eq!(validator.validate_samples(&sample("m", 1.0)).unwrap(), SampleVerdict::default());
    let failure = validator.validate_samples(&sample("broken_context", 1.0)).unwrap_err();
    assert_eq!(failure.reason.kind(), "output", "{failure}");
    assert!(failure.reason.to_string().contains("the context of series 0 is no JSON object"), "{failure}");
    let verdict = validator.validate_samples(&sample("giant_context", 1.0)).unwrap();
    assert_eq!(verdict.rewrites, [SeriesRewrite { series: 0, context: Context::default() }], "left out");
    let [refused] = &verdict.issues[..] else { panic!("{verdict:?}") };
    assert_eq!((refused.row, refused.code.as_str(), refused.reject), (0, "rewrite_too_large", true));
}

#[test]
fn a_monitor_of_the_version_before() {
    let fixture = Fixture::new();
    let plugin = old_guest(&fixture, "evil-monitor");
    let mut monitor = plugin.monitor(None).unwrap().unwrap();
    let signals = monitor.on_events(&events(&["ATTACK_disk"])).unwrap();
    assert_eq!((signals[0].key.as_str(), signals[0].severity), ("disk", Severity::Critical));
    assert_eq!(signals[0].labels["evil"], "yes", "labels were JSON then");
    assert_eq!(monitor.on_samples(&sample("m", 2.5)).unwrap()[0].value, Some(2.5));
    let tick = monitor.tick(Timestamp::from_millis(5)).unwrap();
    assert_eq!((tick[0].summary.as_str(), tick[0].firing), ("tick after 2 batches", false));
    let asked = monitor.on_events(&events(&["ATTACK_QUERY"])).unwrap();
    assert_eq!(asked[0].summary, format!("{{}} as of {NOW}"));
    monitor.on_events(&events(&["ATTACK_PUT"])).unwrap();
    let checkpoint = monitor.checkpoint().unwrap();
    assert_eq!(checkpoint.writes.len(), 1);
    assert_eq!(
        fixture.key_value.get("evil-monitor", "batches").unwrap(),
        None,
        "it waits for the checkpoint"
    );
    let failure = monitor.on_events(&events(&["ATTACK_LABELS"])).unwrap_err();
    assert_eq!(failure.reason.kind(), "output", "{failure}");
    assert!(failure.reason.to_string().contains("object of strings"), "{failure}");
    monitor.restart(checkpoint.state).unwrap();
    assert_eq!(monitor.on_events(&events(&["ATTACK_a"])).unwrap().len(), 1);
}

#[test]
fn an_aggregation_of_the_version_before() {
    let plugin = old_guest(&Fixture::new(), "evil-aggregation");
    let sum = plugin.aggregations().unwrap().find("good_sum", &Map::new()).unwrap().unwrap();
    let run = |group, values| SampleRun { group, timestamps: &[], values };
    let mut one = sum.accumulator().unwrap();
    one.update(&[run(0, &[1.0, 2.0]), run(1, &[5.0])]).unwrap();
    let saved = one.save().unwrap();
    let mut two = sum.accumulator().unwrap();
    two.merge(&saved, &[1, 0]).unwrap();
    assert_eq!(two.evaluate().unwrap(), [AggregateValue::Number(5.0), AggregateValue::Number(3.0)]);
}

#[test]
fn a_sink_of_the_version_before() {
    let fixture = Fixture::new();
    let plugin = old_guest(&fixture, "evil-sink");
    let mut sink = plugin.sink().unwrap();
    let mut outcome = |order: &str| sink.deliver(&[alert(order)], TIME).unwrap().remove(0);
    assert_eq!(outcome("anything"), DeliveryOutcome::Duplicate);
    let after = Some(Duration::from_millis(1500));
    assert_eq!(outcome("retry"), DeliveryOutcome::Retry { after, reason: "busy".to_owned() });
    assert_eq!(outcome("forward a,b"), DeliveryOutcome::Forward(vec!["a".to_owned(), "b".to_owned()]));
    let DeliveryOutcome::Delivered(Some(json)) = outcome("alert") else { panic!() };
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap()["key"], "cpu");
    outcome("put note");
    assert_eq!(outcome("get"), DeliveryOutcome::Delivered(Some("note".to_owned())));
    let DeliveryOutcome::Rejected(reason) = outcome("http http://127.0.0.1:9/") else { panic!() };
    assert!(reason.starts_with("denied: "), "{reason}");
}
