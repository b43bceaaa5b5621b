//! Rollups of aggregations: a plugin's states are kept per series and bucket, queries use them, and nobody can tell but by the
//! time it takes.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bridge_telemetry::envelope::Envelope;
use bridge_telemetry::plugins::ReloadOutcome;
use bridge_telemetry::rollups::{RollupState, RollupStatus};
use bridge_telemetry::{Clock, Config, Host, HostBuilder, ManualClock, Timestamp};
use bridge_telemetry_tests::{guest, plugin};
use serde_json::{Value, json};

use crate::fixture::{code, host_with_clock, in_folder, in_memory, metric, open, query, with_plugin};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
/// Beyond any work of a host under load.
const LONG: Duration = Duration::from_secs(120);

fn with_percentile(config: Value, component: &Path) -> Value {
    // A busy machine is not what is tested: after a failure nothing is built for a while, and the clock may stand still.
    let limits = json!({"deadline_ms": 20_000, "wait_ms": 60_000});
    with_plugin(config, "percentile", component, json!({"limits": limits}))
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
    let plain = open(plain_config, Arc::clone(&clock) as _);
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
    let keeping = open(config, Arc::clone(&clock) as _);
    assert_same(&keeping, &plain, clock.now());
    keeping.maintain().unwrap();
    assert_eq!(built(&keeping, "percentile(q=0.99)"), 0, "nothing was left to build");
    let deviation = json!({"aggregation": "STDDEV", "step": "1h"});
    let value = |host: &Host| ask(host, &deviation).body["metrics"]["latency"]["value"].as_f64().unwrap();
    assert!((value(&keeping) / value(&plain) - 1.0).abs() < 1e-9);
}

/// The same component with another hash: a custom section that says nothing.
fn another_version() -> Vec<u8> {
    let mut bytes = std::fs::read(plugin("percentile").unwrap()).unwrap();
    bytes.extend_from_slice(&[0, 5, 4, b'n', b'e', b'x', b't']);
    bytes
}

/// Kinds of kept states in the store, wanted or not.
fn kinds(host: &Host) -> usize {
    host.health_check().stats.storage.state_rollups.len()
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
    let next = folder.path().join("percentile-next.wasm");
    std::fs::write(&next, another_version()).unwrap();
    let config = keeping(with_percentile(in_folder(folder.path()), &next));
    let host = open(config, Arc::clone(&clock) as Arc<dyn Clock>);
    assert_eq!(ask(&host, &question).body, before, "from samples: the old states are not its own");
    host.maintain().unwrap();
    assert_eq!(built(&host, "percentile(q=0.99)"), first);
    assert_eq!(built(&host, "APPROX_QUANTILE"), 0, "a built-in function's states stay");
    assert_eq!(ask(&host, &question).body, before);
    assert_eq!(kinds(&host), 4, "the old ones wait, for the case that it is put back");
    clock.advance(HOUR);
    host.maintain().unwrap();
    assert_eq!(kinds(&host), 3);
    assert_eq!(ask(&host, &question).body, before);
}

/// Whether something comes true within a time, by the work of the host's own threads.
fn comes_true(within: Duration, is_so: impl Fn() -> bool) -> bool {
    let end = Instant::now() + within;
    while !is_so() {
        if Instant::now() > end {
            return false;
        }
        std::thread::yield_now();
    }
    true
}

/// A host with a background, which nobody asks for maintenance.
#[test]
fn a_plugin_that_is_replaced_has_its_states_built_anew_in_the_background() {
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("percentile.wasm");
    std::fs::copy(plugin("percentile").unwrap(), &component).unwrap();
    let mut config = keeping(with_percentile(in_folder(folder.path()), &component));
    config["plugins"]["reload"] = json!({"watch": false});
    config["plugins"]["runtime_metrics"] = json!({"enabled": false});
    let (host, clock) = host_with_clock(config.clone());
    record(&host, clock.now(), 30, 10);
    clock.advance(HOUR);
    host.maintain().unwrap();
    let first = built(&host, "percentile(q=0.99)");
    assert!(first > 0);
    host.close();
    drop(host);

    let builder = HostBuilder::new(Config::from_value(config).unwrap());
    let host = builder.clock(Arc::clone(&clock) as Arc<dyn Clock>).open().unwrap();
    let questions = [json!(null), json!("1h"), json!("1d")]
        .map(|step| json!({"aggregation": "percentile(q=0.9)", "group_by": ["host"], "step": step}));
    let answers = || questions.each_ref().map(|question| ask(&host, question).body);
    let before = answers();
    std::fs::write(&component, another_version()).unwrap();
    let report = host.reload_plugin("percentile").unwrap().remove(0);
    assert_eq!(report.outcome, ReloadOutcome::Reloaded);
    let is_rebuilt = || {
        let health = host.health_check();
        let status = rollup(&health.rollups, "percentile(q=0.99)");
        let states = status.kept.as_ref().map_or(0, |kept| kept.states_built);
        status.state == RollupState::Ready && states == first
    };
    let rebuilt = comes_true(LONG, || {
        // At once, and all the while: what has no state yet is read.
        assert_eq!(answers(), before);
        is_rebuilt()
    });
    let health = host.health_check();
    let status = rollup(&health.rollups, "percentile(q=0.99)");
    assert!(rebuilt, "{status:?}");
    assert_eq!(answers(), before);
    assert_eq!((status.refused_states, status.lag_seconds), (0, 0), "no state of the old version is taken");
    assert_eq!(built(&host, "APPROX_QUANTILE"), 0, "a built-in function's states stay");

    // The old version's states go when nobody has wanted them for a while. Since when the host knows that may be later than here.
    assert!((0..10).any(|_| {
        clock.advance(HOUR);
        comes_true(Duration::from_secs(10), || kinds(&host) == 3)
    }));
    assert_eq!(answers(), before);
    host.close();
}

#[test]
fn other_parameters_of_a_rollup_are_another_rollup() {
    let folder = tempfile::tempdir().unwrap();
    let config = |aggregation: &str| {
        let mut config = with_percentile(in_folder(folder.path()), &plugin("percentile").unwrap());
        config["rollups"] = json!([{"aggregation": aggregation}]);
        config
    };
    let answers = |host: &Host| {
        ["percentile(q=0.99)", "percentile(q=0.5)"]
            .map(|aggregation| ask(host, &json!({"aggregation": aggregation, "step": "6h"})).body)
    };
    let (host, clock) = host_with_clock(config("percentile(q=0.99)"));
    record(&host, clock.now(), 30, 10);
    clock.advance(HOUR);
    let read = answers(&host);
    host.maintain().unwrap();
    let first = built(&host, "percentile(q=0.99)");
    assert!(first > 0);
    assert_eq!(answers(&host), read);
    host.close();
    drop(host);

    let host = open(config("percentile(q=0.5)"), Arc::clone(&clock) as Arc<dyn Clock>);
    let looked = |host: &Host| rollup(&host.health_check().rollups, "percentile(q=0.5)").queries;
    assert_eq!(answers(&host), read, "the old states are of another parameter");
    assert_eq!(looked(&host), 1, "one of the two questions is the rollup's");
    host.maintain().unwrap();
    assert_eq!(built(&host, "percentile(q=0.5)"), first);
    assert_eq!((answers(&host), looked(&host)), (read.clone(), 2));
    assert_eq!(kinds(&host), 2, "the old ones wait, for the case that it is put back");
    clock.advance(HOUR);
    host.maintain().unwrap();
    assert_eq!((answers(&host), kinds(&host)), (read, 1));
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
    let settings = match aggregation {
        "loop_in_update" => json!({"limits": {"deadline_ms": 200}}),
        _ => json!({}),
    };
    let mut config = with_plugin(in_memory(), "evil", &guest("evil-aggregation").unwrap(), settings);
    config["rollups"] = json!([{"aggregation": aggregation}, {"aggregation": "APPROX_QUANTILE"}]);
    config
}

fn evil_host(aggregation: &str) -> (Host, Arc<ManualClock>) {
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
