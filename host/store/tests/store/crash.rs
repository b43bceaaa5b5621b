//! Killed in the middle of writing: a child process appends until it is killed, its acknowledgements are kept here.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use telemetry_store::{Durability, LogBody, RecordBatch, StoreOptions};

use crate::fixture::*;

const DIRECTORY: &str = "STORE_CRASH_TEST_DIRECTORY";
/// How often a child is killed; more with this variable set.
const ROUNDS: &str = "STORE_CRASH_TEST_ROUNDS";
/// Samples of a batch; each comes with one event.
const BATCH: u64 = 7;

/// Not a test: what the child does.
#[test]
#[ignore = "run by the test below, in a process of its own"]
fn child() {
    let Ok(directory) = std::env::var(DIRECTORY) else { return };
    let options = StoreOptions { min_free_bytes: 0, ..StoreOptions::in_directory(directory) };
    let durability =
        if std::env::var_os("POWER").is_some() { Durability::Power } else { Durability::Process };
    let fixture = Fixture::open(StoreOptions { durability, ..options });
    let mut out = std::io::stdout().lock();
    loop {
        let first = fixture.store.last_sequence() + 1;
        let at = noon().plus(SECOND * u32::try_from(first / 10).unwrap());
        let samples = (0..BATCH).map(|n| sample("m", at, (first + n) as f64)).collect();
        let batch = RecordBatch { events: vec![fixture.event("E", at)], samples };
        let appended = fixture.store.append(&batch).unwrap();
        if first.is_multiple_of(13) {
            fixture.store.seal().unwrap();
        }
        // The parent counts an acknowledgement once the whole line arrived.
        writeln!(out, "ack {}", appended.first_sequence).unwrap();
    }
}

/// Starts a child, kills it after some acknowledgements, and answers the last one.
fn kill_after(directory: &std::path::Path, acknowledgements: u64, power: bool) -> u64 {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "crash::child", "--ignored", "--nocapture"]).env(DIRECTORY, directory);
    if power {
        command.env("POWER", "1");
    }
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut last = 0;
    let mut note = |line: &str| {
        if let Some(sequence) = line.rsplit_once("ack ").and_then(|(_, number)| number.parse().ok()) {
            last = sequence;
        }
    };
    for _ in 0..acknowledgements {
        match lines.next() {
            Some(line) => note(&line.unwrap()),
            None => panic!(
                "the child ended by itself:\n{}",
                std::io::read_to_string(child.stderr.take().unwrap()).unwrap()
            ),
        }
    }
    child.kill().unwrap();
    // What it acknowledged before the kill reached it counts too; a last line may be torn.
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    for line in rest.iter().take(rest.len().saturating_sub(1)) {
        note(line);
    }
    child.wait().unwrap();
    last
}

fn check(fixture: &Fixture, acknowledged: u64) {
    let last = fixture.store.last_sequence();
    assert!(last >= acknowledged + BATCH, "{acknowledged} was acknowledged, the store ends with {last}");
    assert_eq!(last % (BATCH + 1), 0, "no batch is torn");
    let mut found: BTreeMap<u64, u64> = BTreeMap::new();
    for (_, value) in values_of(&fixture.store, "m") {
        *found.entry(value as u64).or_default() += 1;
    }
    let batches = last / (BATCH + 1);
    // A sample's value is its batch's first sequence number plus its place.
    let expected: BTreeMap<u64, u64> =
        (0..batches).flat_map(|batch| (0..BATCH).map(move |n| (batch * (BATCH + 1) + 1 + n, 1))).collect();
    assert_eq!(found, expected, "every sample once");
    let stats = fixture.store.stats();
    assert_eq!((stats.metrics_total, stats.events_total), (batches * BATCH, batches));
    assert_eq!(stats.reports, Vec::<String>::new());
    let mut next = stats.trimmed_sequence + 1;
    while let Some(entry) = fixture.store.read_log(next, 1000).unwrap().last() {
        assert_ne!(entry.body, LogBody::Gap);
        next = entry.next_sequence;
    }
    assert_eq!(next, last + 1);
}

fn rounds(power: bool) {
    let directory = tempfile::tempdir().unwrap();
    let count: u64 = std::env::var(ROUNDS).ok().and_then(|text| text.parse().ok()).unwrap_or(8);
    let mut random = u64::from(std::process::id()) | 1;
    for _ in 0..count {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let acknowledged = kill_after(directory.path(), 5 + random % 200, power);
        let fixture = Fixture::in_directory(directory.path());
        check(&fixture, acknowledged);
    }
}

#[test]
fn killed_with_process_durability() {
    rounds(false);
}

#[test]
fn killed_with_power_durability() {
    rounds(true);
}
