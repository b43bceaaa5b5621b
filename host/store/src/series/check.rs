//! Checking single rows of series.

use super::definition::Definition;
use super::posting::Postings;
use super::rows::{self, PostingKey};
use crate::error::Damage;

/// Whether a row is as this module writes it.
pub(crate) fn check_row(key: &[u8], value: &[u8]) -> Result<(), Damage> {
    let within = |(first, after): (Vec<u8>, Vec<u8>)| first.as_slice() <= key && key < after.as_slice();
    if within(rows::definition_bounds()) {
        rows::id_of_definition(key).and_then(|_| Definition::decode(value)).map(drop)
    } else if within(rows::posting_bounds()) {
        PostingKey::read(key)?;
        Postings::decode(value).map(drop)
    } else if rows::is_by_key(key) {
        rows::read_series_number(value).map(drop)
    } else {
        Err(Damage::new("row", "its kind is not known"))
    }
}
