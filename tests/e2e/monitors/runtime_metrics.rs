//! What a plugin costs is a metric like any other: it can be queried, and a monitor can watch it.

use bridge_telemetry::alerts::AlertFilter;
use bridge_telemetry::{Config, EventDraft, Host, HostBuilder, JsonObject};
use bridge_telemetry_tests::{guest, plugin};
use serde_json::{Value, json};

use crate::fixture::{host_with_clock, in_memory, with_plugin};

const LONG: std::time::Duration = std::time::Duration::from_secs(120);

fn shipped(config: Value, name: &str, settings: Value) -> Value {
    with_plugin(config, name, &plugin(name).unwrap(), settings)
}

fn value(host: &Host, metric: &str, plugin: &str, aggregation: &str) -> Value {
    filtered(host, metric, aggregation, json!({"plugin": plugin, "source": "plugin_runtime"}))
}

fn filtered(host: &Host, metric: &str, aggregation: &str, filter: Value) -> Value {
    let query = json!({"metric_names": [metric], "aggregation": aggregation, "filter": filter});
    host.query_json(query.to_string().as_bytes()).body["metrics"][metric]["value"].clone()
}

#[test]
fn a_plugins_cost_can_be_queried() {
    let config =
        shipped(shipped(in_memory(), "redact", json!({})), "threshold", json!({"config": {"rules": []}}));
    let config = with_plugin(config, "evil", &guest("evil").unwrap(), json!({"on_failure": "accept"}));
    let mut config = config;
    config["loop"] = json!({"exempt_event_types": ["A", "panic"]});
    let (host, clock) = host_with_clock(config);
    for event_type in ["A", "A", "panic"] {
        host.record_events(vec![EventDraft::new(event_type, "s"); 5])
            .into_iter()
            .for_each(|it| drop(it.unwrap()));
    }
    let before = host.health_check().stats.metrics_total;
    let recorded = host.record_plugin_metrics();
    assert_eq!(host.health_check().stats.metrics_total, before + recorded as u64);
    assert_eq!(value(&host, "plugin_rows_total", "redact", "LAST"), 15);
    assert_eq!(value(&host, "plugin_batches_total", "redact", "LAST"), 3);
    assert_eq!(value(&host, "plugin_batch_rows", "redact", "LAST"), 5);
    assert_eq!(value(&host, "plugin_failures_total", "evil", "LAST"), 1);
    assert_eq!(value(&host, "plugin_failures_total", "redact", "LAST"), 0);
    assert_eq!(value(&host, "plugin_active", "evil", "LAST"), 1);
    assert!(value(&host, "plugin_memory_bytes", "redact", "LAST").as_u64().unwrap() > 0);
    let cpu = value(&host, "plugin_cpu_seconds_total", "redact", "LAST").as_f64().unwrap();
    let time = value(&host, "plugin_time_seconds_total", "redact", "LAST").as_f64().unwrap();
    assert!(0.0 < cpu && cpu <= time, "{cpu} of {time}");
    assert!(value(&host, "plugin_lag_records", "threshold", "LAST").as_u64().unwrap() >= 15);
    assert_eq!(value(&host, "plugin_lag_records", "redact", "LAST"), Value::Null);
    // Its own records are not judged, so that recording costs nothing that would be recorded.
    clock.advance(std::time::Duration::from_secs(1));
    host.record_plugin_metrics();
    assert_eq!(value(&host, "plugin_rows_total", "redact", "LAST"), 15);
    assert!(host.drain(LONG));
    clock.advance(std::time::Duration::from_secs(1));
    host.record_plugin_metrics();
    assert_eq!(value(&host, "plugin_lag_records", "threshold", "LAST"), 0);
    let listed = host.plugins_json().body["plugins"].clone();
    let redact = listed.as_array().unwrap().iter().find(|it| it["name"] == "redact").unwrap();
    assert_eq!(
        (&redact["rows"], &redact["batches"], &redact["largest_batch"]),
        (&json!(15), &json!(3), &json!(5))
    );
}

#[test]
fn what_plugins_count_themselves_and_why_they_fail_are_metrics_with_a_label() {
    let config = shipped(in_memory(), "redact", json!({}));
    let config = with_plugin(config, "evil", &guest("evil").unwrap(), json!({"on_failure": "accept"}));
    let (host, clock) = host_with_clock(config);
    let record = |event_type: &str| {
        let secret = JsonObject::from(json!({"password": "hunter2"}).as_object().unwrap());
        host.record_event(EventDraft::new(event_type, "s").with_data(secret)).unwrap();
        // Beyond the wait for a plugin's new instance.
        clock.advance(std::time::Duration::from_secs(10));
    };
    let counter = |plugin: &str, counter: &str| {
        filtered(&host, "plugin_counter", "LAST", json!({"plugin": plugin, "counter": counter}))
    };
    let failures = |reason: &str| {
        let filter = json!({"plugin": "evil", "reason": reason});
        filtered(&host, "plugin_failures_by_reason_total", "LAST", filter)
    };
    record("chatty");
    host.record_plugin_metrics();
    assert_eq!((counter("redact", "masked_values"), counter("evil", "rows")), (json!(1), json!(1)));
    assert_eq!(counter("evil", "last"), 1, "a gauge");
    assert_eq!(failures("trap"), Value::Null);
    for attack in ["panic", "error", "panic", "counter_flood"] {
        record(attack);
    }
    host.record_plugin_metrics();
    assert_eq!(counter("redact", "masked_values"), 5);
    assert_eq!(["trap", "error", "limit"].map(failures), [json!(2), json!(1), json!(1)]);
    assert_eq!(value(&host, "plugin_failures_total", "evil", "LAST"), 4);
    // As many as there may be, each once, and twice those of the first time.
    let most = telemetry_core::limits::MAX_PLUGIN_COUNTERS;
    assert_eq!(value(&host, "plugin_counter", "evil", "COUNT"), most + 2);
    assert_eq!(value(&host, "plugin_counters_left_out", "evil", "LAST"), 0);
    assert!(value(&host, "plugin_counters_dropped_total", "evil", "LAST").as_u64().unwrap() > 0);
}

#[test]
fn what_signals_lose_is_a_metric_of_monitors() {
    let config = with_plugin(in_memory(), "evil-monitor", &guest("evil-monitor").unwrap(), json!({}));
    let (host, _) = host_with_clock(shipped(config, "redact", json!({})));
    host.record_event(EventDraft::new("ATTACK_LABELS", "s")).unwrap();
    assert!(host.drain(LONG));
    host.record_plugin_metrics();
    let figure = |metric: &str, plugin: &str| value(&host, metric, plugin, "LAST");
    let cut = 100 - telemetry_core::limits::MAX_ALERT_LABELS;
    assert_eq!(figure("plugin_signal_labels_cut_total", "evil-monitor"), cut);
    assert_eq!(figure("plugin_signal_keys_replaced_total", "evil-monitor"), 0);
    assert_eq!(figure("plugin_signal_labels_cut_total", "redact"), Value::Null);
}

#[test]
fn failures_raise_an_alert_for_each_reason() {
    let rule = json!({"metric": "plugin_failures_by_reason_total", "comparison": ">", "threshold": 0});
    let config = shipped(in_memory(), "threshold", json!({"config": {"rules": [rule]}}));
    let config = with_plugin(config, "evil", &guest("evil").unwrap(), json!({"on_failure": "accept"}));
    let (host, clock) = host_with_clock(config);
    for event_type in ["panic", "error"] {
        host.record_event(EventDraft::new(event_type, "s")).unwrap();
        clock.advance(std::time::Duration::from_secs(10));
    }
    host.record_plugin_metrics();
    assert!(host.drain(LONG));
    let firing = host.alerts(AlertFilter::Firing).unwrap();
    let mut reasons: Vec<&str> = firing.iter().map(|alert| alert.labels["reason"].as_str()).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, ["error", "trap"], "{firing:?}");
}

#[test]
fn a_plugin_that_fails_raises_an_alert() {
    let rule = json!({"metric": "plugin_failures_total", "comparison": ">", "threshold": 2, "clear": 0});
    let config = shipped(in_memory(), "threshold", json!({"config": {"rules": [rule]}}));
    let config = with_plugin(config, "evil", &guest("evil").unwrap(), json!({"on_failure": "accept"}));
    let (host, clock) = host_with_clock(config);
    for failures in 1..=3 {
        host.record_event(EventDraft::new("panic", "s")).unwrap();
        clock.advance(std::time::Duration::from_secs(10));
        host.record_plugin_metrics();
        assert!(host.drain(LONG));
        let firing = host.alerts(AlertFilter::Firing).unwrap();
        assert_eq!(firing.len(), usize::from(failures > 2), "{firing:?}");
    }
    let alert = host.alerts(AlertFilter::Firing).unwrap().remove(0);
    assert_eq!((alert.labels["plugin"].as_str(), alert.labels["kind"].as_str()), ("evil", "validator"));
}

/// The host's own timer, on the real clock; and none where it is switched off.
#[test]
fn a_host_with_a_background_records_by_itself_unless_told_not_to() {
    let background = |enabled: bool| {
        let mut config = shipped(in_memory(), "redact", json!({}));
        config["plugins"]["runtime_metrics"] = json!({"enabled": enabled, "interval": "100ms"});
        HostBuilder::new(Config::from_value(config).unwrap()).open().unwrap()
    };
    let (on, off) = (background(true), background(false));
    let deadline = std::time::Instant::now() + LONG;
    let samples = |host: &Host| host.health_check().stats.metrics_total;
    while samples(&on) < 20 {
        assert!(std::time::Instant::now() < deadline);
        std::thread::yield_now();
    }
    assert_eq!(samples(&off), 0);
    on.close();
    let (closed, after) = (samples(&on), on.record_plugin_metrics());
    assert_eq!((samples(&on), after), (closed, 0));
}
