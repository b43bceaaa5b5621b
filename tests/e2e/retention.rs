//! Retention: days go as a whole, by the age of their class and by the size of the store, and never by a clock that jumped.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bridge_telemetry::{Clock, Host, ManualClock, Timestamp};
use serde_json::{Value, json};

use crate::fixture::{code, event, host_with_clock, in_folder, message, metric, open, query, start};

const DAY: Duration = Duration::from_secs(86_400);
const HOUR: Duration = Duration::from_secs(3_600);
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// Records an event and a sample of the clock's time.
fn record(host: &Host, clock: &ManualClock) {
    let now = clock.now().to_string();
    let recorded = event(host, json!({"event_type": "E", "source": "s", "timestamp": now}));
    assert_eq!(code(&recorded), "success", "{}", recorded.body);
    let recorded = metric(host, json!({"metric_name": "m", "metric_value": 1, "timestamp": now}));
    assert_eq!(code(&recorded), "success", "{}", recorded.body);
}

/// The days of which events are kept, in order.
fn days(host: &Host) -> Vec<String> {
    let page = host.events_json([("limit", "10000")]);
    assert_eq!(code(&page), "success", "{}", page.body);
    let of = |event: &Value| event["timestamp"].as_str().unwrap()[..10].to_owned();
    let mut days: Vec<String> = page.body["events"].as_array().unwrap().iter().map(of).collect();
    days.sort();
    days.dedup();
    days
}

/// How many samples are kept.
fn samples(host: &Host) -> u64 {
    let answer = query(host, json!({"aggregation": "COUNT"}));
    assert_eq!(code(&answer), "success", "{}", answer.body);
    answer.body["metrics"]["m"]["value"].as_u64().unwrap_or(0)
}

fn expired(host: &Host) -> Vec<String> {
    host.maintain().unwrap().expired_partitions
}

fn issues(host: &Host) -> Value {
    host.health_json().body["issues"].clone()
}

#[test]
fn each_class_is_kept_as_long_as_it_says_and_at_most_a_day_longer() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = in_folder(folder.path());
    config["retention_policy"] = json!({"events": {"duration_days": 2}, "metrics": {"duration_days": 4}});
    let (host, clock) = host_with_clock(config.clone());
    record(&host, &clock);
    // As old as it may be, and its day is not over: kept, though nothing else of its age is taken.
    clock.advance(DAY * 2 + HOUR);
    assert_eq!(expired(&host), [""; 0]);
    assert_eq!(days(&host), ["2025-05-21"]);
    let late = event(&host, json!({"event_type": "E", "source": "s", "timestamp": start().to_string()}));
    assert_eq!(code(&late), "INVALID_TIMESTAMP");
    assert_eq!(late.body["error"]["details"]["oldest"], clock.now().minus(DAY * 2).to_string());
    let late =
        metric(&host, json!({"metric_name": "m", "metric_value": 1, "timestamp": start().to_string()}));
    assert_eq!(code(&late), "success", "metrics are kept longer: {}", late.body);
    record(&host, &clock);
    // The first day's events go, its samples stay.
    clock.advance(HOUR * 9);
    assert_eq!(expired(&host), ["e.20250521"]);
    assert_eq!(days(&host), ["2025-05-23"]);
    assert_eq!(samples(&host), 3);
    let health = host.health_check();
    assert_eq!((health.stats.events_total, health.stats.metrics_total), (1, 3));
    // So they are after a restart.
    drop(host);
    let host = open(config, Arc::clone(&clock) as Arc<dyn Clock>);
    assert_eq!((days(&host), samples(&host)), (vec!["2025-05-23".to_owned()], 3));
    clock.advance(DAY * 2);
    assert_eq!(expired(&host), ["e.20250523", "m.20250521"]);
    assert_eq!((days(&host), samples(&host)), (Vec::new(), 1));
    assert_eq!(issues(&host), json!([]));
    record(&host, &clock);
}

/// About the size of an event with a thousand random ids.
const EVENT: usize = 36_000;

/// Records events that no compression makes small.
fn record_much(host: &Host, bytes: usize) {
    for _ in 0..bytes / EVENT {
        let noise: String = (0..1_000).map(|_| uuid::Uuid::new_v4().to_string()).collect();
        let recorded = event(host, json!({"event_type": "E", "source": "s", "data": {"noise": noise}}));
        assert_eq!(code(&recorded), "success", "{}", recorded.body);
    }
}

#[test]
fn over_its_size_limit_a_store_drops_its_oldest_days() {
    const LIMIT: usize = 64 << 20;
    let folder = tempfile::tempdir().unwrap();
    let mut config = in_folder(folder.path());
    config["storage_config"]["max_bytes"] = json!(LIMIT);
    let (host, clock) = host_with_clock(config);
    let mut all = Vec::new();
    // A week: nothing is too old yet.
    for _ in 0..7 {
        record_much(&host, LIMIT / 2);
        all.push(clock.now().to_string()[..10].to_owned());
        host.maintain().unwrap();
        clock.advance(DAY);
    }
    let has_events = |day: &String| {
        let (from, to) = (format!("{day}T00:00:00Z"), format!("{day}T23:59:59Z"));
        let page = host.events_json([("from", from.as_str()), ("to", to.as_str()), ("limit", "1")]);
        page.body["events"].as_array().unwrap().len() == 1
    };
    let (dropped, kept) = all.split_at(all.iter().position(has_events).unwrap());
    assert!((2..6).contains(&kept.len()), "{kept:?} of {all:?}");
    assert!(kept.iter().all(has_events) && !dropped.iter().any(has_events));
    let whole_days = kept.len() * (LIMIT / 2 / EVENT);
    assert_eq!(host.health_check().stats.events_total, whole_days as u64);
    let size = size(&folder.path().join("store/rocksdb"));
    assert!(size <= LIMIT as u64 * 21 / 20, "{size}");
    record_much(&host, 72_000);
}

/// Bytes of all files below a folder. Compaction may delete some of them meanwhile.
fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => size(&entry.path()),
            Ok(found) => found.len(),
            Err(gone) if gone.kind() == std::io::ErrorKind::NotFound => 0,
            Err(error) => panic!("{}: {error}", entry.path().display()),
        })
        .sum()
}

/// Lets the wall clock jump and checks that nothing expires.
fn keeps_all_at(host: &Host, clock: &ManualClock, jump: Timestamp) {
    clock.jump_to(jump);
    assert_eq!(expired(host), [""; 0], "at {jump}");
    assert_eq!(days(host), ["2025-05-21"], "at {jump}");
    assert_eq!(samples(host), 1, "at {jump}");
}

#[test]
fn a_clock_that_jumps_expires_nothing_until_an_operator_accepts_it() {
    let folder = tempfile::tempdir().unwrap();
    let (host, clock) = host_with_clock(in_folder(folder.path()));
    record(&host, &clock);
    for jump in [start().plus(HOUR), start().minus(HOUR), start().minus(YEAR)] {
        keeps_all_at(&host, &clock, jump);
    }
    let ahead = start().plus(YEAR);
    keeps_all_at(&host, &clock, ahead);
    let told = issues(&host);
    assert!(told[0].as_str().unwrap().contains("expiry is paused"), "{told}");
    assert!(told[0].as_str().unwrap().contains("2026-05-21T14:32:17.123Z"), "{told}");
    assert_eq!(host.health_json().body["status"], "degraded");
    // Back at the right time all is well.
    keeps_all_at(&host, &clock, start());
    assert_eq!(issues(&host), json!([]));
    // A restart does not make a wrong clock right.
    drop(host);
    let clock = Arc::new(ManualClock::at(ahead));
    let host = open(in_folder(folder.path()), Arc::clone(&clock) as Arc<dyn Clock>);
    keeps_all_at(&host, &clock, ahead);
    let told = issues(&host);
    assert!(told[0].as_str().unwrap().contains("expiry is paused"), "{told}");
    // The operator finds it right.
    assert_eq!(host.accept_clock().unwrap(), ahead);
    assert_eq!(expired(&host), ["e.20250521", "m.20250521"]);
    assert_eq!((days(&host), samples(&host)), (Vec::new(), 0));
    assert_eq!(issues(&host), json!([]));
    record(&host, &clock);
    assert_eq!(days(&host), ["2026-05-21"]);
    let late =
        metric(&host, json!({"metric_name": "m", "metric_value": 1, "timestamp": start().to_string()}));
    assert!(message(&late).contains("2026-04-21"), "{}", late.body);
}

#[test]
fn a_counter_goes_on_over_midnight_and_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (mut host, clock) = host_with_clock(in_folder(folder.path()));
    for (day, value) in [5, 8, 9, 2].into_iter().enumerate() {
        if day > 0 {
            drop(host);
            clock.advance(DAY);
            host = open(in_folder(folder.path()), Arc::clone(&clock) as Arc<dyn Clock>);
        }
        let context = json!({"host": "a"});
        let recorded = metric(&host, json!({"metric_name": "c", "metric_value": value, "context": context}));
        assert_eq!(code(&recorded), "success", "{}", recorded.body);
    }
    // 3 and 1 more, then 2 after a reset, within three days.
    let answer = query(&host, json!({"aggregation": "RATE", "metric_names": ["c"]}));
    let rate = answer.body["metrics"]["c"]["value"].as_f64().unwrap();
    assert!((rate * 3.0 * 86_400.0 - 6.0).abs() < 1e-6, "{}", answer.body);
}

#[test]
fn an_event_of_an_import_that_comes_too_late_refuses_no_sample() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = in_folder(folder.path());
    config["retention_policy"] = json!({"events": {"duration_days": 2}, "metrics": {"duration_days": 60}});
    let (host, clock) = host_with_clock(config.clone());
    record(&host, &clock);
    clock.advance(DAY * 20);
    assert_eq!(expired(&host).len(), 1);
    drop(host);
    config["retention_policy"]["events"]["duration_days"] = json!(60);
    let host = open(config, Arc::clone(&clock) as Arc<dyn Clock>);
    let (old, now) = (start().to_string(), clock.now().to_string());
    let event = |time: &str| json!({"event_type": "E", "source": "s", "timestamp": time});
    let sample = |time: &str| json!({"metric_name": "m", "metric_value": 1, "timestamp": time});
    let batch = json!({
        "batch_id": "6e2c7a53-6d0c-4a0b-9a86-0d3b5f0c9f11",
        "events": [event(&old), event(&now)],
        "metrics": [sample(&old), sample(&now)],
    });
    let answer = host.import_json(batch.to_string().as_bytes());
    assert_eq!(answer.body["stored"], json!(3), "{}", answer.body);
    assert_eq!(answer.body["results"][0]["error"]["code"], "INVALID_TIMESTAMP", "{}", answer.body);
    assert_eq!(samples(&host), 3);
}
