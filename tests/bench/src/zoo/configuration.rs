//! The host of one turn: one plugin of each kind that means well, and the zoo or not.

use std::path::{Path, PathBuf};

use bridge_telemetry::config::{Config, OnFailure, PluginPolicy, PluginSettings};
use bridge_telemetry_tests as artifact;
use serde_json::{Value, json};

use super::far_side::FarSide;
use super::residents;

/// Plugins that mean well, one of each kind.
const SOUND: [&str; 4] = ["redact", "threshold", "percentile", "console"];

/// An attacker that goes on for the whole turn, in whose place other monitors are put: they read the state that it leaves.
pub(super) const STEADY: &str = "evil-monitor-on-events-nondeterminism";

/// Where the files are of those that mean well and of the steady attacker, for impostors to be put in their place.
pub(super) struct Shelf(PathBuf);

impl Shelf {
    /// A folder with the components that are right.
    pub(super) fn fill(folder: PathBuf) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        let shelf = Self(folder);
        SOUND.into_iter().chain([STEADY]).try_for_each(|plugin| shelf.restore(plugin))?;
        Ok(shelf)
    }

    pub(super) fn place(&self, plugin: &str) -> PathBuf {
        self.0.join(format!("{plugin}.wasm"))
    }

    /// Puts a component in a plugin's place by a link: some are large, and nobody looks at the files meanwhile.
    pub(super) fn put(&self, plugin: &str, component: &Path) -> anyhow::Result<()> {
        let place = self.place(plugin);
        std::fs::remove_file(&place)?;
        Ok(std::fs::hard_link(component, place)?)
    }

    /// Puts the right component in its place.
    pub(super) fn restore(&self, plugin: &str) -> anyhow::Result<()> {
        let draft = self.0.join("draft");
        let right = if plugin == STEADY { artifact::guest("evil-monitor") } else { artifact::plugin(plugin) };
        std::fs::copy(right?, &draft)?;
        Ok(std::fs::rename(draft, self.place(plugin))?)
    }
}

/// With the zoo where there is a far side for its sinks.
pub(super) fn config(
    folder: &Path,
    code: &Path,
    shelf: &Shelf,
    far_side: Option<&FarSide>,
) -> anyhow::Result<Config> {
    let mut config = Config::default();
    config.storage_config.connection_string = folder.join("store");
    config.loops.exempt_event_types = vec!["*".to_owned()];
    config.plugins.policy = PluginPolicy::Any;
    config.plugins.cache_directory = Some(code.to_owned());
    config.plugins.reload.watch = false;
    // In both turns, with an alert for the sinks.
    let rules = json!({"rules": [{"metric": "load", "comparison": ">", "threshold": -1.0}]});
    for plugin in SOUND {
        let own = if plugin == "threshold" { rules.clone() } else { Value::Null };
        add(&mut config, plugin, shelf.place(plugin), own)?;
    }
    if let Some(far_side) = far_side {
        residents::settle(&mut config, shelf, far_side)?;
    }
    config.alerting.default_receivers = config.alerting.receivers.keys().cloned().collect();
    config.alerting.default_receivers.push("console".to_owned());
    Ok(config)
}

/// Adds a plugin, with what it is configured with.
pub(super) fn add(config: &mut Config, name: &str, component: PathBuf, own: Value) -> anyhow::Result<()> {
    let own = if own.is_null() { json!({}) } else { own };
    let mut settings: PluginSettings = serde_json::from_value(json!({"config": own}))?;
    if residents::is_one(name) || name.starts_with("sink-") {
        // A giant answer is over the limit; within it, it would be an answer like any other, and only slow.
        settings.limits = serde_json::from_value(json!({"output_bytes": 1 << 20, "memory_bytes": 16 << 20}))?;
    }
    settings.component = Some(component);
    // An attacker that cannot judge must not refuse the records whose recording is measured.
    settings.on_failure = OnFailure::Accept;
    config.plugins.settings.insert(name.to_owned(), settings);
    Ok(())
}
