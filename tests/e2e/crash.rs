//! `kill -9` in the middle of writing: no acknowledged record is lost, no batch is torn, and a monitor's state, alerts and
//! outbox fit the records.
//!
//! `BRIDGE_TELEMETRY_KILL_CYCLES` sets the number of kills (50 when absent); a fifth as many more come with durability `power`.

mod watched;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use bridge_telemetry::{Config, Host, MetricQuery};
use bridge_telemetry_tests::{CRASH_MONITOR, CRASH_SAMPLES, crash_event_id, guest};
use telemetry_core::LabelFilter;
use telemetry_store::StoredRecord;
use uuid::Uuid;

/// What one child had acknowledged when it was killed.
#[derive(Default)]
struct Journal {
    made_ids: Vec<Uuid>,
}

/// When a child is killed.
enum Moment {
    /// Some time after its start: perhaps while it opens its store.
    After(Duration),
    /// After so many acknowledgements.
    Lines(usize),
}

/// Longest time after which a child is killed that is perhaps still opening its store.
const OPENING_MILLIS: u64 = 150;
/// Cycles of one store: reading everything back takes longer with each.
const CYCLES_OF_A_STORE: u64 = 100;

/// Runs a child and kills it; then reads what it still managed to say.
fn run_and_kill(directory: &Path, run: u64, moment: &Moment, durability: &str) -> Journal {
    let mut child = Command::new(env!("CARGO_BIN_EXE_crash_writer"))
        .args([directory.to_str().unwrap(), &run.to_string(), durability])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut journal = Journal::default();
    let mut note = |line: String| {
        if line == "open" {
            return Some(());
        }
        let (number, id) = line.split_once(' ')?;
        assert_eq!(number.parse(), Ok(journal.made_ids.len()));
        journal.made_ids.push(Uuid::parse_str(id).ok()?);
        Some(())
    };
    match moment {
        Moment::After(time) => std::thread::sleep(*time),
        Moment::Lines(lines) => {
            let first = output.next().expect("the child opens its store").unwrap();
            assert_eq!(first, "open");
            output.by_ref().take(*lines).for_each(|line| note(line.unwrap()).unwrap());
        }
    }
    child.kill().unwrap();
    for line in output.map_while(Result::ok) {
        // The last line may be cut off: its answer had come, but who reads it cannot know.
        if note(line).is_none() {
            break;
        }
    }
    child.wait().unwrap();
    journal
}

fn open(directory: &Path) -> Host {
    let component = guest("tally-monitor").unwrap();
    let config = serde_json::json!({
        "storage_config": {"connection_string": directory},
        "plugins": {"policy": "any", "settings": {CRASH_MONITOR: {"component": component, "required": true}}},
    });
    Host::open(Config::from_value(config).unwrap()).unwrap()
}

/// Every acknowledged record is there exactly once; of what was not acknowledged, batches are whole or absent.
fn check(host: &Host, journals: &BTreeMap<u64, Journal>) {
    for (run, journal) in journals {
        let acknowledged = journal.made_ids.len() as u64;
        let query = MetricQuery::of(["batch"]).filter(LabelFilter::equal("run", run.to_string()));
        let number = |aggregation: &str| {
            let answer = host.get_metrics(&query.clone().aggregate(aggregation)).unwrap().to_json();
            answer.pointer("/metrics/batch/value").map_or(0, |value| value.as_u64().unwrap())
        };
        let (count, sum) = (number("COUNT"), number("SUM"));
        assert_eq!(count % CRASH_SAMPLES, 0, "run {run}: a torn batch, {count} samples");
        let batches = count / CRASH_SAMPLES;
        let found = format!("run {run}: {acknowledged} acknowledged, {batches} found");
        // Of the batch whose answer was cut off and of the one after it nobody knows whether they were stored.
        assert!((acknowledged..=acknowledged + 2).contains(&batches), "{found}");
        // Batch `n` has the value `n` in each sample: any other sum means a lost batch beside one that counts twice.
        assert_eq!(sum, CRASH_SAMPLES * (0..batches).sum::<u64>(), "{found}");
        for (number, made) in (0_u32..).zip(&journal.made_ids) {
            for id in [crash_event_id(*run, number), *made] {
                let found = host.get_event(id).unwrap();
                assert!(
                    matches!(found, Some(StoredRecord::Event(_))),
                    "run {run}, batch {number}, event {id}"
                );
            }
        }
    }
}

/// What one kill left, then what a host makes of it.
fn check_all(directory: &Path, journals: &BTreeMap<u64, Journal>) {
    watched::check_as_left(directory);
    let host = open(directory);
    check(&host, journals);
    watched::check_after_reading_all(host, directory);
}

fn survives(durability: &str, cycles: u64) {
    let mut acknowledged = 0;
    let mut left = cycles;
    while left > 0 {
        let folder = tempfile::tempdir().unwrap();
        let mut journals = BTreeMap::new();
        for run in 0..left.min(CYCLES_OF_A_STORE) {
            // Random moments: within opening and replaying, and anywhere from the first write to some hundred.
            let moment = match rand::random_range(0..5) {
                0 => Moment::After(Duration::from_millis(rand::random_range(0..OPENING_MILLIS))),
                _ => Moment::Lines(rand::random_range(0..150)),
            };
            journals.insert(run, run_and_kill(folder.path(), run, &moment, durability));
            if run % 10 == 9 {
                check_all(folder.path(), &journals);
            }
            left -= 1;
        }
        check_all(folder.path(), &journals);
        acknowledged += journals.values().map(|journal| journal.made_ids.len()).sum::<usize>();
    }
    println!(
        "kills={cycles} durability={durability} batches acknowledged={acknowledged} lost=0 doubled=0 torn=0"
    );
    assert!(acknowledged > 0);
}

fn cycles() -> u64 {
    std::env::var("BRIDGE_TELEMETRY_KILL_CYCLES").map_or(50, |text| text.parse().unwrap())
}

#[test]
fn killed_writers_lose_nothing_with_durability_process() {
    survives("process", cycles());
}

#[test]
fn killed_writers_lose_nothing_with_durability_power() {
    survives("power", (cycles() / 5).max(1));
}
