//! Installing, signing, trusting and switching plugins with the real program and a real host.

mod grants;
mod install;
mod refusal;
mod signing;
mod switching;
mod tampering;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bridge_telemetry_tests::plugin;
use serde_json::{Value, json};

use super::place::{Place, told};
use super::running::{Running, wait_for};

/// The folder of plugins in a place.
const PLUGINS: &str = "plugins";
/// An event that `redact` masks.
const SECRET: &str = r#"{"event_type":"LOGIN","source":"s","data":{"password":"hunter2"}}"#;

/// Names and contents of everything in a folder.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let Ok(entries) = fs::read_dir(folder) else { return found };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.insert(path.clone(), Vec::new());
            found.extend(contents(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

/// A copy of a shipped plugin's package, to be changed at will.
fn package(place: &Place, name: &str) -> PathBuf {
    let folder = place.path().join("packages").join(name);
    fs::create_dir_all(&folder).unwrap();
    let shipped = plugin(name).unwrap();
    for file in [shipped.clone(), shipped.with_file_name("plugin.toml")] {
        fs::copy(&file, folder.join(file.file_name().unwrap())).unwrap();
    }
    folder
}

/// Replaces one text by another in a file.
fn edit(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{from} in {text}");
    fs::write(file, text.replacen(from, to, 1)).unwrap();
}

/// Without the line that begins so.
fn without_line(file: &Path, start: &str) {
    let text = fs::read_to_string(file).unwrap();
    let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with(start)).collect();
    fs::write(file, kept.join("\n") + "\n").unwrap();
}

impl Place {
    /// A command on the folder of plugins.
    fn plugin(&self, arguments: &[&str]) -> (i32, Value) {
        self.json(&[&["plugin"], arguments, &["--plugins", PLUGINS]].concat())
    }

    fn install(&self, source: &Path, more: &[&str]) -> (i32, Value) {
        self.plugin(&[&["install", source.to_str().unwrap()], more].concat())
    }

    fn installed(&self, source: &Path) -> Value {
        let (exit, body) = self.install(source, &[]);
        assert_eq!((exit, &body["status"]), (0, &json!("success")), "{body}");
        body["plugin"].clone()
    }

    /// The command is refused for this reason, and leaves the folder of plugins as it was.
    fn refuses(&self, arguments: &[&str], kind: &str) -> String {
        let before = contents(&self.path().join(PLUGINS));
        let (exit, body) = self.plugin(arguments);
        let error = &body["error"];
        assert_eq!((exit, &error["details"]["exception_type"]), (1, &json!(kind)), "{body}");
        assert_eq!(contents(&self.path().join(PLUGINS)), before, "{kind}");
        error["message"].as_str().unwrap().to_owned()
    }

    fn refuses_to_install(&self, source: &Path, kind: &str) -> String {
        self.refuses(&["install", source.to_str().unwrap()], kind)
    }

    /// What `plugin list` says of one plugin.
    fn listed(&self, name: &str) -> Value {
        let (exit, body) = self.plugin(&["list"]);
        assert_eq!(exit, 0, "{body}");
        let found = body["plugins"].as_array().unwrap().iter().find(|one| one["name"] == name);
        found.cloned().unwrap_or_default()
    }

    /// Waits until the host's own thread has brought a plugin there.
    fn comes_to(&self, name: &str, load: &Value) {
        wait_for(&format!("{name}: {load}"), || (self.listed(name)["load"] == *load).then_some(()));
    }

    /// Whether `redact` masks what one command stores.
    fn masks(&self) -> bool {
        let (exit, receipt) = self.json(&["record", "event", SECRET, "--plugins", PLUGINS]);
        assert_eq!(exit, 0, "{receipt}");
        let (_, body) = self.json(&["events", "--limit", "1"]);
        body["events"][0]["data"]["password"] == "***"
    }

    fn host(&self) -> Running {
        Running::of(self.command(&["run", "--no-system", "--plugins", PLUGINS]))
    }
}
