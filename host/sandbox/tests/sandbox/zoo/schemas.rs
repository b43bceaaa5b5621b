//! Schemas beside the matrix: what is judged is told, and what is too much of one event is no other's.

use serde_json::json;
use telemetry_core::{EventBatch, EventRow, limits};
use telemetry_sandbox::{Component, PluginSpec};

use crate::fixture::{Fixture, events, shipped, shipped_spec};

/// Events of one type, with these data.
fn batch(first_type: &str, data: &[String]) -> EventBatch {
    let mut batch = EventBatch::default();
    for (place, data) in data.iter().enumerate() {
        let event_type = if place == 0 { first_type } else { "harmless" };
        batch.push(EventRow { timestamp: 1, id: "i", event_type, source: "s", data, extra: "{}" });
    }
    batch
}

/// What the guest says of the host's judgement: its numbers.
fn judged(order: &str, data: &[String]) -> Vec<usize> {
    let verdict =
        Fixture::new().guest("evil").validator().unwrap().validate_events(&batch(order, data)).unwrap();
    verdict.issues[0].message.split(' ').map(|number| number.parse().unwrap()).collect()
}

#[test]
fn faults_are_told_of_each_row_and_no_more_than_asked_for() {
    let data = [r#"{"a":{"b":1,"c":2}}"#, r#"{"a":{"b":""}}"#, r#"{"a":{"b":1},"c":{"d":2}}"#];
    let data = data.map(str::to_owned);
    assert_eq!(judged("schemas 3 16", &data), [4, 2, 0]);
    assert_eq!(judged("schemas 3 1", &data), [2, 2, 0]);
    assert_eq!(judged("schemas 1 16", &data), [2, 1, 0]);
}

#[test]
fn that_an_event_is_faulty_is_told_when_there_is_no_room_for_more() {
    let members: Vec<String> = (0..16).map(|number| format!(r#""{number}":0"#)).collect();
    let faulty = format!(r#"{{"{}":{{{}}}}}"#, "x".repeat(1_100), members.join(","));
    let mut data = vec![faulty; 1_100];
    data.push("{}".to_owned());
    let numbers = judged("schemas 1101 16", &data);
    let [faults, rows, short] = numbers[..] else { panic!("{numbers:?}") };
    assert_eq!(rows, 1_100);
    assert!(short > 100 && faults < 16 * 1_100, "{numbers:?}");
}

#[test]
fn more_rows_than_there_are_cannot_be_judged() {
    let plugin = Fixture::new().guest("evil");
    let failure = plugin.validator().unwrap().validate_events(&events(&["schemas 3 1", "x"])).unwrap_err();
    assert!(failure.to_string().contains("fewer than 3 rows"), "{failure}");
}

#[test]
fn a_costly_event_is_told_as_such_and_takes_no_others_time() {
    let each = vec![json!({"uniqueItems": true}); 6_000];
    let spec = shipped_spec("json-schema")
        .with_config(json!({"schemas": {"*": {"properties": {"a": {"allOf": each}}}}}));
    let plugin = Fixture::new().sandbox.load(spec).unwrap();
    let costly = json!({"a": (0..8_000).collect::<Vec<_>>()}).to_string();
    let data = [costly, r#"{"a":[1,1]}"#.to_owned()];
    let verdict = plugin.validator().unwrap().validate_events(&batch("A", &data)).unwrap();
    assert_eq!((verdict.issues[0].row, verdict.issues[0].code.as_str()), (0, "schema_limit"));
    assert!(verdict.issues.iter().any(|issue| issue.row == 1), "{:?}", verdict.issues);
}

/// How often a call that has little time is made, until one of them was not held up.
const TRIES: usize = 20;

/// A busy machine may take the time of all of them, or only that of the last: one try that goes well shows that it is shared. Were it
/// not, none would: the slow events alone would take more than a call has.
#[test]
fn however_many_events_are_slow_the_call_ends_well_and_others_are_judged() {
    let each = vec![json!({"uniqueItems": true}); 6_000];
    let properties = json!({"a": {"allOf": each}, "b": {"type": "integer"}});
    let spec = PluginSpec::new("json-schema", Component::File(shipped("json-schema")))
        .with_config(json!({"schemas": {"*": {"properties": properties}}}));
    let slow = 8_u32;
    assert!(spec.limits.deadline_ms < slow * u32::try_from(limits::MAX_JUDGEMENT_TIME.as_millis()).unwrap());
    let costly = json!({"a": (0..8_000).collect::<Vec<_>>()}).to_string();
    let data: Vec<String> = std::iter::repeat_n(costly, slow as usize)
        .chain([r#"{"b":"x"}"#.to_owned(), r#"{"b":1}"#.to_owned()])
        .collect();
    let (fixture, batch) = (Fixture::new(), batch("A", &data));
    let goes_well = |_| {
        let plugin = fixture.sandbox.load(spec.clone()).unwrap();
        let verdict = match plugin.validator().unwrap().validate_events(&batch) {
            Ok(verdict) => verdict,
            Err(failure) => {
                assert!(["deadline", "transient"].contains(&failure.reason.kind()), "{failure}");
                return false;
            }
        };
        assert_eq!(plugin.status().failures, 0);
        let code =
            |row: u32| verdict.issues.iter().find(|issue| issue.row == row).map(|issue| issue.code.as_str());
        assert!((0..slow).all(|row| code(row) == Some("schema_limit")), "{:?}", verdict.issues);
        (code(slow), code(slow + 1)) == (Some("schema_type"), None)
    };
    assert!((0..TRIES).any(goes_well), "none of {TRIES}");
}
