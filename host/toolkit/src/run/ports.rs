//! What a case has in place of a host: key-value spaces in memory, recorded answers.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use telemetry_core::Timestamp;
use telemetry_core::extension::{KeyValuePort, KeyValueWrite, PortError, QueryPort};
use telemetry_core::limits::MAX_PLUGIN_KEY_BYTES;
use telemetry_sandbox::{HttpAnswer, HttpFault, HttpPort, HttpRequest};

/// Key-value spaces in memory.
#[derive(Debug, Default)]
pub(crate) struct KeyValues(Mutex<BTreeMap<(String, String), Vec<u8>>>);

impl KeyValues {
    /// Keeps what a monitor wrote up to a checkpoint, as a host does.
    pub(crate) fn commit(&self, monitor: &str, writes: &[KeyValueWrite]) {
        writes.iter().for_each(|write| self.keep(monitor, &write.key, write.value.as_deref()));
    }

    /// Empties the spaces.
    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn keep(&self, plugin: &str, key: &str, value: Option<&[u8]>) {
        let key = (plugin.to_owned(), key.to_owned());
        let mut space = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match value {
            Some(value) => drop(space.insert(key, value.to_vec())),
            None => drop(space.remove(&key)),
        }
    }
}

impl KeyValuePort for KeyValues {
    fn get(&self, plugin: &str, key: &str) -> Result<Option<Vec<u8>>, PortError> {
        let space = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(space.get(&(plugin.to_owned(), key.to_owned())).cloned())
    }

    fn write(&self, plugin: &str, key: &str, value: Option<&[u8]>) -> Result<(), PortError> {
        if key.len() > MAX_PLUGIN_KEY_BYTES {
            return Err(PortError::Quota { what: "bytes of a key", limit: MAX_PLUGIN_KEY_BYTES as u64 });
        }
        self.keep(plugin, key, value);
        Ok(())
    }
}

/// Recorded answers to queries, given in order.
#[derive(Debug)]
pub(crate) struct Queries(Mutex<VecDeque<Value>>);

impl Queries {
    pub(crate) fn new(answers: Vec<Value>) -> Self {
        Self(Mutex::new(answers.into()))
    }
}

impl QueryPort for Queries {
    fn get_metrics(&self, request: &str, _: Timestamp) -> Result<String, PortError> {
        let next = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        next.map(|answer| answer.to_string()).ok_or_else(|| {
            PortError::Unsupported(format!("the case has no further one of `query_answers` for {request}"))
        })
    }
}

/// Recorded answers of the far side, given in order; the requests are kept.
#[derive(Debug, Default)]
pub(crate) struct RecordedHttp {
    answers: Mutex<VecDeque<Result<HttpAnswer, HttpFault>>>,
    requests: Mutex<Vec<HttpRequest>>,
}

impl RecordedHttp {
    /// The answers to come, in place of those before.
    pub(crate) fn expect(&self, answers: &[Result<HttpAnswer, HttpFault>]) {
        *self.answers.lock().unwrap_or_else(PoisonError::into_inner) = answers.iter().cloned().collect();
    }

    /// The requests since the last call.
    pub(crate) fn take_requests(&self) -> Vec<HttpRequest> {
        std::mem::take(&mut *self.requests.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl HttpPort for RecordedHttp {
    fn send(&self, request: HttpRequest) -> Result<HttpAnswer, HttpFault> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
        let next = self.answers.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        next.unwrap_or_else(|| {
            Err(HttpFault::Connection("the case has no further one of the step's `answers`".to_owned()))
        })
    }
}
