//! Validators and aggregations: records and queries go on, each in one version.

use bridge_telemetry::plugins::{ReloadOutcome, StateHandover};
use bridge_telemetry::{EventDraft, MetricDraft, MetricQuery};
use serde_json::json;

use super::{Shelf, data, is_reloaded, listing, reload, shipped, test_guest};
use crate::fixture::{code, event, host_with_clock};

#[test]
fn a_new_version_takes_the_place_of_the_old_one() {
    let shelf = Shelf::new();
    shelf.put_revised("redact", &shipped("redact"), 1);
    let (host, _) = host_with_clock(shelf.in_memory());
    for n in 0..10 {
        host.record_event(EventDraft::new("LOGIN", "s").with_data(data(json!({"n": n})))).unwrap();
    }
    let before = listing(&host, "redact");
    assert_eq!(reload(&host, "redact").outcome, ReloadOutcome::Unchanged);
    assert_eq!(listing(&host, "redact").history.generation, 1);
    shelf.put_revised("redact", &shipped("redact"), 2);
    let report = reload(&host, "redact");
    assert!(is_reloaded(&report), "{report:?}");
    assert_eq!((report.trial.as_ref().unwrap().records, &report.state), (10, &StateHandover::None));
    let (from, to) = (report.from.unwrap(), report.to.unwrap());
    assert_eq!((from.generation, to.generation), (1, 2));
    assert_eq!(
        (Some(from.sha256), Some(&to.sha256)),
        (before.sha256.clone(), listing(&host, "redact").sha256.as_ref())
    );
    let after = listing(&host, "redact");
    assert_eq!((after.history.generation, after.history.reloads), (2, 1));
    // Its counts go on, and the trial is not among them.
    let rows = |it: &bridge_telemetry::plugins::PluginListing| it.status.as_ref().unwrap().rows;
    assert_eq!((rows(&before), rows(&after)), (10, 10));
    let receipt =
        event(&host, json!({"event_type": "LOGIN", "source": "s", "data": {"password": "hunter2"}}));
    let id = receipt.body["event_id"].as_str().unwrap();
    assert_eq!(host.event_json(id).body["event"]["data"]["password"], "***");
    assert_eq!(rows(&listing(&host, "redact")), 11);
    assert_eq!(host.health_json().body["status"], "healthy");
}

#[test]
fn validators_keep_their_order() {
    let shelf = Shelf::new();
    shelf.put_revised("redact", &shipped("redact"), 1);
    shelf.put_revised("json-schema", &shipped("json-schema"), 1);
    let mut config = shelf.in_memory();
    let schema = json!({"properties": {"password": {"const": "***"}}});
    let settings = &mut config["plugins"]["settings"];
    settings["redact"]["order"] = json!(20);
    settings["json-schema"]["order"] = json!(30);
    settings["json-schema"]["config"] = json!({"schemas": {"LOGIN": schema}});
    let (host, _) = host_with_clock(config);
    let login = json!({"event_type": "LOGIN", "source": "s", "data": {"password": "hunter2"}});
    assert_eq!(code(&event(&host, login.clone())), "success", "masked before it is checked");
    for revision in 2..4 {
        shelf.put_revised("redact", &shipped("redact"), revision);
        assert!(is_reloaded(&reload(&host, "redact")));
        assert_eq!(code(&event(&host, login.clone())), "success");
    }
}

#[test]
fn queries_find_the_new_functions() {
    let shelf = Shelf::new();
    shelf.put_revised("stats", &shipped("percentile"), 1);
    let (host, _) = host_with_clock(shelf.in_memory());
    for n in 0..100 {
        host.record_metric(MetricDraft::new("m", n)).unwrap();
    }
    let value = |aggregation: &str| {
        let answer = host.get_metrics(&MetricQuery::of(["m"]).aggregate(aggregation));
        answer.map(|answer| answer.to_json()["metrics"]["m"]["value"].as_f64().unwrap())
    };
    let percentile = value("percentile(q=0.5)").unwrap();
    shelf.put_revised("stats", &shipped("percentile"), 2);
    let report = reload(&host, "stats");
    assert!(is_reloaded(&report), "{report:?}");
    let trial = report.trial.unwrap();
    assert_eq!((trial.records, trial.functions + trial.functions_left_out >= 1), (100, true));
    assert_eq!(value("percentile(q=0.5)").unwrap(), percentile);
    // Another plugin of the same kind, with other functions.
    shelf.put_revised("stats", &shipped("ewma"), 1);
    assert!(is_reloaded(&reload(&host, "stats")));
    assert!(value("percentile(q=0.5)").is_err());
    assert!(value("ewma(half_life=\"5m\")").is_ok());
}

/// The sum of what it is shown must be a number.
#[test]
fn a_new_aggregation_is_tried_on_numbers_alone() {
    let shelf = Shelf::new();
    shelf.put_revised("stats", &test_guest("evil-aggregation"), 1);
    let mut config = shelf.in_memory();
    config["plugins"]["settings"]["stats"]["config"] = json!({"only": "good_sum"});
    let (host, _) = host_with_clock(config);
    host.record_metric(MetricDraft::new("state", "up")).unwrap();
    for sample in [MetricDraft::new("m", 1.0), MetricDraft::new("m", "none"), MetricDraft::new("m", 2.0)] {
        host.record_metric(sample).unwrap();
    }
    shelf.put_revised("stats", &test_guest("evil-aggregation"), 2);
    let report = reload(&host, "stats");
    assert!(is_reloaded(&report), "{report:?}");
    let trial = report.trial.unwrap();
    assert_eq!((trial.records, trial.functions), (2, 1));
}

#[test]
fn a_plugin_in_quarantine_is_started_anew_on_request() {
    let shelf = Shelf::new();
    shelf.put_revised("evil", &test_guest("evil"), 1);
    let (host, _) = host_with_clock(shelf.in_memory());
    let attack = json!({"event_type": "panic", "source": "s"});
    while listing(&host, "evil").status.unwrap().state.is_active() {
        event(&host, attack.clone());
    }
    assert_eq!(code(&event(&host, json!({"event_type": "A", "source": "s"}))), "PLUGIN_FAILURE");
    assert!(is_reloaded(&reload(&host, "evil")));
    assert_eq!(code(&event(&host, json!({"event_type": "A", "source": "s"}))), "success");
}
