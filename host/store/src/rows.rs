//! Rows of a family in the order of their keys.
//!
//! Invariant: what ended the reading, an end or damage, is told apart: no row that cannot be read counts as one that is not there.

use rocksdb::{DBRawIteratorWithThreadMode, ReadOptions};

use crate::database::{Family, Rocks};
use crate::error::{EngineError, StoreError};

/// Rows in key order. Stands nowhere until it is told where to go.
pub(crate) struct Rows<'a> {
    inner: DBRawIteratorWithThreadMode<'a, Rocks>,
}

impl<'a> Rows<'a> {
    /// The rows of `family` within the bounds that `options` have.
    pub(crate) fn over(rocks: &'a Rocks, family: &Family<'_>, options: ReadOptions) -> Self {
        Self { inner: rocks.raw_iterator_cf_opt(family, options) }
    }

    /// Goes to the first row.
    pub(crate) fn first(&mut self) {
        self.inner.seek_to_first();
    }

    /// Goes to the last row.
    pub(crate) fn last(&mut self) {
        self.inner.seek_to_last();
    }

    /// Goes to the first row at or after `key`.
    pub(crate) fn seek(&mut self, key: &[u8]) {
        self.inner.seek(key);
    }

    /// Goes to the last row at or before `key`.
    pub(crate) fn seek_back(&mut self, key: &[u8]) {
        self.inner.seek_for_prev(key);
    }

    /// Goes to the next row.
    pub(crate) fn forward(&mut self) {
        if self.inner.valid() {
            self.inner.next();
        }
    }

    /// Goes to the row before.
    pub(crate) fn back(&mut self) {
        if self.inner.valid() {
            self.inner.prev();
        }
    }

    /// Key and value where it stands; `None` beyond the ends and after an error, which [`Self::check`] tells.
    pub(crate) fn row(&self) -> Option<(&[u8], &[u8])> {
        self.inner.item()
    }

    /// The damage at which reading ended, if it did.
    pub(crate) fn damage(&self) -> Result<Option<EngineError>, StoreError> {
        match self.check("a family") {
            Ok(()) => Ok(None),
            Err(StoreError::Read { source, .. }) if source.is_damage() => Ok(Some(source)),
            Err(error) => Err(error),
        }
    }

    /// Whether reading went well so far.
    pub(crate) fn check(&self, what: &'static str) -> Result<(), StoreError> {
        self.inner.status().map_err(StoreError::read(what))
    }
}
