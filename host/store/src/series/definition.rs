//! What a series is.

use telemetry_core::{Context, SeriesKey};

use crate::envelope;
use crate::error::Damage;
use crate::wire::{Reader, put_bytes};

const VERSION: u8 = 1;
const OVERFLOW: u8 = 1;
const ROW: &str = "series definition";

/// A series that a query means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesRef {
    /// The store's number of the series.
    pub id: u32,
    /// Its name and context.
    pub key: SeriesKey,
    /// Whether it takes the samples of series beyond the limits: another series than the plain one of that name and context.
    pub overflow: bool,
}

/// What a series' number stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Definition {
    /// Name and context.
    pub(crate) key: SeriesKey,
    /// Whether it takes the samples of series beyond the limits: their contexts are not kept, this one's is empty.
    pub(crate) overflow: bool,
}

impl Definition {
    /// The row's value.
    pub(super) fn encode(key: &SeriesKey, overflow: bool) -> Vec<u8> {
        let context = key.context.as_str().as_bytes();
        let mut payload = Vec::with_capacity(key.name.len().saturating_add(context.len()).saturating_add(4));
        payload.push(if overflow { OVERFLOW } else { 0 });
        put_bytes(&mut payload, key.name.as_bytes());
        payload.extend_from_slice(context);
        envelope::wrap(VERSION, &payload)
    }

    /// Reads the row's value.
    pub(super) fn decode(value: &[u8]) -> Result<Self, Damage> {
        let mut reader = Reader::new(ROW, envelope::open(ROW, VERSION, value)?);
        let flags = reader.byte()?;
        let name = reader.text()?;
        let context =
            std::str::from_utf8(reader.rest()).map_err(|_| reader.damage("its context is not UTF-8"))?;
        let context =
            Context::from_trusted(context).map_err(|_| reader.damage("its context is not an object"))?;
        if flags & !OVERFLOW != 0 || name.is_empty() {
            return Err(reader.damage("it makes no sense"));
        }
        Ok(Self { key: SeriesKey { name: name.into(), context }, overflow: flags & OVERFLOW != 0 })
    }

    /// The series under its number.
    pub(super) fn of_number(&self, id: u32) -> SeriesRef {
        SeriesRef { id, key: self.key.clone(), overflow: self.overflow }
    }

    /// Whether this is the definition of `key`.
    pub(super) fn is_of(&self, key: &SeriesKey, overflow: bool) -> bool {
        self.overflow == overflow && self.key == *key
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn come_back(name in ".{1,20}", value in ".{0,20}", overflow: bool) {
            let key = SeriesKey { name: name.as_str().into(), context: Context::from_labels([("k", value.as_str())]) };
            let back = Definition::decode(&Definition::encode(&key, overflow)).unwrap();
            prop_assert!(back.is_of(&key, overflow));
        }

        #[test]
        fn any_payload_is_damage_at_worst(payload: Vec<u8>) {
            let _ = Definition::decode(&envelope::wrap(VERSION, &payload));
            let _ = Definition::decode(&payload);
        }
    }

    /// The bytes of FORMAT.md.
    #[test]
    fn the_format_stays() {
        let key = SeriesKey { name: "cpu".into(), context: Context::from_labels([("k", "v")]) };
        let value = Definition::encode(&key, true);
        assert_eq!(
            value.escape_ascii().to_string(),
            b"\x01k1\x89 \x01\x03cpu{\"k\":\"v\"}".escape_ascii().to_string()
        );
    }
}
