//! Power failures: what the disk held at any moment of a store's life is opened again.
//!
//! A child writes through the preloaded library, which writes down every operation. The power goes after any of them: the
//! tests make the files as the disk would have them, which is what was synced and some of the rest, and open the store. The
//! next child goes on from there, so that failures also strike recoveries.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use telemetry_store::{Durability, Store};

use crate::dice::Dice;
use crate::disk::{Disk, Image, Survival, image_of, write_to};
use crate::preload::{TREE, this_test, watch};
use crate::records::{batch, batches_in, open};
use crate::trace::{self, Operation};

/// Where the store lies in the tree: two folders of it are there only when the store made them.
const STORE: &str = "new/store";
/// What the child had acknowledged: a line with the batch's number each, written through the same library.
const ACKNOWLEDGED: &str = "acknowledged";
const RUN: &str = "FAULTS_RUN";
const DURABILITY: &str = "FAULTS_DURABILITY";
/// Batches of a child.
const BATCHES: u64 = 60;
/// Apart by more than a child writes: batches of different children have different numbers.
const NUMBERS_OF_A_RUN: u64 = 1 << 20;
/// Children that write to one store, one after the other.
const RUNS: u64 = 5;
/// Power failures in what one child did.
const CUTS: usize = 4;
const WRITERS: usize = 2;

/// Whether the child closes its store before it is killed.
fn closes(run: u64) -> bool {
    run.is_multiple_of(3)
}

/// Not a test: what the child does.
#[test]
#[ignore = "run by the tests below, in a process of its own"]
fn child() {
    let Ok(run) = std::env::var(RUN) else { return };
    let run: u64 = run.parse().unwrap();
    let tree = std::env::var_os(TREE).unwrap();
    let tree = Path::new(&tree);
    let durability =
        if std::env::var(DURABILITY).unwrap() == "power" { Durability::Power } else { Durability::Process };
    let store = open(&tree.join(STORE), durability, run % 2 == 1).unwrap();
    let acknowledged =
        std::fs::File::options().append(true).create(true).open(tree.join(ACKNOWLEDGED)).unwrap();
    let next = AtomicU64::new(0);
    let synced = Mutex::new(Vec::new());
    let writer = || {
        loop {
            let step = next.fetch_add(1, Ordering::Relaxed);
            if step >= BATCHES {
                return;
            }
            let number = run * NUMBERS_OF_A_RUN + step;
            store.append(&batch(&store, number)).unwrap();
            let mut waiting = synced.lock().unwrap();
            waiting.push(number);
            if durability == Durability::Power {
                tell(&acknowledged, &mut waiting);
            }
            drop(waiting);
            upkeep(&store, step, &|| {
                // What was stored before the call is on the disk after it.
                let mut stored = std::mem::take(&mut *synced.lock().unwrap());
                store.sync().unwrap();
                tell(&acknowledged, &mut stored);
            });
        }
    };
    std::thread::scope(|threads| {
        for _ in 0..WRITERS {
            threads.spawn(writer);
        }
    });
    if closes(run) {
        drop(store);
        println!("\ndone");
    } else {
        println!("\ndone");
        // Until the kill.
        let _ = std::io::stdin().lines().next();
        drop(store);
    }
}

fn tell(mut acknowledged: &std::fs::File, numbers: &mut Vec<u64>) {
    for number in numbers.drain(..) {
        acknowledged.write_all(format!("{number}\n").as_bytes()).unwrap();
    }
}

fn upkeep(store: &Store, step: u64, sync: &dyn Fn()) {
    match step % 20 {
        4 | 14 => sync(),
        9 => store.seal().unwrap(),
        17 => drop(store.maintain().unwrap()),
        _ => {}
    }
}

/// What one child did to the disk, and the folder that it left.
struct Life {
    trace: Vec<Operation>,
    left: Image,
}

fn live(start: &Image, run: u64, durability: Durability, lie: bool) -> Life {
    let folder = tempfile::tempdir().unwrap();
    let (tree, record) = (folder.path().join("tree"), folder.path().join("trace"));
    std::fs::create_dir(&tree).unwrap();
    write_to(&tree, start);
    let mut command = this_test("power::child");
    let durability = if durability == Durability::Power { "power" } else { "process" };
    command.env(RUN, run.to_string()).env(DURABILITY, durability);
    watch(&mut command, &tree, &record, lie);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.is_ok_and(|line| line == "done")), "the child failed: it says why above");
    child.kill().unwrap();
    child.wait().unwrap();
    Life { trace: trace::read(&record), left: image_of(&tree) }
}

/// Takes the acknowledgements off an image.
fn acknowledged(image: &mut Image) -> BTreeSet<u64> {
    let bytes = image.remove(&format!("/{ACKNOWLEDGED}")).flatten().unwrap_or_default();
    String::from_utf8(bytes).unwrap().lines().map(|line| line.parse().unwrap()).collect()
}

/// What a store has that was opened on an image, and what it reports; `Err` when it cannot be opened or is not whole.
fn recovered(image: &Image, durability: Durability) -> Result<(BTreeSet<u64>, Vec<String>), String> {
    let folder = tempfile::tempdir().unwrap();
    write_to(folder.path(), image);
    let place = folder.path().join(STORE);
    let store = open(&place, durability, false).map_err(|error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        format!("{error}: {}", cause.unwrap_or_default())
    })?;
    let found = read_back(&store)?;
    let reports = store.stats().reports;
    // It still writes, and what it wrote is found with the rest.
    let number = 1 << 48;
    store.append(&batch(&store, number)).unwrap();
    store.seal().unwrap();
    drop(store);
    let store = open(&place, durability, false).unwrap();
    let mut after = read_back(&store)?;
    if !after.remove(&number) || after != found {
        return Err("what was written afterwards is not found with the rest".to_owned());
    }
    Ok((found, reports))
}

/// What a store has; `Err` when that contradicts itself.
fn read_back(store: &Store) -> Result<BTreeSet<u64>, String> {
    catch_unwind(AssertUnwindSafe(|| batches_in(store)))
        .map_err(|_| "what was read back contradicts itself: it says how above".to_owned())
}

/// What became of the power failures of a campaign.
#[derive(Debug, Default)]
struct Tally {
    cycles: u64,
    acknowledged: u64,
    found: u64,
    lost: u64,
    unopened: Vec<String>,
    reports: Vec<String>,
}

/// Writes, loses power and opens again, `cycles` times at least.
fn campaign(durability: Durability, cycles: u64, seed: u64, lie: bool) -> Tally {
    let mut dice = Dice::new(seed);
    let mut tally = Tally::default();
    'stores: while tally.cycles < cycles {
        let (mut image, mut known) = (Image::new(), BTreeSet::new());
        for run in 0..RUNS {
            let life = live(&image, run, durability, lie);
            let mut disk = Disk::holding(&image);
            let mut cuts: Vec<usize> = (0..CUTS).map(|_| dice.up_to(life.trace.len())).collect();
            cuts.sort_unstable();
            let mut done = 0;
            let mut last = None;
            for cut in cuts {
                life.trace[done..cut].iter().for_each(|operation| disk.apply(operation));
                done = cut;
                let survival = [Survival::Nothing, Survival::Some, Survival::SomeAndZeros][dice.up_to(2)];
                let place = format!("seed {seed}, cycle {}, {survival:?}, cut {cut}", tally.cycles);
                let promised: BTreeSet<u64> = known.union(&acknowledged(&mut disk.now())).copied().collect();
                let mut left = disk.after_power_loss(survival, &mut dice);
                // Only what programs saw of it counts.
                left.remove(&format!("/{ACKNOWLEDGED}"));
                if !note(&mut tally, &left, &promised, durability, &place) {
                    // Nobody can write on there.
                    continue 'stores;
                }
                last = Some((left, promised));
            }
            life.trace[done..].iter().for_each(|operation| disk.apply(operation));
            // The trace is complete if it leads to what is there. Of an open store the kill may have cut an operation's
            // record off.
            let escaped = differing(&disk.now(), &life.left);
            assert!(!closes(run) || escaped.is_empty(), "operations escaped the trace: {escaped:?}");
            (image, known) = last.unwrap();
        }
    }
    tally
}

/// Counts what became of one failure; false when there is no store any more.
fn note(
    tally: &mut Tally,
    image: &Image,
    promised: &BTreeSet<u64>,
    durability: Durability,
    place: &str,
) -> bool {
    tally.cycles += 1;
    tally.acknowledged += promised.len() as u64;
    match recovered(image, durability) {
        Ok((found, reports)) => {
            let lost: Vec<&u64> = promised.difference(&found).collect();
            if !lost.is_empty() {
                println!("{place}: lost {} of {}", lost.len(), promised.len());
            }
            tally.found += found.len() as u64;
            tally.lost += lost.len() as u64;
            tally.reports.extend(reports.into_iter().map(|report| format!("{place}: {report}")));
            true
        }
        Err(reason) => {
            tally.unopened.push(format!("{place}: {reason}"));
            false
        }
    }
}

fn differing(one: &Image, other: &Image) -> Vec<String> {
    let paths: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let size = |image: &Image, path: &String| image.get(path).map(|bytes| bytes.as_ref().map(Vec::len));
    paths
        .into_iter()
        .filter(|path| one.get(*path) != other.get(*path))
        .map(|path| format!("{path}: {:?} and {:?}", size(one, path), size(other, path)))
        .collect()
}

fn cycles() -> u64 {
    std::env::var("BRIDGE_TELEMETRY_POWER_CYCLES")
        .map_or(if crate::long() { 200 } else { 10 }, |text| text.parse().unwrap())
}

fn survives(durability: Durability) {
    let seed = std::env::var("BRIDGE_TELEMETRY_FAULTS_SEED").map_or(0xB41D6E, |text| text.parse().unwrap());
    let tally = campaign(durability, cycles(), seed, false);
    println!(
        "disk: power failures with durability {durability:?}: cycles={} acknowledged={} found={} lost={} doubled=0 unopened={}",
        tally.cycles,
        tally.acknowledged,
        tally.found,
        tally.lost,
        tally.unopened.len()
    );
    assert_eq!(tally.unopened, Vec::<String>::new());
    assert_eq!(tally.reports, Vec::<String>::new());
    assert_eq!(tally.lost, 0);
    assert!(tally.acknowledged > 0);
}

#[test]
fn no_acknowledged_record_is_lost_with_durability_power() {
    survives(Durability::Power);
}

/// Here acknowledged means: [`Store::sync`] returned afterwards.
#[test]
fn no_synced_record_is_lost_with_durability_process() {
    survives(Durability::Process);
}

/// The same on a disk that answers before it wrote: records are lost, so that the tests above can fail.
#[test]
fn a_disk_that_lies_about_fsync_loses_records() {
    let tally = campaign(Durability::Power, 10, 0xB41D6E, true);
    assert!(tally.lost > 0 || !tally.unopened.is_empty(), "{tally:?}");
}
