//! What plugins that judge by JSON Schemas take of the host, and what becomes of events to which others left no time.

use serde_json::json;
use telemetry_core::{EventBatch, EventRow, limits};
use telemetry_sandbox::{Component, PluginSpec};

use crate::fixture::{Fixture, shipped, shipped_spec};

fn batch<'d>(data: impl IntoIterator<Item = &'d str>) -> EventBatch {
    let mut batch = EventBatch::default();
    for data in data {
        batch.push(EventRow { timestamp: 1, id: "i", event_type: "A", source: "s", data, extra: "{}" });
    }
    batch
}

/// How often a call that has little time is made, until one of them was not held up.
const TRIES: usize = 20;

/// A busy machine may take all the time of a call. If it does not, the call fails for now: no event is told as slow that others left no
/// time, and it is no fault of the plugin.
#[test]
fn events_to_which_slow_ones_leave_no_time_fail_for_now() {
    let each = vec![json!({"uniqueItems": true}); 6_000];
    let properties = json!({"a": {"allOf": each}, "b": {"type": "integer"}});
    let mut spec = PluginSpec::new("json-schema", Component::File(shipped("json-schema")))
        .with_config(json!({"schemas": {"*": {"properties": properties}}}));
    spec.limits.deadline_ms = 200;
    let slow = json!({"a": (0..8_000).collect::<Vec<_>>()}).to_string();
    // More than are told as slow, one quarter of what is left after the other.
    let many = batch([slow.as_str()].repeat(30).into_iter().chain([r#"{"b":1}"#]));
    let few = batch([slow.as_str(), r#"{"b":"x"}"#, r#"{"b":1}"#]);
    let fixture = Fixture::new();
    let goes_well = |_| {
        let plugin = fixture.sandbox.load(spec.clone()).unwrap();
        let validator = plugin.validator().unwrap();
        for _ in 0..limits::PLUGIN_FAILURES_TO_QUARANTINE {
            let failure = validator.validate_events(&many).unwrap_err();
            if failure.reason.kind() != "transient" {
                assert_eq!(failure.reason.kind(), "deadline", "{failure}");
                return false;
            }
        }
        assert_eq!(plugin.faults(), 0);
        assert!(plugin.status().state.is_active());
        // The sender comes again with less at once.
        let Ok(verdict) = validator.validate_events(&few) else { return false };
        let found: Vec<_> = verdict.issues.iter().map(|issue| (issue.row, issue.code.as_str())).collect();
        assert_eq!(found, [(0, "schema_limit"), (1, "schema_type")]);
        true
    };
    assert!((0..TRIES).any(goes_well), "none of {TRIES}");
}

#[test]
fn a_long_text_for_a_heavy_pattern_takes_no_others_time() {
    let spec = shipped_spec("json-schema")
        .with_config(json!({"schemas": {"*": {"properties": {"a": {"pattern": "^[ab]*a[ab]{100}c$"}}}}}));
    let plugin = Fixture::new().sandbox.load(spec).unwrap();
    let long = json!({"a": "ab".repeat(500_000)}).to_string();
    let verdict = plugin.validator().unwrap().validate_events(&batch([long.as_str(), r#"{"b":1}"#])).unwrap();
    let found: Vec<_> = verdict.issues.iter().map(|issue| (issue.row, issue.code.as_str())).collect();
    assert_eq!(found, [(0, "schema_limit")]);
    assert!(verdict.issues[0].message.contains("too long for the patterns"), "{:?}", verdict.issues);
}
