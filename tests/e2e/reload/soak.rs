//! Reloads under load, again and again: no effect is lost, none is doubled, and the trials leave no trace.
//!
//! `BRIDGE_TELEMETRY_RELOADS` sets their number (20 when absent).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bridge_telemetry::{Config, EventDraft, EventQuery, Host, HostBuilder, MetricDraft, MetricQuery};
use serde_json::{Value, json};

use super::monitors::LONG;
use super::{Shelf, data, is_reloaded, listing, reload, shipped, test_guest};
use crate::alerts::hook::Hook;

pub(super) const METRICS: u64 = 4;
/// Samples of one metric after which its alert begins or ends.
pub(super) const SPELL: u64 = 500;

pub(super) fn config(shelf: &Shelf, hook: &Hook) -> Value {
    for (name, component) in [
        ("redact", shipped("redact")),
        ("percentile", shipped("percentile")),
        ("webhook", shipped("webhook")),
        ("tally", test_guest("tally")),
    ] {
        shelf.put_revised(name, &component, 1);
    }
    let mut config = shelf.in_folder();
    // The monitor must keep up, or the test would last for as long as it takes afterwards.
    config["plugins"]["settings"] = json!({
        "tally": {"on_backlog": "block", "max_backlog": 5_000, "limits": {"wait_ms": 600_000, "deadline_ms": 20_000}},
        "redact": {"limits": {"deadline_ms": 20_000, "wait_ms": 60_000}},
        "percentile": {"limits": {"deadline_ms": 20_000, "wait_ms": 60_000}},
        "webhook": {"limits": {"deadline_ms": 20_000}},
    });
    config["plugins"]["reload"] = json!({"watch": false});
    config["loop"] = json!({"exempt_event_types": ["*"]});
    config["alerting"] = json!({"receivers": {"ops": hook.receiver()}, "default_receivers": ["ops"]});
    config
}

/// What was done while plugins were replaced.
#[derive(Default)]
pub(super) struct Load {
    pub(super) over: AtomicBool,
    pub(super) events: AtomicU64,
    /// Samples of each metric.
    pub(super) samples: AtomicU64,
    queries: AtomicU64,
}

impl Load {
    pub(super) fn goes_on(&self) -> bool {
        !self.over.load(Ordering::Acquire)
    }

    pub(super) fn record_events(&self, host: &Host) {
        while self.goes_on() {
            let number = self.events.load(Ordering::Acquire);
            let login = |row| {
                let data = data(json!({"password": "hunter2", "number": number + row}));
                EventDraft::new("LOGIN", "soak").with_data(data)
            };
            for outcome in host.record_events((0..20).map(login).collect()) {
                outcome.unwrap();
            }
            self.events.fetch_add(20, Ordering::AcqRel);
        }
    }

    pub(super) fn record_samples(&self, host: &Host) {
        while self.goes_on() {
            let number = self.samples.load(Ordering::Acquire);
            let sample = |row: u64| {
                let value = if (number + row / METRICS) / SPELL % 2 == 1 { 5 } else { 0 };
                MetricDraft::new(format!("tally{}", row % METRICS), value)
            };
            for outcome in host.record_metrics((0..10 * METRICS).map(sample).collect()) {
                outcome.unwrap();
            }
            self.samples.fetch_add(10, Ordering::AcqRel);
        }
    }

    fn query(&self, host: &Host, expected: &Value) {
        while self.goes_on() {
            assert_eq!(&median(host), expected);
            self.queries.fetch_add(1, Ordering::AcqRel);
        }
    }
}

pub(super) fn median(host: &Host) -> Value {
    let query = MetricQuery::of(["fixed"]).aggregate("percentile(q=0.5)");
    host.get_metrics(&query).unwrap().to_json()["metrics"]["fixed"].clone()
}

fn reload_again_and_again(host: &Host, shelf: &Shelf, reloads: u32) -> BTreeMap<&'static str, Vec<Duration>> {
    let copies = [
        ("redact", "redact", shipped("redact")),
        ("percentile", "percentile", shipped("percentile")),
        ("tally", "tally", test_guest("tally")),
        ("webhook", "ops", shipped("webhook")),
    ];
    let mut pauses = BTreeMap::<_, Vec<_>>::new();
    for number in 0..reloads {
        let (file, name, component) = &copies[number as usize % copies.len()];
        shelf.put_revised(file, component, number + 2);
        let report = reload(host, name);
        assert!(is_reloaded(&report), "{report:?}");
        pauses.entry(*file).or_default().push(report.pause);
    }
    pauses
}

fn reloads() -> u32 {
    std::env::var("BRIDGE_TELEMETRY_RELOADS").map_or(20, |text| text.parse().unwrap())
}

#[test]
fn reloads_under_load_lose_nothing_and_double_nothing() {
    let (shelf, hook) = (Shelf::new(), Hook::start());
    let config = Config::from_value(config(&shelf, &hook)).unwrap();
    let host = HostBuilder::new(config).open().unwrap();
    for outcome in host.record_metrics((0..1_000).map(|n| MetricDraft::new("fixed", n)).collect()) {
        outcome.unwrap();
    }
    let (expected, load) = (median(&host), Load::default());
    let pauses = std::thread::scope(|scope| {
        scope.spawn(|| load.record_events(&host));
        scope.spawn(|| load.record_samples(&host));
        scope.spawn(|| load.query(&host, &expected));
        // Whatever happens, the others end.
        let reloaded = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            reload_again_and_again(&host, &shelf, reloads())
        }));
        load.over.store(true, Ordering::Release);
        reloaded.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    assert!(host.drain(LONG));
    let (events, samples) = (load.events.into_inner(), load.samples.into_inner());
    for (name, mut pauses) in pauses {
        pauses.sort_unstable();
        let (median, worst) = (pauses[pauses.len() / 2], pauses[pauses.len() - 1]);
        eprintln!("{name}: {} reloads, paused for {median:?} (median), {worst:?} (most)", pauses.len());
    }
    eprintln!("{events} events, {} samples, {} queries", samples * METRICS, load.queries.into_inner());
    check_generations(&host);
    check_validator(&host, events, samples * METRICS + 1_000);
    check_monitor(&host, samples);
    check_sink(&host, &hook, samples);
    host.close();
}

fn check_generations(host: &Host) {
    let generations: u64 = ["redact", "percentile", "tally", "ops"]
        .map(|name| {
            let listing = listing(host, name);
            let status = listing.status.unwrap();
            assert_eq!(
                (status.failures, listing.history.rollbacks),
                (0, 0),
                "{name}: {:?}",
                status.last_failure
            );
            listing.history.generation - 1
        })
        .iter()
        .sum();
    assert_eq!(generations, u64::from(reloads()));
}

/// Every record was judged, by one version and once.
fn check_validator(host: &Host, events: u64, samples: u64) {
    assert_eq!(listing(host, "redact").status.unwrap().rows, events + samples);
    let (mut found, mut cursor) = (0, None);
    loop {
        let query = EventQuery { limit: Some(10_000), cursor, ..EventQuery::default() };
        let page = host.query_events(&query).unwrap();
        for event in &page.events {
            assert!(event.to_json()["data"]["password"] == "***");
            found += 1;
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(found, events);
}

/// Every sample was seen once, in one version; what the trials saw is in no state, no counter and no alert.
fn check_monitor(host: &Host, samples: u64) {
    let counters = listing(host, "tally").status.unwrap().counters;
    assert_eq!(counters["seen"], (samples * METRICS) as f64);
    let monitor = host.health_check().monitors.remove(0);
    assert_eq!((monitor.failures, monitor.lag, monitor.gap_records), (0, 0, 0), "{monitor:?}");
    let fired = (samples.saturating_sub(1) / SPELL).div_ceil(2);
    let alerts = host.alerts(bridge_telemetry::alerts::AlertFilter::All).unwrap();
    for number in 0..METRICS {
        let key = format!("tally{number}");
        let of_metric: Vec<_> = alerts.iter().filter(|alert| alert.key == key).collect();
        let kept = fired.min(telemetry_core::limits::MAX_RESOLVED_ALERTS as u64 / METRICS);
        assert!(of_metric.len() as u64 >= kept, "{key}: {} alerts of {fired}", of_metric.len());
        for alert in of_metric.iter().filter(|alert| alert.resolved_at.is_some()) {
            assert_eq!(alert.times_seen, SPELL + 1, "{alert:?}");
        }
    }
}

/// Every state of every alert was told once, in its order.
fn check_sink(host: &Host, hook: &Hook, samples: u64) {
    let mut told = BTreeMap::<String, Vec<String>>::new();
    for (name, status) in hook.told("name") {
        told.entry(name).or_default().push(status);
    }
    // The spells that began; the first has no alert.
    let states = (samples.saturating_sub(1) / SPELL) as usize;
    let expected: Vec<String> =
        (0..states).map(|n| if n % 2 == 0 { "firing" } else { "resolved" }.to_owned()).collect();
    assert!(states > 0, "the load was too short to tell anything: {samples} samples");
    for number in 0..METRICS {
        assert_eq!(told[&format!("tally{number}")], expected);
    }
    let status = listing(host, "ops").status.unwrap();
    assert_eq!(status.http_requests, hook.received().len() as u64);
}
