//! Killed in the middle of writing: a child process appends until it is killed, its acknowledgements are kept here.
//!
//! In the child several writers share commits while a monitor reads the log, counts, raises signals and tells of them, and the
//! upkeep seals, merges and trims. Batch `id` is one event that names `id`, then [`SAMPLES`] samples, whose values name `id` and
//! their place. `STORE_CRASH_TEST_ROUNDS` sets the number of kills (8 when absent).

mod child;
mod monitor;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use telemetry_core::{EventOrder, EventQuery};
use telemetry_store::{LogBody, Store};

use crate::fixture::*;

const DIRECTORY: &str = "STORE_CRASH_TEST_DIRECTORY";
const RUN: &str = "STORE_CRASH_TEST_RUN";
const POWER: &str = "STORE_CRASH_TEST_POWER";
/// How often a child is killed.
const ROUNDS: &str = "STORE_CRASH_TEST_ROUNDS";
/// Samples of a batch; each comes with one event.
const SAMPLES: u64 = 7;
/// Two to its power are the values of one batch.
const PLACE_BITS: u64 = 3;
const WRITERS: u64 = 3;
/// Batches that a writer of one run may make.
const BATCHES: u64 = 1 << 20;
/// Longest time after which a child is killed that is perhaps still opening its store, in microseconds.
const OPENING_MICROS: u64 = 60_000;

/// Who wrote a batch, and the how manieth it is.
fn batch_id(run: u64, writer: u64, number: u64) -> u64 {
    (run * WRITERS + writer) * BATCHES + number
}

/// What all children said before they were killed.
#[derive(Debug, Default)]
struct Journal {
    /// Batches that were acknowledged.
    acknowledged: BTreeSet<u64>,
    /// Signals that were told to their receiver.
    told: BTreeSet<u64>,
}

impl Journal {
    /// Only a whole line counts: its writer may have been killed within it.
    fn note(&mut self, line: &str) {
        // The test harness of the child writes without a line's end, too.
        let words: Vec<&str> = line.split(' ').collect();
        if let [.., kind, id, "."] = words.as_slice()
            && let Ok(id) = id.parse()
        {
            match *kind {
                "ack" => self.acknowledged.insert(id),
                "told" => self.told.insert(id),
                other => panic!("{other}"),
            };
        }
    }
}

fn start(directory: &Path, run: u64, power: bool) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "crash::child::child", "--ignored", "--nocapture"]);
    command.env(DIRECTORY, directory).env(RUN, run.to_string());
    if power {
        command.env(POWER, "1");
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// When a child is killed.
enum Moment {
    /// Some time after its start: perhaps while it opens the store.
    After(Duration),
    /// After as many lines.
    Lines(u64),
}

/// Starts a child, kills it, and notes what it said.
fn kill(mut child: Child, moment: Moment, journal: &mut Journal) {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    match moment {
        Moment::After(time) => std::thread::sleep(time),
        Moment::Lines(count) => {
            for _ in 0..count {
                match lines.next() {
                    Some(line) => journal.note(&line.unwrap()),
                    None => panic!(
                        "the child ended by itself:\n{}",
                        std::io::read_to_string(child.stderr.take().unwrap()).unwrap()
                    ),
                }
            }
        }
    }
    child.kill().unwrap();
    // What it acknowledged before the kill reached it counts too.
    lines.map_while(Result::ok).for_each(|line| journal.note(&line));
    child.wait().unwrap();
}

/// The batches that the store has, by their event's sequence number.
fn batches_in(store: &Store) -> BTreeMap<u64, u64> {
    let (mut found, mut cursor) = (BTreeMap::new(), None);
    loop {
        let order = EventOrder::OldestFirst;
        let query = EventQuery { limit: Some(5000), order, cursor, ..EventQuery::default() };
        let page = store.query_events(&query).unwrap();
        for event in &page.events {
            let id = event.data.to_map()["id"].as_u64().unwrap();
            assert_eq!(found.insert(event.sequence, id), None);
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            return found;
        }
    }
}

/// Every batch is whole and there once, every acknowledged one is there, and the log tells of all of them.
fn check(store: &Store, journal: &Journal) {
    let batches = batches_in(store);
    let ids: BTreeSet<u64> = batches.values().copied().collect();
    assert_eq!(ids.len(), batches.len(), "each event once");
    let lost: Vec<&u64> = journal.acknowledged.difference(&ids).collect();
    assert_eq!(lost, Vec::<&u64>::new(), "acknowledged and lost");
    let mut values: Vec<u64> = values_of(store, "m").into_iter().map(|pair| pair.1 as u64).collect();
    values.sort_unstable();
    let wanted = ids.iter().flat_map(|id| (0..SAMPLES).map(move |place| id << PLACE_BITS | place));
    assert!(values.iter().copied().eq(wanted), "{} samples of {} batches", values.len(), ids.len());
    assert_eq!(count_of(store, "m"), ids.len() as u64 * SAMPLES);
    // Of each writer, everything up to some batch: what it had not been answered for is one batch at most.
    let mut made: BTreeMap<u64, u64> = BTreeMap::new();
    for id in &ids {
        let next = made.entry(id / BATCHES).or_default();
        assert_eq!(id % BATCHES, *next, "a batch is missing before {id}");
        *next += 1;
    }
    let mut acknowledged: BTreeMap<u64, u64> = BTreeMap::new();
    journal.acknowledged.iter().for_each(|id| *acknowledged.entry(id / BATCHES).or_default() += 1);
    for (writer, made) in made {
        let answered = acknowledged.get(&writer).copied().unwrap_or_default();
        // Its line for the last but one may have been cut off.
        assert!(made <= answered + 2, "writer {writer}: {made} batches, {answered} acknowledged");
    }
    let stats = store.stats();
    assert_eq!((stats.metrics_total, stats.events_total), (ids.len() as u64 * SAMPLES, ids.len() as u64));
    assert_eq!(stats.reports, Vec::<String>::new());
    let mut next = stats.trimmed_sequence + 1;
    while let Some(entry) = store.read_log(next, 1000).unwrap().last() {
        assert_ne!(entry.body, LogBody::Gap);
        next = entry.next_sequence;
    }
    assert_eq!(next, store.last_sequence() + 1);
    monitor::check(store, &batches, &journal.told);
}

fn rounds(power: bool) {
    let count: u64 = std::env::var(ROUNDS).ok().and_then(|text| text.parse().ok()).unwrap_or(8);
    let mut random = u64::from(std::process::id()) << 20 | 1;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random >> 8
    };
    let (mut kills, mut batches, mut signals) = (0, 0, 0);
    while kills < count {
        // A store of its own for every hundred kills: reading everything back takes longer with each.
        let (directory, mut journal) = (tempfile::tempdir().unwrap(), Journal::default());
        for run in 0..(count - kills).min(100) {
            let moment = match next() % 5 {
                0 => Moment::After(Duration::from_micros(next() % OPENING_MICROS)),
                _ => Moment::Lines(5 + next() % 250),
            };
            kill(start(directory.path(), run, power), moment, &mut journal);
            // Otherwise the next child opens what the one before left.
            if next() % 3 == 0 {
                check(&Fixture::in_directory(directory.path()).store, &journal);
            }
            kills += 1;
        }
        check(&Fixture::in_directory(directory.path()).store, &journal);
        batches += journal.acknowledged.len();
        signals += journal.told.len();
    }
    println!("kills={kills} power={power} acknowledged={batches} told={signals} lost=0 doubled=0 torn=0");
    assert!(batches > 0);
}

#[test]
fn killed_with_process_durability() {
    rounds(false);
}

#[test]
fn killed_with_power_durability() {
    rounds(true);
}
