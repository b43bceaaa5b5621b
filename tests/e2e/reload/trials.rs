//! Trials leave no trace in the host: not in key-value spaces, counters and logs, not by alerts, and at no far side. And what
//! aggregate functions are tried with.

use bridge_telemetry::plugins::{ReloadError, ReloadOutcome, ReloadReport, ReloadStage, TrialSummary};
use bridge_telemetry::{Clock, EventDraft, Host, MetricDraft};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use telemetry_store::{Store, StoreOptions};

use super::monitors::LONG;
use super::{Shelf, is_reloaded, listing, reload, revised, test_guest};
use crate::alerts::hook::Hook;
use crate::fixture::{host_with_clock, open, with_order};

fn attacks(host: &Host, attacks: &[&str]) {
    for attack in attacks {
        host.record_event(EventDraft::new(format!("ATTACK_{attack}"), "s")).unwrap();
    }
}

/// What a closed host's store keeps for the monitor.
fn kept(folder: &Path, clock: &Arc<dyn Clock>, key: &str) -> Option<Vec<u8>> {
    let options = StoreOptions::in_directory(folder.join("store"));
    Store::open(options, Arc::clone(clock)).unwrap().plugin_get("watcher", key).unwrap()
}

#[test]
fn a_monitor_on_trial_writes_nothing_counts_nothing_and_raises_nothing() {
    let shelf = Shelf::new();
    let (host, clock) = host_with_clock(shelf.in_folder());
    let clock = clock as Arc<dyn Clock>;
    attacks(&host, &["PUT", "CHATTY", "disk"]);
    shelf.put_revised("watcher", &test_guest("evil-monitor"), 1);
    let loaded = reload(&host, "watcher");
    assert_eq!(loaded.outcome, ReloadOutcome::Loaded);
    let trial = loaded.trial.unwrap();
    assert_eq!((trial.records, trial.signals), (3, 2), "the disk, and a tick");
    assert!(host.drain(LONG));
    assert_eq!(listing(&host, "watcher").status.unwrap().counters.len(), 0);
    let lines = host.plugin_log("watcher", 0, usize::MAX).unwrap();
    assert!(lines.iter().all(|line| line.message != "saw a row"), "{lines:?}");
    assert!(host.alerts(bridge_telemetry::alerts::AlertFilter::All).unwrap().is_empty());
    host.close();
    drop(host);
    for key in ["batches", "rows"] {
        assert_eq!(kept(shelf.path(), &clock, key), None, "{key}");
    }

    // What is kept is what the version that runs wrote, and not what the next one would write.
    let host = open(shelf.in_folder(), Arc::clone(&clock));
    attacks(&host, &["PUT"]);
    assert!(host.drain(LONG));
    shelf.put_revised("watcher", &test_guest("evil-monitor"), 2);
    let reloaded = reload(&host, "watcher");
    assert!(is_reloaded(&reloaded) && reloaded.trial.unwrap().records > 0);
    assert!(host.drain(LONG));
    host.close();
    drop(host);
    assert_eq!(kept(shelf.path(), &clock, "batches"), Some(1_u64.to_le_bytes().to_vec()));
}

/// The sink counts its starts in its key-value space, and tells them with each delivery.
#[test]
fn a_sink_on_trial_writes_nothing_and_sends_nothing() {
    let (shelf, hook) = (Shelf::new(), Hook::start());
    shelf.put_revised("tally", &test_guest("tally"), 1);
    shelf.put_revised("journal", &test_guest("journal-sink"), 1);
    let mut config = shelf.in_memory();
    let receiver = hook.receiver_of("journal", json!({}));
    config["alerting"] = json!({"receivers": {"ops": receiver}, "default_receivers": ["ops"]});
    let (host, _) = host_with_clock(config);
    for revision in 2..6 {
        // An alert begins, or ends.
        host.record_metric(MetricDraft::new("tally", if revision % 2 == 0 { 5 } else { 0 })).unwrap();
        assert!(host.drain(LONG));
        shelf.put_revised("journal", &test_guest("journal-sink"), revision);
        assert!(is_reloaded(&reload(&host, "ops")));
    }
    let told: Vec<_> = hook
        .received()
        .iter()
        .map(|told| (told.body["what"].clone(), told.body["starts"].as_u64().unwrap()))
        .collect();
    let delivery = |starts: u64| [(json!("begin"), starts), (json!("end"), starts)];
    assert_eq!(told, (1..=4).flat_map(delivery).collect::<Vec<_>>());
    assert_eq!(listing(&host, "ops").status.unwrap().http_refused, 0);
}

/// Replaces a version whose function needs parameters by another one; there may be rollups of it.
fn needy(rollups: Value, next: &[u8]) -> Result<Vec<ReloadReport>, ReloadError> {
    let shelf = Shelf::new();
    shelf.put_revised("stats", &test_guest("evil-aggregation"), 1);
    let mut config = shelf.in_memory();
    config["plugins"]["settings"]["stats"]["config"] = json!({"only": "needy"});
    config["rollups"] = rollups;
    let (host, _) = host_with_clock(config);
    host.record_metric(MetricDraft::new("m", 1)).unwrap();
    shelf.put("stats", next);
    host.reload_plugin("stats")
}

#[test]
fn a_function_that_needs_parameters_is_tried_with_those_of_its_rollups() {
    let rollups = || json!([{"aggregation": "Needy(factor=2)"}, {"aggregation": "STDDEV"}]);
    let summary = |outcome: Result<Vec<ReloadReport>, ReloadError>| -> TrialSummary {
        outcome.unwrap().remove(0).trial.unwrap()
    };
    let sound = revised(&test_guest("evil-aggregation"), 2);
    let trial = summary(needy(rollups(), &sound));
    assert_eq!((trial.functions, trial.functions_left_out), (1, 0));
    let failing = with_order(&test_guest("evil-aggregation"), "evaluate/trap");
    let refused = needy(rollups(), &failing).unwrap_err();
    assert_eq!(refused.stage(), Some(ReloadStage::Trial));
    let reason = bridge_telemetry::envelope::cause_chain(&refused);
    assert!(reason.contains("its function needy failed on recent samples"), "{reason}");
    // Where no rollup says with what, it is not tried.
    let trial = summary(needy(json!([]), &failing));
    assert_eq!((trial.functions, trial.functions_left_out), (0, 1));
}
