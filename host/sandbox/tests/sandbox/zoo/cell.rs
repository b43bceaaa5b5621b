//! One attack of one guest, and what became of it.

use serde_json::json;
use telemetry_core::extension::FailureReason;
use telemetry_sandbox::{
    Component, Grants, LoadError, Plugin, PluginKind, PluginLimits, PluginSpec, PluginStatus, Sandbox,
};

use super::provoke::{is_entered_by_loading, provoke};
use crate::fixture::guest;

/// How often a plugin that leaks is called.
const LEAKING_CALLS: usize = 40;

/// What an order in the component's bytes begins with.
const PLACE: &[u8] = b"zoo-order-> ";
const PLACE_BYTES: usize = 80;

pub(super) const fn guest_of(kind: PluginKind) -> &'static str {
    match kind {
        PluginKind::Validator => "evil",
        PluginKind::Aggregator => "evil-aggregation",
        PluginKind::Monitor => "evil-monitor",
        PluginKind::Sink => "evil-sink",
    }
}

/// The order to make `attack` at `export`, as a plugin of its own.
pub(super) fn spec(kind: PluginKind, export: &str, attack: &str) -> PluginSpec {
    let order = format!("{export}/{attack}");
    let name = format!("{kind}/{order}");
    let limits = PluginLimits {
        deadline_ms: if is_endless(attack) { 150 } else { 20_000 },
        memory_bytes: 16 << 20,
        output_bytes: 1 << 20,
        instances: Some(1),
        ..PluginLimits::default()
    };
    let path = guest(guest_of(kind));
    let (component, config) = match export {
        // It is asked before there is a configuration.
        "describe" => (Component::Bytes(written_over(&std::fs::read(path).unwrap(), &order)), json!({})),
        _ => (Component::File(path), json!({"order": order})),
    };
    let mut spec = PluginSpec::new(name, component).with_config(config);
    spec.limits = limits;
    if kind == PluginKind::Sink {
        // Nobody listens there, and nobody is asked: the address is not granted.
        spec.grants = Grants { http: vec!["http://127.0.0.1:1".to_owned()], ..Grants::default() };
    }
    spec
}

/// Whether only the clock ends it: it does nothing but on the plugin's own time.
pub(super) fn is_endless(attack: &str) -> bool {
    ["loop", "clock*", "random*", "sleep*", "patterns.find-costly"].contains(&attack)
}

fn written_over(component: &[u8], order: &str) -> Vec<u8> {
    let mut bytes = component.to_vec();
    let at = bytes.windows(PLACE.len()).position(|window| window == PLACE).unwrap() + PLACE.len();
    let room = PLACE_BYTES - PLACE.len();
    bytes[at..at + room].copy_from_slice(format!("{order:room$}").as_bytes());
    bytes
}

/// Makes the attack. The answer is the failure's kind, or `ok`.
pub(super) fn outcome(sandbox: &Sandbox, spec: &PluginSpec, export: &str, attack: &str) -> String {
    let plugin = match sandbox.load(spec.clone()) {
        Ok(plugin) => plugin,
        Err(error) => {
            assert!(is_entered_by_loading(export), "{}: {error}", spec.name);
            return refused(spec, &error);
        }
    };
    let calls = if attack == "leak" { LEAKING_CALLS } else { 1 };
    if let Err(failure) = provoke(sandbox, spec, &plugin, export, calls) {
        assert_eq!(failure.plugin, spec.name);
        named(&plugin, &failure.reason, export);
        flooded(&plugin.status(), attack);
        return failure.reason.kind().to_owned();
    }
    "ok".to_owned()
}

/// A plugin that was not loaded: the error says which, and what is wrong with it.
fn refused(spec: &PluginSpec, error: &LoadError) -> String {
    match error {
        LoadError::Start(failure) => {
            assert_eq!(failure.plugin, spec.name);
            failure.reason.kind().to_owned()
        }
        LoadError::Schema { .. } => "schema".to_owned(),
        other => panic!("{}: {other}", spec.name),
    }
}

/// What health shows of the plugin names the failure, and nothing of the lost instance stays.
fn named(plugin: &Plugin, reason: &FailureReason, export: &str) {
    // A successor's failure is told to who asked for it, and counts as the plugin's, too.
    let status = plugin.status();
    assert!(status.failures_by_kind.get(reason.kind()).is_some_and(|count| *count > 0), "{status:?}");
    if export != "drop" {
        assert_eq!(status.last_failure.as_deref(), Some(reason.to_string().as_str()));
    }
    let lost = matches!(reason.kind(), "trap" | "deadline" | "limit" | "output");
    if lost && export != "init-restored" {
        assert_eq!((status.instances, status.memory_bytes), (0, 0), "{}: {status:?}", plugin.name());
    }
}

/// What was too much was left out, and counted.
fn flooded(status: &PluginStatus, attack: &str) {
    match attack {
        "log-flood" => assert!(status.log_dropped > 900, "{status:?}"),
        "counter-flood" => {
            assert!(status.counters_dropped > 700, "{status:?}");
            assert!(status.counters.len() <= telemetry_core::limits::MAX_PLUGIN_COUNTERS);
        }
        _ => {}
    }
}
