//! What repairing found, kept and lost.

use std::path::PathBuf;

use serde::Serialize;

use crate::verify::{Finding, VerifyReport};

/// Notes that are listed; further ones are counted.
const MAX_NOTES: usize = 1000;

/// What was damaged, what is kept and what is lost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RepairReport {
    /// Whether anything was damaged. If not, nothing was changed.
    pub damaged: bool,
    /// What was damaged of RocksDB's index and logs, and what was done about it.
    pub index: Vec<String>,
    /// Tables of which nothing could be used.
    pub tables_lost: Vec<LostTable>,
    /// Damaged rows and places in tables; at most 1,000.
    pub findings: Vec<Finding>,
    /// Further findings.
    pub findings_left_out: u64,
    /// Each family of rows: the fixed ones, then the partitions, events first, oldest first.
    pub families: Vec<FamilyRepair>,
    /// Other losses, and rows that were made again from others; at most 1,000.
    pub notes: Vec<String>,
    /// Further notes.
    pub notes_left_out: u64,
    /// Events in the repaired store.
    pub events_kept: u64,
    /// Samples in the repaired store.
    pub samples_kept: u64,
    /// Events that were in the store and are lost, as far as it had counted them.
    pub events_lost: u64,
    /// Samples that were in the store and are lost, as far as it had counted them.
    pub samples_lost: u64,
    /// Where the store is as it was before; `None` when nothing was damaged, and in a dry run.
    pub set_aside: Option<PathBuf>,
}

/// A table of which nothing could be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LostTable {
    /// The file.
    pub file: String,
    /// Its family, where that is known.
    pub family: Option<String>,
    /// Its bytes; 0 when the file is missing.
    pub bytes: u64,
}

/// What became of one family of rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FamilyRepair {
    /// Its name; `m.` and `e.` with a day are partitions of metrics and events.
    pub family: String,
    /// Whether anything of it was damaged.
    pub damaged: bool,
    /// Rows that could be read and were kept. Of a damaged family, rows that are made from others are not counted.
    pub rows_kept: u64,
    /// Where rows are lost: between which series and times, or keys.
    pub lost: Vec<String>,
    /// Of a partition: its records in the repaired store.
    pub records_kept: Option<u64>,
    /// Of a partition: records that were in it and are lost; `None` when the store's own count of them is lost as well.
    pub records_lost: Option<u64>,
}

impl RepairReport {
    /// Notes a loss, or what was made again.
    pub(super) fn note(&mut self, text: String) {
        if self.notes.contains(&text) {
            return;
        }
        if self.notes.len() < MAX_NOTES {
            self.notes.push(text);
        } else {
            self.notes_left_out = self.notes_left_out.saturating_add(1);
        }
    }

    /// Notes damage of the index or a log.
    pub(super) fn index(&mut self, text: String) {
        self.damaged = true;
        tracing::warn!(damage = %text, "repairing");
        self.index.push(text);
    }

    /// Notes a table that is lost whole.
    pub(super) fn table_lost(&mut self, file: String, family: Option<String>, bytes: u64) {
        self.damaged = true;
        if let Some(family) = &family {
            self.family(family, |family| family.damaged = true);
        }
        if !self.tables_lost.iter().any(|lost| lost.file == file) {
            self.tables_lost.push(LostTable { file, family, bytes });
        }
    }

    /// Adds the findings of a look at all families.
    pub(super) fn add(&mut self, found: VerifyReport) {
        self.damaged |= !found.findings.is_empty();
        self.findings.extend(found.findings);
        self.findings_left_out = self.findings_left_out.saturating_add(found.findings_left_out);
    }

    /// Says something of a family.
    pub(super) fn family(&mut self, name: &str, say: impl FnOnce(&mut FamilyRepair)) {
        match self.families.iter_mut().find(|family| family.family == name) {
            Some(family) => say(family),
            None => {
                let mut family = FamilyRepair { family: name.to_owned(), ..FamilyRepair::default() };
                say(&mut family);
                self.families.push(family);
            }
        }
    }
}
