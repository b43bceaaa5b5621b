//! What every plugin is: a name, a configuration, and perhaps a state that survives it.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::{PluginError, Result};
use crate::json;
use crate::log;
use crate::state::SavedState;

/// The part that all kinds of plugins share. The version and the one-line description come from the crate's `Cargo.toml`.
pub trait Plugin: Sized + 'static {
    /// The plugin's own name. The host calls it by its name in the configuration, which is that of its package's folder or of the
    /// component's file.
    const NAME: &'static str;

    /// The configuration. Its JSON Schema is derived and shown to the host, which checks the configuration against it first;
    /// doc comments on the fields become the schema's descriptions. Use [`NoConfig`] for none. Refuse unknown keys with
    /// `#[serde(deny_unknown_fields)]`, so that typing errors are found.
    type Config: DeserializeOwned + JsonSchema;

    /// The schema of [`Plugin::Config`] as text, which a component then need not derive while it runs: some 60 KB less of it.
    /// Put [`include_schema!`](crate::include_schema) of a file here and a test beside it that calls
    /// [`schema::check_config`](crate::testing::schema::check_config): that test writes the file, too.
    const CONFIG_SCHEMA: Option<&'static str> = None;

    /// A new instance.
    ///
    /// # Errors
    /// [`crate::PluginError::InvalidConfig`] for what the schema cannot express; name the key.
    fn new(config: Self::Config) -> Result<Self>;

    /// The state to continue from in another instance: after a restart, a trap or an update.
    ///
    /// # Errors
    /// When the state cannot be serialised.
    fn save(&self) -> Result<Option<SavedState>> {
        Ok(None)
    }

    /// Continues from a saved state, right after [`Plugin::new`]. It may be of an older version of the plugin.
    ///
    /// # Errors
    /// When the state cannot be read. The host then keeps the instance that has it.
    fn restore(&mut self, saved: SavedState) -> Result<()> {
        let version = saved.version();
        log::warn(format!("a saved state of version {version} is left aside: this plugin keeps none"));
        Ok(())
    }
}

/// The configuration of a plugin that takes none.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoConfig {}

/// The JSON Schema of a plugin's configuration as text.
pub(crate) fn config_schema<P: Plugin>() -> String {
    known_or_derived::<P::Config>(P::CONFIG_SCHEMA)
}

/// A new instance from a configuration and perhaps a saved state.
pub(crate) fn create<P: Plugin>(config_json: &str, saved: Option<SavedState>) -> Result<P> {
    let mut plugin = P::new(parse_settings(config_json).map_err(PluginError::InvalidConfig)?)?;
    if let Some(saved) = saved {
        plugin.restore(saved)?;
    }
    Ok(plugin)
}

/// The schema that is known, or else the one that is derived, as text. Always inlined, or the deriving would stand in components
/// that never do it.
#[inline(always)]
pub(crate) fn known_or_derived<T: JsonSchema>(known: Option<&'static str>) -> String {
    match known {
        Some(schema) => schema.to_owned(),
        None => schemars::schema_for!(T).to_value().to_string(),
    }
}

/// The JSON Schema of `T` for a file that people read.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn pretty_schema<T: JsonSchema>() -> String {
    format!("{:#}\n", schemars::schema_for!(T).to_value())
}

/// Parses a JSON object of settings, naming the key that is wrong. No text at all means the empty object.
pub(crate) fn parse_settings<T: DeserializeOwned>(json: &str) -> Result<T, String> {
    let json = if json.trim().is_empty() { "{}" } else { json };
    json::read(json)
}
