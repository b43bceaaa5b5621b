//! Sinks: deliveries wait while one takes the other's place, and none is made in a trial.

use bridge_telemetry::plugins::{ReloadOutcome, ReloadStage};
use bridge_telemetry::{Host, MetricDraft};
use serde_json::{Value, json};

use super::monitors::LONG;
use super::{Shelf, is_reloaded, listing, reload, shipped, test_guest, without_settings};
use crate::alerts::hook::Hook;
use crate::fixture::host_with_clock;

fn scene(shelf: &Shelf, hook: &Hook) -> Value {
    shelf.put_revised("tally", &test_guest("tally"), 1);
    shelf.put_revised("webhook", &shipped("webhook"), 1);
    let mut config = shelf.in_memory();
    config["alerting"] = json!({
        "receivers": {"ops": hook.receiver(), "second": hook.receiver()}, "default_receivers": ["ops"],
    });
    config
}

fn sample(host: &Host, value: i64) {
    host.record_metric(MetricDraft::new("tally", value)).unwrap();
}

#[test]
fn a_new_version_delivers_what_waits() {
    let (shelf, hook) = (Shelf::new(), Hook::start());
    let (host, _) = host_with_clock(scene(&shelf, &hook));
    sample(&host, 5);
    assert!(host.drain(LONG));
    assert_eq!(hook.received().len(), 1);
    shelf.put_revised("webhook", &shipped("webhook"), 2);
    let reports = host.reload_plugin("webhook").unwrap();
    let mut names: Vec<_> =
        reports.iter().map(|report| (report.plugin.as_str(), is_reloaded(report))).collect();
    names.sort_unstable();
    assert_eq!(names, [("ops", true), ("second", true)], "every receiver's copy");
    assert_eq!(hook.received().len(), 1, "nothing is delivered in a trial");
    sample(&host, 1);
    assert!(host.drain(LONG));
    assert_eq!(hook.told("name").len(), 2);
    assert_eq!(hook.received()[1].status(), "resolved");
    // One receiver alone.
    shelf.put_revised("webhook", &shipped("webhook"), 3);
    assert!(is_reloaded(&reload(&host, "ops")));
    assert_eq!(
        (listing(&host, "ops").history.generation, listing(&host, "second").history.generation),
        (3, 2)
    );
}

#[test]
fn a_sink_that_is_no_good_is_refused_and_the_old_one_delivers() {
    let (shelf, hook) = (Shelf::new(), Hook::start());
    let (host, _) = host_with_clock(scene(&shelf, &hook));
    // Its schema does not know the receiver's configuration.
    shelf.put_revised("webhook", &shipped("router"), 1);
    let refused = host.reload_plugin("webhook").unwrap_err();
    assert_eq!(refused.stage(), Some(ReloadStage::Trial), "{refused:?}");
    sample(&host, 5);
    assert!(host.drain(LONG));
    assert_eq!(hook.received().len(), 1);
}

#[test]
fn a_sink_that_was_not_there_gets_what_waited() {
    let (shelf, hook) = (Shelf::new(), Hook::start());
    let config = without_settings(scene(&shelf, &hook), "webhook");
    std::fs::remove_file(shelf.path().join("webhook.wasm")).unwrap();
    let (host, _) = host_with_clock(config);
    sample(&host, 5);
    assert!(host.drain(LONG));
    assert_eq!(hook.received().len(), 0);
    shelf.put_revised("webhook", &shipped("webhook"), 1);
    let reports = host.reload_plugin("webhook").unwrap();
    assert!(reports.iter().all(|report| report.outcome == ReloadOutcome::Loaded), "{reports:?}");
    assert!(host.drain(LONG));
    assert_eq!(hook.received().len(), 1);
}
