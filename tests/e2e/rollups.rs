//! Rollups of aggregations: a plugin's states are kept per series and bucket, queries use them, and nobody can tell but by the
//! time it takes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bridge_telemetry::envelope::Envelope;
use bridge_telemetry::rollups::{RollupState, RollupStatus};
use bridge_telemetry::{Clock, Host, ManualClock, Timestamp};
use bridge_telemetry_tests::{guest, plugin};
use serde_json::{Value, json};

use crate::fixture::{code, host_with_clock, in_folder, in_memory, metric, open, query, with_plugin};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

fn with_percentile(config: Value, component: &Path) -> Value {
    with_plugin(config, "percentile", component, json!({}))
}

fn keeping(mut config: Value) -> Value {
    config["rollups"] = json!([
        {"aggregation": "percentile(q=0.99)", "any_parameters": true, "metrics": ["lat*"]},
        {"aggregation": "APPROX_QUANTILE", "resolution": "5m"},
        {"aggregation": "STDDEV", "metrics": ["latency"]},
    ]);
    config
}

/// A sample every `step` seconds for some hours before the clock's time.
fn record(host: &Host, now: Timestamp, hours: i64, step: i64) {
    for label in ["a", "b", "c"] {
        let samples: Vec<Value> = (0..hours * 3_600 / step)
            .map(|n| {
                let time = Timestamp::from_nanos(now.nanos() - (n * step + 1) * 1_000_000_000);
                let value = f64::from(u32::try_from(n * 7_919 % 10_007).unwrap()) / 13.0 + 1.0;
                json!({"metric_name": "latency", "metric_value": value, "context": {"host": label},
                       "timestamp": time.to_string()})
            })
            .collect();
        for part in samples.chunks(10_000) {
            let recorded = metric(host, json!(part));
            assert_eq!(recorded.body["status"], "success", "{}", recorded.body["error"]);
        }
    }
}

fn rollup<'a>(statuses: &'a [RollupStatus], aggregation: &str) -> &'a RollupStatus {
    statuses.iter().find(|status| status.aggregation == aggregation).unwrap()
}

fn built(host: &Host, aggregation: &str) -> u64 {
    let health = host.health_check();
    rollup(&health.rollups, aggregation).kept.as_ref().map_or(0, |kept| kept.states_built)
}

fn ask(host: &Host, body: &Value) -> Envelope {
    let answer = query(host, body.clone());
    assert_eq!(code(&answer), "success", "{}", answer.body);
    answer
}

/// Queries that states answer wholly, in part and not at all.
fn questions(now: Timestamp) -> Vec<Value> {
    let ago = |hours: i64| Timestamp::from_nanos(now.nanos() - hours * 3_600_000_000_000 - 777).to_string();
    let mut questions = Vec::new();
    for aggregation in ["percentile(q=0.99)", "percentile(q=0.5)", "APPROX_QUANTILE(q=0.9)"] {
        for range in [json!([null, null]), json!([ago(40), ago(3)]), json!([ago(30), null])] {
            for step in [json!(null), json!("1h"), json!("6h"), json!("90s"), json!("1d")] {
                let base = json!({"aggregation": aggregation, "time_range": range, "step": step});
                let mut grouped = base.clone();
                grouped["group_by"] = json!(["host"]);
                let mut filtered = base.clone();
                filtered["filter"] = json!({"host": ["a", "c"]});
                questions.extend([base, grouped, filtered]);
            }
        }
    }
    questions
}

fn assert_same(keeping: &Host, plain: &Host, now: Timestamp) {
    for question in questions(now) {
        let (kept, read) = (ask(keeping, &question).body, ask(plain, &question).body);
        assert_eq!(kept, read, "{question}");
    }
}

#[test]
fn answers_from_states_are_those_from_samples() {
    let folder = tempfile::tempdir().unwrap();
    let component = plugin("percentile").unwrap();
    let config = keeping(with_percentile(in_folder(folder.path()), &component));
    let (keeping, clock) = host_with_clock(config.clone());
    let plain_config = with_percentile(in_memory(), &component);
    let plain = open(plain_config, std::sync::Arc::clone(&clock) as _);
    let both = |work: &dyn Fn(&Host)| [&keeping, &plain].into_iter().for_each(work);
    both(&|host| record(host, clock.now(), 48, 7));
    // In the head still.
    assert_same(&keeping, &plain, clock.now());
    clock.advance(HOUR);
    both(&|host| drop(host.maintain().unwrap()));
    assert!(built(&keeping, "percentile(q=0.99)") > 3 * 40);
    assert_eq!(built(&keeping, "APPROX_QUANTILE"), 3 * 2, "five minutes have 42 samples, the two days more");
    assert_same(&keeping, &plain, clock.now());
    // Late samples, first in the head, then sealed, then in states again.
    let late = clock.now().minus(HOUR * 20);
    both(&|host| record(host, late, 2, 5));
    assert_same(&keeping, &plain, clock.now());
    clock.advance(HOUR);
    both(&|host| drop(host.maintain().unwrap()));
    assert_same(&keeping, &plain, clock.now());
    let health = keeping.health_check();
    for status in &health.rollups {
        assert_eq!((status.state, status.lag_seconds, status.refused_states), (RollupState::Ready, 0, 0));
        assert!(status.kept.as_ref().unwrap().states_invalidated > 0, "{status:?}");
    }
    assert!(rollup(&health.rollups, "percentile(q=0.99)").queries > 0);
    // A restart goes on with what there is.
    keeping.close();
    drop(keeping);
    let keeping = open(config, std::sync::Arc::clone(&clock) as _);
    assert_same(&keeping, &plain, clock.now());
    keeping.maintain().unwrap();
    assert_eq!(built(&keeping, "percentile(q=0.99)"), 0, "nothing was left to build");
    let deviation = json!({"aggregation": "STDDEV", "step": "1h"});
    let value = |host: &Host| ask(host, &deviation).body["metrics"]["latency"]["value"].as_f64().unwrap();
    assert!((value(&keeping) / value(&plain) - 1.0).abs() < 1e-9);
}

/// The same component with another hash: a custom section that says nothing.
fn another_version(folder: &Path) -> PathBuf {
    let mut bytes = std::fs::read(plugin("percentile").unwrap()).unwrap();
    bytes.extend_from_slice(&[0, 5, 4, b'n', b'e', b'x', b't']);
    let path = folder.join("percentile-next.wasm");
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn another_version_of_the_plugin_is_built_anew_and_the_old_states_go() {
    let folder = tempfile::tempdir().unwrap();
    let config = keeping(with_percentile(in_folder(folder.path()), &plugin("percentile").unwrap()));
    let (host, clock) = host_with_clock(config);
    record(&host, clock.now(), 30, 10);
    clock.advance(HOUR);
    host.maintain().unwrap();
    let first = built(&host, "percentile(q=0.99)");
    let question = json!({"aggregation": "percentile(q=0.9)", "group_by": ["host"]});
    let before = ask(&host, &question).body;
    host.close();
    drop(host);
    let next = another_version(folder.path());
    let config = keeping(with_percentile(in_folder(folder.path()), &next));
    let host = open(config, std::sync::Arc::clone(&clock) as std::sync::Arc<dyn Clock>);
    assert_eq!(ask(&host, &question).body, before, "from samples: the old states are not its own");
    host.maintain().unwrap();
    assert_eq!(built(&host, "percentile(q=0.99)"), first);
    assert_eq!(built(&host, "APPROX_QUANTILE"), 0, "a built-in function's states stay");
    assert_eq!(ask(&host, &question).body, before);
    let kinds = |host: &Host| host.health_check().stats.storage.state_rollups.len();
    assert_eq!(kinds(&host), 4, "the old ones wait, for the case that it is put back");
    clock.advance(HOUR);
    host.maintain().unwrap();
    assert_eq!(kinds(&host), 3);
    assert_eq!(ask(&host, &question).body, before);
}

#[test]
fn states_expire_with_their_samples() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = keeping(with_percentile(in_folder(folder.path()), &plugin("percentile").unwrap()));
    config["retention_policy"] = json!({"metrics": {"duration_days": 2}});
    let (host, clock) = host_with_clock(config);
    record(&host, clock.now(), 40, 10);
    host.maintain().unwrap();
    for _ in 0..3 {
        clock.advance(DAY);
        host.maintain().unwrap();
        let count = ask(&host, &json!({"aggregation": "COUNT"})).body;
        let kept = ask(&host, &json!({"aggregation": "percentile"})).body;
        let counted = |body: &Value| body["metrics"]["latency"]["sample_count"].as_u64().unwrap_or(0);
        assert_eq!(counted(&kept), counted(&count));
    }
}

fn with_evil(aggregation: &str) -> Value {
    let settings = json!({"limits": {"deadline_ms": 200}});
    let mut config = with_plugin(in_memory(), "evil", &guest("evil-aggregation").unwrap(), settings);
    config["rollups"] = json!([{"aggregation": aggregation}, {"aggregation": "APPROX_QUANTILE"}]);
    config
}

fn evil_host(aggregation: &str) -> (Host, std::sync::Arc<ManualClock>) {
    let (host, clock) = host_with_clock(with_evil(aggregation));
    record(&host, clock.now(), 5, 10);
    clock.advance(HOUR);
    host.maintain().unwrap();
    (host, clock)
}

#[test]
fn a_function_that_fails_leaves_its_rollup_behind_and_nothing_else() {
    for attack in ["loop_in_update", "panic_in_create", "giant_state", "refuse"] {
        let (host, clock) = evil_host(attack);
        let health = host.health_check();
        let status = rollup(&health.rollups, attack);
        assert_eq!(status.state, RollupState::Failing, "{status:?}");
        assert!(status.reason.is_some(), "{status:?}");
        assert_eq!(status.kept.as_ref().unwrap().states_built, 0);
        let told = health.issues.iter().any(|issue| issue.contains(&format!("rollup {attack} fails")));
        assert!(told, "{:?}", health.issues);
        assert!(built(&host, "APPROX_QUANTILE") > 0, "the others are built");
        record(&host, clock.now(), 1, 60);
        host.maintain().unwrap();
        assert_eq!(code(&query(&host, json!({"aggregation": "MEAN"}))), "success");
    }
    let (host, _) = evil_host("good_sum");
    let sum = |aggregation: &str| {
        let answer = ask(&host, &json!({"aggregation": aggregation, "step": "1h"})).body;
        answer["metrics"]["latency"]["value"].as_f64().unwrap()
    };
    assert!(built(&host, "good_sum") > 0);
    assert!((sum("good_sum") / sum("SUM") - 1.0).abs() < 1e-9);
}

#[test]
fn what_cannot_be_kept_is_told() {
    let mut config = with_evil("span");
    config["rollups"].as_array_mut().unwrap().push(json!({"aggregation": "no_such_function"}));
    let (host, _) = host_with_clock(config);
    host.maintain().unwrap();
    let health = host.health_check();
    for (aggregation, reason) in
        [("span", "depend on the times of samples"), ("no_such_function", "Unsupported aggregation method")]
    {
        let status = rollup(&health.rollups, aggregation);
        assert_eq!(status.state, RollupState::Unavailable);
        assert!(status.reason.as_ref().unwrap().contains(reason), "{status:?}");
        assert!(health.issues.iter().any(|issue| issue.contains(aggregation)), "{:?}", health.issues);
    }
}
