//! Guests that run repeatably: the same fuel at every run, and a call that never ends is ended by fuel.

use std::sync::Arc;

use telemetry_core::extension::FailureReason;
use telemetry_sandbox::{Execution, HttpAnswer, HttpFault, HttpPort, HttpRequest, SandboxOptions};

use crate::fixture::{Fixture, events, spec};

fn repeatable() -> Fixture {
    let cache = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("code-cache");
    Fixture::with(SandboxOptions {
        cache_directory: Some(cache),
        execution: Execution::Repeatable,
        ..SandboxOptions::default()
    })
}

#[test]
fn fuel_is_the_same_at_every_run_and_ends_an_endless_loop() {
    let used = || {
        let fixture = repeatable();
        let mut spec = spec("evil");
        spec.limits.deadline_ms = 10;
        let plugin = fixture.sandbox.load(spec).unwrap();
        let validator = plugin.validator().unwrap();
        validator.validate_events(&events(&["harmless", "harmless"])).unwrap();
        let fuel = plugin.status().fuel_used;
        let error = validator.validate_events(&events(&["loop"])).unwrap_err();
        assert!(matches!(error.reason, FailureReason::Deadline(_)), "{error}");
        (fuel, plugin.status().fuel_used)
    };
    let (calm, looped) = used();
    assert!(calm > 0 && looped > calm);
    assert_eq!(used(), (calm, looped));
}

#[test]
fn a_fast_plugin_counts_no_fuel() {
    let plugin = Fixture::new().guest("evil");
    plugin.validator().unwrap().validate_events(&events(&["harmless"])).unwrap();
    assert_eq!(plugin.status().fuel_used, 0);
}

/// Answers every request with its own URL.
#[derive(Debug)]
struct Echo;

impl HttpPort for Echo {
    fn send(&self, request: HttpRequest) -> Result<HttpAnswer, HttpFault> {
        Ok(HttpAnswer { status: 200, headers: Vec::new(), body: request.url.into_bytes() })
    }
}

#[test]
fn recorded_answers_stand_in_place_of_the_network_behind_the_grant() {
    let fixture = Fixture::with(SandboxOptions { http: Some(Arc::new(Echo)), ..SandboxOptions::default() });
    let component = telemetry_sandbox::Component::File(crate::fixture::shipped("webhook"));
    let mut granted =
        telemetry_sandbox::PluginSpec { name: "webhook".to_owned(), component, ..spec("evil-sink") };
    granted.config = serde_json::json!({"url": "https://hooks.example.com/x"});
    let refused = fixture.sandbox.load(granted.clone()).unwrap();
    granted.grants.http = vec!["https://hooks.example.com".to_owned()];
    let plugin = fixture.sandbox.load(granted).unwrap();
    let outcome = |plugin: &telemetry_sandbox::Plugin| {
        let alert = crate::sink::alert("a");
        let time = std::time::Duration::from_secs(5);
        plugin.sink().unwrap().deliver(&[alert], time).unwrap().remove(0)
    };
    assert_eq!(outcome(&plugin), telemetry_core::extension::DeliveryOutcome::Delivered(None));
    let denied = outcome(&refused);
    assert!(matches!(denied, telemetry_core::extension::DeliveryOutcome::Rejected(_)), "{denied:?}");
}
