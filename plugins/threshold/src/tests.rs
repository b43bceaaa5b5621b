//! Series of values, and what is signalled at each.

use super::*;
use bridge_telemetry_plugin::Severity;
use bridge_telemetry_plugin::testing::{self, SampleBatchBuilder};

const SECOND: i64 = 1_000_000_000;
const CPU: &str = r#"{"rules":[{"name":"hot","metric":"cpu*","comparison":">","threshold":0.9,"clear":0.7,
    "for":"10s","severity":"critical","labels":{"team":"ops"}}],"stale_after":"5m","max_series":2}"#;

fn started(config: &str) -> Threshold {
    testing::restart(config, None).unwrap()
}

/// Feeds one series, a sample at each of the seconds; answers the seconds at which it fired and resolved.
fn check(config: &str, samples: &[(i64, f64)]) -> Vec<(i64, bool)> {
    let mut plugin = started(config);
    let feed = |&(second, value): &(i64, f64)| {
        let batch = SampleBatchBuilder::new().sample("cpu_load", "{}", second * SECOND, value).build();
        plugin.on_samples(&batch).unwrap()
    };
    let signals = samples.iter().flat_map(feed);
    signals.map(|signal| (signal.timestamp / SECOND, signal.firing)).collect()
}

#[test]
fn fires_after_holding_and_resolves_below_clear() {
    assert_eq!(check(CPU, &[(0, 1.0), (5, 1.0), (10, 1.0), (20, 0.8), (30, 0.7)]), [(10, true), (30, false)]);
    assert_eq!(check(CPU, &[(0, 1.0), (5, 0.9), (10, 1.0), (19, 1.0), (20, 1.0)]), [(20, true)], "held anew");
    assert_eq!(check(CPU, &[(0, 1.0), (10, 1.0), (9, 0.0), (11, 1.0)]), [(10, true)], "an old sample");
    assert_eq!(check(CPU, &[(0, 1.0), (10, f64::NAN), (11, 1.0)]), [(11, true)], "a text says nothing");
}

#[test]
fn a_clock_that_is_ahead_hides_no_later_sample() {
    let mut plugin = started(CPU);
    let feed = |plugin: &mut Threshold, second: i64, value: f64| {
        let batch = SampleBatchBuilder::new().sample("cpu", "{}", second * SECOND, value).build();
        let signals = plugin.on_samples(&batch).unwrap();
        signals.iter().map(|signal| (signal.timestamp / SECOND, signal.firing)).collect::<Vec<_>>()
    };
    assert_eq!(feed(&mut plugin, 0, 1.0), []);
    assert_eq!(feed(&mut plugin, 3540, 1.0), [(3540, true)]);
    assert_eq!(feed(&mut plugin, 9, 0.0), [], "an old sample, as it seems");
    assert_eq!(plugin.tick(10 * SECOND).unwrap(), []);
    assert_eq!(feed(&mut plugin, 19, 0.0), [], "the other may have been of the next tick");
    assert_eq!(feed(&mut plugin, 20, 0.0), [(20, false)]);

    assert_eq!(feed(&mut plugin, 3540, 1.0), []);
    plugin.tick(20 * SECOND).unwrap();
    assert_eq!(feed(&mut plugin, 39, 1.0), [], "held since the next tick");
    assert_eq!(feed(&mut plugin, 40, 1.0), [(40, true)]);
    assert_eq!(feed(&mut plugin, 3540, 1.0), [(3540, true)]);
    plugin.tick(50 * SECOND).unwrap();
    assert_eq!(feed(&mut plugin, 119, 1.0), []);
    assert_eq!(feed(&mut plugin, 120, 1.0), [(120, true)], "refreshed as often as ever");
}

#[test]
fn a_firing_series_is_refreshed_once_a_minute() {
    let samples: Vec<_> = (0..=80).step_by(10).map(|second| (second, 1.0)).collect();
    assert_eq!(check(CPU, &samples), [(10, true), (70, true)]);
}

#[test]
fn every_comparison_knows_its_edge() {
    let edge = |comparison: &str, value: f64| {
        let rule =
            format!(r#"{{"rules":[{{"metric":"cpu_load","comparison":"{comparison}","threshold":1}}]}}"#);
        !check(&rule, &[(0, value)]).is_empty()
    };
    assert_eq!([">", ">=", "<", "<="].map(|comparison| edge(comparison, 1.0)), [false, true, false, true]);
    assert_eq!([">", ">=", "<", "<="].map(|comparison| edge(comparison, 2.0)), [true, true, false, false]);
}

#[test]
fn series_are_watched_apart_and_labelled() {
    let mut plugin = started(CPU);
    let batch = SampleBatchBuilder::new()
        .sample("cpu", r#"{"core":1,"host":"a"}"#, 0, 1.0)
        .sample("cpu", r#"{"core":2,"host":"a"}"#, 0, 0.1)
        .sample("cpu", r#"{"core":1,"host":"a"}"#, 10 * SECOND, 0.95)
        .build();
    let signals = plugin.on_samples(&batch).unwrap();
    let [signal] = &signals[..] else { unreachable!("{signals:?}") };
    assert_eq!(signal.key, r#"hot: cpu{"core":1,"host":"a"}"#);
    assert_eq!((signal.severity, signal.value), (Severity::Critical, Some(0.95)));
    assert_eq!(signal.summary, "cpu is 0.95, > 0.9");
    let labels: Vec<_> = signal.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(labels.join(" "), "core=1 host=a metric=cpu rule=hot team=ops");
}

#[test]
fn a_quiet_or_unwatched_series_resolves_on_a_tick() {
    let mut plugin = started(CPU);
    let batch =
        SampleBatchBuilder::new().sample("cpu", "{}", 0, 1.0).sample("cpu", "{}", 10 * SECOND, 1.0).build();
    assert!(plugin.on_samples(&batch).unwrap()[0].firing);
    assert_eq!(plugin.tick(300 * SECOND).unwrap(), []);
    let mut other: Threshold = testing::restart(r#"{"rules":[]}"#, Some(&plugin)).unwrap();
    assert!(!other.tick(300 * SECOND).unwrap()[0].firing, "its rule is gone");
    let signals = plugin.tick(311 * SECOND).unwrap();
    assert_eq!((signals[0].firing, &*signals[0].summary), (false, "cpu: no samples any more"));
    assert_eq!(signals[0].labels["team"], "ops");
    assert_eq!(plugin.tick(999 * SECOND).unwrap(), []);
}

#[test]
fn goes_on_after_a_restart() {
    let mut plugin = started(CPU);
    let at = |second: i64, value: f64| {
        SampleBatchBuilder::new().sample("cpu", "{}", second * SECOND, value).build()
    };
    plugin.on_samples(&at(0, 1.0)).unwrap();
    let mut plugin: Threshold = testing::restart(CPU, Some(&plugin)).unwrap();
    assert!(plugin.on_samples(&at(10, 1.0)).unwrap()[0].firing, "the first sample was remembered");
    let mut plugin: Threshold = testing::restart(CPU, Some(&plugin)).unwrap();
    assert!(!plugin.on_samples(&at(20, 0.0)).unwrap()[0].firing);
}

#[test]
fn more_series_than_the_limit_are_counted() {
    let mut plugin = started(CPU);
    let batch = ["1", "2", "3"]
        .iter()
        .fold(SampleBatchBuilder::new(), |batch, core| batch.sample("cpu", core, 0, 1.0));
    plugin.on_samples(&batch.build()).unwrap();
    assert_eq!((plugin.beyond.len(), testing::counter("series_ignored")), (2, 1));
}

#[test]
fn faults_of_the_configuration_are_named() {
    let fault = |rules: &str| {
        testing::restart::<Threshold>(&format!("{{\"rules\":[{rules}]}}"), None).err().unwrap().to_string()
    };
    let rule = r#"{"metric":"a","comparison":"<","threshold":1}"#;
    assert!(fault(&rule.replace("1}", "1,\"clear\":0}")).contains("rules[0].clear"));
    assert!(fault(&format!("{rule},{rule}")).contains("rules[1].name"));
    assert!(fault(&rule.replace('<', "~")).contains("rules[0].comparison"));
    assert!(fault(&rule.replace("metric", "metrics")).contains("metrics"));
}

#[test]
fn schemas_are_current() {
    testing::schema::check_config::<Threshold>(concat!(env!("CARGO_MANIFEST_DIR"), "/config.schema.json"));
}
