//! RocksDB's index: the file `CURRENT`, the manifest that it names, and the logs whose length the manifest knows.
//!
//! Invariant: what is made anew tells of every table that can be read, of no table that was deleted, and of all commits of
//! the write-ahead logs up to the first that cannot be read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use super::batches::{Replay, numbers};
use super::edits::Edits;
use super::error::{Stop, engine, store};
use super::flushed::Flushed;
use super::framed::{Frame, FrameReader};
use super::naming;
use super::report::RepairReport;
use super::staging::{is_log, is_manifest, is_table, names};
use crate::database::{Database, Rocks};
use crate::families::FIXED;
use crate::frames_check::endless_record;
use crate::options::StoreOptions;
use crate::tuning::Tuning;

/// Where logs wait while tables are brought together.
const WAITING_LOGS: &str = "waiting-logs";
/// Where RocksDB puts what it cannot use.
const LOST: &str = "lost";

/// Whether an index that was made anew tells of every change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum History {
    /// Of all tables it is known which were in use, and whose they are; the logs are whole.
    Whole,
    /// A table that is gone may have been any partition's, one that was deleted may be back, or tables may have what
    /// followed commits that the logs lack.
    Uncertain,
}

impl History {
    /// Of two that were made after each other.
    pub(super) fn and(self, other: Self) -> Self {
        if self == Self::Whole { other } else { self }
    }

    fn of(whole: bool) -> Self {
        if whole { Self::Whole } else { Self::Uncertain }
    }
}

/// Mends what can be mended without making the manifest anew; whether that is needed.
pub(super) fn mend(rocks: &Path, report: &mut RepairReport) -> Result<bool, Stop> {
    for log in names(rocks, is_log)? {
        let path = rocks.join(&log);
        if let Some(at) = endless_record(File::open(&path)?)? {
            report.index(format!(
                "{log} has a record of an impossible type at byte {at}: what follows is left out"
            ));
            File::options().write(true).open(&path)?.set_len(at)?;
        }
    }
    let manifests = names(rocks, is_manifest)?;
    let current = rocks.join("CURRENT");
    let named = fs::read(&current).unwrap_or_default();
    let named = std::str::from_utf8(&named).ok().and_then(|text| text.strip_suffix('\n'));
    if let Some(named) = named.filter(|named| manifests.iter().any(|manifest| manifest == named)) {
        let sound = is_sound(&rocks.join(named))?;
        if !sound {
            report.index(format!("{named} is damaged: it is made anew from the tables and logs"));
        }
        return Ok(!sound);
    }
    // The newest one is the one that was in use: RocksDB deletes those before.
    match manifests.last() {
        Some(newest) if is_sound(&rocks.join(newest))? => {
            report.index(format!("CURRENT named no manifest: {newest} was in use and is whole"));
            fs::write(&current, format!("{newest}\n"))?;
            Ok(false)
        }
        _ => {
            report.index("there is no whole manifest: it is made anew from the tables and logs".to_owned());
            Ok(true)
        }
    }
}

fn is_sound(manifest: &Path) -> Result<bool, Stop> {
    let mut edits = Edits::default();
    edits.read(manifest)?;
    Ok(edits.broken == 0 && !edits.families.is_empty())
}

/// Makes the manifest anew, without the tables that are `unusable`.
pub(super) fn rebuild(
    options: &StoreOptions,
    rocks: &Path,
    unusable: &[String],
    report: &mut RepairReport,
) -> Result<History, Stop> {
    let mut edits = Edits::default();
    for manifest in names(rocks, is_manifest)? {
        edits.read(&rocks.join(&manifest))?;
        fs::remove_file(rocks.join(manifest))?;
    }
    let mut lossy = set_tables_apart(rocks, &edits, unusable, report)?;
    let waiting = rocks.with_file_name(WAITING_LOGS);
    fs::create_dir_all(&waiting)?;
    let logs = names(rocks, is_log)?;
    for log in &logs {
        fs::rename(rocks.join(log), waiting.join(log))?;
    }
    let listed = naming::listed(rocks)?;
    let tuning = Tuning::new(options).map_err(engine)?;
    Rocks::repair(&tuning.opening(false).map_err(engine)?, rocks).map_err(engine)?;
    let lost = rocks.join(LOST);
    if lost.is_dir() {
        for table in names(&lost, is_table)? {
            let bytes = fs::metadata(lost.join(&table))?.len();
            let number = number_of(&table);
            lossy.insert(number.and_then(|number| edits.number_of_family(number)));
            let family = number.and_then(|number| edits.family_of(number)).map(str::to_owned);
            report.table_lost(table, family, bytes);
        }
        fs::remove_dir_all(lost)?;
    }
    let logs: Vec<PathBuf> = logs.iter().map(|log| waiting.join(log)).collect();
    let mut anew = Edits::default();
    for manifest in names(rocks, is_manifest)? {
        anew.read(&rocks.join(manifest))?;
    }
    let families = families(&edits, &anew, &listed, &logs)?;
    let flushed = Flushed::of(&edits, &anew, &lossy);
    let replayed = {
        let (database, _) = Database::open_at_rest(options, rocks).map_err(engine)?;
        let mut into = Replay::new(&database, &families, &edits.dropped, &flushed);
        let replayed = replay(&mut into, &logs, report)?;
        drop(into);
        for name in Rocks::list_cf(&rocksdb::Options::default(), rocks).map_err(engine)? {
            database.flush(&name).map_err(store)?;
        }
        replayed
    };
    fs::remove_dir_all(waiting)?;
    let known = edits.broken == 0 && !edits.families.is_empty();
    let nameless = report.tables_lost.iter().any(|table| table.family.is_none());
    Ok(History::of(known && !nameless).and(replayed))
}

/// The families by number: as the manifests told before, as tables tell, and as they were listed.
fn families(
    edits: &Edits,
    anew: &Edits,
    listed: &[String],
    logs: &[PathBuf],
) -> Result<BTreeMap<u32, String>, Stop> {
    let mut families = edits.families.clone();
    families.extend(anew.families.clone());
    // A store's first opening creates them in this order.
    for (number, name) in (0_u32..).zip(std::iter::once("default").chain(FIXED)) {
        families.entry(number).or_insert_with(|| name.to_owned());
    }
    let mut written = BTreeSet::new();
    for log in logs {
        let mut frames = FrameReader::new(BufReader::new(File::open(log)?));
        while let Some(frame) = frames.next()? {
            // What is damaged is told where the log is replayed.
            if let Frame::Record(record) = frame
                && numbers(&record, &mut written).is_err()
            {
                break;
            }
        }
    }
    written.retain(|number| !families.contains_key(number) && !edits.dropped.contains(number));
    naming::complete(&mut families, &written, listed);
    Ok(families)
}

/// Takes away tables that RocksDB had deleted or shall not use, and notes those that are missing. The families, by number, that
/// lack a table, or may; `None` may be any.
fn set_tables_apart(
    rocks: &Path,
    edits: &Edits,
    unusable: &[String],
    report: &mut RepairReport,
) -> Result<BTreeSet<Option<u32>>, Stop> {
    let tables = names(rocks, is_table)?;
    let mut there = BTreeSet::new();
    let mut lossy = BTreeSet::new();
    for table in tables {
        let Some(number) = number_of(&table) else { continue };
        there.insert(number);
        let path = rocks.join(&table);
        if unusable.contains(&table) {
            let bytes = fs::metadata(&path)?.len();
            lossy.insert(edits.number_of_family(number));
            report.table_lost(table, edits.family_of(number).map(str::to_owned), bytes);
            fs::remove_file(path)?;
        } else if edits.dead.contains(&number) {
            fs::remove_file(path)?;
        }
    }
    for number in edits.tables.keys().filter(|number| !edits.dead.contains(number)) {
        if !there.contains(number) {
            lossy.insert(edits.number_of_family(*number));
            let (file, family) = (format!("{number:06}.sst"), edits.family_of(*number).map(str::to_owned));
            if edits.broken == 0 {
                report.table_lost(file, family, 0);
            } else {
                // Where it was deleted, if it was, may be what is damaged.
                report.note(format!("{file} is missing; whether it was still in use is not known"));
            }
        }
    }
    Ok(lossy)
}

fn number_of(table: &str) -> Option<u64> {
    table.strip_suffix(".sst")?.parse().ok()
}

/// Writes what the logs hold, up to the first place that cannot be read: all commits up to some moment.
fn replay(into: &mut Replay<'_>, logs: &[PathBuf], report: &mut RepairReport) -> Result<History, Stop> {
    let mut history = History::Whole;
    'logs: for log in logs {
        let name = log.file_name().unwrap_or_default().to_string_lossy();
        let number = name.strip_suffix(".log").and_then(|number| number.parse().ok()).unwrap_or(u64::MAX);
        let mut frames = FrameReader::new(BufReader::new(File::open(log)?));
        while let Some(frame) = frames.next()? {
            let problem = match frame {
                Frame::Record(record) => match into.write(number, &record) {
                    Ok(()) => continue,
                    Err(error) if error.is_damage() => error.to_string(),
                    Err(error) => return Err(store(error)),
                },
                Frame::Broken(at) => format!("byte {at} on"),
            };
            report.index(format!(
                "{name} cannot be read from {problem}: what was written after it is left out"
            ));
            history = History::Uncertain;
            break 'logs;
        }
    }
    for (number, rows) in std::mem::take(&mut into.nameless) {
        report.note(format!(
            "{rows} rows of the family with number {number} are lost: the manifest that named it is damaged"
        ));
    }
    Ok(history)
}
