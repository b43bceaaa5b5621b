//! The host's own imports: log, counters, event values, key-value, query, outbound HTTP.

use std::sync::Arc;
use std::time::Instant;

use telemetry_core::batch::{EventValues, Places, ValuesError};
use telemetry_core::extension::PortError;
use telemetry_core::limits;
use tracing::Level;
use wasmtime::Trap;

use crate::bindings::types::PluginError;
use crate::bindings::{counters, event_values, key_value, log, outbound_http, query, types};
use crate::http::{Rule, Unanswered};
use crate::key_value::KeyValueSpace;
use crate::state::HostState;

impl types::Host for HostState {}

impl log::Host for HostState {
    fn write(&mut self, level: log::Level, message: String, fields: String) -> wasmtime::Result<()> {
        let level = match level {
            log::Level::Trace => Level::TRACE,
            log::Level::Debug => Level::DEBUG,
            log::Level::Info => Level::INFO,
            log::Level::Warn => Level::WARN,
            log::Level::Error => Level::ERROR,
        };
        self.say(level, message, fields)
    }
}

impl counters::Host for HostState {
    fn add(&mut self, name: String, delta: u64) -> wasmtime::Result<()> {
        self.count(&name)?.add(&name, delta);
        Ok(())
    }

    fn set(&mut self, name: String, value: f64) -> wasmtime::Result<()> {
        self.count(&name)?.set(&name, value);
        Ok(())
    }
}

impl event_values::Host for HostState {
    /// Its time is the guest's own, as if it looked for them itself, and ends the call when it is over.
    fn read(
        &mut self,
        places: Vec<String>,
    ) -> wasmtime::Result<Result<event_values::ValueTable, PluginError>> {
        self.count_reading()?;
        Ok(self.values(places)?.map(|values| event_values::ValueTable {
            kinds: values.kinds().to_vec(),
            numbers: values.numbers().to_vec(),
            texts: types::TextColumnResult {
                bytes: values.texts().bytes().to_vec(),
                ends: values.texts().ends().to_vec(),
            },
        }))
    }
}

impl HostState {
    fn values(&mut self, pointers: Vec<String>) -> wasmtime::Result<Result<Arc<EventValues>, PluginError>> {
        let unsupported = |reason: String| Ok(Err(PluginError::Unsupported(reason)));
        // A plugin asks for the same places at every call.
        let places = match self.places.take().filter(|places| places.pointers() == pointers) {
            Some(places) => places,
            None => match Places::new(pointers) {
                Ok(places) => Arc::new(places),
                Err(error) => return unsupported(error.to_string()),
            },
        };
        let end = self.own_end();
        let is_over = || end.is_some_and(|end| Instant::now() >= end);
        let places = self.places.insert(places);
        let Some(events) = &self.events else {
            return unsupported("there are no events in this call whose values could be read".to_owned());
        };
        match events.values(places, &is_over) {
            Ok(values) => Ok(Ok(values)),
            // As a guest ends whose own code takes too long.
            Err(ValuesError::Late) => Err(Trap::Interrupt.into()),
            Err(error) => unsupported(error.to_string()),
        }
    }

    fn key_value<R>(
        &mut self,
        call: impl FnOnce(&mut KeyValueSpace) -> Result<R, PortError>,
    ) -> wasmtime::Result<Result<R, PluginError>> {
        self.port(|state| match &mut state.ports.key_value {
            Some(space) => call(space).map_err(plugin_error),
            None => Err(PluginError::Unsupported("this instance has no key-value space".to_owned())),
        })
    }
}

impl key_value::Host for HostState {
    fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<Vec<u8>>, PluginError>> {
        self.key_value(|space| space.get(&key))
    }

    fn put(&mut self, key: String, value: Vec<u8>) -> wasmtime::Result<Result<(), PluginError>> {
        self.key_value(|space| space.write(key, Some(value)))
    }

    fn delete(&mut self, key: String) -> wasmtime::Result<Result<(), PluginError>> {
        self.key_value(|space| space.write(key, None))
    }
}

impl query::Host for HostState {
    fn get_metrics(&mut self, request: String) -> wasmtime::Result<Result<String, PluginError>> {
        self.count_query()?;
        self.port(|state| {
            if request.len() > limits::MAX_PLUGIN_QUERY_BYTES {
                let limit = limits::MAX_PLUGIN_QUERY_BYTES;
                return Err(PluginError::Unsupported(format!("the query is longer than {limit} bytes")));
            }
            let Some(port) = &state.ports.query else {
                return Err(PluginError::Unsupported("this instance has no queries".to_owned()));
            };
            let answer = port.get_metrics(&request, state.now).map_err(plugin_error)?;
            if answer.len() > limits::MAX_PLUGIN_QUERY_ANSWER_BYTES {
                let limit = limits::MAX_PLUGIN_QUERY_ANSWER_BYTES;
                return Err(PluginError::Other(format!(
                    "the answer is longer than {limit} bytes; ask for less"
                )));
            }
            Ok(answer)
        })
    }
}

impl outbound_http::Host for HostState {
    fn send(
        &mut self,
        request: outbound_http::Request,
    ) -> wasmtime::Result<Result<outbound_http::Response, outbound_http::Failure>> {
        self.count_http_request()?;
        // An ordinary call's time is kept back, so that the plugin can say what became of it.
        let time = self.time_left().saturating_sub(self.plugin.limits.deadline());
        let start = std::time::Instant::now();
        let answer = match self.ports.http.clone() {
            Some(client) => client.send(request, time),
            // A trial's: nothing of it goes anywhere.
            None => {
                let denied = outbound_http::Failure::Denied("this instance has no HTTP".to_owned());
                Err(Unanswered::Refused(Rule::Origin, denied))
            }
        };
        self.wait(start.elapsed());
        Ok(answer
            .map_err(|unanswered| self.count_unanswered(unanswered))
            .inspect(|_| self.plugin.meters.http_sent()))
    }
}

impl HostState {
    /// Counts a request without an answer, and says in the plugin's log why one was not sent.
    fn count_unanswered(&mut self, unanswered: Unanswered) -> outbound_http::Failure {
        match unanswered {
            Unanswered::Failed(failure) => {
                self.plugin.meters.http_sent();
                self.plugin.meters.http_failed();
                failure
            }
            Unanswered::Refused(rule, failure) => {
                self.plugin.meters.http_refused(rule.as_str());
                let rule = rule.as_str();
                let why = match &failure {
                    outbound_http::Failure::Denied(why) | outbound_http::Failure::Other(why) => why,
                    _ => "",
                };
                let message = format!("an HTTP request was not sent ({rule}): {why}");
                self.plugin.log.write(Level::WARN, message, String::new());
                failure
            }
        }
    }
}

fn plugin_error(error: PortError) -> PluginError {
    match error {
        PortError::Unsupported(reason) => PluginError::Unsupported(reason),
        PortError::Transient(reason) => PluginError::Transient(reason),
        other => PluginError::Other(other.to_string()),
    }
}
