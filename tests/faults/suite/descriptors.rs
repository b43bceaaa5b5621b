//! A limit of open files that is too low, from the system itself: from one at which nothing can be opened to one at which
//! all goes well.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use telemetry_store::Durability;

use crate::records::{batch, batches_in, open};

const FOLDER: &str = "FAULTS_FOLDER";
const RUN: &str = "FAULTS_RUN";
const BATCHES: u64 = 30;
/// The lowest limit with which a process of this binary starts, and how far apart limits are.
const LIMITS: (u64, usize) = (12, 4);
/// A store that is just begun needs far less.
const ENOUGH: u64 = 400;

/// Not a test: what the child does. Says what came of it, a line each.
#[test]
#[ignore = "run by the test below, with a low limit"]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let run: u64 = std::env::var(RUN).unwrap().parse().unwrap();
    let store = match open(Path::new(&folder), Durability::Power, false) {
        Ok(store) => store,
        Err(error) => return println!("\nrefused {error:?} {error}"),
    };
    let mut failed = false;
    for number in run * BATCHES..(run + 1) * BATCHES {
        match store.append(&batch(&store, number)) {
            Ok(_) => println!("\nstored {number}"),
            Err(error) => {
                println!("\ntried {number}: {error:?}");
                failed = true;
            }
        }
        let upkeep = if number % 7 == 6 { store.maintain().map(drop) } else { store.seal() };
        failed |= upkeep.is_err();
    }
    println!("\n{}", if failed { "failed" } else { "complete" });
}

#[test]
fn a_low_limit_of_open_files_is_told_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (mut stored, mut tried) = (BTreeSet::new(), BTreeSet::new());
    let (mut refused, mut failed) = (0, 0);
    for (run, limit) in (LIMITS.0..ENOUGH).step_by(LIMITS.1).enumerate() {
        let ended = Command::new("sh")
            .args(["-c", "ulimit -n $0; exec \"$@\"", &limit.to_string()])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "descriptors::child", "--ignored", "--nocapture", "--test-threads=1"])
            .env(FOLDER, folder.path())
            .env(RUN, run.to_string())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ended.stdout);
        let number = |text: &str| text.split(':').next().unwrap().parse::<u64>().unwrap();
        stored.extend(said.lines().filter_map(|line| line.strip_prefix("stored ")).map(number));
        tried.extend(said.lines().filter_map(|line| line.strip_prefix("tried ")).map(number));
        if let Some(refusal) = said.lines().find(|line| line.starts_with("refused ")) {
            assert!(refusal.contains("TooManyFiles") && refusal.contains("ulimit -n"), "{limit}: {refusal}");
            refused += 1;
        } else {
            let whole = said.contains("complete");
            assert!(
                whole || said.contains("failed"),
                "{limit}: {said}\n{}",
                String::from_utf8_lossy(&ended.stderr)
            );
            failed += u64::from(!whole);
        }
        let found = batches_in(&open(folder.path(), Durability::Power, false).unwrap());
        assert!(found.is_superset(&stored), "limit {limit}: {:?}", stored.difference(&found));
        assert!(found.is_subset(&stored.union(&tried).copied().collect()), "limit {limit}");
        if said.contains("complete") {
            println!(
                "disk: limits up to {limit}: refused={refused} failed={failed} stored={} lost=0",
                stored.len()
            );
            assert!(refused > 0, "the lowest limit was enough");
            return;
        }
    }
    panic!("{ENOUGH} open files are not enough");
}
