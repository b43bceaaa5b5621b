//! Alerts of the host's own, about itself: its monitor is `bridge_telemetry`.

use std::sync::Arc;

use parking_lot::Mutex;
use telemetry_core::{Clock, Signal};
use telemetry_store::StoreError;

use super::alert_store::AlertStore;
use super::book::AlertBook;
use super::dispatcher::Dispatcher;
use super::routes::RoutingTable;

/// The name of the host's own monitor; no plugin may have it.
pub const HOST_MONITOR: &str = "bridge_telemetry";

/// Raises and resolves the host's own alerts; they are routed and delivered like any other.
#[derive(Debug)]
pub struct HostAlerts {
    store: Arc<dyn AlertStore>,
    clock: Arc<dyn Clock>,
    dispatcher: Arc<Dispatcher>,
    book: Mutex<AlertBook>,
}

impl std::fmt::Debug for dyn AlertStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AlertStore")
    }
}

impl HostAlerts {
    /// Continues with the host's alerts that the store holds.
    pub fn load(
        store: Arc<dyn AlertStore>,
        clock: Arc<dyn Clock>,
        dispatcher: Arc<Dispatcher>,
        routes: Arc<RoutingTable>,
    ) -> Result<Self, StoreError> {
        let book = AlertBook::load(HOST_MONITOR, store.alerts()?, routes);
        Ok(Self { store, clock, dispatcher, book: Mutex::new(book) })
    }

    /// Raises, updates or resolves an alert; returns when it is stored.
    pub fn signal(&self, signal: Signal) -> Result<(), StoreError> {
        let mut book = self.book.lock();
        let now = self.clock.now();
        if !signal.firing && !book.is_firing(&signal.key) {
            return Ok(());
        }
        book.apply(signal, now);
        let mut changes = book.changes(now);
        self.dispatcher.admit(&mut changes);
        let stored = self.store.commit_alerts(&changes);
        match stored {
            Ok(()) => {
                book.commit(&changes);
                self.dispatcher.stored(&changes);
            }
            Err(_) => book.rollback(),
        }
        stored
    }

    /// Whether the host's alert with this key fires.
    pub fn is_firing(&self, key: &str) -> bool {
        self.book.lock().is_firing(key)
    }
}
