//! Reading a family through, past what cannot be read.

use rocksdb::LiveFile;

use super::check::check_row;
use super::report::{FamilyCheck, Finding, VerifyReport};
use crate::database::{Database, Family, Rows};
use crate::error::StoreError;

/// Bytes of a key by which the walk goes on after damage: the kind and eight bytes more.
const STRIDE_BYTES: usize = 8;

/// One family and its tables.
pub(crate) struct FamilyWalk<'a> {
    pub(crate) database: &'a Database,
    pub(crate) family: &'a Family<'a>,
    pub(crate) name: &'a str,
    pub(crate) tables: &'a [&'a LiveFile],
}

/// What a walk comes by.
pub(crate) enum Seen<'a> {
    /// A row as it was written.
    Row(&'a [u8], &'a [u8]),
    /// The key of a damaged row.
    Damaged(&'a [u8]),
    /// A place that cannot be read, between two keys; the last place has none behind it.
    Gap(&'a [u8], Option<&'a [u8]>),
}

/// Is told what a walk comes by.
pub(crate) type Eyes<'e> = dyn FnMut(Seen<'_>) -> Result<(), StoreError> + 'e;

impl FamilyWalk<'_> {
    /// Adds what is there and what is damaged to the report.
    pub(crate) fn run(&self, report: &mut VerifyReport, eyes: &mut Eyes<'_>) -> Result<(), StoreError> {
        let mut check = FamilyCheck {
            family: self.name.to_owned(),
            tables: self.tables.len() as u64,
            bytes: self.tables.iter().map(|table| table.size as u64).fold(0, u64::saturating_add),
            rows: 0,
            damaged: 0,
        };
        let mut rows = self.database.read_through(self.family);
        rows.first();
        let mut last = Vec::new();
        loop {
            while let Some((key, value)) = rows.row() {
                check.rows = check.rows.saturating_add(1);
                match check_row(self.name, key, value) {
                    Ok(()) => eyes(Seen::Row(key, value))?,
                    Err(damage) => {
                        check.damaged = check.damaged.saturating_add(1);
                        report.add(self.finding(None, hex(key), damage.to_string()));
                        eyes(Seen::Damaged(key))?;
                    }
                }
                last.clear();
                last.extend_from_slice(key);
                rows.forward();
            }
            let Some(damage) = rows.damage()? else { break };
            check.damaged = check.damaged.saturating_add(1);
            let reason = damage.to_string();
            let next = self.after_damage(&last, &mut rows)?;
            let place = match next {
                Some(()) => format!(
                    "after {} until {}",
                    hex(&last),
                    rows.row().map(|row| hex(row.0)).unwrap_or_default()
                ),
                None => format!("all after {}", hex(&last)),
            };
            report.add(self.finding(self.table_in(&reason), place, reason));
            eyes(Seen::Gap(&last, rows.row().map(|row| row.0)))?;
            if next.is_none() {
                break;
            }
        }
        report.tables = report.tables.saturating_add(check.tables);
        report.bytes = report.bytes.saturating_add(check.bytes);
        report.rows = report.rows.saturating_add(check.rows);
        report.families.push(check);
        Ok(())
    }

    /// Goes to the first row after `last` that can be read again, or near it: by strides of double length each. `None` when
    /// there is none.
    fn after_damage(&self, last: &[u8], rows: &mut Rows<'_>) -> Result<Option<()>, StoreError> {
        for doubled in 0..u64::BITS {
            let Some(target) = further(last, 1_u64 << doubled) else { break };
            rows.seek(&target);
            if rows.damage()?.is_none() {
                return Ok(rows.row().map(drop));
            }
        }
        // The next kinds of rows.
        for kind in kinds_after(last) {
            rows.seek(&[kind]);
            if rows.damage()?.is_none() {
                return Ok(rows.row().map(drop));
            }
        }
        Ok(None)
    }

    fn finding(&self, file: Option<String>, rows: String, reason: String) -> Finding {
        Finding { family: self.name.to_owned(), file, rows, reason }
    }

    /// The table that a message of the engine names.
    fn table_in(&self, message: &str) -> Option<String> {
        let bare = |table: &LiveFile| table.name.trim_start_matches('/').to_owned();
        self.tables.iter().map(|table| bare(table)).find(|name| message.contains(name.as_str()))
    }
}

/// A key of the same kind that lies `by` further, where the bytes after the kind count; `None` beyond the last.
fn further(key: &[u8], by: u64) -> Option<Vec<u8>> {
    let (kind, rest) = key.split_first().unwrap_or((&0, &[]));
    let mut place = [0; STRIDE_BYTES];
    for (to, from) in place.iter_mut().zip(rest) {
        *to = *from;
    }
    let place = u64::from_be_bytes(place).checked_add(by)?;
    let mut next = vec![*kind];
    next.extend_from_slice(&place.to_be_bytes());
    Some(next)
}

/// The kinds of rows that come after a key's.
fn kinds_after(key: &[u8]) -> impl Iterator<Item = u8> + use<> {
    // Never the key's own, not even the last one: the walk would begin anew.
    (key.first().copied().unwrap_or_default()..=u8::MAX).skip(1)
}

pub(crate) fn hex(key: &[u8]) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strides_go_on_within_a_kind() {
        assert_eq!(further(&[0x10, 0, 0, 0, 7, 1], 1), Some(vec![0x10, 0, 0, 0, 7, 1, 0, 0, 1]));
        assert_eq!(further(&[0x10, 0, 0, 0, 7], 1 << 32), Some(vec![0x10, 0, 0, 0, 8, 0, 0, 0, 0]));
        assert_eq!(further(&[], 1), Some(vec![0, 0, 0, 0, 0, 0, 0, 0, 1]));
        assert_eq!(further(&[0x10; 9], u64::MAX), None);
        assert_eq!(kinds_after(&[0xFE, 1]).collect::<Vec<_>>(), [0xFF]);
        assert_eq!(kinds_after(&[0xFF; 8]).count(), 0);
        assert_eq!(hex(&[0x10, 0xAB]), "10ab");
    }
}
