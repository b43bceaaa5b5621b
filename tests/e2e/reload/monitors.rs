//! Monitors: the new version goes on from the old one's state, at the next record.

use std::time::Duration;

use bridge_telemetry::plugins::{ReloadOutcome, StateHandover};
use bridge_telemetry::{Host, MetricDraft};
use telemetry_core::Alert;

use super::{Shelf, is_reloaded, listing, reload, test_guest};
use crate::fixture::{host_with_clock, open, start};

/// Beyond any work of a host under load.
pub(super) const LONG: Duration = Duration::from_secs(120);

fn record(host: &Host, values: impl IntoIterator<Item = i64>) {
    let samples = values.into_iter().map(|value| MetricDraft::new("tally", value)).collect();
    for outcome in host.record_metrics(samples) {
        outcome.unwrap();
    }
}

fn seen(host: &Host) -> f64 {
    listing(host, "tally").status.unwrap().counters["seen"]
}

fn alerts(host: &Host) -> Vec<Alert> {
    host.alerts(bridge_telemetry::alerts::AlertFilter::All).unwrap()
}

#[test]
fn a_new_version_goes_on_where_the_old_one_stopped() {
    let shelf = Shelf::new();
    shelf.put_revised("tally", &test_guest("tally"), 1);
    let (host, _) = host_with_clock(shelf.in_folder());
    record(&host, [5, 5]);
    assert!(host.drain(LONG));
    // These wait in the log while it is replaced.
    record(&host, [6, 7]);
    shelf.put_revised("tally", &test_guest("tally"), 2);
    let report = reload(&host, "tally");
    assert!(is_reloaded(&report), "{report:?}");
    assert_eq!(report.state, StateHandover::HandedOver);
    let trial = report.trial.unwrap();
    assert_eq!((trial.records, trial.signals), (4, 4));
    record(&host, [8]);
    assert!(host.drain(LONG));
    assert_eq!(seen(&host), 5.0, "each once, and none of the trial's");
    let alerts = alerts(&host);
    assert_eq!((alerts.len(), alerts[0].times_seen), (1, 5), "{alerts:?}");
    let status = host.health_check().monitors.remove(0);
    assert_eq!((status.failures, status.lag), (0, 0));
}

#[test]
fn the_state_outlives_the_host_also_after_a_reload() {
    let shelf = Shelf::new();
    shelf.put_revised("tally", &test_guest("tally"), 1);
    let (host, clock) = host_with_clock(shelf.in_folder());
    record(&host, [5]);
    assert!(host.drain(LONG));
    shelf.put_revised("tally", &test_guest("tally"), 2);
    assert!(is_reloaded(&reload(&host, "tally")));
    drop(host);
    let host = open(shelf.in_folder(), clock);
    record(&host, [6]);
    assert!(host.drain(LONG));
    assert_eq!((alerts(&host).len(), alerts(&host)[0].times_seen), (1, 2));
}

#[test]
fn a_monitor_that_was_not_there_begins_at_the_end_of_the_log() {
    let shelf = Shelf::new();
    let (host, _) = host_with_clock(shelf.in_memory());
    record(&host, [5]);
    shelf.put_revised("tally", &test_guest("tally"), 1);
    assert_eq!(reload(&host, "tally").outcome, ReloadOutcome::Loaded);
    record(&host, [6]);
    assert!(host.drain(LONG));
    assert_eq!(seen(&host), 1.0);
    assert!(listing(&host, "tally").history.last_reload.unwrap().at >= start());
}
