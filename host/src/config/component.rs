//! Names of plugins that no component stands behind. Unlike all other checks this one looks at the disk: a name is right
//! or wrong by what lies in `plugins.directory`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::path::KeyPath;
use super::plugin::{PluginsConfig, is_package};
use super::resolve::nearest;
use super::root::Config;

/// What is wrong with the names of plugins, in the order of the document.
pub(super) fn faults(config: &Config) -> Vec<(KeyPath, String)> {
    let plugins = &config.plugins;
    let path = KeyPath::of(["plugins"]);
    let components = match plugins.in_directory() {
        Ok(components) => components,
        Err(error) => {
            let message = format!("the folder of components cannot be read: {error}");
            return vec![(path.key("directory"), message)];
        }
    };
    let mut faults = Vec::new();
    for (name, settings) in &plugins.settings {
        let path = path.key("settings").key(name);
        let Some(message) = plugins.component_fault(name, &components) else { continue };
        if settings.component.is_some() {
            if settings.enabled {
                faults.push((path.key("component"), message));
            }
        } else if settings.enabled {
            faults.push((path, message));
        } else if plugins.directory.is_some() {
            faults.push((path, format!("it disables no plugin: {message}")));
        }
    }
    for (name, receiver) in &config.alerting.receivers {
        if let Some(message) = plugins.component_fault(&receiver.plugin, &components) {
            faults.push((KeyPath::of(["alerting", "receivers"]).key(name).key("plugin"), message));
        }
    }
    faults
}

impl PluginsConfig {
    /// Why the plugin `name` has no component, and what would help; `None` when it has one. `components` are those of
    /// the directory.
    pub(crate) fn component_fault(
        &self,
        name: &str,
        components: &BTreeMap<String, PathBuf>,
    ) -> Option<String> {
        if let Some(component) = self.settings.get(name).and_then(|settings| settings.component.as_deref()) {
            let file = self.component_of(name)?;
            return (!file.is_file() && !is_package(&file)).then(|| {
                let stem = component.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
                let hint = if self.directory.is_none() && component.is_relative() {
                    "; set plugins.directory or --plugins, to which it is relative".to_owned()
                } else if components.contains_key(stem) {
                    format!("; did you mean component = \"{stem}\"?")
                } else {
                    String::new()
                };
                format!("there is no file {}{hint}", file.display())
            });
        }
        let Some(directory) = &self.directory else {
            return Some("it has no component: set plugins.directory or --plugins".to_owned());
        };
        if components.contains_key(name) {
            return None;
        }
        let named = self.settings.iter().filter(|(_, settings)| settings.component.is_some());
        let known = components.keys().chain(named.map(|(name, _)| name));
        let hint = nearest(name, known).map(|known| format!("; did you mean \"{known}\"?"));
        Some(format!("there is no plugin {name} in {}{}", directory.display(), hint.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::ConfigLayers;
    use expect_test::{Expect, expect};

    /// Checks a file beside a folder of components; the directory is cut from the answer.
    fn check(text: &str, expect: Expect) {
        let directory = tempfile::tempdir().unwrap();
        let components = directory.path().join("components");
        std::fs::create_dir(&components).unwrap();
        for name in ["redact", "threshold", "webhook"] {
            std::fs::write(components.join(name).with_extension("wasm"), "").unwrap();
        }
        let prefix = format!("{}/", directory.path().display());
        let path = directory.path().join("c.toml");
        std::fs::write(&path, text.replace("DIR", &components.display().to_string())).unwrap();
        let layers = ConfigLayers::new().file(&path);
        let shown = match layers.clone().check() {
            Ok(_) => "good".to_owned(),
            Err(error) => error.to_string().replace(&prefix, ""),
        };
        expect.assert_eq(&shown);
        // A host starts with such a configuration, and is told the same.
        let (_, faults) = layers.load_with_plugins().unwrap();
        assert_eq!(faults.is_empty(), shown == "good");
        for fault in faults {
            assert!(shown.contains(&fault.to_string().replace(&prefix, "")), "{fault}");
        }
    }

    #[test]
    fn names_without_a_component_are_told_with_their_place() {
        check(
            r#"[plugins]
directory = "DIR"
[plugins.settings.redcat]
config = { keys = ["pin"] }
[plugins.settings.redact]
order = 1
[plugins.settings.cpu-high]
component = "threshold.wasm"
[plugins.settings.cpu-low]
component = "treshold.wasm"
[plugins.settings.webhok]
enabled = false
[plugins.settings.later]
component = "not-there-yet.wasm"
enabled = false
[alerting.receivers.page]
plugin = "pager"
[alerting.receivers.hook]
plugin = "webhook"
"#,
            expect![[r#"
                the configuration has 4 faults:
                  c.toml:3:1: plugins.settings.redcat: there is no plugin redcat in components; did you mean "redact"?
                  c.toml:10:13: plugins.settings.cpu-low.component: there is no file components/treshold.wasm
                  c.toml:11:1: plugins.settings.webhok: it disables no plugin: there is no plugin webhok in components; did you mean "webhook"?
                  c.toml:17:10: alerting.receivers.page.plugin: there is no plugin pager in components"#]],
        );
    }

    #[test]
    fn without_a_directory_only_components_of_their_own_are_found() {
        check(
            r#"[plugins.settings.redact]
[plugins.settings.off]
enabled = false
[plugins.settings.near]
component = "threshold.wasm"
[plugins.settings.far]
component = "DIR/threshold.wasm"
"#,
            expect![[r#"
                the configuration has 2 faults:
                  c.toml:1:1: plugins.settings.redact: it has no component: set plugins.directory or --plugins
                  c.toml:5:13: plugins.settings.near.component: there is no file threshold.wasm; set plugins.directory or --plugins, to which it is relative"#]],
        );
        check(
            "[plugins]\ndirectory = \"DIR/nowhere\"\n[plugins.settings.redact]\n",
            expect![
                "c.toml:2:13: plugins.directory: the folder of components cannot be read: No such file or directory (os error 2)"
            ],
        );
        check("[plugins]\ndirectory = \"DIR\"\n", expect!["good"]);
    }
}
