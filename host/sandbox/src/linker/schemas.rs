//! JSON Schemas, applied to events for plugins.

use std::time::Instant;

use serde_json::Value;
use telemetry_core::limits;
use wasmtime::Trap;
use wasmtime::component::Resource;

use crate::bindings::json_schemas::{Fault, Host, HostSchema};
use crate::bindings::types::PluginError;
use crate::schema::{LIMIT, Late, Schema, SchemaFault};
use crate::state::HostState;

impl Host for HostState {}

/// Its time is the guest's own, as if it compiled and judged itself, and ends the call when it is over.
impl HostSchema for HostState {
    fn compile(&mut self, schema: String) -> wasmtime::Result<Result<Resource<Schema>, PluginError>> {
        self.count_search()?;
        if self.schemas.is_full() {
            return unsupported(format!("the plugin keeps {} schemas already", limits::MAX_KEPT_SCHEMAS));
        }
        let schema = match Schema::parse(&schema) {
            Ok(schema) => schema,
            Err(reason) => return unsupported(reason),
        };
        if !self.limiter.host_grows(schema.memory()) {
            return unsupported("the plugin's memory has no room for this schema".to_owned());
        }
        Ok(Ok(self.schemas.keep(schema)?))
    }

    fn check(
        &mut self,
        schema: Resource<Schema>,
        rows: Vec<u32>,
        most: u32,
    ) -> wasmtime::Result<Result<Vec<Fault>, PluginError>> {
        let end = self.count_search()?;
        let Some(events) = self.events.clone() else {
            return unsupported("there are no events in this call that could be judged".to_owned());
        };
        let schema = self.schemas.get(&schema)?;
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(limits::MAX_JUDGED_FAULTS_PER_EVENT);
        let mut faults = Vec::new();
        let mut bytes = 0_usize;
        for row in rows {
            let Some(text) = usize::try_from(row).ok().and_then(|row| events.data_of(row)) else {
                return unsupported(format!("there is no row {row} in this batch"));
            };
            // It is the plugin's memory, as if it parsed itself.
            let needs = bytes_of(text);
            if !self.limiter.host_grows(needs) {
                // One sender's event is no reason to judge no others.
                let message = "the plugin's memory has no room for its data".to_owned();
                faults.push(Fault { row, path: String::new(), keyword: LIMIT.to_owned(), message });
                continue;
            }
            let judged = serde_json::from_str(text)
                .map(|data: Value| schema.masked_faults(&data, text.len(), most, end));
            self.limiter.host_shrank(needs);
            let judged = match judged {
                Ok(judged) => judged,
                Err(error) => return unsupported(format!("the data of row {row} is not JSON: {error}")),
            };
            // As a guest ends whose own code takes too long.
            let found = match judged {
                Ok(found) => found,
                Err(Late) => return Err(Trap::Interrupt.into()),
            };
            for SchemaFault { pointer: path, keyword, message } in found {
                bytes += size_of::<Fault>() + path.len() + keyword.len() + message.len();
                faults.push(Fault { row, path, keyword, message });
            }
            if bytes > limits::MAX_JUDGED_BYTES {
                let limit = limits::MAX_JUDGED_BYTES;
                return unsupported(format!(
                    "the faults take more than {limit} bytes: judge fewer rows at once"
                ));
            }
            if end.is_some_and(|end| Instant::now() >= end) {
                return Err(Trap::Interrupt.into());
            }
        }
        Ok(Ok(faults))
    }

    fn drop(&mut self, schema: Resource<Schema>) -> wasmtime::Result<()> {
        let schema = self.schemas.give_back(schema)?;
        self.limiter.host_shrank(schema.memory());
        Ok(())
    }
}

/// Bytes that JSON needs when it is parsed: each value stands behind one of these, but for the first.
fn bytes_of(json: &str) -> usize {
    let values = json.bytes().filter(|byte| matches!(byte, b',' | b'[' | b'{' | b':')).count();
    (values + 1).saturating_mul(limits::JUDGED_VALUE_BYTES).saturating_add(json.len())
}

fn unsupported<T>(reason: String) -> wasmtime::Result<Result<T, PluginError>> {
    Ok(Err(PluginError::Unsupported(reason)))
}
