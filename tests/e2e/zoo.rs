//! The whole zoo in one host: plugins of every kind, each of which attacks at one of its exports. The host goes on recording, watching,
//! delivering and answering; what is not attacked notices nothing; and health names every attacker with what it did.
//!
//! Which attacks there are, and what each becomes, is the sandbox's own matrix (`host/sandbox/tests/sandbox/zoo`). This is about the host
//! around it.

pub(crate) mod shapes;
mod successors;

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
        // A loop's is little. Validators, and who loops at the end alone, have to do in it what is harmless as well.
        let deadline = match (self.attack, self.kind, self.export) {
            ("loop", "validator", _) | ("loop", _, "drop") => 1_000,
            ("loop", ..) => 100,
            _ => 20_000,
        };
        let limits = json!({"deadline_ms": deadline, "memory_bytes": 16 << 20, "output_bytes": 1 << 20});
        let order = format!("{}/{}", self.export, self.attack);
        let only = if self.kind == "aggregator" { self.function() } else { self.name() };
        json!({"config": {"order": order, "only": only}, "limits": limits})
    }

    fn guest(&self) -> &'static str {
        GUESTS.iter().find(|(kind, _)| *kind == self.kind).map(|(_, guest)| *guest).unwrap()
    }
}

/// The hostile guest of each kind.
const GUESTS: [(&str, &str); 4] = [
    ("validator", "evil"),
    ("aggregator", "evil-aggregation"),
    ("monitor", "evil-monitor"),
    ("sink", "evil-sink"),
];

/// Every attack at every one of these exports.
fn attackers(kind: &'static str, exports: &[&'static str]) -> Vec<Attacker> {
    let of = |export: &&'static str| {
        let export = *export;
        ATTACKS.map(|(attack, failure)| Attacker { kind, export, attack, failure })
    };
    exports.iter().flat_map(of).collect()
}

fn plugins_of(mut config: Value, attackers: &[Attacker], component: impl Fn(&str) -> PathBuf) -> Value {
    for attacker in attackers {
        let component = component(attacker.guest());
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

/// A configuration to which attackers are added.
fn base() -> Value {
    let cache = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("code-cache");
    let mut config = in_memory();
    config["plugins"] = json!({"cache_directory": cache});
    config["alerting"] = json!({"receivers": {"board": {"plugin": "console"}}});
    config
}

fn zoo(attackers: &[Attacker]) -> (Host, Arc<ManualClock>) {
    with_well_meant(plugins_of(base(), attackers, |name| guest(name).unwrap()))
}

/// Beside the attackers: a validator, an aggregation, a monitor and a sink that mean well.
fn with_well_meant(mut config: Value) -> (Host, Arc<ManualClock>) {
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
    check_undisturbed(&listed);
}

/// Those that mean well.
fn check_undisturbed(listed: &BTreeMap<String, Value>) {
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

/// Shows the monitor that means well an event, and has it told.
fn bear_witness(host: &Host, clock: &ManualClock) {
    assert_eq!(code(&event(host, json!({"event_type": "WITNESS", "source": "s"}))), "success");
    clock.advance(Duration::from_secs(2));
    // Those that fail pause, so that not all is done.
    host.drain(Duration::from_secs(60));
}

/// The monitor that means well saw all events that were meant for it, and the sink delivered every state of every alert, each once.
fn check_told(host: &Host, witnessed: u64) {
    let alerts = host.alerts(bridge_telemetry::alerts::AlertFilter::All).unwrap();
    let seen: Vec<_> = alerts.iter().filter(|alert| alert.monitor == "witness").collect();
    let [alert] = &seen[..] else { panic!("{alerts:?}") };
    assert_eq!((alert.key.as_str(), alert.times_seen), ("WITNESS", witnessed));
    let health = host.health_check();
    let monitor = health.monitors.iter().find(|monitor| monitor.monitor == "witness").unwrap();
    assert_eq!((monitor.lag, monitor.failures, monitor.poison_records), (0, 0, 0), "{monitor:?}");
    let outbox = health.outbox.unwrap();
    let board = outbox.receivers.iter().find(|receiver| receiver.receiver == "board").unwrap();
    let states: u64 = alerts.iter().map(|alert| 1 + u64::from(alert.resolved_at.is_some())).sum();
    let tally = &board.tally;
    assert_eq!((tally.delivered, board.waiting, board.on_the_way), (states, 0, 0), "{board:?}, {alerts:?}");
    assert_eq!((tally.retried, tally.duplicates, tally.dead), (0, 0, 0), "{board:?}");
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
    let attackers = attackers("aggregator", &["create", "update", "evaluate", "save", "merge"]);
    let (host, clock) = zoo(&attackers);
    check_serves(&host, 0);
    clock.advance(Duration::from_secs(60));
    check_serves(&host, 1);
    for (number, attacker) in attackers.iter().enumerate() {
        // The states of two minutes are saved, and merged to that of the whole.
        let function = attacker.function();
        let answer = query(&host, json!({"metric_names": ["good"], "aggregation": function, "step": "1m"}));
        assert_eq!(code(&answer), "PLUGIN_FAILURE", "{}: {}", attacker.name(), answer.body);
        assert_eq!(answer.body["error"]["details"]["plugin"], attacker.name());
        check_serves(&host, 2 + number as u32);
    }
    bear_witness(&host, &clock);
    check_named(&host, &attackers);
    check_told(&host, 1);
}

/// The end of an accumulator has no answer: who asked has his, and the instance is lost.
#[test]
fn aggregations_that_fail_at_the_end_cost_an_instance() {
    let mut attackers = attackers("aggregator", &["drop"]);
    // An error cannot be answered there.
    attackers.retain(|attacker| attacker.attack != "giant-error");
    let (host, _clock) = zoo(&attackers);
    check_serves(&host, 0);
    for (number, attacker) in attackers.iter().enumerate() {
        let answer = query(&host, json!({"metric_names": ["good"], "aggregation": attacker.function()}));
        assert_eq!(code(&answer), "success", "{}: {}", attacker.name(), answer.body);
        let samples = 1 + number as u64;
        assert_eq!(answer.body["metrics"]["good"]["value"], 2 * samples, "{}", answer.body);
        check_serves(&host, 1 + number as u32);
    }
    check_named(&host, &attackers);
}

#[test]
fn monitors_and_sinks_cost_their_own_alerts() {
    let mut attackers = attackers("monitor", &["on-events", "on-samples", "tick", "snapshot"]);
    attackers.extend(self::attackers("sink", &["deliver"]));
    let (host, clock) = zoo(&attackers);
    for round in 0..3 {
        for attacker in &attackers {
            let name = attacker.name();
            let given = json!({"event_type": name, "source": "s", "data": {"round": round}});
            assert_eq!(code(&event(&host, given)), "success");
            assert_eq!(code(&metric(&host, json!({"metric_name": name, "metric_value": 1}))), "success");
        }
        check_serves(&host, round);
        bear_witness(&host, &clock);
    }
    check_named(&host, &attackers);
    check_told(&host, 3);
}

/// A monitor whose findings are random: each host raises others, and nothing else is wrong with it. What a replay makes of it is
/// the toolkit's own test.
#[test]
fn a_monitor_that_rolls_dice_fails_nobody() {
    let summary = || {
        let settings = json!({"config": {"order": "on-events/nondeterminism", "only": "DICE"}});
        let config = with_plugin(base(), "dice", &guest("evil-monitor").unwrap(), settings);
        let (host, clock) = with_well_meant(config);
        for round in 0..3 {
            let dice = json!({"event_type": "DICE", "source": "s", "data": {"round": round}});
            assert_eq!(code(&event(&host, dice)), "success");
            check_serves(&host, round);
            bear_witness(&host, &clock);
        }
        let listed = listed(&host);
        assert_eq!((&listed["dice"]["failures"], &listed["dice"]["state"]), (&json!(0), &json!("active")));
        check_undisturbed(&listed);
        check_told(&host, 3);
        let alerts = host.alerts(bridge_telemetry::alerts::AlertFilter::All).unwrap();
        let alert = alerts.iter().find(|alert| alert.monitor == "dice").unwrap();
        assert_eq!((alert.key.as_str(), alert.times_seen), ("k", 3));
        alert.summary.clone()
    };
    assert_ne!(summary(), summary());
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
