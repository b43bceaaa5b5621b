//! What verifying found.

use serde::Serialize;

/// Findings that are listed; further ones are counted.
pub(super) const MAX_FINDINGS: usize = 1000;

/// What is stored, and what of it is damaged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Table files that belong to the store.
    pub tables: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Rows that were read.
    pub rows: u64,
    /// Each family of rows: the fixed ones, then the partitions, events first, oldest first.
    pub families: Vec<FamilyCheck>,
    /// What is damaged, in the order in which it was met; at most 1,000.
    pub findings: Vec<Finding>,
    /// Further findings.
    pub findings_left_out: u64,
}

/// One family of rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FamilyCheck {
    /// Its name; `m.` and `e.` with a day are partitions of metrics and events.
    pub family: String,
    /// Its table files.
    pub tables: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Rows that were read.
    pub rows: u64,
    /// Damaged rows and places in tables.
    pub damaged: u64,
}

/// One damaged row, or one place of a table that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The family.
    pub family: String,
    /// The table file; `None` where a row was written damaged, or the engine does not name one.
    pub file: Option<String>,
    /// The row's key in hexadecimal, or the keys between which nothing could be read.
    pub rows: String,
    /// What is wrong.
    pub reason: String,
}

impl VerifyReport {
    /// Whether nothing is damaged.
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }

    pub(super) fn add(&mut self, finding: Finding) {
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(finding);
        } else {
            self.findings_left_out = self.findings_left_out.saturating_add(1);
        }
    }
}
