//! Which changes of the logs are in tables: they are not written again.
//!
//! A log stays as long as any family needs it, so it also holds changes that others have in tables, and later ones of those
//! may stand behind the place where the log is cut. Written again, the older ones would be over the newer ones.

use std::collections::{BTreeMap, BTreeSet};

use super::edits::Edits;

/// Up to where each family's changes are in its tables, by the family's number.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Flushed {
    /// The first log that holds others.
    logs: BTreeMap<u32, u64>,
    /// The newest change of its tables.
    newest: BTreeMap<u32, u64>,
}

impl Flushed {
    /// As the manifests tell, which may not be all there was, and the `tables` that are in use now. Nothing is taken for granted
    /// of families that may lack a table, whose changes the logs may have: those in `lossy`; `None` may be any.
    pub(super) fn of(manifests: &Edits, tables: &Edits, lossy: &BTreeSet<Option<u32>>) -> Self {
        let mut flushed = Self::default();
        if lossy.contains(&None) {
            return flushed;
        }
        let is_sure = |family: u32| !lossy.contains(&Some(family));
        for (family, log) in manifests.logs.iter().filter(|(family, _)| is_sure(**family)) {
            flushed.logs.insert(*family, *log);
        }
        for table in tables.tables.values().filter(|table| is_sure(table.family)) {
            let newest = flushed.newest.entry(table.family).or_default();
            *newest = table.newest.max(*newest);
        }
        flushed
    }

    /// Whether a change is in a table of its family.
    pub(super) fn has(&self, family: u32, log: u64, sequence: u64) -> bool {
        self.logs.get(&family).is_some_and(|first| log < *first)
            || self.newest.get(&family).is_some_and(|newest| sequence <= *newest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repair::edits::Table;

    #[test]
    fn families_that_may_lack_a_table_are_written_again() {
        let mut manifests = Edits::default();
        manifests.logs.extend([(1, 5), (2, 5)]);
        let mut tables = Edits::default();
        tables.tables.extend([
            (9, Table { family: 2, newest: 70 }),
            (10, Table { family: 2, newest: 60 }),
            (11, Table { family: 3, newest: 80 }),
        ]);
        let told = |lossy: &[Option<u32>]| {
            let flushed = Flushed::of(&manifests, &tables, &lossy.iter().copied().collect());
            [(1, 4, 90), (1, 5, 1), (2, 5, 70), (2, 5, 71), (3, 1, 80), (4, 1, 1)]
                .map(|(family, log, sequence)| flushed.has(family, log, sequence))
        };
        assert_eq!(told(&[]), [true, false, true, false, true, false]);
        assert_eq!(told(&[Some(2)]), [true, false, false, false, true, false]);
        assert_eq!(told(&[None]), [false; 6]);
    }
}
