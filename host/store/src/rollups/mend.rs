//! Rollups and kept states of a partition of which chunks may be lost.

use rocksdb::WriteBatch;

use super::row::FIRST_ROLLUP_KEY;
use super::states::FIRST_STATE_KEY;
use crate::database::{Database, Family, Promise};
use crate::error::StoreError;
use crate::wire::after_prefix;

/// Removes all of them, with the marks of what was looked through: they may tell of samples that are gone. Those of chunks that
/// are left are made when the partition is brought into its final form, and by whoever builds states.
pub(crate) fn mend(database: &Database, family: &Family<'_>) -> Result<(), StoreError> {
    let mut batch = WriteBatch::new();
    batch.delete_range_cf(family, FIRST_ROLLUP_KEY.to_vec(), after_prefix(FIRST_STATE_KEY));
    database.commit(batch, Promise::Derived)
}
