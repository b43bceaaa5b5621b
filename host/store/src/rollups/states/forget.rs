//! Removing the states of a kind: those of an old version of a plugin, or that nobody wants any longer.

use rocksdb::WriteBatch;

use super::row::prefix;
use crate::database::Promise;
use crate::engine::Engine;
use crate::error::StoreError;
use crate::families::{Class, META};
use crate::meta;
use crate::wire::after_prefix;

impl Engine {
    /// Removes all states of a kind; they count as known until the last is gone.
    pub(crate) fn remove_states(&self, fingerprint: u64) -> Result<(), StoreError> {
        let _building = self.states.building.lock();
        self.states.with(fingerprint, |kind| {
            kind.rollup = None;
            kind.work.clear();
        });
        self.clear_states(fingerprint)?;
        let mut batch = WriteBatch::new();
        batch.delete_cf(&self.database.family(META)?, meta::kept_states_key(fingerprint));
        self.database.commit(batch, Promise::Derived)?;
        self.states.forget(fingerprint);
        Ok(())
    }

    /// Removes the rows of a fingerprint.
    pub(super) fn clear_states(&self, fingerprint: u64) -> Result<(), StoreError> {
        let (lower, upper) = (prefix(fingerprint), after_prefix(&prefix(fingerprint)));
        for partition in self.catalogue.all(Class::Metrics) {
            let _pass = self.catalogue.pass();
            let Some(family) = self.database.find_family(&partition.family) else { continue };
            let mut rows = self.database.rows(&family, lower.clone(), upper.clone());
            rows.first();
            // Of what cannot be read nobody knows.
            let found = rows.row().is_some() || rows.damage()?.is_some();
            drop(rows);
            if found {
                let mut batch = WriteBatch::new();
                batch.delete_range_cf(&family, &lower, &upper);
                self.database.commit(batch, Promise::Derived)?;
            }
        }
        Ok(())
    }
}
