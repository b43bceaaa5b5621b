//! Text samples: monitors see each in its place, and none takes one for a number.

use bridge_telemetry::alerts::AlertFilter;
use bridge_telemetry::{Host, MetricDraft};
use bridge_telemetry_tests::{guest, plugin};
use serde_json::json;

use crate::fixture::{host_with_clock, in_memory, with_plugin};

const LONG: std::time::Duration = std::time::Duration::from_secs(120);

fn record(host: &Host, samples: Vec<MetricDraft>) {
    host.record_metrics(samples).into_iter().for_each(|outcome| drop(outcome.unwrap()));
    assert!(host.drain(LONG));
}

/// The keys of the alerts of `threshold` that fire.
fn firing(host: &Host) -> Vec<String> {
    let alerts = host.alerts(AlertFilter::Firing).unwrap().into_iter();
    alerts.filter(|alert| alert.monitor == "threshold").map(|alert| alert.key).collect()
}

#[test]
fn a_monitor_counts_them_and_no_threshold_is_crossed_by_them() {
    let rules = json!([
        {"name": "high", "metric": "tally*", "comparison": ">", "threshold": 5},
        {"name": "low", "metric": "tally*", "comparison": "<=", "threshold": 1},
    ]);
    let config = with_plugin(in_memory(), "tally", &guest("tally").unwrap(), json!({}));
    let settings = json!({"config": {"rules": rules}});
    let (host, _) =
        host_with_clock(with_plugin(config, "threshold", &plugin("threshold").unwrap(), settings));
    record(&host, vec![MetricDraft::new("tally", 7)]);
    assert_eq!(firing(&host), ["high: tally{}"]);
    record(&host, vec![MetricDraft::new("tally", "broken")]);
    assert_eq!(firing(&host), ["high: tally{}"], "a text is no number that is clear of the threshold");
    let [one, two] = ["one", "two"].map(|text| MetricDraft::new("tally", text));
    record(&host, vec![one, MetricDraft::new("tally", 2), two]);
    assert_eq!(firing(&host), [""; 0]);
    record(&host, vec![MetricDraft::new("tally", "three"), MetricDraft::new("tally_state", "up")]);
    assert_eq!(firing(&host), [""; 0], "nor one that is beyond it");
    let listing = host.plugins().into_iter().find(|plugin| plugin.name == "tally").unwrap();
    let counters = listing.status.unwrap().counters;
    assert_eq!((counters["seen"], counters["texts"]), (2.0, 5.0));
    for monitor in host.health_check().monitors {
        assert_eq!((monitor.failures, monitor.lag), (0, 0), "{monitor:?}");
    }
}
