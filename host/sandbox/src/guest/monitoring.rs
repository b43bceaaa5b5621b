//! A monitor's functions. In version 0.1 a signal's labels are an object as JSON.

use std::collections::BTreeMap;

use telemetry_core::limits;
use wasmtime::Store;

use super::{Answer, versions};
use crate::bindings::monitoring::Signal;
use crate::bindings::types::{EventBatch, LabelResult, PluginError, SampleBatch, Subscription};
use crate::bindings::v0_1;
use crate::state::HostState;

versions! {
    /// The functions of a monitor.
    Monitoring, MonitoringIndices, monitoring
}

impl Monitoring {
    pub(crate) fn call_subscribe(&self, store: &mut Store<HostState>) -> wasmtime::Result<Subscription> {
        match self {
            Self::Current(guest) => guest.call_subscribe(store),
            Self::V0_1(guest) => guest.call_subscribe(store),
        }
    }

    pub(crate) fn call_on_events(
        &self,
        store: &mut Store<HostState>,
        batch: EventBatch<'_>,
    ) -> Answer<Vec<Signal>> {
        match self {
            Self::Current(guest) => guest.call_on_events(store, batch),
            Self::V0_1(guest) => signals(guest.call_on_events(store, batch)?),
        }
    }

    pub(crate) fn call_on_samples(
        &self,
        store: &mut Store<HostState>,
        batch: SampleBatch<'_>,
    ) -> Answer<Vec<Signal>> {
        match self {
            Self::Current(guest) => guest.call_on_samples(store, batch),
            Self::V0_1(guest) => signals(guest.call_on_samples(store, batch)?),
        }
    }

    pub(crate) fn call_tick(&self, store: &mut Store<HostState>, now: i64) -> Answer<Vec<Signal>> {
        match self {
            Self::Current(guest) => guest.call_tick(store, now),
            Self::V0_1(guest) => signals(guest.call_tick(store, now)?),
        }
    }
}

fn signals(given: Result<Vec<v0_1::monitoring::Signal>, PluginError>) -> Answer<Vec<Signal>> {
    match given {
        Ok(signals) => signals.into_iter().map(signal).collect::<wasmtime::Result<_>>().map(Ok),
        Err(error) => Ok(Err(error)),
    }
}

/// An error here ends the instance like any answer that cannot be converted.
fn signal(given: v0_1::monitoring::Signal) -> wasmtime::Result<Signal> {
    Ok(Signal {
        labels: labels(&given.key, &given.labels_json)?,
        key: given.key,
        firing: given.firing,
        severity: given.severity,
        summary: given.summary,
        value: given.value,
        timestamp: given.timestamp,
    })
}

fn labels(key: &str, json: &str) -> wasmtime::Result<Vec<LabelResult>> {
    if json.is_empty() {
        return Ok(Vec::new());
    }
    // How many there may be is decided where all signals are checked; this is what may be parsed.
    if json.len() > limits::MAX_SIGNAL_LABELS_JSON_BYTES {
        wasmtime::bail!("the labels of signal \"{key}\" have {} bytes", json.len());
    }
    match serde_json::from_str::<BTreeMap<String, String>>(json) {
        Ok(labels) => Ok(labels.into_iter().map(|(name, value)| LabelResult { name, value }).collect()),
        Err(error) => wasmtime::bail!("the labels of signal \"{key}\" are no object of strings: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_as_json() {
        assert!(labels("k", "").unwrap().is_empty());
        let given = labels("k", r#"{"host":"a"}"#).unwrap();
        assert_eq!((&*given[0].name, &*given[0].value), ("host", "a"));
        for garbage in ["[]", r#"{"a":1}"#, &format!("{{\"a\":\"{}\"}}", "x".repeat(66_000))] {
            assert!(labels("k", garbage).is_err(), "{garbage}");
        }
    }
}
