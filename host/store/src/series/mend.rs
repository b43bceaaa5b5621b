//! Making the rows of a partition again that tell which series it has, after some of them were lost.

use std::collections::{BTreeMap, BTreeSet};

use rocksdb::WriteBatch;
use serde_json::Value;
use telemetry_core::{Context, SeriesKey};

use super::definition::Definition;
use super::posting::Postings;
use super::rows::{self, PostingKey};
use crate::database::{Database, Family, Promise};
use crate::error::StoreError;

/// Bytes of rows written at a time.
const BATCH_BYTES: usize = 4 << 20;
/// What a metric is called whose name is lost; its label `series` is the number.
const NAMELESS: &str = "bridge_telemetry_recovered";

/// How the definitions of a partition were mended.
#[derive(Debug, Default)]
pub(crate) struct MendedSeries {
    /// Series whose definition another partition had, or the posting lists together with the row by hash.
    pub(crate) exact: u64,
    /// Series whose name and labels the posting lists had, so that a label's value that was no text may have become one.
    pub(crate) from_labels: Vec<u32>,
    /// Series that are not known by name any more.
    pub(crate) nameless: Vec<u32>,
}

/// Defines the series of `needed` that a partition has no definition of, and makes the rows again that follow from definitions:
/// posting lists are left to the index, which makes them when it needs them.
pub(crate) fn mend(
    database: &Database,
    family: &Family<'_>,
    others: &[Family<'_>],
    needed: &BTreeSet<u32>,
) -> Result<MendedSeries, StoreError> {
    let mut mended = MendedSeries::default();
    let mut missing = BTreeSet::new();
    for id in needed {
        if definition(database, family, *id)?.is_none() {
            missing.insert(*id);
        }
    }
    let told = if missing.is_empty() { BTreeMap::new() } else { labels_of(database, family, &missing)? };
    let mut batch = WriteBatch::new();
    for id in missing {
        let (key, overflow) = match elsewhere(database, others, id)? {
            Some(definition) => {
                mended.exact = mended.exact.saturating_add(1);
                (definition.key, definition.overflow)
            }
            None => guess(database, family, id, told.get(&id), &mut mended)?,
        };
        batch.put_cf(family, rows::definition_key(id), Definition::encode(&key, overflow));
    }
    let (first, after) = (rows::posting_bounds().0, rows::by_key_bounds().1);
    batch.delete_range_cf(family, first, after);
    database.commit(batch, Promise::Derived)?;
    write_by_key(database, family)?;
    Ok(mended)
}

fn definition(database: &Database, family: &Family<'_>, id: u32) -> Result<Option<Definition>, StoreError> {
    let Some(value) = database.get(family, &rows::definition_key(id))? else { return Ok(None) };
    Ok(Some(Definition::decode(&value)?))
}

/// A number is used once: whatever partition defines it, it is the same series.
fn elsewhere(database: &Database, others: &[Family<'_>], id: u32) -> Result<Option<Definition>, StoreError> {
    for family in others {
        if let Some(found) = definition(database, family, id)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// What posting lists tell of one series.
#[derive(Debug, Default)]
struct Told {
    name: Option<String>,
    labels: BTreeMap<String, String>,
}

fn labels_of(
    database: &Database,
    family: &Family<'_>,
    wanted: &BTreeSet<u32>,
) -> Result<BTreeMap<u32, Told>, StoreError> {
    let wanted: roaring::RoaringBitmap = wanted.iter().copied().collect();
    let mut told: BTreeMap<u32, Told> = BTreeMap::new();
    let (lower, upper) = rows::posting_bounds();
    let mut found = database.rows(family, lower, upper);
    found.first();
    while let Some((key, value)) = found.row() {
        if let (Ok(key), Ok(postings)) = (PostingKey::read(key), Postings::decode(value)) {
            let mut ids = roaring::RoaringBitmap::new();
            postings.add_to(&mut ids);
            for id in ids & &wanted {
                let told = told.entry(id).or_default();
                match key {
                    PostingKey::All => {}
                    PostingKey::Name(name) => told.name = Some(name.to_owned()),
                    PostingKey::Label(label, text) => {
                        told.labels.insert(label.to_owned(), text.to_owned());
                    }
                }
            }
        }
        found.forward();
    }
    found.check("posting lists")?;
    Ok(told)
}

/// What a series is called, by its labels; whether that is certain the row by hash tells.
fn guess(
    database: &Database,
    family: &Family<'_>,
    id: u32,
    told: Option<&Told>,
    mended: &mut MendedSeries,
) -> Result<(SeriesKey, bool), StoreError> {
    let Some((name, labels)) = told.and_then(|told| Some((told.name.as_ref()?, &told.labels))) else {
        mended.nameless.push(id);
        let context = Context::from_labels([("series", id.to_string().as_str())]);
        return Ok((SeriesKey { name: NAMELESS.into(), context }, false));
    };
    let key = |context| SeriesKey { name: name.as_str().into(), context };
    let plain = Context::from_labels(labels.iter().map(|(label, text)| (label.as_str(), text.as_str())));
    for context in [Some(plain.clone()), typed(labels)].into_iter().flatten() {
        for overflow in [false, true] {
            let candidate = key(context.clone());
            let Some(value) = database.get(family, &rows::by_key(&candidate, overflow))? else { continue };
            if rows::read_series_number(&value).is_ok_and(|found| found == id) {
                mended.exact = mended.exact.saturating_add(1);
                return Ok((candidate, overflow));
            }
        }
    }
    mended.from_labels.push(id);
    Ok((key(plain), false))
}

/// The labels with the texts that are JSON of another kind read as such.
fn typed(labels: &BTreeMap<String, String>) -> Option<Context> {
    let value = |text: &String| match serde_json::from_str::<Value>(text) {
        Ok(value) if !value.is_string() => value,
        _ => Value::String(text.clone()),
    };
    let object: serde_json::Map<String, Value> =
        labels.iter().map(|(label, text)| (label.clone(), value(text))).collect();
    Context::from_trusted(&Value::Object(object).to_string()).ok()
}

/// Writes the rows that find a series by what it is called.
fn write_by_key(database: &Database, family: &Family<'_>) -> Result<(), StoreError> {
    let (lower, upper) = rows::definition_bounds();
    let mut found = database.rows(family, lower, upper);
    let mut batch = WriteBatch::new();
    found.first();
    while let Some((key, value)) = found.row() {
        let (id, definition) = (rows::id_of_definition(key)?, Definition::decode(value)?);
        batch.put_cf(family, rows::by_key(&definition.key, definition.overflow), rows::series_number(id));
        if batch.size_in_bytes() > BATCH_BYTES {
            database.commit(std::mem::take(&mut batch), Promise::Derived)?;
        }
        found.forward();
    }
    found.check("series definitions")?;
    drop(found);
    database.commit(batch, Promise::Derived)
}
