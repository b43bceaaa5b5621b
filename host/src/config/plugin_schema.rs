//! What plugins' own schemas find wrong with their configuration. Their components are compiled and described for it, never
//! started.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;
use telemetry_sandbox::{PluginInfo, PluginKind, SchemaFault};

use super::path::KeyPath;
use super::plugin::PluginsConfig;
use super::root::Config;
use crate::envelope::cause_chain;
use crate::plugins::receiver_config;

/// The faults of all plugins that the configuration names, in its order: sinks' by receiver, all others' by plugin.
pub(super) fn faults(config: &Config) -> Vec<(KeyPath, String)> {
    let mut components = Components { plugins: &config.plugins, known: BTreeMap::new() };
    let mut faults = Vec::new();
    for (name, settings) in config.plugins.settings.iter().filter(|(_, settings)| settings.enabled) {
        let path = KeyPath::of(["plugins", "settings"]).key(name);
        match components.info(name) {
            // Each receiver configures a copy of its own.
            Ok(Some(info)) if info.kind == PluginKind::Sink => {}
            Ok(Some(info)) => faults.extend(within(&path, info, &settings.config.to_value())),
            Ok(None) => {}
            Err(reason) => faults.push((path, reason.to_owned())),
        }
    }
    for (name, receiver) in &config.alerting.receivers {
        let path = KeyPath::of(["alerting", "receivers"]).key(name);
        let settings = config.plugins.settings_of(&receiver.plugin);
        match components.info(&receiver.plugin) {
            Ok(Some(info)) => {
                faults.extend(within(&path, info, &receiver_config(&settings, receiver).into()));
            }
            Ok(None) => {}
            // Told of the plugin already.
            Err(_) if config.plugins.settings.contains_key(&receiver.plugin) => {}
            Err(reason) => faults.push((path.key("plugin"), reason.to_owned())),
        }
    }
    faults
}

/// The components that were looked at, by place.
struct Components<'a> {
    plugins: &'a PluginsConfig,
    known: BTreeMap<PathBuf, Result<PluginInfo, String>>,
}

impl Components<'_> {
    /// What a plugin's component says of itself, or why it cannot be used; `None` without a folder to find it in.
    fn info(&mut self, name: &str) -> Result<Option<&PluginInfo>, &str> {
        let Some(place) = self.plugins.component_of(name) else { return Ok(None) };
        let found = self.known.entry(place).or_insert_with_key(|place| {
            crate::plugins::package::describe(place).map_err(|error| cause_chain(&error))
        });
        found.as_ref().map(Some).map_err(String::as_str)
    }
}

/// The faults of `value`, which stands at `config` below `path`.
fn within(path: &KeyPath, info: &PluginInfo, value: &Value) -> Vec<(KeyPath, String)> {
    let path = path.key("config");
    let located = |fault: SchemaFault| (below(&path, &fault.pointer, value), fault.message);
    info.config_faults(value).into_iter().map(located).collect()
}

/// The path of what a JSON Pointer names below `path`.
fn below(path: &KeyPath, pointer: &str, value: &Value) -> KeyPath {
    let mut at = Some(value);
    let mut path = path.clone();
    for step in pointer.split('/').skip(1) {
        let key = step.replace("~1", "/").replace("~0", "~");
        let index = at.filter(|value| value.is_array()).and_then(|_| key.parse::<usize>().ok());
        at = at.and_then(|value| index.map_or_else(|| value.get(&key), |index| value.get(index)));
        path = index.map_or_else(|| path.key(key), |index| path.index(index));
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pointers_are_paths_of_keys_and_places() {
        let value = json!({"rules": [{"a/b": {"0": 1}}]});
        let told = |pointer: &str| below(&KeyPath::of(["x"]), pointer, &value).to_string();
        assert_eq!(told(""), "x");
        assert_eq!(told("/rules/0"), "x.rules[0]");
        assert_eq!(told("/rules/0/a~1b/0"), "x.rules[0].\"a/b\".0");
    }
}
