//! Hot reload: new versions of plugins take the place of old ones while the host works, and bad ones do not.

mod absent;
mod files;
mod leaving;
mod monitors;
mod overlap;
mod refused;
mod rollback;
mod sinks;
mod soak;
mod switching;
mod trials;
mod unstarted;
mod validators;
mod versions;

use std::path::{Path, PathBuf};

use bridge_telemetry::plugins::{PluginListing, ReloadOutcome, ReloadReport};
use bridge_telemetry::{Host, JsonObject};
use bridge_telemetry_tests::{guest, plugin};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::fixture::{in_folder, in_memory, unhurried};

/// A folder of components that a test changes.
struct Shelf(TempDir);

impl Shelf {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Puts a component there under a name, as a whole: a host that reads meanwhile sees the old file or the new one.
    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let (file, draft) = (self.path().join(format!("{name}.wasm")), self.path().join("draft"));
        std::fs::write(&draft, bytes).unwrap();
        std::fs::rename(draft, &file).unwrap();
        file
    }

    /// The same component as another version: its bytes differ in a section that says nothing.
    fn put_revised(&self, name: &str, component: &Path, revision: u32) {
        self.put(name, &revised(component, revision));
    }

    /// A configuration whose plugins are those of this folder. Those that lie there by now have settings: calls with room in time.
    fn config(&self, mut base: Value) -> Value {
        base["plugins"]["policy"] = json!("any");
        base["plugins"]["directory"] = json!(self.path());
        base["plugins"]["cache_directory"] = json!(self.path().join("code"));
        base["plugins"]["runtime_metrics"] = json!({"enabled": false});
        for entry in std::fs::read_dir(self.path()).unwrap() {
            let file = entry.unwrap().path();
            if file.extension().is_some_and(|extension| extension == "wasm") {
                let name = file.file_stem().unwrap().to_str().unwrap();
                base["plugins"]["settings"][name]["limits"] = unhurried();
            }
        }
        base
    }

    fn in_memory(&self) -> Value {
        self.config(in_memory())
    }

    fn in_folder(&self) -> Value {
        self.config(in_folder(self.path()))
    }
}

/// A configuration of [`Shelf::config`] without a word of one plugin: what has settings is missed when it is not there.
fn without_settings(mut config: Value, name: &str) -> Value {
    config["plugins"]["settings"].as_object_mut().unwrap().remove(name).unwrap();
    config
}

/// A component with a further custom section.
pub(crate) fn revised(component: &Path, revision: u32) -> Vec<u8> {
    let mut bytes = std::fs::read(component).unwrap();
    let name = b"revision";
    let payload = revision.to_le_bytes();
    bytes.extend([
        0,
        u8::try_from(1 + name.len() + payload.len()).unwrap(),
        u8::try_from(name.len()).unwrap(),
    ]);
    bytes.extend(name);
    bytes.extend(payload);
    bytes
}

fn shipped(name: &str) -> PathBuf {
    plugin(name).unwrap()
}

fn test_guest(name: &str) -> PathBuf {
    guest(name).unwrap()
}

fn listing(host: &Host, name: &str) -> PluginListing {
    host.plugins().into_iter().find(|plugin| plugin.name == name).unwrap()
}

/// Reloads one plugin that has one copy.
fn reload(host: &Host, name: &str) -> ReloadReport {
    let mut reports = host.reload_plugin(name).unwrap();
    assert_eq!(reports.len(), 1, "{reports:?}");
    reports.remove(0)
}

fn is_reloaded(report: &ReloadReport) -> bool {
    report.outcome == ReloadOutcome::Reloaded
}

/// Why a reload was refused, with all causes.
fn refusal(host: &Host, name: &str) -> String {
    bridge_telemetry::envelope::cause_chain(&host.reload_plugin(name).unwrap_err())
}

fn data(value: Value) -> JsonObject {
    JsonObject::from(value.as_object().unwrap())
}
