//! The process is killed and the guest traps at random: signals, state and key-value are those of an undisturbed run.
//!
//! `BRIDGE_TELEMETRY_MONITOR_KILLS` sets the number of kills (6 when absent).

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bridge_telemetry::alerts::AlertFilter;
use bridge_telemetry::{Clock, Host, ManualClock, MetricDraft, SystemClock};
use bridge_telemetry_tests::{guest, plugin};
use serde_json::{Value, json};
use telemetry_core::extension::SavedState;
use telemetry_store::{LogBody, Store, StoreOptions};

use crate::alerts::hook::Hook;
use crate::fixture::open;

const LONG: Duration = Duration::from_secs(120);
/// The signal that no process can keep off.
const SIGKILL: i32 = 9;

fn config(store: &Path, code: &Path, hook: &Hook, trap_one_in: u64) -> Value {
    json!({
        "storage_config": {"connection_string": store},
        "plugins": {
            "policy": "any",
            "cache_directory": code,
            "runtime_metrics": {"enabled": false},
            "settings": {
                "tally": {
                    "component": guest("tally").unwrap(), "required": true,
                    "config": {"trap_one_in": trap_one_in},
                },
                "webhook": {"component": plugin("webhook").unwrap()},
            },
        },
        "alerting": {"receivers": {"ops": hook.receiver()}, "default_receivers": ["ops"]},
    })
}

/// Runs a child that records and kills it after `lines` batches; answers the number of the next batch that is certainly new.
fn run_and_kill(config: &Path, first: i64, lines: usize) -> i64 {
    let mut child = Command::new(env!("CARGO_BIN_EXE_monitored_writer"))
        .args([config.to_str().unwrap(), &first.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(output.next().unwrap().unwrap(), "open");
    output.by_ref().take(lines).for_each(|line| drop(line.unwrap()));
    child.kill().unwrap();
    let last = output.map_while(Result::ok).filter_map(|line| line.parse().ok()).last();
    let ended = child.wait().unwrap();
    assert_eq!(ended.signal(), Some(SIGKILL), "it was killed, and did not end by itself: {ended}");
    // The last line may be cut off, and one batch more may be stored.
    last.unwrap_or(first + i64::try_from(lines).unwrap()) + 3
}

/// Lets time pass until the monitor has come to the end, quarantines included, and everything is delivered.
fn to_the_end(host: &Host, clock: &ManualClock) {
    for _ in 0..10_000 {
        let monitor = |host: &Host| host.health_check().monitors.remove(0);
        if host.drain(LONG) && monitor(host).lag == 0 && host.health_check().outbox.unwrap().pending == 0 {
            return;
        }
        // Quarantines grow with every relapse: their ends are waited for in one go.
        let health = host.health_json().body;
        let waits = health["plugins"].as_array().unwrap().iter();
        let longest = waits.filter_map(|plugin| plugin["retry_in_seconds"].as_f64()).fold(1.0, f64::max);
        clock.advance(Duration::from_secs_f64(longest));
    }
    panic!("it never comes to the end: {}", host.health_json().body);
}

/// What the monitor did, as far as anybody can see it.
#[derive(Debug, PartialEq)]
struct Effects {
    /// Key-value, by key.
    kept: BTreeMap<String, String>,
    state: Option<SavedState>,
    /// Status and number of signals of each alert, by series, in order.
    alerts: BTreeMap<String, Vec<(String, u64)>>,
    /// What a receiver was told, each state once.
    told: BTreeMap<String, Vec<String>>,
}

fn effects(host: Host, directory: &Path, hook: &Hook) -> Effects {
    let mut alerts = BTreeMap::<String, Vec<_>>::new();
    let mut listed = host.alerts(AlertFilter::All).unwrap();
    listed.sort_by_key(|alert| alert.alert_id);
    for alert in listed {
        alerts.entry(alert.key).or_default().push((format!("{:?}", alert.status), alert.times_seen));
    }
    host.close();
    drop(host);
    let mut told = BTreeMap::<String, Vec<_>>::new();
    let mut keys = std::collections::BTreeSet::new();
    for request in hook.received().iter().filter(|request| keys.insert(request.key().to_owned())) {
        told.entry(request.label("name").to_owned()).or_default().push(request.status().to_owned());
    }
    let clock = Arc::new(SystemClock::default());
    let store = Store::open(StoreOptions::in_directory(directory), clock).unwrap();
    let kept = ["count", "digest"].iter().flat_map(|what| (0..3).map(move |n| format!("{what}:tally{n}")));
    let kept = kept
        .filter_map(|key| {
            let value = store.plugin_get("tally", &key).unwrap()?;
            Some((key, String::from_utf8(value).unwrap()))
        })
        .collect();
    let state = store.load_cursor("tally").unwrap().unwrap().state;
    Effects { kept, state, alerts, told }
}

/// All samples of a store, in the order of its log.
fn samples(directory: &Path) -> Vec<MetricDraft> {
    let store = Store::open(StoreOptions::in_directory(directory), Arc::new(SystemClock::default())).unwrap();
    let (mut samples, mut next) = (Vec::new(), 1);
    loop {
        let entries = store.read_log(next, 1_000).unwrap();
        let Some(last) = entries.last() else { return samples };
        next = last.next_sequence;
        for entry in entries {
            match entry.body {
                LogBody::Samples(batch) => samples.extend(batch.rows().map(|row| {
                    let time = bridge_telemetry::Timestamp::from_nanos(row.timestamp);
                    MetricDraft::new(row.name, row.value).at(time)
                })),
                other => panic!("{other:?}"),
            }
        }
    }
}

/// How often the guest trapped since the host was opened.
fn traps(host: &Host) -> u64 {
    let listed = host.plugins().into_iter().find(|plugin| plugin.name == "tally").unwrap();
    listed.status.unwrap().failures_by_kind.get("trap").copied().unwrap_or_default()
}

/// Gives the guest work until it has trapped, if it had only good luck so far.
fn until_it_traps(host: &Host, clock: &ManualClock) -> u64 {
    for _ in 0..1_000 {
        if traps(host) > 0 {
            break;
        }
        let samples = (0..100).map(|row: i64| MetricDraft::new(format!("tally{}", row % 3), row));
        host.record_metrics(samples.collect()).into_iter().for_each(|outcome| drop(outcome.unwrap()));
        to_the_end(host, clock);
    }
    traps(host)
}

fn kills() -> usize {
    std::env::var("BRIDGE_TELEMETRY_MONITOR_KILLS").map_or(6, |text| text.parse().unwrap())
}

#[test]
fn kills_and_traps_leave_what_an_undisturbed_run_leaves() {
    assert!(kills() > 0, "what is shown is shown of kills");
    let (folder, hook) = (tempfile::tempdir().unwrap(), Hook::start());
    let path = |name: &str| folder.path().join(name);
    let whole = config(&path("disturbed"), &path("code"), &hook, 300);
    std::fs::write(path("config.json"), whole.to_string()).unwrap();
    let mut next = 0;
    for _ in 0..kills() {
        next = run_and_kill(&path("config.json"), next, rand::random_range(0..60));
    }
    // The clock of this host passes quarantines; the guest still traps.
    let now = SystemClock::default().now();
    let clock = Arc::new(ManualClock::at(now));
    let host = open(whole, clock.clone());
    to_the_end(&host, &clock);
    let traps = until_it_traps(&host, &clock);
    assert!(traps > 0, "of a hundred thousand samples none was bad luck");
    let monitor = host.health_check().monitors.remove(0);
    assert_eq!((monitor.poison_records, monitor.gap_records), (0, 0), "no record is to blame for bad luck");
    let disturbed = effects(host, &path("disturbed"), &hook);

    let samples = samples(&path("disturbed"));
    assert!(!samples.is_empty());
    let quiet = Hook::start();
    let clock = Arc::new(ManualClock::at(now));
    let host = open(config(&path("quiet"), &path("code"), &quiet, 0), clock.clone());
    for batch in samples.chunks(100) {
        host.record_metrics(batch.to_vec()).into_iter().for_each(|outcome| drop(outcome.unwrap()));
        to_the_end(&host, &clock);
    }
    let undisturbed = effects(host, &path("quiet"), &quiet);
    assert_eq!(disturbed, undisturbed, "{} samples, {traps} traps after the last kill", samples.len());
    let counted: u64 = undisturbed
        .kept
        .iter()
        .filter(|(key, _)| key.starts_with("count"))
        .map(|(_, count)| count.parse::<u64>().unwrap())
        .sum();
    assert_eq!(counted, samples.len() as u64);
}
