//! Checking single rows of an events partition.

use super::event_row::EventRow;
use super::names::read_name;
use super::rows::{PlacedKey, number_of_name, read_id_value};
use crate::error::Damage;

/// Whether a row is as this module writes it.
pub(crate) fn check_row(key: &[u8], value: &[u8]) -> Result<(), Damage> {
    match PlacedKey::read(key)? {
        PlacedKey::Event => EventRow::decode(value)?.objects().map(drop),
        PlacedKey::Index if value.is_empty() => Ok(()),
        PlacedKey::Index => Err(Damage::new("event index", "it has a value")),
        PlacedKey::Id => read_id_value(value).map(drop),
        PlacedKey::Name => number_of_name(key).and_then(|_| read_name(value)).map(drop),
    }
}
