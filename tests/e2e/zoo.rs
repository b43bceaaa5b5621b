//! The whole zoo in one host: plugins of every kind, each of which attacks at one of its exports. The host goes on recording, watching,
//! delivering and answering; what is not attacked notices nothing; and health names every attacker with what it did.
//!
//! Which attacks there are, and what each becomes, is the sandbox's own matrix (`host/sandbox/tests/sandbox/zoo`). This is about the host
//! around it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bridge_telemetry::{Host, ManualClock};
use bridge_telemetry_tests::{guest, plugin};
use serde_json::{Value, json};

use crate::fixture::{code, event, host_with_clock, in_memory, metric, query, with_plugin};

/// How a plugin attacks, and what health calls it.
const ATTACKS: [(&str, &str); 6] = [
    ("trap", "trap"),
    ("memory", "limit"),
    ("loop", "deadline"),
    ("giant-error", "output"),
    ("log-flood", "limit"),
    ("counter-flood", "limit"),
];

/// One plugin that attacks at one export.
struct Attacker {
    kind: &'static str,
    export: &'static str,
    attack: &'static str,
    failure: &'static str,
}

impl Attacker {
    fn name(&self) -> String {
        format!("{}.{}.{}", self.kind, self.export, self.attack)
    }

    /// An aggregate function's name has neither points nor dashes.
    fn function(&self) -> String {
        self.name().replace(['.', '-'], "_")
    }

    fn settings(&self) -> Value {
        let deadline = if self.attack == "loop" { 100 } else { 20_000 };
        let limits = json!({"deadline_ms": deadline, "memory_bytes": 16 << 20, "output_bytes": 1 << 20});
        let order = format!("{}/{}", self.export, self.attack);
        let only = if self.kind == "aggregator" { self.function() } else { self.name() };
        json!({"config": {"order": order, "only": only}, "limits": limits})
    }

    fn guest(&self) -> &'static str {
        match self.kind {
            "validator" => "evil",
            "aggregator" => "evil-aggregation",
            "monitor" => "evil-monitor",
            _ => "evil-sink",
        }
    }
}

/// Every attack at every one of these exports.
fn attackers(kind: &'static str, exports: &[&'static str]) -> Vec<Attacker> {
    let of = |export: &&'static str| {
        let export = *export;
        ATTACKS.map(|(attack, failure)| Attacker { kind, export, attack, failure })
    };
    exports.iter().flat_map(of).collect()
}

fn plugins_of(mut config: Value, attackers: &[Attacker]) -> Value {
    for attacker in attackers {
        let component = guest(attacker.guest()).unwrap();
        if attacker.kind == "sink" {
            let Value::Object(mut receiver) = attacker.settings() else { unreachable!() };
            receiver.remove("limits");
            receiver.insert("plugin".to_owned(), json!(format!("sink-{}", attacker.attack)));
            config["alerting"]["receivers"][attacker.name()] = Value::Object(receiver);
            let mut settings = attacker.settings();
            settings.as_object_mut().unwrap().remove("config");
            let sink = format!("sink-{}", attacker.attack);
            config = with_plugin(config, &sink, &component, settings);
            config["plugins"]["settings"][sink]["required"] = json!(false);
        } else {
            config = with_plugin(config, &attacker.name(), &component, attacker.settings());
            config["plugins"]["settings"][attacker.name()]["required"] = json!(false);
        }
    }
    config
}

/// Beside the attackers: a validator, an aggregation, a monitor and a sink that mean well.
fn zoo(attackers: &[Attacker]) -> (Host, Arc<ManualClock>) {
    let cache = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("code-cache");
    let mut config = in_memory();
    config["plugins"] = json!({"cache_directory": cache});
    config["alerting"] = json!({"receivers": {"board": {"plugin": "console"}}});
    let mut config = plugins_of(config, attackers);
    for name in ["redact", "percentile", "console"] {
        config = with_plugin(config, name, &plugin(name).unwrap(), json!({}));
    }
    let witness = json!({"config": {"only": "WITNESS"}});
    config = with_plugin(config, "witness", &guest("evil-monitor").unwrap(), witness);
    let receivers: Vec<String> =
        config["alerting"]["receivers"].as_object().unwrap().keys().cloned().collect();
    config["alerting"]["default_receivers"] = json!(receivers);
    host_with_clock(config)
}

/// What health says of each plugin.
fn listed(host: &Host) -> BTreeMap<String, Value> {
    let health = host.health_json().body;
    let plugins = health["plugins"].as_array().unwrap().iter();
    plugins.map(|plugin| (plugin["name"].as_str().unwrap().to_owned(), plugin.clone())).collect()
}

/// Health names each attacker with what it did, and those that mean well with nothing.
fn check_named(host: &Host, attackers: &[Attacker]) {
    let listed = listed(host);
    for attacker in attackers {
        let plugin = &listed[&attacker.name()];
        let failures = plugin["failures_by_kind"][attacker.failure].as_u64();
        assert!(failures.is_some_and(|count| count > 0), "{}: {plugin}", attacker.name());
        assert!(plugin["last_failure"].is_string(), "{}: {plugin}", attacker.name());
    }
    for name in ["redact", "percentile", "witness", "board"] {
        assert_eq!(
            (&listed[name]["failures"], &listed[name]["state"]),
            (&json!(0), &json!("active")),
            "{name}"
        );
    }
}

/// The host does what it is for.
fn check_serves(host: &Host, number: u32) {
    let recorded =
        event(host, json!({"event_type": "LOGIN", "source": "s", "data": {"password": "x", "n": number}}));
    assert_eq!(code(&recorded), "success", "{}", recorded.body);
    assert_eq!(code(&metric(host, json!({"metric_name": "good", "metric_value": 2}))), "success");
    let answer = query(host, json!({"metric_names": ["good"], "aggregation": "percentile(q=0.5)"}));
    assert_eq!(answer.body["metrics"]["good"]["value"], 2, "{}", answer.body);
}

#[test]
fn validators_cost_the_records_that_they_are_asked_about() {
    let attackers = attackers("validator", &["validate-events", "validate-samples"]);
    let (host, _clock) = zoo(&attackers);
    for (number, attacker) in attackers.iter().enumerate() {
        let name = attacker.name();
        let refused = if attacker.export == "validate-events" {
            event(&host, json!({"event_type": name, "source": "s"}))
        } else {
            metric(&host, json!({"metric_name": name, "metric_value": 1}))
        };
        assert_eq!(code(&refused), "PLUGIN_FAILURE", "{name}: {}", refused.body);
        // An error that could not even be read is the answer's fault, not the plugin's word.
        let details = &refused.body["error"]["details"];
        assert_eq!(
            (&details["plugin"], &details["reason"]),
            (&json!(name), &json!(attacker.failure)),
            "{details}"
        );
        check_serves(&host, number as u32);
    }
    check_named(&host, &attackers);
}

#[test]
fn aggregations_cost_the_queries_that_name_them() {
    let attackers = attackers("aggregator", &["create", "update", "evaluate"]);
    let (host, _clock) = zoo(&attackers);
    check_serves(&host, 0);
    for (number, attacker) in attackers.iter().enumerate() {
        let answer = query(&host, json!({"metric_names": ["good"], "aggregation": attacker.function()}));
        assert_eq!(code(&answer), "PLUGIN_FAILURE", "{}: {}", attacker.name(), answer.body);
        assert_eq!(answer.body["error"]["details"]["plugin"], attacker.name());
        check_serves(&host, 1 + number as u32);
    }
    check_named(&host, &attackers);
}

#[test]
fn monitors_and_sinks_cost_their_own_alerts() {
    let mut attackers = attackers("monitor", &["on-events", "on-samples", "tick", "snapshot"]);
    attackers.extend(self::attackers("sink", &["deliver"]));
    let (host, clock) = zoo(&attackers);
    let witness = json!({"event_type": "WITNESS", "source": "s"});
    for round in 0..3 {
        for attacker in &attackers {
            let name = attacker.name();
            let given = json!({"event_type": name, "source": "s", "data": {"round": round}});
            assert_eq!(code(&event(&host, given)), "success");
            assert_eq!(code(&metric(&host, json!({"metric_name": name, "metric_value": 1}))), "success");
        }
        assert_eq!(code(&event(&host, witness.clone())), "success");
        clock.advance(Duration::from_secs(2));
        host.drain(Duration::from_secs(60));
        check_serves(&host, round);
    }
    check_named(&host, &attackers);
    let health = host.health_json().body;
    // Those that mean well saw and delivered everything.
    let receivers = health["outbox"]["receivers"].as_array().unwrap();
    let board = receivers.iter().find(|receiver| receiver["receiver"] == "board").unwrap();
    assert!(board["delivered"].as_u64().unwrap() > 0, "{board}");
    let alerts = host.alerts_json(bridge_telemetry::alerts::AlertFilter::All).body;
    let seen =
        |monitor: &str| alerts["alerts"].as_array().unwrap().iter().any(|alert| alert["monitor"] == monitor);
    assert!(seen("witness"), "{alerts}");
}

#[test]
fn what_cannot_be_loaded_is_told_with_its_reason() {
    let mut attackers = attackers("validator", &["init", "subscribe"]);
    attackers.extend(self::attackers("aggregator", &["init", "aggregates"]));
    attackers.extend(self::attackers("monitor", &["init", "subscribe"]));
    attackers.extend(self::attackers("sink", &["init"]));
    // An error is no answer of theirs, and a loop takes seconds there.
    attackers.retain(|attacker| {
        attacker.attack != "loop" && (attacker.attack != "giant-error" || attacker.export == "init")
    });
    let (host, _clock) = zoo(&attackers);
    check_serves(&host, 0);
    let health = host.health_json().body;
    assert_eq!(health["status"], "degraded");
    let issues = health["issues"].to_string();
    let listed = listed(&host);
    for attacker in &attackers {
        let plugin = &listed[&attacker.name()];
        let reason = plugin["reason"].as_str().unwrap_or_else(|| panic!("{plugin}"));
        let told = match attacker.attack {
            "trap" => "it trapped: ",
            "memory" => "bytes of memory",
            "log-flood" => "log lines within one call",
            "counter-flood" => "calls to its counters within one call",
            _ => "cannot be used",
        };
        assert!(plugin["load"] == "failed" && reason.contains(told), "{plugin}");
        assert!(issues.contains(&format!("plugin {} could not be loaded", attacker.name())), "{issues}");
    }
    for name in ["redact", "percentile", "witness", "board"] {
        assert_eq!(listed[name]["load"], "loaded", "{name}");
    }
}
