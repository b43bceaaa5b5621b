//! What authors meet seldom: the modules that hide the contract's columns in C, JavaScript and Python are right there, too.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bridge_telemetry::{ManualClock, Timestamp};
use bridge_telemetry_tests::{guest, language_project};
use serde_json::Map;
use telemetry_core::aggregation::{AggregateValue, AggregationError, SampleRun};
use telemetry_core::extension::{AlertForDelivery, DeliveryOutcome, KeyValuePort, PortError, QueryPort};
use telemetry_core::{Alert, AlertStatus, Severity};
use telemetry_sandbox::{
    Component, HttpAnswer, HttpFault, HttpPort, HttpRequest, PluginSpec, Ports, Sandbox, SandboxOptions,
};
use telemetry_toolkit::{Case, run_case, test};

use super::projects::expect_passed;
use crate::fixture::start;

#[test]
fn numbers_texts_and_replacements_in_c() {
    let project = language_project("c-corners").unwrap();
    expect_passed("c corners", &test(&project, "", false).unwrap());
}

/// Ports for a plugin that asks for nothing.
struct Nothing;

impl KeyValuePort for Nothing {
    fn get(&self, _: &str, _: &str) -> Result<Option<Vec<u8>>, PortError> {
        Ok(None)
    }

    fn write(&self, _: &str, _: &str, _: Option<&[u8]>) -> Result<(), PortError> {
        Ok(())
    }
}

impl QueryPort for Nothing {
    fn get_metrics(&self, _: &str, _: Timestamp) -> Result<String, PortError> {
        Err(PortError::Unsupported("nobody is asked".to_owned()))
    }
}

/// A sandbox around plugins that have nothing but themselves, and this for a network.
fn sandbox(http: Option<Arc<dyn HttpPort>>) -> Sandbox {
    let cache = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("code-cache");
    let options = SandboxOptions { cache_directory: Some(cache), http, ..SandboxOptions::default() };
    let ports = Ports { key_value: Arc::new(Nothing), query: Arc::new(Nothing) };
    Sandbox::new(options, ports, Arc::new(ManualClock::at(start()))).unwrap()
}

/// A far side whose answers are no UTF-8.
#[derive(Debug)]
struct Garbled;

impl HttpPort for Garbled {
    fn send(&self, _: HttpRequest) -> Result<HttpAnswer, HttpFault> {
        Ok(HttpAnswer { status: 200, headers: vec![], body: b"n\xf6t\xe2\x82 \xc3\xa9\xed\xa0\x80".to_vec() })
    }
}

fn alert() -> AlertForDelivery {
    let alert = Alert {
        alert_id: uuid::Uuid::from_u128(7),
        monitor: "threshold".to_owned(),
        key: "cpu".to_owned(),
        status: AlertStatus::Firing,
        severity: Severity::Error,
        summary: "hot".to_owned(),
        value: None,
        labels: Default::default(),
        first_seen: start(),
        last_seen: start(),
        resolved_at: None,
        times_seen: 1,
    };
    AlertForDelivery { alert, idempotency_key: "k".to_owned(), attempt: 1 }
}

#[test]
fn what_python_sends_as_json_may_be_nothing() {
    let project = language_project("python-answers").unwrap();
    expect_passed("python answers", &test(&project, "", false).unwrap());
}

#[test]
fn what_comes_back_to_javascript_is_bytes_and_text() {
    let project = language_project("javascript-answers").unwrap();
    expect_passed("javascript answers", &test(&project, "", false).unwrap());
    let mut spec = PluginSpec::new("answers", Component::File(project.join("answers.wasm")));
    spec.grants.http = vec!["https://answers.example.com".to_owned()];
    // An interpreter that a busy machine holds up is not what is tested.
    spec.limits.deadline_ms = 30_000;
    let plugin = sandbox(Some(Arc::new(Garbled))).load(spec).unwrap();
    let outcomes = plugin.sink().unwrap().deliver(&[alert()], Duration::from_secs(30)).unwrap();
    let text = "200 undefined 11 n\u{fffd}t\u{fffd}\u{fffd} é\u{fffd}\u{fffd}\u{fffd}";
    assert_eq!(outcomes, [DeliveryOutcome::Delivered(Some(text.to_owned()))]);
}

/// After a failure a monitor begins anew, whether its state was handed over before it or not: that is no breach.
#[test]
fn a_monitor_that_fails_has_lost_what_it_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("case.toml");
    let step = |attack: &str| {
        format!("[[step]]\nevents = [{{ event_type = \"ATTACK_{attack}\", source = \"s\" }}]\n")
    };
    let steps = ["PUT", "GET", "PANIC", "GET"].map(step).concat();
    std::fs::write(&path, steps).unwrap();
    let case = Case::read(&path).unwrap();
    let outcome = run_case(&guest("evil-monitor").unwrap(), "evil-monitor", &case).unwrap();
    let told = |step: usize| outcome.steps[step]["signals"][0]["summary"].as_str().unwrap();
    assert!(told(1).starts_with("Some("), "{}", told(1));
    assert_eq!(outcome.steps[2]["failure"]["kind"], "trap");
    assert_eq!(told(3), "None");
    assert_eq!(outcome.breaches, [""; 0]);
}

/// Half a million groups of 8 KiB are 2^32 bytes, which is nought where sizes have 32 bits: the last group would lie before the first.
#[test]
fn more_groups_than_memory_has_room_for_end_a_call_in_c() {
    let project = language_project("c-wide-groups").unwrap();
    expect_passed("c wide-groups", &test(&project, "", false).unwrap());
    let component = Component::File(project.join("wide-groups.wasm"));
    let plugin = sandbox(None).load(PluginSpec::new("wide-groups", component)).unwrap();
    let sum = plugin.aggregations().unwrap().find("wide_sum", &Map::new()).unwrap().unwrap();
    let run = |group| SampleRun { group, timestamps: &[], values: &[1.0] };
    let mut accumulator = sum.accumulator().unwrap();
    let refused = accumulator.update(&[run(524_287)]).unwrap_err();
    let AggregationError::Plugin(failure) = refused else { panic!("{refused}") };
    assert_eq!(failure.reason.kind(), "trap", "{failure}");
    drop(accumulator);
    let mut accumulator = sum.accumulator().unwrap();
    accumulator.update(&[run(3), run(0)]).unwrap();
    let expected = [1.0, 0.0, 0.0, 1.0].map(AggregateValue::Number);
    assert_eq!(accumulator.evaluate().unwrap(), expected, "the next instance serves");
}
