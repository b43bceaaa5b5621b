//! Hosts for tests: in memory or in a folder, with a manual clock, with chosen plugins.

use std::path::Path;
use std::sync::Arc;

use bridge_telemetry::envelope::Envelope;
use bridge_telemetry::{Clock, Config, Host, HostBuilder, ManualClock, Timestamp};
use serde_json::{Map, Value, json};

/// The instant at which manual clocks start.
pub(crate) fn start() -> Timestamp {
    Timestamp::parse("2025-05-21T14:32:17.123Z").unwrap()
}

/// A manual clock and a host without threads of its own, configured by `config`.
pub(crate) fn host_with_clock(config: Value) -> (Host, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(start()));
    let host = open(config, Arc::clone(&clock) as Arc<dyn Clock>);
    (host, clock)
}

pub(crate) fn open(config: Value, clock: Arc<dyn Clock>) -> Host {
    HostBuilder::new(Config::from_value(config).unwrap()).clock(clock).without_background().open().unwrap()
}

/// In memory, without plugins.
pub(crate) fn in_memory() -> Value {
    json!({"storage_config": {"backend": "memory"}})
}

/// In a folder, without plugins.
pub(crate) fn in_folder(folder: &Path) -> Value {
    json!({"storage_config": {"connection_string": folder.join("store")}})
}

/// Limits with room in time: the machine may be busy, and a loop is for the tests that ask for it.
pub(crate) fn unhurried() -> Value {
    json!({"deadline_ms": 20_000})
}

/// Adds plugins by their components: name, file and what else their settings say. Those that do not say how much time a call has leave
/// it room.
pub(crate) fn with_plugin(mut config: Value, name: &str, component: &Path, settings: Value) -> Value {
    let mut settings: Map<String, Value> = settings.as_object().unwrap().clone();
    let mut limits = unhurried().as_object().unwrap().clone();
    limits.extend(settings.get("limits").and_then(Value::as_object).cloned().unwrap_or_default());
    settings.insert("limits".to_owned(), Value::Object(limits));
    settings.insert("component".to_owned(), json!(component));
    settings.insert("required".to_owned(), json!(true));
    config["plugins"]["settings"][name] = Value::Object(settings);
    // Nobody installed these.
    config["plugins"]["policy"] = json!("any");
    config
}

/// A test guest's component with an order in it, which stands there before there is any configuration: see the crate
/// `bridge-telemetry-zoo`.
pub(crate) fn with_order(component: &Path, order: &str) -> Vec<u8> {
    const PLACE: &[u8] = b"zoo-order-> ";
    const PLACE_BYTES: usize = 80;
    let mut bytes = std::fs::read(component).unwrap();
    let at = bytes.windows(PLACE.len()).position(|window| window == PLACE).unwrap() + PLACE.len();
    let room = PLACE_BYTES - PLACE.len();
    bytes[at..at + room].copy_from_slice(format!("{order:room$}").as_bytes());
    bytes
}

/// An envelope's error code.
pub(crate) fn code(envelope: &Envelope) -> &str {
    envelope.body.pointer("/error/code").and_then(Value::as_str).unwrap_or("success")
}

/// An error's message.
pub(crate) fn message(envelope: &Envelope) -> &str {
    envelope.body.pointer("/error/message").and_then(Value::as_str).unwrap_or("success")
}

/// Records an event at the JSON edge.
pub(crate) fn event(host: &Host, body: Value) -> Envelope {
    host.record_event_json(body.to_string().as_bytes())
}

/// Records a sample at the JSON edge.
pub(crate) fn metric(host: &Host, body: Value) -> Envelope {
    host.record_metric_json(body.to_string().as_bytes())
}

/// Asks at the JSON edge.
pub(crate) fn query(host: &Host, body: Value) -> Envelope {
    host.query_json(body.to_string().as_bytes())
}
