//! How many series a partition's posting lists are believed to name: lists are short for what they may say, a row of a
//! megabyte can name all four billion numbers.
//!
//! Invariant: what is made of lists, in memory and time, is bounded by the partition's own rows.

use roaring::RoaringBitmap;
use rocksdb::properties;

use super::load::greatest_defined;
use crate::database::{Database, Family};
use crate::error::{Damage, StoreError};
use crate::families::META;
use crate::meta;

/// Bytes that a series takes in its partition at least, however well rows are compressed: the checksum of its definition.
const LEAST_SERIES_BYTES: u64 = 4;

/// What series a partition can have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Believed {
    /// No series number from this one on was given out.
    numbers: u64,
    /// The partition's rows have no room for more.
    series: u64,
}

impl Believed {
    /// To be asked after the lists were read: both bounds grow.
    pub(super) fn of(database: &Database, family: &Family<'_>) -> Result<Self, StoreError> {
        let noted = match database.find_family(META) {
            Some(meta) => database.get(&meta, meta::NEXT_SERIES_KEY)?,
            None => None,
        };
        // Where the note is lost, definitions tell.
        let noted = noted.and_then(|value| meta::read_number("next series id", &value).ok());
        let noted = noted.and_then(|noted| u64::try_from(noted).ok()).unwrap_or_default();
        let defined = greatest_defined(database, family)?;
        let defined = defined.map_or(0, |greatest| u64::from(greatest).saturating_add(1));
        // Write buffers first: what is flushed in between counts twice, not never.
        let bytes = [properties::CUR_SIZE_ALL_MEM_TABLES, properties::LIVE_SST_FILES_SIZE]
            .into_iter()
            .filter_map(|property| database.rocks().property_int_value_cf(family, property).ok().flatten())
            .fold(0, u64::saturating_add);
        Ok(Self { numbers: noted.max(defined), series: bytes / LEAST_SERIES_BYTES })
    }

    /// Whether the list of all series of the partition can be true.
    pub(super) fn check(self, all: &RoaringBitmap) -> Result<(), Damage> {
        if all.max().is_some_and(|greatest| u64::from(greatest) >= self.numbers) {
            return Err(Damage::new("posting list", "it names series whose numbers were never given out"));
        }
        if all.len() > self.series {
            return Err(Damage::new("posting list", "it names more series than the partition has room for"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_series_have_a_bound_each() {
        let believed = Believed { numbers: 1000, series: 10 };
        let check = |ids: std::ops::Range<u32>| believed.check(&ids.collect()).is_ok();
        assert!(check(0..0) && check(990..1000) && check(0..10));
        assert!(!check(995..1001) && !check(0..11));
        assert!(Believed { numbers: 1 << 32, series: 1 }.check(&[u32::MAX].into_iter().collect()).is_ok());
    }
}
