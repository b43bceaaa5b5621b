//! What alerting needs of the store. The trait lets tests put a model, and failures, in the store's place.

use telemetry_core::{Alert, DeadLetter, PendingDelivery};
use telemetry_store::AlertChanges;

/// The store could not do its part; nothing was changed, or it cannot be known whether it was.
#[derive(Debug, thiserror::Error)]
#[error("the store could not {action}")]
pub struct StoreFailure {
    /// What it was asked to do.
    pub action: &'static str,
    /// Why it could not.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// The durable alerts, outbox and dead letters.
///
/// A failed write changed nothing, or nobody knows; in the second case no later write succeeds until the store is reopened,
/// so that what is mirrored in memory never contradicts it.
pub trait AlertStore: Send + Sync {
    /// Every alert: those that fire and the resolved ones that are kept.
    fn alerts(&self) -> Result<Vec<Alert>, StoreFailure>;
    /// Up to `limit` rows of the outbox.
    fn pending_deliveries(&self, limit: usize) -> Result<Vec<PendingDelivery>, StoreFailure>;
    /// Up to `limit` dead letters.
    fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, StoreFailure>;
    /// Makes all changes durable, or none.
    fn commit_alerts(&self, changes: &AlertChanges) -> Result<(), StoreFailure>;
}
