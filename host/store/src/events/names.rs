//! Types and sources of a partition's events as numbers.
//!
//! Invariant: a number is used in a row only after its name was stored.

use std::collections::HashMap;
use std::sync::Arc;

use rocksdb::WriteBatch;

use super::rows::{Kind, name_key, name_prefix, number_of_name};
use crate::database::{Database, Family, Promise};
use crate::envelope;
use crate::error::{Damage, StoreError};
use crate::wire::after_prefix;

const VERSION: u8 = 1;
const ROW: &str = "name";

/// Numbered types, and numbered sources, of one partition at most: far more than programs have, and little memory whatever
/// callers invent. Further names stand in the events' rows themselves.
const MAX_NUMBERED: usize = 4096;
/// The number under which events are indexed whose type or source has none of its own.
pub(super) const UNNUMBERED: u32 = u32::MAX;

/// The names of one partition.
#[derive(Debug, Default)]
pub(super) struct Names {
    types: Table,
    sources: Table,
}

#[derive(Debug, Default)]
struct Table {
    numbers: HashMap<Arc<str>, u32>,
    texts: HashMap<u32, Arc<str>>,
    next: u32,
}

/// How events of a name are found in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// All under this number, and nothing else.
    Number(u32),
    /// Among others under [`UNNUMBERED`].
    Unnumbered,
    /// There are none.
    Nowhere,
}

impl Names {
    /// Reads the names of a partition. Damaged ones are reported; events that need them cannot be read.
    pub(super) fn load(database: &Database, family: &Family<'_>) -> Result<Self, StoreError> {
        let mut names = Self::default();
        for kind in [Kind::Type, Kind::Source] {
            let prefix = name_prefix(kind);
            let mut rows = database.rows(family, prefix.clone(), after_prefix(&prefix));
            rows.first();
            while let Some((key, value)) = rows.row() {
                let number = number_of_name(key)?;
                let table = names.table_mut(kind);
                table.next = table.next.max(number.saturating_add(1));
                match read_name(value) {
                    Ok(text) => table.add(number, text.into()),
                    Err(damage) => database.reports().add(format!("{damage} (number {number})")),
                }
                rows.forward();
            }
            rows.check("names")?;
        }
        Ok(names)
    }

    /// The number of a name, if it has one.
    pub(super) fn number(&self, kind: Kind, text: &str) -> Option<u32> {
        self.table(kind).numbers.get(text).copied()
    }

    /// The name of a number.
    pub(super) fn text(&self, kind: Kind, number: u32) -> Option<&Arc<str>> {
        self.table(kind).texts.get(&number)
    }

    /// How events of a name are found.
    pub(super) fn find(&self, kind: Kind, text: &str) -> Found {
        match self.number(kind, text) {
            Some(number) => Found::Number(number),
            None if self.is_full(kind) => Found::Unnumbered,
            None => Found::Nowhere,
        }
    }

    /// Whether no further name gets a number.
    pub(super) fn is_full(&self, kind: Kind) -> bool {
        self.table(kind).next as usize >= MAX_NUMBERED
    }

    /// Stores a new name and answers its number; `None` when no further name gets one.
    pub(super) fn add(
        &mut self,
        database: &Database,
        family: &Family<'_>,
        kind: Kind,
        text: &str,
    ) -> Result<Option<u32>, StoreError> {
        if let Some(number) = self.number(kind, text) {
            return Ok(Some(number));
        }
        if self.is_full(kind) {
            return Ok(None);
        }
        let table = self.table_mut(kind);
        let number = table.next;
        let mut batch = WriteBatch::new();
        let (key, value) = name_row(kind, number, text);
        batch.put_cf(family, key, value);
        database.commit(batch, Promise::Derived)?;
        table.next = number.saturating_add(1);
        table.add(number, text.into());
        Ok(Some(number))
    }

    fn table(&self, kind: Kind) -> &Table {
        match kind {
            Kind::Type => &self.types,
            Kind::Source => &self.sources,
        }
    }

    fn table_mut(&mut self, kind: Kind) -> &mut Table {
        match kind {
            Kind::Type => &mut self.types,
            Kind::Source => &mut self.sources,
        }
    }
}

impl Table {
    fn add(&mut self, number: u32, text: Arc<str>) {
        self.numbers.insert(Arc::clone(&text), number);
        self.texts.insert(number, text);
    }
}

/// The row of a name.
pub(super) fn name_row(kind: Kind, number: u32, text: &str) -> (Vec<u8>, Vec<u8>) {
    (name_key(kind, number), envelope::wrap(VERSION, text.as_bytes()))
}

pub(super) fn read_name(value: &[u8]) -> Result<&str, Damage> {
    std::str::from_utf8(envelope::open(ROW, VERSION, value)?).map_err(|_| Damage::new(ROW, "it is not UTF-8"))
}
