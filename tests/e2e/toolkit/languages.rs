//! One validator and one aggregation in every language: the same behaviour in a host.

use bridge_telemetry_tests::language_project;
use serde_json::{Value, json};
use telemetry_toolkit::test;

use super::projects::expect_passed;
use crate::fixture::{code, event, host_with_clock, in_memory, metric, query, with_plugin};

pub(super) const LANGUAGES: [&str; 4] = ["c", "javascript", "python", "rust"];

/// How far apart logarithms of two mathematical libraries put the middle of a bucket.
const TOLERANCE: f64 = 1e-12;

/// A host with a language's two plugins.
fn host_of(language: &str) -> bridge_telemetry::Host {
    let component = |name: &str| {
        let project = language_project(&format!("{language}-{name}")).unwrap();
        project.join(name).with_extension("wasm")
    };
    // An interpreter that a busy machine holds up is not what is tested.
    let limits = json!({"deadline_ms": 30_000});
    let settings = json!({"config": {"longest": 8, "forbidden": "[^!-~]+"}, "limits": limits});
    let config = with_plugin(in_memory(), "command-id", &component("command-id"), settings);
    let settings = json!({"limits": limits});
    host_with_clock(with_plugin(config, "percentile", &component("percentile"), settings)).0
}

#[test]
fn every_language_passes_the_same_cases() {
    for language in LANGUAGES {
        for name in ["command-id", "percentile"] {
            let project = language_project(&format!("{language}-{name}")).unwrap();
            expect_passed(&format!("{language} {name}"), &test(&project, "", false).unwrap());
        }
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

#[test]
fn a_newcomers_python_plugin_has_twenty_lines() {
    let project = language_project("new-python-validator").unwrap();
    let source = std::fs::read_to_string(project.join("plugin.py")).unwrap();
    assert!(source.lines().filter(|line| !line.trim().is_empty()).count() <= 20, "{source}");
}
