//! Versions of a monitor or a sink that follow each other never work at once: guests tell where each of their calls begins and
//! where it ends, and what they tell is one call after the other, whatever was replaced meanwhile.

use std::collections::BTreeSet;

use bridge_telemetry::{Config, Host, HostBuilder, MetricDraft};
use serde_json::{Value, json};

use super::monitors::LONG;
use super::{Shelf, is_reloaded, listing, reload, test_guest};
use crate::alerts::hook::{Hook, Request};
use crate::fixture::with_order;

/// Versions that follow each other.
const VERSIONS: u64 = 6;
/// What a sink tells within one call, beside its beginning and its end: few, since all of it has to fit into the time of a delivery.
const STEPS: usize = 4;
/// States of alerts that may wait for the sink, and batches of records that may wait for the monitor.
const WAITING: usize = 4;
/// Pieces of work after a reload: some more than may wait, so that each version has some to do.
const PIECES: usize = 4 * WAITING;
/// Records of one batch.
const BATCH: usize = 10;

fn put_version(shelf: &Shelf, guest: &str, version: u64) {
    shelf.put("journal", &with_order(&test_guest(guest), &format!("version/{version}")));
}

/// A host with threads of its own, on the real clock.
fn opened(mut config: Value) -> Host {
    config["plugins"]["reload"] = json!({"watch": false});
    HostBuilder::new(Config::from_value(config).unwrap()).open().unwrap()
}

/// Puts one version after the other in the place of `name` while there is work for it.
fn replace_under_load(host: &Host, shelf: &Shelf, guest: &str, name: &str, mut work: impl FnMut()) {
    for version in 2..=VERSIONS {
        put_version(shelf, guest, version);
        let report = std::thread::scope(|scope| {
            let reloading = scope.spawn(|| reload(host, name));
            while !reloading.is_finished() {
                work();
            }
            reloading.join().unwrap()
        });
        assert!(is_reloaded(&report), "{report:?}");
        (0..PIECES).for_each(|_| work());
    }
    assert!(host.drain(LONG));
    let listing = listing(host, name);
    assert_eq!((listing.history.generation, listing.status.unwrap().failures), (VERSIONS, 0));
}

#[test]
fn sinks_of_two_versions_never_work_at_once() {
    let (shelf, hook) = (Shelf::new(), Hook::start());
    shelf.put_revised("tally", &test_guest("tally"), 1);
    put_version(&shelf, "journal-sink", 1);
    let mut config = shelf.in_memory();
    // A busy machine is not what is tested.
    let patient = json!({"limits": {"deadline_ms": 20_000}});
    config["plugins"]["settings"] = json!({"tally": patient, "journal": patient});
    let receiver = hook.receiver_of("journal", json!({"steps": STEPS}));
    config["alerting"] = json!({"receivers": {"ops": receiver}, "default_receivers": ["ops"]});
    let host = opened(config);
    let mut states = 0_usize;
    replace_under_load(&host, &shelf, "journal-sink", "ops", || {
        // An alert begins and ends again and again. Its states are told one by one, each in a call of its own.
        let value = if states.is_multiple_of(2) { 5 } else { 0 };
        host.record_metric(MetricDraft::new("tally", value)).unwrap();
        states += 1;
        hook.wait_past(states.saturating_sub(WAITING) * (STEPS + 2));
    });
    host.close();
    let told = hook.received();
    assert_eq!(check_told(&told), states, "every state of the alert, each once");
}

/// What sinks told is one call after the other, no version's after a later one's, and goes on in the state of the version
/// before. Each started once: trials left nothing in the key-value space. Answers how many deliveries were made.
fn check_told(told: &[Request]) -> usize {
    let numbers = |body: &Value| ["version", "starts", "calls"].map(|key| body[key].as_u64().unwrap());
    let (mut open, mut version, mut calls): (Option<&Value>, _, _) = (None, 0, 0);
    let mut keys = BTreeSet::new();
    for Request { body, .. } in told {
        match (body["what"].as_str().unwrap(), open) {
            ("begin", None) => {
                calls += 1;
                let of = body["version"].as_u64().unwrap();
                assert!((version..=version + 1).contains(&of), "{body} after version {version}");
                version = of;
                assert_eq!(numbers(body), [version, version, calls], "{body}");
                for key in body["keys"].as_array().unwrap() {
                    assert!(keys.insert(key.as_str().unwrap()), "{body} was delivered before");
                }
                open = Some(body);
            }
            (what @ ("step" | "end"), Some(begun)) => {
                assert_eq!((numbers(body), &body["keys"]), (numbers(begun), &begun["keys"]));
                open = open.filter(|_| what == "step");
            }
            (_, open) => panic!("{body}, and the call that is open: {open:?}"),
        }
    }
    assert_eq!((open, version), (None, VERSIONS));
    keys.len()
}

/// A line of the monitor's log: the version that wrote it, which of its calls, and the first and the last record of that.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Entry {
    begins: bool,
    version: u64,
    call: u64,
    records: (u64, u64),
}

impl Entry {
    /// Other lines are the host's own.
    fn of(line: &str) -> Option<Self> {
        let (what, numbers) = line.split_once(' ')?;
        let begins = match what {
            "begin" => true,
            "end" => false,
            _ => return None,
        };
        let numbers: Vec<u64> = numbers.split(' ').map(|number| number.parse().unwrap()).collect();
        let [version, call, first, last] = numbers[..] else { panic!("{line}") };
        Some(Self { begins, version, call, records: (first, last) })
    }
}

/// What a monitor wrote; its log keeps the last lines alone.
#[derive(Default)]
struct Journal {
    last: u64,
    entries: Vec<Entry>,
}

impl Journal {
    fn read_on(&mut self, host: &Host) {
        for line in host.plugin_log("journal", self.last, usize::MAX).unwrap() {
            assert_eq!(line.number, self.last + 1, "lines were lost");
            self.last = line.number;
            self.entries.extend(Entry::of(&line.message));
        }
    }
}

#[test]
fn monitors_of_two_versions_never_work_at_once() {
    let shelf = Shelf::new();
    put_version(&shelf, "journal-monitor", 1);
    let mut config = shelf.in_memory();
    config["plugins"]["settings"]["journal"] = json!({
        "on_backlog": "block", "max_backlog": WAITING * BATCH,
        "limits": {"deadline_ms": 20_000, "wait_ms": 600_000, "log_lines_per_second": 100_000},
    });
    let host = opened(config);
    let (mut records, mut journal) = (0, Journal::default());
    replace_under_load(&host, &shelf, "journal-monitor", "journal", || {
        for outcome in host.record_metrics(vec![MetricDraft::new("journal", 1); BATCH]) {
            outcome.unwrap();
        }
        records += BATCH as u64;
        journal.read_on(&host);
    });
    journal.read_on(&host);
    host.close();
    check_written(&journal.entries, records);
}

/// What monitors wrote is one call after the other, each record in one of them; it goes on in the state of the version before. The
/// trials wrote nothing.
fn check_written(entries: &[Entry], records: u64) {
    let (mut last, mut version) = (0, 1);
    for (number, call) in (1..).zip(entries.chunks(2)) {
        let [begin, end] = call else { panic!("{call:?} has no end") };
        assert_eq!((begin.begins, *end), (true, Entry { begins: false, ..*begin }), "one call at a time");
        assert_eq!((begin.call, begin.records.0), (number, last + 1), "{begin:?} after record {last}");
        assert!([version, version + 1].contains(&begin.version), "{begin:?} after version {version}");
        (last, version) = (begin.records.1, begin.version);
    }
    assert_eq!((last, version), (records, VERSIONS));
}
