//! Schemas that stand in files: held against the types that they describe, and written anew on demand.

use std::path::Path;

use crate::aggregation::Aggregate;
use crate::plugin::{Plugin, pretty_schema};

/// Set (to anything) it makes the checks write the files instead of failing.
const UPDATE: &str = "UPDATE_SCHEMAS";

/// Checks that [`Plugin::CONFIG_SCHEMA`] says what `file` does, and that both describe [`Plugin::Config`].
///
/// ```no_run
/// # use bridge_telemetry_plugin::{NoConfig, Plugin, Result, testing};
/// # struct MyPlugin;
/// # impl Plugin for MyPlugin {
/// #     const NAME: &'static str = "my-plugin";
/// #     type Config = NoConfig;
/// #     fn new(_: NoConfig) -> Result<Self> { Ok(Self) }
/// # }
/// // In the plugin: const CONFIG_SCHEMA: Option<&'static str> = Some(include_schema!("../config.schema.json"));
/// // In a #[test]:
/// testing::schema::check_config::<MyPlugin>(concat!(env!("CARGO_MANIFEST_DIR"), "/config.schema.json"));
/// ```
///
/// # Panics
/// When they differ. `UPDATE_SCHEMAS=1 cargo test` writes the file.
pub fn check_config<P: Plugin>(file: impl AsRef<Path>) {
    check(file.as_ref(), P::CONFIG_SCHEMA, &pretty_schema::<P::Config>());
}

/// Checks that [`Aggregate::PARAMETERS_SCHEMA`] says what `file` does, and that both describe the aggregate's parameters.
///
/// # Panics
/// When they differ. `UPDATE_SCHEMAS=1 cargo test` writes the file.
pub fn check_parameters<A: Aggregate>(file: impl AsRef<Path>) {
    check(file.as_ref(), A::PARAMETERS_SCHEMA, &pretty_schema::<A>());
}

#[expect(clippy::panic, clippy::expect_used, reason = "a test's check")]
fn check(file: &Path, embedded: Option<&str>, derived: &str) {
    let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    let same = embedded.and_then(parsed) == parsed(derived);
    if same && std::fs::read_to_string(file).is_ok_and(|text| text == derived) {
        return;
    }
    let shown = file.display();
    if std::env::var_os(UPDATE).is_none() {
        panic!("{shown} does not describe the type any more; run: {UPDATE}=1 cargo test");
    }
    std::fs::write(file, derived).expect("the schema's file can be written");
}
