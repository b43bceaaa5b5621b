//! Hostile and unusable plugins inside the host: each attack costs what it attacks, and the host keeps serving.

use bridge_telemetry::envelope::{Envelope, cause_chain};
use bridge_telemetry::{Config, Host, HostBuilder};
use bridge_telemetry_tests::{guest, plugin};
use serde_json::{Value, json};
use std::time::Duration;

use crate::fixture::{code, event, host_with_clock, in_memory, message, metric, query, with_plugin};

/// Time of a call that a loop uses up, and in which all that is harmless has to be done: little, and enough on a busy machine.
const LITTLE_MS: u32 = 1_000;

/// A host that validates with the hostile guest, within small limits. Little time is for the attack that only the clock ends.
fn under_attack(name: &str) -> (Host, std::sync::Arc<bridge_telemetry::ManualClock>) {
    let deadline = if name == "loop" { LITTLE_MS } else { 20_000 };
    let limits =
        json!({"deadline_ms": deadline, "memory_bytes": 64 << 20, "output_bytes": 1 << 20, "instances": 1});
    host_with_clock(with_plugin(in_memory(), "evil", &guest("evil").unwrap(), json!({"limits": limits})))
}

fn attack(host: &Host, name: &str) -> Envelope {
    event(host, json!({"event_type": name, "source": "attacker", "data": {"attack": name}}))
}

/// The answer to an event whose validation is an attack.
pub(crate) fn answer_to(name: &str) -> Envelope {
    attack(&under_attack(name).0, name)
}

/// An attack costs its record, with a typed error; before and after it the host serves everything else.
fn check(name: &str, reason: &str) {
    let (host, clock) = under_attack(name);
    assert_eq!(code(&attack(&host, "harmless")), "success");
    let refused = attack(&host, name);
    assert_eq!(code(&refused), "PLUGIN_FAILURE", "{name}: {}", refused.body);
    let details = &refused.body["error"]["details"];
    assert_eq!(
        (&details["plugin"], &details["reason"]),
        (&json!("evil"), &json!(reason)),
        "{name}: {details}"
    );
    assert!(message(&refused).contains("\"evil\""), "{}", refused.body);
    // What the plugin has no say in goes on at once, and it has a new instance for what it has.
    assert_eq!(code(&metric(&host, json!({"metric_name": "m", "metric_value": 1}))), "success");
    clock.advance(Duration::from_secs(1));
    let after = event(&host, json!({"event_type": "harmless", "source": "s", "data": {"after": name}}));
    assert_eq!(code(&after), "success", "{name}: {}", after.body);
    assert_eq!(query(&host, json!({"aggregation": "SUM"})).body["metrics"]["m"]["value"], 1);
    let health = host.health_json().body;
    assert_eq!(health["stats"]["events_total"], 2, "{name}");
    assert_eq!(health["status"], "degraded");
    let issues = health["issues"].to_string();
    assert!(issues.contains("PLUGIN_FAILURE") && issues.contains("evil"), "{issues}");
}

#[test]
fn an_infinite_loop() {
    check("loop", "deadline");
}

#[test]
fn a_memory_bomb() {
    check("memory", "limit");
}

#[test]
fn a_stack_overflow() {
    check("stack", "trap");
    check("shadow_stack", "trap");
}

#[test]
fn a_panic() {
    check("panic", "trap");
}

#[test]
fn giant_output() {
    check("giant_message", "output");
    check("giant_list", "output");
}

#[test]
fn an_endless_log() {
    check("endless_log", "limit");
}

#[test]
fn an_import_that_meets_a_failing_validator_can_be_sent_again() {
    let (host, clock) = under_attack("panic");
    let import = |name: &str| {
        let batch = json!({
            "batch_id": "0d4f6b3e-55a0-4c83-9d5d-2f1d8f1f6d01",
            "events": [
                {"event_type": name, "source": "s"},
                {"event_type": "B", "source": "s"},
            ],
            "metrics": [{"metric_name": "m", "metric_value": 1}],
        });
        host.import_json(batch.to_string().as_bytes())
    };
    let refused = import("panic");
    assert_eq!(code(&refused), "PLUGIN_FAILURE", "{}", refused.body);
    assert_eq!(host.health_check().stats.events_total, 0);
    clock.advance(Duration::from_secs(1));
    let answer = import("harmless");
    assert_eq!(
        (&answer.body["known"], &answer.body["stored"]),
        (&json!(false), &json!(3)),
        "{}",
        answer.body
    );
    assert_eq!(import("harmless").body["known"], json!(true));
}

/// Within its deadline, it would go on at every batch for ever: it is restarted, and set aside with its name.
#[test]
fn a_monitor_that_floods_its_log_is_set_aside() {
    let order = json!({"config": {"order": "on-events/log-flood", "only": "FLOOD"}});
    let component = guest("evil-monitor").unwrap();
    let (host, clock) = host_with_clock(with_plugin(in_memory(), "flooder", &component, order));
    let plugin = |host: &Host| {
        let health = host.health_json().body;
        let plugins = health["plugins"].as_array().unwrap().iter();
        plugins.into_iter().find(|plugin| plugin["name"] == "flooder").unwrap().clone()
    };
    for number in 0..20 {
        let flood = json!({"event_type": "FLOOD", "source": "s", "data": {"number": number}});
        assert_eq!(code(&event(&host, flood)), "success");
    }
    for _ in 0..200 {
        if plugin(&host)["state"] == "quarantined" {
            break;
        }
        host.drain(Duration::from_secs(1));
        clock.advance(Duration::from_secs(1));
    }
    let flooder = plugin(&host);
    assert_eq!(flooder["state"], "quarantined", "{flooder}");
    assert_eq!(flooder["failures_by_kind"]["limit"], telemetry_core::limits::PLUGIN_FAILURES_TO_QUARANTINE);
    assert!(flooder["last_failure"].as_str().unwrap().contains("log lines within one call"), "{flooder}");
    let health = host.health_json().body;
    assert_eq!(health["status"], "degraded");
    assert!(health["issues"].to_string().contains("flooder"), "{}", health["issues"]);
    assert_eq!(code(&metric(&host, json!({"metric_name": "m", "metric_value": 1}))), "success");
}

/// Any caller can bring a validator there that writes more than it reads: it must neither cost the validator its good name, and with it
/// everybody their records, nor show what the validator wanted gone.
#[test]
fn a_rewrite_to_more_than_is_stored_costs_its_record_alone() {
    let settings = json!({"limits": {"deadline_ms": 30_000}});
    let (host, _) = host_with_clock(with_plugin(in_memory(), "evil", &guest("evil").unwrap(), settings));
    let refused = |answer: &Envelope, field: &str| {
        assert_eq!(code(answer), "INVALID_EVENT", "{}", answer.body);
        assert!(!answer.body.to_string().contains("hunter"), "{}", answer.body);
        let details = &answer.body["error"]["details"];
        let issue = &details["validation_errors"][0];
        assert_eq!(
            (&issue["validator"], &issue["code"], &issue["field"]),
            (&json!("evil"), &json!("rewrite_too_large"), &json!(field))
        );
        details["received_event"].clone()
    };
    for number in 0..telemetry_core::limits::PLUGIN_FAILURES_TO_QUARANTINE {
        let data = json!({"password": "hunter2", "number": number});
        let large = json!({"event_type": "rewrite_giant", "source": "s", "data": data, "kept": 1});
        let received = refused(&event(&host, large), "/data");
        assert_eq!((&received["data"], &received["kept"]), (&json!({}), &json!(1)));
        let context = json!({"token": "hunter2"});
        let large = json!({"metric_name": "giant_context", "metric_value": "a text", "context": context});
        let received = refused(&metric(&host, large), "/context");
        assert_eq!((&received["context"], &received["metric_value"]), (&json!({}), &json!("a text")));
    }
    assert_eq!(code(&attack(&host, "harmless")), "success");
    let health = host.health_json().body;
    assert_eq!(health["status"], "healthy", "{}", health["issues"]);
    assert_eq!(health["plugins"][0]["failures"], 0);
    let counts = (&health["stats"]["events_total"], &health["stats"]["metrics_total"]);
    assert_eq!(counts, (&json!(1), &json!(0)));
}

#[test]
fn hostile_aggregations_cost_their_query_alone() {
    let settings = json!({"limits": {"deadline_ms": LITTLE_MS}});
    let component = guest("evil-aggregation").unwrap();
    let (host, clock) = host_with_clock(with_plugin(in_memory(), "evil", &component, settings));
    assert_eq!(code(&metric(&host, json!({"metric_name": "m", "metric_value": 2}))), "success");
    let ask = |aggregation: &str| query(&host, json!({"aggregation": aggregation}));
    for attack in ["loop_in_update", "panic_in_create", "panic_in_evaluate", "short", "broken_json"] {
        let answer = ask(attack);
        assert_eq!(code(&answer), "PLUGIN_FAILURE", "{attack}: {}", answer.body);
        assert_eq!(answer.body["error"]["details"]["plugin"], "evil");
        assert_eq!(ask("SUM").body["metrics"]["m"]["value"], 2, "{attack}");
        let after = event(&host, json!({"event_type": "A", "source": "s", "data": {"after": attack}}));
        assert_eq!(code(&after), "success");
        // Beyond any quarantine.
        clock.advance(Duration::from_secs(3_600));
        let good = ask("good_sum");
        assert_eq!(good.body["metrics"]["m"]["value"], 2, "{attack}: {}", good.body);
    }
}

#[test]
fn a_hostile_monitor_costs_neither_records_nor_what_comes_after_it() {
    let settings = json!({"limits": {"deadline_ms": LITTLE_MS}});
    let component = guest("evil-monitor").unwrap();
    let (host, clock) = host_with_clock(with_plugin(in_memory(), "evil-monitor", &component, settings));
    for attack in ["PANIC", "LOOP", "MANY", "NAN", "KEY_VALUE_LOOP"] {
        for event_type in [format!("ATTACK_{attack}"), format!("ATTACK_after {attack}")] {
            assert_eq!(code(&event(&host, json!({"event_type": event_type, "source": "s"}))), "success");
        }
        let seen = |host: &Host| {
            let alerts = host.alerts_json(bridge_telemetry::alerts::AlertFilter::All).body;
            alerts["alerts"].as_array().unwrap().iter().any(|alert| alert["key"] == format!("after {attack}"))
        };
        // It fails, is restarted, and its poison record is searched for and set aside.
        for _ in 0..200 {
            if seen(&host) {
                break;
            }
            host.drain(Duration::from_secs(1));
            clock.advance(Duration::from_secs(10));
        }
        assert!(seen(&host), "{attack}: {}", host.health_json().body["monitors"]);
    }
    let health = host.health_json().body;
    assert_eq!(health["stats"]["events_total"], 10);
    assert_eq!(code(&metric(&host, json!({"metric_name": "m", "metric_value": 1}))), "success");
}

/// Opens a host with a plugin that must be there; answers why it cannot be opened. Where it need not be there the host
/// serves, degraded.
fn unusable(component: &std::path::Path, settings: Value) -> String {
    let config = with_plugin(in_memory(), "broken", component, settings);
    let opened = HostBuilder::new(Config::from_value(config.clone()).unwrap()).without_background().open();
    let error = opened.err().unwrap();
    let refusal = cause_chain(&error);
    assert!(refusal.contains("plugin \"broken\" could not be loaded"), "{refusal}");
    let mut config = config;
    config["plugins"]["settings"]["broken"]["required"] = json!(false);
    let (host, _) = host_with_clock(config);
    let health = host.health_json().body;
    assert_eq!(health["status"], "degraded");
    assert!(health["issues"].to_string().contains("plugin broken could not be loaded"), "{health}");
    assert_eq!(code(&event(&host, json!({"event_type": "A", "source": "s"}))), "success");
    refusal
}

#[test]
fn a_plugin_whose_init_fails() {
    let evil = guest("evil").unwrap();
    for (init, word) in [
        ("panic", "it trapped"),
        ("loop", "did not answer within"),
        ("memory", "memory"),
        ("invalid", "must be even"),
        ("transient", "come back later"),
    ] {
        let refusal =
            unusable(&evil, json!({"config": {"init": init}, "limits": {"memory_bytes": 16 << 20}}));
        assert!(refusal.contains(word), "{init}: {refusal}");
    }
}

#[test]
fn what_is_no_component() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.wasm");
    let whole = std::fs::read(plugin("redact").unwrap()).unwrap();
    // A core module is a component's part, not one.
    let core = [0x00, b'a', b's', b'm', 0x01, 0x00, 0x00, 0x00];
    for bytes in [&whole[..whole.len() / 2], &whole[..8], b"", b"#!/bin/sh\n", &core] {
        std::fs::write(&path, bytes).unwrap();
        unusable(&path, json!({}));
    }
}

/// An empty component: it has none of the interfaces of any world.
const EMPTY_COMPONENT: [u8; 8] = [0x00, b'a', b's', b'm', 0x0d, 0x00, 0x01, 0x00];

#[test]
fn a_component_of_a_wrong_world() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.wasm");
    std::fs::write(&path, EMPTY_COMPONENT).unwrap();
    let refusal = unusable(&path, json!({}));
    assert!(refusal.contains("bridge:telemetry"), "{refusal}");
    // A component of the next version of the package.
    let mut newer = std::fs::read(plugin("redact").unwrap()).unwrap();
    let places: Vec<usize> =
        newer.windows(5).enumerate().filter(|(_, text)| *text == b"0.2.2").map(|(place, _)| place).collect();
    assert!(!places.is_empty());
    for place in places {
        newer[place..place + 5].copy_from_slice(b"7.2.0");
    }
    std::fs::write(&path, newer).unwrap();
    let refusal = unusable(&path, json!({}));
    assert!(refusal.contains("7.2.0"), "{refusal}");
}
