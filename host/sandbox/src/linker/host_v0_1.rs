//! The host's own imports in the form of version 0.1: the same functions under that version's types.

use crate::bindings::types::PluginError;
use crate::bindings::v0_1::{counters, key_value, log, outbound_http, query};
use crate::bindings::{self, outbound_http as current};
use crate::state::HostState;

impl log::Host for HostState {
    fn write(&mut self, level: log::Level, message: String, fields: String) -> wasmtime::Result<()> {
        let level = match level {
            log::Level::Trace => bindings::log::Level::Trace,
            log::Level::Debug => bindings::log::Level::Debug,
            log::Level::Info => bindings::log::Level::Info,
            log::Level::Warn => bindings::log::Level::Warn,
            log::Level::Error => bindings::log::Level::Error,
        };
        bindings::log::Host::write(self, level, message, fields)
    }
}

impl counters::Host for HostState {
    fn add(&mut self, name: String, delta: u64) -> wasmtime::Result<()> {
        bindings::counters::Host::add(self, name, delta)
    }

    fn set(&mut self, name: String, value: f64) -> wasmtime::Result<()> {
        bindings::counters::Host::set(self, name, value)
    }
}

impl key_value::Host for HostState {
    fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<Vec<u8>>, PluginError>> {
        bindings::key_value::Host::get(self, key)
    }

    fn put(&mut self, key: String, value: Vec<u8>) -> wasmtime::Result<Result<(), PluginError>> {
        bindings::key_value::Host::put(self, key, value)
    }

    fn delete(&mut self, key: String) -> wasmtime::Result<Result<(), PluginError>> {
        bindings::key_value::Host::delete(self, key)
    }
}

impl query::Host for HostState {
    fn get_metrics(&mut self, request: String) -> wasmtime::Result<Result<String, PluginError>> {
        bindings::query::Host::get_metrics(self, request)
    }
}

impl outbound_http::Host for HostState {
    fn send(
        &mut self,
        request: outbound_http::Request,
    ) -> wasmtime::Result<Result<outbound_http::Response, outbound_http::Failure>> {
        let headers = request.headers.into_iter();
        let request = current::Request {
            method: request.method,
            url: request.url,
            headers: headers
                .map(|header| current::Header { name: header.name, value: header.value })
                .collect(),
            body: request.body,
            timeout_milliseconds: request.timeout_milliseconds,
        };
        Ok(match current::Host::send(self, request)? {
            Ok(response) => Ok(outbound_http::Response {
                status: response.status,
                headers: response.headers.into_iter().map(header).collect(),
                body: response.body,
            }),
            Err(failure) => Err(match failure {
                current::Failure::Denied(reason) => outbound_http::Failure::Denied(reason),
                current::Failure::Timeout => outbound_http::Failure::Timeout,
                current::Failure::Connection(reason) => outbound_http::Failure::Connection(reason),
                current::Failure::TooLarge => outbound_http::Failure::TooLarge,
                current::Failure::Other(reason) => outbound_http::Failure::Other(reason),
            }),
        })
    }
}

fn header(header: current::Header) -> outbound_http::Header {
    outbound_http::Header { name: header.name, value: header.value }
}
