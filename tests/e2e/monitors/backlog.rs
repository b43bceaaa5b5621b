//! Back-pressure by policy: recording waits for a monitor that must not miss records, or the log grows to its limit and the
//! gap is reported.

use std::path::Path;

use bridge_telemetry::alerts::AlertFilter;
use bridge_telemetry::{Clock, Context, Host, MetricDraft, RecordError};
use bridge_telemetry_tests::guest;
use serde_json::{Value, json};
use std::sync::Arc;

use crate::alerts::hook::Hook;
use crate::fixture::{code, host_with_clock, in_folder, in_memory, metric, open, with_plugin};

const LONG: std::time::Duration = std::time::Duration::from_secs(120);

fn with_tally(config: Value, settings: Value) -> Value {
    with_plugin(config, "tally", &guest("tally").unwrap(), settings)
}

fn blocking(records: u64, wait_ms: u64) -> Value {
    with_tally(
        in_memory(),
        json!({"on_backlog": "block", "max_backlog": records, "limits": {"wait_ms": wait_ms}}),
    )
}

fn record(host: &Host, count: usize) -> Vec<Result<bridge_telemetry::Receipt, RecordError>> {
    host.record_metrics(vec![MetricDraft::new("tally", 1.0); count])
}

fn backlog(host: &Host) -> Value {
    host.health_json().body["backlogs"][0].clone()
}

#[test]
fn recording_waits_for_a_monitor_with_the_policy_block_and_is_refused_then() {
    let (host, _) = host_with_clock(blocking(100, 1));
    assert!(record(&host, 100).iter().all(Result::is_ok));
    assert_eq!(backlog(&host), json!({"monitor": "tally", "holding": false, "waited": 0, "refused": 0}));
    assert!(record(&host, 1).iter().all(Result::is_ok), "up to its limit nothing waits");
    let refused = record(&host, 2);
    assert!(
        refused.iter().all(|outcome| matches!(outcome, Err(RecordError::Overloaded { .. }))),
        "{refused:?}"
    );
    let envelope = metric(&host, json!({"metric_name": "other", "metric_value": 1}));
    assert_eq!(code(&envelope), "OVERLOADED", "whatever is recorded: {}", envelope.body);
    assert!(envelope.body["error"]["details"]["retry_after_ms"].as_u64().unwrap() > 0);
    assert_eq!(backlog(&host), json!({"monitor": "tally", "holding": true, "waited": 2, "refused": 2}));
    let issues = host.health_json().body["issues"].to_string();
    assert!(issues.contains("recording waits for monitor tally"), "{issues}");
    assert!(host.drain(LONG));
    assert!(record(&host, 1).iter().all(Result::is_ok));
    assert_eq!(backlog(&host)["holding"], false);
}

#[test]
fn recording_goes_on_as_soon_as_the_monitor_catches_up() {
    let (host, _) = host_with_clock(blocking(100, 120_000));
    record(&host, 101);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| record(&host, 1).iter().all(Result::is_ok));
        while backlog(&host)["waited"] == 0 {
            std::thread::yield_now();
        }
        assert!(host.drain(LONG));
        assert!(waiting.join().unwrap());
    });
    assert_eq!(backlog(&host), json!({"monitor": "tally", "holding": false, "waited": 1, "refused": 0}));
}

/// Whatever it is that it has to go through: also what it does not watch.
#[test]
fn a_monitor_that_is_far_behind_is_told_with_its_records() {
    let (host, _) = host_with_clock(with_tally(in_memory(), json!({})));
    let issues = || host.health_json().body["issues"].to_string();
    let unwatched = |count: usize| host.record_metrics(vec![MetricDraft::new("other", 1.0); count]);
    for _ in 0..10 {
        assert!(unwatched(10_000).iter().all(Result::is_ok));
    }
    assert_eq!(host.health_check().monitors[0].lag, 100_000);
    assert!(!issues().contains("records behind"), "a second of a busy bridge is no fault: {}", issues());
    assert!(unwatched(1).iter().all(Result::is_ok));
    assert!(issues().contains("monitor tally is 100001 records behind"), "{}", issues());
    assert_eq!(host.health_json().body["status"], "degraded");
    assert!(host.drain(LONG));
    assert_eq!(host.health_json().body["status"], "healthy", "{}", issues());
}

#[test]
fn what_the_host_records_itself_does_not_wait() {
    let (host, _) = host_with_clock(blocking(100, 1));
    record(&host, 101);
    assert!(host.record_plugin_metrics() > 0);
    assert_eq!(backlog(&host)["waited"], 0);
}

/// Text makes the log grow fast; these monitors want none of this metric.
fn fill(host: &Host, megabytes: usize) {
    let text = "x".repeat(4_000);
    for batch in 0..megabytes {
        let context = Context::from_labels([("batch", batch.to_string().as_str())]);
        let sample = MetricDraft::new("text", text.as_str()).with_context(context);
        host.record_metrics(vec![sample; 250]).into_iter().for_each(|outcome| drop(outcome.unwrap()));
    }
}

fn small_log(folder: &Path, settings: Value) -> Value {
    let mut config = with_tally(in_folder(folder), settings);
    config["storage_config"]["max_log_bytes"] = json!("16 MiB");
    config
}

#[test]
fn a_log_at_its_limit_is_cut_and_the_gap_is_told_by_log_health_and_alert() {
    let (folder, hook) = (tempfile::tempdir().unwrap(), Hook::start());
    let mut config = small_log(folder.path(), json!({}));
    config = with_plugin(config, "webhook", &bridge_telemetry_tests::plugin("webhook").unwrap(), json!({}));
    config["alerting"] = json!({"receivers": {"ops": hook.receiver()}, "default_receivers": ["ops"]});
    let (host, _) = host_with_clock(config);
    record(&host, 10);
    fill(&host, 40);
    host.maintain().unwrap();
    host.maintain().unwrap();
    record(&host, 5);
    assert!(host.drain(LONG));
    let health = host.health_json().body;
    assert!(health["monitors"][0]["gap_records"].as_u64().unwrap() >= 10, "{}", health["monitors"]);
    assert!(health["issues"].to_string().contains("monitor tally missed"), "{}", health["issues"]);
    let alerts = host.alerts(AlertFilter::Firing).unwrap();
    let gap = alerts.iter().find(|alert| alert.key == "log-gap:tally").unwrap();
    assert!(gap.summary.contains("the log lost"), "{}", gap.summary);
    assert!(hook.received().iter().any(|request| request.label("incident") == "log-gap"));
    // It sees what came after the gap.
    let seen = host.plugins().into_iter().find(|plugin| plugin.name == "tally").unwrap().status.unwrap();
    assert_eq!(seen.counters["seen"], 5.0);
}

#[test]
fn a_monitor_with_the_policy_block_misses_nothing_though_the_log_is_small() {
    let folder = tempfile::tempdir().unwrap();
    let settings = json!({"on_backlog": "block", "max_backlog": 1_000_000, "limits": {"wait_ms": 1}});
    let (host, clock) = host_with_clock(small_log(folder.path(), settings.clone()));
    let text = "x".repeat(4_000);
    let (mut stored, mut refused) = (0, 0);
    for _ in 0..40 {
        record(&host, 1).iter().for_each(|outcome| stored += u64::from(outcome.is_ok()));
        let batch = host.record_metrics(vec![MetricDraft::new("text", text.as_str()); 250]);
        if batch.iter().any(Result::is_err) {
            refused += 1;
            host.maintain().unwrap();
            assert!(host.drain(LONG));
            host.maintain().unwrap();
        }
    }
    assert!(refused > 0, "bytes count, not records alone");
    assert!(host.drain(LONG));
    let monitor = host.health_check().monitors.remove(0);
    assert_eq!((monitor.gap_records, monitor.lag), (0, 0));
    drop(host);
    let host = open(small_log(folder.path(), settings), clock as Arc<dyn Clock>);
    assert!(host.drain(LONG));
    let value = host.query_json(br#"{"metric_names": ["tally"], "aggregation": "COUNT"}"#).body;
    assert_eq!(value["metrics"]["tally"]["value"], stored);
}
