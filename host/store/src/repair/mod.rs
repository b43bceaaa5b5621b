//! Repairing a store whose files are damaged: what can be read is brought into a new store, which takes the place of the
//! old one; the old one is moved aside, whole and as it was.
//!
//! In turn: the tables are linked and the other files copied beside the store; RocksDB's index is mended, or made anew from tables
//! and logs; families with damage are written anew without it; rows that follow from others are made again; the result is
//! opened, counted and verified. Only then it gets the store's name.
//!
//! Invariants: nothing is written into the damaged store; what is lost is in the report; the repaired store is sound.

mod batches;
mod catalogue_rows;
mod census;
mod describe;
mod edits;
mod error;
mod flushed;
mod framed;
mod index;
mod mending;
mod naming;
mod report;
mod salvage;
mod staging;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use telemetry_core::Clock;

use crate::backup::files::Draft;
use crate::database::Database;
use crate::directory::{self, ROCKS_DIRECTORY};
use crate::families::{Class, FIXED};
use crate::options::{Location, StoreOptions};
use crate::store::Store;
use crate::synced::SyncedMark;
use census::Census;
pub use error::RepairError;
use error::{Stop, engine, store};
use mending::Counts;
pub use report::{FamilyRepair, LostTable, RepairReport};

/// How often the index is made anew without one more unusable table before that is given up.
const MAX_REBUILDS: usize = 100;

/// What becomes of the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RepairMode {
    /// The repaired store takes its place; it is moved aside.
    #[default]
    Replace,
    /// Nothing: only the report is made. It takes as long, and the same room meanwhile.
    DryRun,
}

/// Repairs the store of `options`, which nobody may have open. A store without damage stays as it is.
///
/// # Errors
/// The store is open elsewhere, too little of it can be read, or the file system failed. Then it is as it was.
pub fn repair(
    options: &StoreOptions,
    clock: Arc<dyn Clock>,
    mode: RepairMode,
) -> Result<RepairReport, RepairError> {
    let Location::Directory(directory) = &options.location else { return Err(RepairError::InMemory) };
    if !directory.join(ROCKS_DIRECTORY).is_dir() {
        return Err(RepairError::NoStore { directory: directory.clone() });
    }
    let _lock = directory::take(directory).map_err(|error| RepairError::Taken(Box::new(error)))?;
    let draft = Draft::begin(directory)?;
    staging::bring(directory, draft.path())?;
    let within = StoreOptions {
        location: Location::Directory(draft.path().to_owned()),
        background: false,
        max_bytes: None,
        min_free_bytes: 0,
        ..options.clone()
    };
    let mut report = RepairReport::default();
    rescue(&within, draft.path(), clock, &mut report).map_err(|stop| RepairError::of(directory, stop))?;
    if !report.damaged || mode == RepairMode::DryRun {
        return Ok(report);
    }
    report.set_aside = Some(draft.replace()?);
    Ok(report)
}

/// Makes a sound store of the files in `draft`.
fn rescue(
    options: &StoreOptions,
    draft: &Path,
    clock: Arc<dyn Clock>,
    report: &mut RepairReport,
) -> Result<(), Stop> {
    let rocks = draft.join(ROCKS_DIRECTORY);
    let mut history = index::History::Whole;
    if index::mend(&rocks, report)? {
        history = history.and(index::rebuild(options, &rocks, &[], report)?);
    }
    let mut damaged = BTreeSet::new();
    let (database, partitions) = readable(options, &rocks, &mut damaged, &mut history, report)?;
    if !report.damaged {
        return Ok(());
    }
    damaged
        .extend(report.families.iter().filter(|family| family.damaged).map(|family| family.family.clone()));
    if history == index::History::Uncertain {
        // Any row may be an older one than those that it follows from.
        damaged.extend(partitions.iter().cloned());
    }
    let synced = SyncedMark::open(draft)?.sequence();
    let before = mending::run(&database, &partitions, &mut damaged, synced, report).map_err(store)?;
    drop(database);
    let repaired = Store::open(options.clone(), clock)?;
    repaired.seal().map_err(store)?;
    count(&repaired, before.as_ref(), report)?;
    let found = repaired.verify().map_err(store)?;
    if let Some(finding) = found.findings.first() {
        return Err(format!("{} {}: {}", finding.family, finding.rows, finding.reason).into());
    }
    for text in repaired.stats().reports {
        report.note(text);
    }
    report.families.sort_by_key(|family| order(&family.family));
    Ok(())
}

/// Opens the database with every row readable: damaged families are rewritten, and tables that keep others from being read are
/// left out.
fn readable(
    options: &StoreOptions,
    rocks: &Path,
    damaged: &mut BTreeSet<String>,
    history: &mut index::History,
    report: &mut RepairReport,
) -> Result<(Database, Vec<String>), Stop> {
    for round in 0..MAX_REBUILDS {
        match Database::open_at_rest(options, rocks) {
            Ok((database, partitions)) => {
                let unusable = salvage::run(&database, &partitions, damaged, report)?;
                if unusable.is_empty() {
                    return Ok((database, partitions));
                }
                drop(database);
                *history = history.and(index::rebuild(options, rocks, &unusable, report)?);
            }
            Err(error) if round == 0 => {
                report.index(format!("RocksDB cannot open it: {error}"));
                *history = history.and(index::rebuild(options, rocks, &[], report)?);
            }
            Err(error) => return Err(engine(error)),
        }
    }
    Err(format!("after {MAX_REBUILDS} tables were left out, there are still others that cannot be read")
        .into())
}

/// Sets the partitions' counts to what is there, and says what is missing.
fn count(repaired: &Store, before: Option<&Counts>, report: &mut RepairReport) -> Result<(), Stop> {
    let engine = &repaired.engine;
    let partitions: Vec<_> = Class::ALL.into_iter().flat_map(|class| engine.catalogue.all(class)).collect();
    let names: Vec<String> = partitions.iter().map(|partition| partition.family.clone()).collect();
    let census = Census::take(&engine.database, &names).map_err(store)?;
    for partition in partitions {
        let kept = census.partitions.get(&partition.family).map_or(0, |found| found.records);
        let lost = before
            .map(|before| before.get(&partition.family).copied().unwrap_or_default().saturating_sub(kept));
        partition.set_records(kept);
        let (all_kept, all_lost) = match partition.class {
            Class::Events => (&mut report.events_kept, &mut report.events_lost),
            Class::Metrics => (&mut report.samples_kept, &mut report.samples_lost),
        };
        *all_kept = all_kept.saturating_add(kept);
        *all_lost = all_lost.saturating_add(lost.unwrap_or_default());
        report.family(&partition.family, |family| {
            (family.records_kept, family.records_lost) = (Some(kept), lost);
        });
    }
    engine.note_progress().map_err(store)
}

/// The fixed families first, then events and metrics, oldest first.
fn order(family: &str) -> (usize, String) {
    (FIXED.iter().position(|name| *name == family).unwrap_or(FIXED.len()), family.to_owned())
}
