//! A sandbox on a manual clock with ports in memory, and records to show to its plugins.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use telemetry_core::extension::{KeyValuePort, PortError, QueryPort};
use telemetry_core::{EventBatch, EventRow, ManualClock, SampleBatch, Timestamp};
use telemetry_sandbox::{Component, Plugin, PluginLimits, PluginSpec, Ports, Sandbox, SandboxOptions};

/// When all tests take place.
pub(crate) const NOW: &str = "2025-05-21T14:32:17.123Z";

pub(crate) struct Fixture {
    pub(crate) sandbox: Sandbox,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) key_value: Arc<KeyValues>,
    pub(crate) query: Arc<Queries>,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        // One cache of compiled code for all tests and runs, so that each component is compiled once.
        let cache = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("code-cache");
        Self::with(SandboxOptions { cache_directory: Some(cache), ..SandboxOptions::default() })
    }

    pub(crate) fn with(options: SandboxOptions) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::parse(NOW).unwrap()));
        let (key_value, query) = (Arc::new(KeyValues::default()), Arc::new(Queries::default()));
        let ports = Ports {
            key_value: Arc::clone(&key_value) as Arc<dyn KeyValuePort>,
            query: Arc::clone(&query) as Arc<dyn QueryPort>,
        };
        let sandbox = Sandbox::new(options, ports, Arc::clone(&clock) as _).unwrap();
        Self { sandbox, clock, key_value, query }
    }

    /// Loads a guest with room in time: the machine may be busy, and a loop is for the tests that ask for it.
    pub(crate) fn guest(&self, name: &str) -> Plugin {
        self.sandbox.load(spec(name)).unwrap()
    }

    /// Loads a guest that has little time.
    pub(crate) fn hurried_guest(&self, name: &str) -> Plugin {
        let mut spec = spec(name);
        spec.limits.deadline_ms = 50;
        self.sandbox.load(spec).unwrap()
    }
}

/// A guest as it is configured in most tests.
pub(crate) fn spec(name: &str) -> PluginSpec {
    unhurried(name, guest(name))
}

/// A shipped plugin as it is configured in most tests.
pub(crate) fn shipped_spec(name: &str) -> PluginSpec {
    unhurried(name, shipped(name))
}

fn unhurried(name: &str, component: PathBuf) -> PluginSpec {
    let mut spec = PluginSpec::new(name, Component::File(component));
    spec.limits = PluginLimits { deadline_ms: 20_000, ..PluginLimits::default() };
    spec
}

pub(crate) fn guest(name: &str) -> PathBuf {
    component("guests", name)
}

pub(crate) fn shipped(name: &str) -> PathBuf {
    component(&format!("plugins/{name}"), name)
}

/// The target folder.
pub(crate) fn target() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().to_owned()
}

fn component(folder: &str, name: &str) -> PathBuf {
    let path = target().join(folder).join(format!("{name}.wasm"));
    assert!(path.is_file(), "{} is missing: run `cargo xtask plugins`", path.display());
    path
}

/// Events of these types.
pub(crate) fn events(types: &[&str]) -> EventBatch {
    let mut batch = EventBatch::starting_at(1);
    for event_type in types {
        batch.push(EventRow {
            timestamp: Timestamp::parse(NOW).unwrap().nanos(),
            id: "0196f2f0-0000-7000-8000-000000000001",
            event_type,
            source: "test",
            data: r#"{"a":1}"#,
            extra: "{}",
        });
    }
    batch
}

/// One sample of a metric.
pub(crate) fn sample(metric: &str, value: f64) -> SampleBatch {
    let mut batch = SampleBatch::starting_at(1);
    let series = batch.add_series(metric, r#"{"host":"a"}"#);
    batch.push(series, Timestamp::parse(NOW).unwrap().nanos(), value);
    batch
}

/// Key-value spaces in memory.
#[derive(Default)]
pub(crate) struct KeyValues(pub(crate) Mutex<BTreeMap<(String, String), Vec<u8>>>);

impl KeyValuePort for KeyValues {
    fn get(&self, plugin: &str, key: &str) -> Result<Option<Vec<u8>>, PortError> {
        Ok(self.0.lock().unwrap().get(&(plugin.to_owned(), key.to_owned())).cloned())
    }

    fn write(&self, plugin: &str, key: &str, value: Option<&[u8]>) -> Result<(), PortError> {
        let key = (plugin.to_owned(), key.to_owned());
        match value {
            Some(value) => self.0.lock().unwrap().insert(key, value.to_vec()),
            None => self.0.lock().unwrap().remove(&key),
        };
        Ok(())
    }
}

/// Answers every query with the request and the time it is asked as of.
#[derive(Default)]
pub(crate) struct Queries(pub(crate) Mutex<Option<Duration>>);

impl QueryPort for Queries {
    fn get_metrics(&self, request_json: &str, as_of: Timestamp) -> Result<String, PortError> {
        if let Some(time) = *self.0.lock().unwrap() {
            std::thread::sleep(time);
        }
        Ok(format!("{request_json} as of {as_of}"))
    }
}
