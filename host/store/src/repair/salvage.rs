//! Families with damage: what can be read of them is written into a new family of the same name.

use std::collections::BTreeSet;

use rocksdb::{LiveFile, WriteBatch};

use super::describe::{describe, gap, is_derived, is_left_out};
use super::error::{Stop, engine, store};
use super::report::RepairReport;
use crate::database::{Database, Family};
use crate::error::StoreError;
use crate::families::FIXED;
use crate::verify::{FamilyWalk, Seen, VerifyReport};

/// Bytes of rows written at a time.
const BATCH_BYTES: usize = 4 << 20;

/// Looks at every row, and rewrites the families that have damage. Answers the tables that must go first: nothing of them can be
/// read, and they keep others from being read.
pub(super) fn run(
    database: &Database,
    partitions: &[String],
    damaged: &mut BTreeSet<String>,
    report: &mut RepairReport,
) -> Result<Vec<String>, Stop> {
    let tables = database.rocks().live_files().map_err(engine)?;
    let mut unusable = Vec::new();
    for name in FIXED.into_iter().chain(partitions.iter().map(String::as_str)) {
        let Some(family) = database.find_family(name) else { continue };
        let tables: Vec<_> = tables.iter().filter(|table| table.column_family_name == *name).collect();
        let walk = FamilyWalk { database, family: &family, name, tables: &tables };
        let mut found = VerifyReport::default();
        walk.run(&mut found, &mut |_| Ok(())).map_err(store)?;
        report.family(name, |family| family.rows_kept = found.rows);
        if found.is_sound() {
            continue;
        }
        damaged.insert(name.to_owned());
        report.family(name, |family| family.damaged = true);
        let named: BTreeSet<&str> = found.findings.iter().filter_map(|f| f.file.as_deref()).collect();
        let hopeless = named.into_iter().filter(|file| is_unusable(&walk, file)).map(str::to_owned);
        let hopeless: Vec<String> = hopeless.collect();
        report.add(found);
        if hopeless.is_empty() {
            rewrite(database, &walk, report).map_err(store)?;
        } else {
            unusable.extend(hopeless);
        }
    }
    Ok(unusable)
}

/// Whether a table can be read neither at its beginning nor at its end.
fn is_unusable(walk: &FamilyWalk<'_>, file: &str) -> bool {
    let is_it = |table: &&&LiveFile| table.name.trim_start_matches('/') == file;
    let Some(table) = walk.tables.iter().find(is_it) else { return false };
    let (Some(first), Some(last)) = (&table.start_key, &table.end_key) else { return false };
    let mut rows = walk.database.read_through(walk.family);
    [first, last].into_iter().all(|key| {
        rows.seek(key);
        matches!(rows.damage(), Ok(Some(damage)) if damage.to_string().contains(file))
    })
}

/// Replaces a family by a new one with the rows that can be read.
fn rewrite(database: &Database, walk: &FamilyWalk<'_>, report: &mut RepairReport) -> Result<(), StoreError> {
    let name = walk.name;
    // The old one stays readable as long as it is held.
    database.drop_family(name)?;
    database.create_family(name)?;
    database.set_compaction(name, false)?;
    let Some(new) = database.find_family(name) else { return Ok(()) };
    let mut copy = Copy { database, family: &new, batch: WriteBatch::new(), kept: 0, lost: Vec::new() };
    walk.run(&mut VerifyReport::default(), &mut |seen| copy.see(name, seen))?;
    copy.write()?;
    let (kept, lost) = (copy.kept, copy.lost);
    database.flush(name)?;
    report.family(name, |family| {
        family.rows_kept = kept;
        family.lost.extend(lost);
    });
    Ok(())
}

/// A family that is being written.
struct Copy<'a> {
    database: &'a Database,
    family: &'a Family<'a>,
    batch: WriteBatch,
    kept: u64,
    lost: Vec<String>,
}

impl Copy<'_> {
    fn see(&mut self, name: &str, seen: Seen<'_>) -> Result<(), StoreError> {
        match seen {
            Seen::Row(key, value) => {
                if is_left_out(name, key) {
                    return Ok(());
                }
                self.kept = self.kept.saturating_add(u64::from(!is_derived(name, key)));
                self.batch.put_cf(self.family, key, value);
                if self.batch.size_in_bytes() > BATCH_BYTES {
                    self.write()?;
                }
            }
            Seen::Damaged(key) if is_derived(name, key) => {}
            Seen::Damaged(key) => self.lost.push(describe(name, key)),
            Seen::Gap(after, until) => self.lost.extend(gap(name, after, until)),
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), StoreError> {
        self.database.commit_unlogged(std::mem::take(&mut self.batch))
    }
}
