//! One plugin of each kind in every language: the same behaviour in a host.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bridge_telemetry::alerts::AlertFilter;
use bridge_telemetry::{Host, SystemClock};
use bridge_telemetry_tests::language_project;
use serde_json::{Value, json};
use telemetry_store::{Store, StoreOptions};
use telemetry_toolkit::test;

use super::projects::expect_passed;
use crate::fixture::{code, event, host_with_clock, in_folder, in_memory, metric, open, query, with_plugin};

pub(super) const LANGUAGES: [&str; 4] = ["c", "javascript", "python", "rust"];

/// How far apart logarithms of two mathematical libraries put the middle of a bucket.
const TOLERANCE: f64 = 1e-12;

/// Beyond any work of a host under load.
const LONG: Duration = Duration::from_secs(120);

fn component(language: &str, name: &str) -> PathBuf {
    language_project(&format!("{language}-{name}")).unwrap().join(name).with_extension("wasm")
}

/// An interpreter that a busy machine holds up is not what is tested.
fn limits() -> Value {
    json!({"deadline_ms": 30_000})
}

/// A host with a language's validator and aggregation.
fn host_of(language: &str) -> Host {
    let settings = json!({"config": {"longest": 8, "forbidden": "[^!-~]+"}, "limits": limits()});
    let config = with_plugin(in_memory(), "command-id", &component(language, "command-id"), settings);
    let settings = json!({"limits": limits()});
    host_with_clock(with_plugin(config, "percentile", &component(language, "percentile"), settings)).0
}

/// The configuration of a host with a language's monitor, and with its sink for all alerts.
fn watching(language: &str, folder: &Path) -> Value {
    let mut config = in_folder(folder);
    for name in ["high-water", "once"] {
        config = with_plugin(config, name, &component(language, name), json!({"limits": limits()}));
    }
    config["plugins"]["cache_directory"] = json!(Path::new(env!("CARGO_TARGET_TMPDIR")).join("code-cache"));
    config["alerting"] = json!({"receivers": {"page": {"plugin": "once"}}, "default_receivers": ["page"]});
    config
}

/// Records a level; answers how often a new highest one was told, and the last time with which words.
fn told(host: &Host, level: Value) -> (u64, String) {
    let sample = json!({"metric_name": "level", "metric_value": level});
    assert_eq!(code(&metric(host, sample)), "success");
    assert!(host.drain(LONG));
    let alerts = host.alerts(AlertFilter::All).unwrap();
    let [alert] = &alerts[..] else { panic!("{alerts:?}") };
    assert_eq!(alert.key, "{}");
    (alert.times_seen, alert.summary.clone())
}

#[test]
fn every_language_passes_the_same_cases() {
    for language in LANGUAGES {
        for name in ["command-id", "percentile", "high-water", "once"] {
            let project = language_project(&format!("{language}-{name}")).unwrap();
            expect_passed(&format!("{language} {name}"), &test(&project, "", false).unwrap());
        }
    }
}

#[test]
fn what_the_host_finds_is_told_in_the_terms_of_every_language() {
    // In Rust the shipped plugins tell it.
    for language in ["c", "javascript", "python"] {
        let project = language_project(&format!("{language}-searching")).unwrap();
        expect_passed(&format!("{language} searching"), &test(&project, "", false).unwrap());
    }
}

#[test]
fn a_sink_in_c_pages_with_a_secret_and_hands_the_rest_on() {
    let project = language_project("c-paging").unwrap();
    expect_passed("c paging", &test(&project, "", false).unwrap());
}

#[test]
fn every_language_behaves_the_same_in_a_host() {
    let mut answers: Vec<Vec<f64>> = Vec::new();
    for language in LANGUAGES {
        let host = host_of(language);
        let command =
            |id: Value| json!({"event_type": "COMMAND_RECEIVED", "source": "s", "data": {"command_id": id}});
        assert_eq!(code(&event(&host, command(json!("c-1")))), "success", "{language}");
        let refused = event(&host, command(json!("far-too-long")));
        assert_eq!(code(&refused), "INVALID_EVENT", "{language}");
        let issue = &refused.body["error"]["details"]["validation_errors"][0];
        assert_eq!(
            (&issue["code"], &issue["field"]),
            (&json!("too_long"), &json!("/data/command_id")),
            "{language}"
        );
        let refused = event(&host, command(json!("é-ü4")));
        let issue = &refused.body["error"]["details"]["validation_errors"][0];
        assert_eq!(
            (&issue["code"], &issue["message"]),
            (&json!("bad_command_id"), &json!("the command's id may not have \"ü\" in it")),
            "{language}"
        );
        let missing = event(&host, json!({"event_type": "COMMAND_ERROR", "source": "s"}));
        assert_eq!(
            missing.body["error"]["details"]["validation_errors"][0]["code"], "bad_command",
            "{language}"
        );

        for value in 1..=500 {
            let context = json!({"host": if value % 2 == 0 { "a" } else { "b" }});
            let sample = json!({"metric_name": "latency", "metric_value": value, "context": context});
            assert_eq!(code(&metric(&host, sample)), "success", "{language}");
        }
        let ask = |q: f64| {
            let request = json!({"metric_names": ["latency"], "aggregation": format!("percentile(q={q})"), "group_by": ["host"]});
            let answer = query(&host, request);
            assert_eq!(code(&answer), "success", "{language}: {}", answer.body);
            let latency = &answer.body["metrics"]["latency"];
            assert_eq!(latency["groups"].as_array().unwrap().len(), 2, "{language}");
            latency["value"].as_f64().unwrap()
        };
        let quantiles = [0.0, 0.5, 0.9, 1.0].map(ask);
        for (found, truth) in quantiles.iter().zip([1.0, 250.0, 450.0, 500.0]) {
            assert!((found / truth - 1.0).abs() < 0.015, "{language}: {found} for {truth}");
        }
        let wrong = json!({"metric_names": ["latency"], "aggregation": "percentile(q=9)"});
        assert_eq!(code(&query(&host, wrong)), "INVALID_AGGREGATION", "{language}");
        answers.push(quantiles.to_vec());
    }
    for (language, found) in LANGUAGES.iter().zip(&answers) {
        for (one, other) in found.iter().zip(&answers[0]) {
            assert!((one / other - 1.0).abs() < TOLERANCE, "{language}: {one}, not {other}");
        }
    }
}

/// What a monitor keeps it finds again after a restart, and so does a sink; a text among the samples is seen as one.
#[test]
fn every_language_keeps_and_asks_the_same_in_a_host() {
    for language in LANGUAGES {
        let folder = tempfile::tempdir().unwrap();
        let (host, clock) = host_with_clock(watching(language, folder.path()));
        let telling = |times: u64, of: u64| (times, format!("the highest of {of}"));
        assert_eq!(told(&host, json!(5)), telling(1, 1), "{language}");
        assert_eq!(told(&host, json!(7)), telling(2, 2), "{language}");
        assert_eq!(told(&host, json!(6)), telling(2, 2), "{language}");
        assert_eq!(told(&host, json!("emptied")), telling(2, 2), "{language}");
        assert_eq!(told(&host, json!(3)), telling(3, 5), "{language}");
        host.close();
        drop(host);
        let host = open(watching(language, folder.path()), clock);
        assert_eq!(told(&host, json!(2)), telling(3, 5), "{language}: it was kept");
        assert_eq!(told(&host, json!(4)), telling(4, 7), "{language}");
        let health = host.health_json().body;
        let page =
            health["outbox"]["receivers"].as_array().unwrap().iter().find(|one| one["receiver"] == "page");
        assert_eq!(page.unwrap()["dead"], 0, "{language}");
        for status in host.plugins().into_iter().filter_map(|plugin| plugin.status) {
            assert_eq!(status.failures, 0, "{language}: {status:?}");
        }
        host.close();
        drop(host);
        let options = StoreOptions::in_directory(folder.path().join("store"));
        let store = Store::open(options, Arc::new(SystemClock::default())).unwrap();
        let kept = store.plugin_get("page", "told:{}").unwrap();
        assert_eq!(kept.as_deref(), Some(&b"the highest of 1"[..]), "{language}");
    }
}

#[test]
fn a_newcomers_python_plugin_has_twenty_lines() {
    let project = language_project("new-python-validator").unwrap();
    let source = std::fs::read_to_string(project.join("plugin.py")).unwrap();
    assert!(source.lines().filter(|line| !line.trim().is_empty()).count() <= 20, "{source}");
}
