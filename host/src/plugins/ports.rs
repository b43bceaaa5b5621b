//! What plugins can ask of the host: their key-value space in the store, and aggregate queries.

use std::sync::{Arc, OnceLock, Weak};

use telemetry_core::Timestamp;
use telemetry_core::extension::{KeyValuePort, PortError, QueryPort};
use telemetry_core::limits::MAX_PLUGIN_KEY_BYTES;
use telemetry_store::{Store, StoreError};

use crate::envelope::{Envelope, cause_chain};
use crate::host::Services;
use crate::query::metric_query_from_json;

/// Plugins' key-value spaces, in the store.
pub(crate) struct StoreKeyValuePort {
    pub(crate) store: Arc<Store>,
}

impl KeyValuePort for StoreKeyValuePort {
    fn get(&self, plugin: &str, key: &str) -> Result<Option<Vec<u8>>, PortError> {
        self.store.plugin_get(plugin, key).map_err(|error| PortError::Transient(cause_chain(&error)))
    }

    fn write(&self, plugin: &str, key: &str, value: Option<&[u8]>) -> Result<(), PortError> {
        if key.len() > MAX_PLUGIN_KEY_BYTES {
            return Err(PortError::Quota { what: "bytes of a key", limit: MAX_PLUGIN_KEY_BYTES as u64 });
        }
        self.store.plugin_write(plugin, key, value).map_err(|error| match error {
            StoreError::PluginQuota { limit, .. } => PortError::Quota { what: "bytes", limit },
            other => PortError::Transient(cause_chain(&other)),
        })
    }
}

/// The query port is given to plugins before the host that answers it is complete.
#[derive(Default)]
pub(crate) struct LateQueryPort {
    services: OnceLock<Weak<Services>>,
}

impl LateQueryPort {
    pub(crate) fn connect(&self, services: &Arc<Services>) {
        let _ = self.services.set(Arc::downgrade(services));
    }
}

impl QueryPort for LateQueryPort {
    fn get_metrics(&self, request_json: &str, as_of: Timestamp) -> Result<String, PortError> {
        let services = self.services.get().and_then(Weak::upgrade);
        let services = services.ok_or_else(|| PortError::Transient("the host is not ready".to_owned()))?;
        let envelope = match metric_query_from_json(request_json.as_bytes())
            .and_then(|query| services.run_query(&query, Some(as_of)))
        {
            Ok(answer) => Envelope { body: answer.to_json(), error: None },
            Err(error) => Envelope::of_error(&error),
        };
        Ok(envelope.body.to_string())
    }
}
