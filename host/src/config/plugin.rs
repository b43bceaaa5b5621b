//! `plugins`: which components are loaded, and how each is set up.
//!
//! Every package `NAME/` (a folder with a `plugin.toml`) and every component `NAME.wasm` of `plugins.directory` is a plugin called
//! NAME and is loaded unless `settings.NAME.enabled` is
//! false; settings are only needed for what differs from the defaults. `settings.NAME.component` loads a further copy
//! of a component under a name of its own:
//! ```toml
//! [plugins]
//! directory = "plugins"
//! [plugins.settings.redact]              # plugins/redact/ or plugins/redact.wasm
//! order = 10                             # before the other validators
//! config = { keys = ["password"] }
//! [plugins.settings.cpu-high]            # a second monitor made of the plugin threshold
//! component = "threshold"
//! config = { rules = [{ metric = "cpu_usage", comparison = ">", threshold = 90.0 }] }
//! ```
//! Sinks are not loaded by themselves but once for each receiver (`alerting.receivers`) that names them; their
//! settings here hold for all of these receivers.

use std::fmt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use telemetry_core::limits::MAX_BACKLOG_RECORDS;

use super::grant::Grants;
use super::limits::PluginLimits;
use super::supervision::{ReloadConfig, RuntimeMetricsConfig};
use super::trust::{PluginPolicy, TrustedKey};
use crate::plugins::package::{MANIFEST_FILE, Sha256};

/// File name extension of a component.
pub(crate) const COMPONENT_EXTENSION: &str = "wasm";

/// All plugins.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PluginsConfig {
    /// Where the components are. Without it only plugins whose settings name a `component` are loaded.
    pub directory: Option<PathBuf>,
    /// Where compiled code is kept between starts; `plugin_cache` in the data directory when absent.
    pub cache_directory: Option<PathBuf>,
    /// What a plugin must show before it is loaded.
    pub policy: PluginPolicy,
    /// Whose signatures count, by a name of your choice: minisign public keys.
    pub trusted_keys: BTreeMap<String, TrustedKey>,
    /// Taking over components that changed.
    pub reload: ReloadConfig,
    /// Recording what the plugins cost.
    pub runtime_metrics: RuntimeMetricsConfig,
    /// By plugin name.
    pub settings: BTreeMap<String, PluginSettings>,
}

/// How one plugin is set up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PluginSettings {
    /// Whether it is loaded.
    pub enabled: bool,
    /// Whether the host refuses to start when it cannot be loaded, as suits a validator that must see every record.
    /// Otherwise the host starts without it, and health says so.
    pub required: bool,
    /// Its component: the name of a plugin of `plugins.directory`, of which this one is a further copy, or a file, relative
    /// to that directory. When absent, the plugin of the directory that has its name.
    pub component: Option<PathBuf>,
    /// The SHA-256 that its component must have, under every policy. With the policy `pinned` it stands for the pin that
    /// `plugin install` makes.
    pub sha256: Option<Sha256>,
    /// What it is configured with; its own schema says which keys there are (`bridge-telemetry plugin inspect`).
    pub config: PluginConfig,
    /// What it may use.
    pub limits: PluginLimits,
    /// What it may reach.
    pub grants: Grants,
    /// What becomes of a record that it cannot judge because it failed; for validators.
    pub on_failure: OnFailure,
    /// What becomes of recording while this monitor is far behind.
    pub on_backlog: OnBacklog,
    /// Records that may wait for this monitor before `on_backlog = "block"` holds recording up.
    #[schemars(range(min = 1))]
    pub max_backlog: u64,
    /// Validators run in ascending order; those with equal order by name.
    pub order: i32,
}

impl Default for PluginSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            required: false,
            component: None,
            sha256: None,
            config: PluginConfig::default(),
            limits: PluginLimits::default(),
            grants: Grants::default(),
            on_failure: OnFailure::Reject,
            on_backlog: OnBacklog::Grow,
            max_backlog: MAX_BACKLOG_RECORDS,
            order: 100,
        }
    }
}

/// What becomes of a record when its validator fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// It is refused with PLUGIN_FAILURE.
    #[default]
    Reject,
    /// It is taken as if the validator had not objected.
    Accept,
}

/// What becomes of recording while a monitor is far behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnBacklog {
    /// It goes on and the log grows, up to `storage_config.max_log_bytes`; then the monitor misses records, and the gap is
    /// reported.
    #[default]
    Grow,
    /// It waits for the monitor, for up to the `wait_ms` of its limits, and is refused as OVERLOADED then.
    Block,
}

/// A plugin's own configuration. Its values may be confidential, so `Debug` shows the keys only.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct PluginConfig(pub Map<String, Value>);

impl PluginConfig {
    /// As the JSON object that the plugin gets.
    pub fn to_value(&self) -> Value {
        Value::Object(self.0.clone())
    }
}

impl fmt::Debug for PluginConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl PluginsConfig {
    /// The settings of `name`: its own, or the defaults.
    pub fn settings_of(&self, name: &str) -> PluginSettings {
        self.settings.get(name).cloned().unwrap_or_default()
    }

    /// Where the component of the plugin `name` is: its file, or the folder of its package. `None` without a directory to
    /// find it in.
    pub fn component_of(&self, name: &str) -> Option<PathBuf> {
        let own = self.settings.get(name).and_then(|settings| settings.component.as_deref());
        if own.is_none() {
            self.directory.as_ref()?;
        }
        let place = self.directory.as_deref().unwrap_or(Path::new("")).join(own.unwrap_or(Path::new(name)));
        let is_name = own.is_none_or(|own| own.extension().is_none_or(|is| is != COMPONENT_EXTENSION));
        Some(if is_name && !is_package(&place) {
            place.with_added_extension(COMPONENT_EXTENSION)
        } else {
            place
        })
    }

    /// Names of the directory's plugins, whether enabled or not, each with its component's file or its package's folder.
    pub(crate) fn in_directory(&self) -> std::io::Result<BTreeMap<String, PathBuf>> {
        let mut found = BTreeMap::new();
        let Some(directory) = &self.directory else { return Ok(found) };
        for entry in std::fs::read_dir(directory)? {
            let path = entry?.path();
            if is_package(&path)
                && let Some(name) = path.file_name().and_then(|name| name.to_str())
                && !name.starts_with('.')
            {
                found.insert(name.to_owned(), path);
            } else if path.extension().is_some_and(|extension| extension == COMPONENT_EXTENSION)
                && let Some(name) = path.file_stem().and_then(|stem| stem.to_str())
                && !name.starts_with('.')
            {
                // Of a component and a package with one name the package is named; loading refuses both.
                found.entry(name.to_owned()).or_insert(path);
            }
        }
        Ok(found)
    }

    /// Names and files of all plugins that are enabled, by name: those that settings give a component of its own, and
    /// those of the directory.
    pub fn enabled(&self) -> std::io::Result<Vec<(String, PathBuf)>> {
        let mut found = self.in_directory()?;
        for (name, settings) in &self.settings {
            if !settings.enabled {
                found.remove(name);
            } else if settings.component.is_some()
                && let Some(file) = self.component_of(name)
            {
                found.insert(name.clone(), file);
            }
        }
        Ok(found.into_iter().collect())
    }
}

/// Whether there is a package's folder at the path.
pub(crate) fn is_package(path: &Path) -> bool {
    path.join(MANIFEST_FILE).is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugins_values_are_not_printed() {
        let settings = PluginSettings {
            config: PluginConfig(
                serde_json::from_str(r#"{"url":"https://u:hunter2@host","password":"hunter2"}"#).unwrap(),
            ),
            ..PluginSettings::default()
        };
        let text = format!("{settings:?}");
        assert!(text.contains(r#"config: {"url", "password"}"#), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[test]
    fn the_directorys_components_load_unless_disabled() {
        let directory = tempfile::tempdir().unwrap();
        for file in ["redact.wasm", "threshold.wasm", "webhook.wasm", "README.md"] {
            std::fs::write(directory.path().join(file), "").unwrap();
        }
        let mut plugins =
            PluginsConfig { directory: Some(directory.path().to_owned()), ..PluginsConfig::default() };
        let off = PluginSettings { enabled: false, ..PluginSettings::default() };
        let copy = PluginSettings { component: Some("threshold.wasm".into()), ..PluginSettings::default() };
        plugins.settings.insert("webhook".into(), off);
        plugins.settings.insert("cpu-high".into(), copy);
        let found = plugins.enabled().unwrap();
        let names = found.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>();
        assert_eq!(names, ["cpu-high", "redact", "threshold"]);
        assert_eq!(found.first().unwrap().1, directory.path().join("threshold.wasm"));
        assert_eq!(plugins.component_of("redact").unwrap(), directory.path().join("redact.wasm"));
        plugins.directory = None;
        assert_eq!(plugins.enabled().unwrap(), [("cpu-high".to_owned(), "threshold.wasm".into())]);
        assert_eq!(plugins.component_of("redact"), None);
    }
}
