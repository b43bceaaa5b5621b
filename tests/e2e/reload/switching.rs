//! Plugins that are disabled, enabled and removed while the host runs: what is under way finishes, nothing is lost, and each works
//! again as after a start.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use bridge_telemetry::alerts::AlertFilter;
use bridge_telemetry::envelope::EnvelopeError;
use bridge_telemetry::plugins::package::{self, PackageError};
use bridge_telemetry::plugins::{
    PluginState, PluginSwitch, ReloadError, ReloadOutcome, ReloadReport, ReloadTrigger, SwitchError,
};
use bridge_telemetry::{Config, Host, HostBuilder, MetricDraft, MetricQuery, Timestamp};
use serde_json::{Value, json};
use telemetry_core::ErrorCode;

use super::files::outcomes;
use super::monitors::LONG;
use super::{Shelf, listing, refusal, shipped, soak, test_guest, without_settings};
use crate::alerts::hook::Hook;
use crate::fixture::{code, event, host_with_clock, metric, open, query};

fn told(switch: &PluginSwitch) -> Vec<(&str, ReloadOutcome)> {
    switch.reloads.iter().map(|report| (report.plugin.as_str(), report.outcome.clone())).collect()
}

pub(super) fn disable(host: &Host, name: &str, copies: &[&str]) {
    let switch = host.disable_plugin(name).unwrap();
    let expected: Vec<_> = copies.iter().map(|copy| (*copy, ReloadOutcome::Disabled)).collect();
    assert_eq!((switch.changed, told(&switch)), (true, expected));
}

pub(super) fn enable(host: &Host, name: &str, copies: &[&str]) {
    let switch = host.enable_plugin(name).unwrap();
    let expected: Vec<_> = copies.iter().map(|copy| (*copy, ReloadOutcome::Loaded)).collect();
    assert_eq!((switch.changed, told(&switch)), (true, expected));
}

pub(super) fn issues(host: &Host) -> String {
    host.health_json().body["issues"].to_string()
}

fn load(host: &Host, name: &str) -> Option<PluginState> {
    host.plugins().into_iter().find(|plugin| plugin.name == name).map(|plugin| plugin.load)
}

pub(super) fn sample(host: &Host, value: i64) {
    host.record_metric(MetricDraft::new("tally", value)).unwrap();
}

fn seen(host: &Host) -> Option<f64> {
    listing(host, "tally").status.unwrap().counters.get("seen").copied()
}

fn masks(host: &Host) -> bool {
    let login = json!({"event_type": "LOGIN", "source": "s", "data": {"password": "hunter2"}});
    let receipt = event(host, login);
    assert_eq!(code(&receipt), "success", "{}", receipt.body);
    host.event_json(receipt.body["event_id"].as_str().unwrap()).body["event"]["data"]["password"] == "***"
}

#[test]
fn a_validator_leaves_the_chain_until_it_is_enabled_again() {
    let shelf = Shelf::new();
    shelf.put_revised("redact", &shipped("redact"), 1);
    let (host, clock) = host_with_clock(shelf.in_folder());
    assert!(masks(&host));
    disable(&host, "redact", &["redact"]);
    assert!(!masks(&host));
    let listed = listing(&host, "redact");
    assert_eq!(listed.load, PluginState::Disabled);
    assert_eq!(listed.history.last_reload.unwrap().trigger, ReloadTrigger::Request);
    assert_eq!(host.health_json().body["status"], "healthy", "{}", issues(&host));
    let log = host.plugin_log("redact", 0, 10).unwrap();
    assert!(log.last().unwrap().message.contains("it has stopped"), "{log:?}");
    assert!(refusal(&host, "redact").contains("plugin enable redact"));
    let again = host.disable_plugin("redact").unwrap();
    assert_eq!((again.changed, again.reloads.len()), (false, 0));
    drop(host);

    let host = open(shelf.in_folder(), clock);
    assert!(!masks(&host), "it outlives the host");
    enable(&host, "redact", &["redact"]);
    assert!(masks(&host));
    let again = host.enable_plugin("redact").unwrap();
    assert_eq!((again.changed, again.reloads.len()), (false, 0));
    assert_eq!(load(&host, "redact"), Some(PluginState::Loaded));
    assert_eq!(host.health_json().body["status"], "healthy", "{}", issues(&host));
}

#[test]
fn queries_do_not_find_a_function_and_its_rollups_rest() {
    let shelf = Shelf::new();
    shelf.put_revised("stats", &shipped("percentile"), 1);
    let mut config = shelf.in_memory();
    config["rollups"] = json!([{"aggregation": "percentile(q=0.5)", "any_parameters": true}]);
    let (host, _) = host_with_clock(config);
    let samples: Vec<Value> = (0..100).map(|n| json!({"metric_name": "m", "metric_value": n})).collect();
    assert_eq!(code(&metric(&host, json!(samples))), "success");
    let median = || query(&host, json!({"aggregation": "percentile(q=0.5)"}));
    let before = median();
    host.maintain().unwrap();
    assert_eq!(host.health_json().body["status"], "healthy", "{}", issues(&host));

    disable(&host, "stats", &["stats"]);
    host.maintain().unwrap();
    assert_eq!(code(&median()), "INVALID_AGGREGATION");
    let rests = "rollup percentile(q=0.5) cannot be built: Unsupported aggregation method";
    assert!(issues(&host).contains(rests), "{}", issues(&host));

    enable(&host, "stats", &["stats"]);
    host.maintain().unwrap();
    assert_eq!(median().body, before.body);
    assert_eq!(host.health_json().body["status"], "healthy", "{}", issues(&host));
}

#[test]
fn a_monitor_resolves_its_alerts_and_begins_anew_at_the_end_of_the_log() {
    let (shelf, hook) = (Shelf::new(), Hook::start());
    shelf.put_revised("tally", &test_guest("tally"), 1);
    shelf.put_revised("webhook", &shipped("webhook"), 1);
    let mut config = shelf.in_memory();
    // Recording waits for it while it runs, and for nobody else.
    let tally = &mut config["plugins"]["settings"]["tally"];
    tally["on_backlog"] = json!("block");
    tally["max_backlog"] = json!(3);
    config["alerting"] = json!({"receivers": {"ops": hook.receiver()}, "default_receivers": ["ops"]});
    let (host, _) = host_with_clock(config);
    sample(&host, 5);
    assert!(host.drain(LONG));
    // Not seen yet when it has to go.
    sample(&host, 5);
    disable(&host, "tally", &["tally"]);
    for _ in 0..10 {
        sample(&host, 5);
    }
    assert!(host.drain(LONG));
    let states = |hook: &Hook| hook.received().iter().map(|it| it.status().to_owned()).collect::<Vec<_>>();
    assert_eq!(states(&hook), ["firing", "resolved"]);
    assert!(host.health_check().monitors.is_empty());
    assert!(host.alerts(AlertFilter::Firing).unwrap().is_empty());
    assert_eq!(load(&host, "tally"), Some(PluginState::Disabled));

    enable(&host, "tally", &["tally"]);
    assert!(host.drain(LONG));
    assert_eq!((seen(&host), states(&hook).len()), (None, 2), "nothing of what came meanwhile");
    sample(&host, 6);
    assert!(host.drain(LONG));
    assert_eq!((seen(&host), states(&hook).len()), (Some(1.0), 3));
    assert_eq!(host.health_json().body["status"], "healthy", "{}", issues(&host));
}

#[test]
fn deliveries_wait_for_a_sink_over_a_restart() {
    let (shelf, hook) = (Shelf::new(), Hook::start());
    shelf.put_revised("tally", &test_guest("tally"), 1);
    shelf.put_revised("webhook", &shipped("webhook"), 1);
    let mut config = shelf.in_folder();
    config["alerting"] = json!({
        "receivers": {"ops": hook.receiver(), "webhook": hook.receiver()}, "default_receivers": ["ops"],
    });
    let (host, clock) = host_with_clock(config.clone());
    disable(&host, "webhook", &["ops", "webhook"]);
    sample(&host, 5);
    let waits = |host: &Host| {
        assert!(host.drain(LONG));
        let outbox = host.health_check().outbox.unwrap();
        let ops = outbox.receivers.iter().find(|receiver| receiver.receiver == "ops").unwrap();
        assert_eq!((ops.available, ops.waiting, hook.received().len()), (false, 1, 0));
        for name in ["ops", "webhook"] {
            assert_eq!(load(host, name), Some(PluginState::Disabled), "{name}");
        }
        assert!(issues(host).contains("deliveries wait: receiver \\\"ops\\\""), "{}", issues(host));
    };
    waits(&host);
    drop(host);
    let host = open(config, clock);
    waits(&host);
    enable(&host, "webhook", &["ops", "webhook"]);
    assert!(host.drain(LONG));
    assert_eq!(hook.received().len(), 1);
    sample(&host, 1);
    assert!(host.drain(LONG));
    assert_eq!(hook.received()[1].status(), "resolved");
    assert_eq!(host.health_json().body["status"], "healthy", "{}", issues(&host));
}

/// What a look at the folder did.
fn looked(host: &Host) -> Vec<(String, ReloadOutcome)> {
    let shown = |outcome: Result<ReloadReport, ReloadError>| {
        let report = outcome.unwrap();
        assert_eq!(report.trigger, ReloadTrigger::File);
        (report.plugin, report.outcome)
    };
    host.reload_changed_plugins().into_iter().map(shown).collect()
}

#[test]
fn a_host_follows_what_commands_say_in_the_folder() {
    let shelf = Shelf::new();
    let file = shelf.put("tally", &std::fs::read(test_guest("tally")).unwrap());
    shelf.put_revised("redact", &shipped("redact"), 1);
    shelf.put_revised("webhook", &shipped("webhook"), 1);
    let (host, _) = host_with_clock(without_settings(shelf.in_memory(), "tally"));
    let plugins = host.config().plugins.clone();
    let one = |name: &str, outcome| vec![(name.to_owned(), outcome)];
    sample(&host, 5);
    assert!(host.drain(LONG));
    package::disable(&plugins, "tally").unwrap();
    assert_eq!(looked(&host), one("tally", ReloadOutcome::Disabled));
    // What is noted may be about all of them: each is looked at, and none is another one.
    assert_eq!(looked(&host), []);
    assert!(host.alerts(AlertFilter::Firing).unwrap().is_empty());
    package::disable(&plugins, "webhook").unwrap();
    assert_eq!(looked(&host), []);
    assert_eq!(load(&host, "webhook"), Some(PluginState::Disabled), "it was not used");

    package::enable(&plugins, "tally").unwrap();
    assert_eq!(outcomes(&host), [("tally".to_owned(), Ok(ReloadOutcome::Loaded))]);
    sample(&host, 5);
    assert!(host.drain(LONG));
    assert_eq!(host.alerts(AlertFilter::Firing).unwrap().len(), 1);

    package::remove(&plugins, "tally", Timestamp::EPOCH).unwrap();
    assert_eq!(looked(&host), one("tally", ReloadOutcome::Removed));
    assert_eq!((looked(&host), load(&host, "tally")), (vec![], None));
    assert!(host.alerts(AlertFilter::Firing).unwrap().is_empty());
    assert_eq!(host.health_json().body["status"], "healthy", "{}", issues(&host));

    // Put there by hand, and deleted by hand: that is no command.
    shelf.put("tally", &std::fs::read(test_guest("tally")).unwrap());
    assert_eq!(outcomes(&host), [("tally".to_owned(), Ok(ReloadOutcome::Loaded))]);
    std::fs::remove_file(file).unwrap();
    assert_eq!((looked(&host), looked(&host)), (vec![], vec![]));
    assert_eq!(load(&host, "tally"), Some(PluginState::Loaded));
    assert!(issues(&host).contains("is gone; it goes on"), "{}", issues(&host));
}

/// A monitor that could not be loaded keeps its alerts for a better day; one that is disabled or removed does not.
#[test]
fn what_could_not_be_loaded_is_switched_off_too() {
    for is_removed in [false, true] {
        let shelf = Shelf::new();
        shelf.put("tally", &std::fs::read(test_guest("tally")).unwrap());
        let config = without_settings(shelf.in_folder(), "tally");
        let (host, clock) = host_with_clock(config.clone());
        sample(&host, 5);
        assert!(host.drain(LONG));
        drop(host);
        shelf.put("tally", b"nothing");
        let host = open(config, clock);
        assert_eq!(load(&host, "tally"), Some(PluginState::Failed));
        assert_eq!(host.alerts(AlertFilter::Firing).unwrap().len(), 1);
        let plugins = host.config().plugins.clone();
        if is_removed {
            package::remove(&plugins, "tally", Timestamp::EPOCH).unwrap();
            assert_eq!(looked(&host), []);
            assert_eq!(load(&host, "tally"), None);
        } else {
            disable(&host, "tally", &[]);
            assert_eq!(load(&host, "tally"), Some(PluginState::Disabled));
            let error = host.enable_plugin("tally").unwrap_err();
            assert_eq!(EnvelopeError::code(&error), ErrorCode::PluginFailure);
            assert_eq!(load(&host, "tally"), Some(PluginState::Failed));
            assert!(issues(&host).contains("plugin tally could not be loaded"), "{}", issues(&host));
            disable(&host, "tally", &[]);
        }
        assert!(host.alerts(AlertFilter::Firing).unwrap().is_empty());
        assert_eq!(host.health_json().body["status"], "healthy", "{}", issues(&host));
    }
}

#[test]
fn what_cannot_be_switched_off_says_why() {
    let shelf = Shelf::new();
    shelf.put_revised("redact", &shipped("redact"), 1);
    let mut config = shelf.in_memory();
    config["plugins"]["settings"]["redact"]["required"] = json!(true);
    let (host, _) = host_with_clock(config);
    let refused = host.disable_plugin("redact").unwrap_err();
    assert_eq!(refused.code(), ErrorCode::InvalidQuery);
    assert!(matches!(refused, SwitchError::Package(PackageError::Configured { .. })));
    assert_eq!(host.disable_plugin("redat").unwrap_err().code(), ErrorCode::NotFound);
    assert_eq!(host.enable_plugin("redat").unwrap_err().code(), ErrorCode::NotFound);
    // A command with another configuration.
    let others = Config::from_value(shelf.in_memory()).unwrap().plugins;
    package::disable(&others, "redact").unwrap();
    assert_eq!(looked(&host), []);
    assert!(masks(&host));
    assert!(issues(&host).contains("plugins.settings.redact.required wants it"), "{}", issues(&host));
    package::enable(&others, "redact").unwrap();
    assert_eq!((looked(&host), looked(&host)), (vec![], vec![]));
    assert_eq!(host.health_json().body["status"], "healthy", "{}", issues(&host));
    host.close();
    let closed = host.disable_plugin("redact").unwrap_err();
    assert!(
        matches!(&closed, SwitchError::Plugin(error) if matches!(**error, ReloadError::Closed)),
        "{closed:?}"
    );
}

/// Every plugin, with what runs of it.
const ALL: [(&str, &str); 4] =
    [("redact", "redact"), ("percentile", "percentile"), ("tally", "tally"), ("webhook", "ops")];

/// Returns when the load went on for as long as alerts need to begin or end.
fn let_pass(load: &soak::Load) {
    let (before, began) = (load.samples.load(Ordering::Acquire), Instant::now());
    while load.samples.load(Ordering::Acquire) < before + 2 * soak::SPELL {
        assert!(began.elapsed() < LONG, "recording does not go on");
        std::thread::yield_now();
    }
}

fn switch_again_and_again(host: &Host, load: &soak::Load) {
    for _ in 0..3 {
        for (name, copy) in ALL {
            let_pass(load);
            disable(host, name, &[copy]);
            let_pass(load);
            enable(host, name, &[copy]);
        }
    }
    let_pass(load);
}

#[test]
fn switching_under_load_loses_nothing() {
    let (shelf, hook) = (Shelf::new(), Hook::start());
    let config = Config::from_value(soak::config(&shelf, &hook)).unwrap();
    let host = HostBuilder::new(config).open().unwrap();
    for outcome in host.record_metrics((0..1_000).map(|n| MetricDraft::new("fixed", n)).collect()) {
        outcome.unwrap();
    }
    let (expected, load) = (soak::median(&host), soak::Load::default());
    let (answered, unanswered) = (AtomicU64::new(0), AtomicU64::new(0));
    let median = MetricQuery::of(["fixed"]).aggregate("percentile(q=0.5)");
    std::thread::scope(|scope| {
        scope.spawn(|| load.record_events(&host));
        scope.spawn(|| load.record_samples(&host));
        scope.spawn(|| {
            while load.goes_on() {
                match host.get_metrics(&median) {
                    Ok(answer) => {
                        assert_eq!(answer.to_json()["metrics"]["fixed"], expected);
                        answered.fetch_add(1, Ordering::AcqRel);
                    }
                    Err(error) => {
                        assert_eq!(error.code(), ErrorCode::InvalidAggregation, "{error}");
                        unanswered.fetch_add(1, Ordering::AcqRel);
                    }
                }
            }
        });
        // Whatever happens, the others end.
        let switched = catch_unwind(AssertUnwindSafe(|| switch_again_and_again(&host, &load)));
        load.over.store(true, Ordering::Release);
        switched.unwrap_or_else(|panic| resume_unwind(panic));
    });
    assert!(host.drain(LONG));
    assert!(answered.into_inner() > 0 && unanswered.into_inner() > 0);
    let (events, samples) = (load.events.into_inner(), load.samples.into_inner() * soak::METRICS + 1_000);
    let health = host.health_check();
    assert_eq!((health.stats.events_total, health.stats.metrics_total), (events, samples));
    let outbox = health.outbox.unwrap();
    assert_eq!((outbox.pending, outbox.dead_letters), (0, 0));

    // Every state of every alert came, in its order.
    let mut states = BTreeMap::<String, Vec<String>>::new();
    for (name, status) in hook.told("name") {
        states.entry(name).or_default().push(status);
    }
    assert_eq!(states.len() as u64, soak::METRICS);
    for (name, states) in states {
        let alternate = ["firing", "resolved"].into_iter().cycle();
        assert!(states.iter().zip(alternate).all(|(told, expected)| told == expected), "{name}: {states:?}");
        assert!(states.len() > 2, "{name}: {states:?}");
    }

    // All of them work again.
    assert!(masks(&host));
    assert_eq!(soak::median(&host), expected);
    let delivered = hook.received().len();
    host.record_metric(MetricDraft::new("tally-last", 5)).unwrap();
    assert!(host.drain(LONG));
    assert_eq!(hook.received().len(), delivered + 1);
    for (_, copy) in ALL {
        let status = listing(&host, copy).status.unwrap();
        assert_eq!(status.failures, 0, "{copy}: {:?}", status.last_failure);
    }
    host.close();
}
