//! What alerting needs of the store. The trait lets tests put a model, and failures, in the store's place.

use telemetry_core::{DeadLetter, PendingDelivery};
use telemetry_store::{AlertChanges, Store, StoreError, StoredAlert};

/// The durable alerts, outbox and dead letters.
///
/// A failed write changed nothing, or nobody knows; in the second case no later write succeeds until the store is reopened,
/// so that what is mirrored in memory never contradicts it.
pub trait AlertStore: Send + Sync {
    /// Every alert: those that fire and the resolved ones that are kept.
    fn alerts(&self) -> Result<Vec<StoredAlert>, StoreError>;
    /// Up to `limit` rows of the outbox.
    fn pending_deliveries(&self, limit: usize) -> Result<Vec<PendingDelivery>, StoreError>;
    /// Up to `limit` dead letters, oldest first.
    fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, StoreError>;
    /// Makes all changes durable, or none.
    fn commit_alerts(&self, changes: &AlertChanges) -> Result<(), StoreError>;
}

impl AlertStore for Store {
    fn alerts(&self) -> Result<Vec<StoredAlert>, StoreError> {
        Self::alerts(self)
    }

    fn pending_deliveries(&self, limit: usize) -> Result<Vec<PendingDelivery>, StoreError> {
        Self::pending_deliveries(self, limit)
    }

    fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        Self::dead_letters(self, limit)
    }

    fn commit_alerts(&self, changes: &AlertChanges) -> Result<(), StoreError> {
        Self::commit_alerts(self, changes)
    }
}
