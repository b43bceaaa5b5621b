//! The plugin's own log. The host keeps it, shows it to the operator, and cuts what is over the plugin's limits. A call that floods
//! it fails: more than a thousand entries, and eight for each record, sample, alert or group that the call is about.
//!
//! In native builds entries are kept for [`testing::logs`](crate::testing::logs).

/// How important an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Step by step.
    Trace,
    /// For the plugin's author.
    Debug,
    /// For the operator, in the normal course.
    Info,
    /// Something is not as it should be.
    Warn,
    /// Something failed.
    Error,
}

/// Writes an entry at [`Level::Trace`].
pub fn trace(message: impl AsRef<str>) {
    write(Level::Trace, message.as_ref(), "");
}

/// Writes an entry at [`Level::Debug`].
pub fn debug(message: impl AsRef<str>) {
    write(Level::Debug, message.as_ref(), "");
}

/// Writes an entry at [`Level::Info`].
pub fn info(message: impl AsRef<str>) {
    write(Level::Info, message.as_ref(), "");
}

/// Writes an entry at [`Level::Warn`].
pub fn warn(message: impl AsRef<str>) {
    write(Level::Warn, message.as_ref(), "");
}

/// Writes an entry at [`Level::Error`].
pub fn error(message: impl AsRef<str>) {
    write(Level::Error, message.as_ref(), "");
}

/// Writes an entry with fields.
///
/// ```
/// use bridge_telemetry_plugin::log::{self, Level};
/// use serde_json::json;
///
/// if let serde_json::Value::Object(fields) = json!({ "series": 12 }) {
///     log::with_fields(Level::Info, "too many series", &fields);
/// }
/// # assert_eq!(bridge_telemetry_plugin::testing::logs()[0].fields_json, r#"{"series":12}"#);
/// ```
pub fn with_fields(level: Level, message: impl AsRef<str>, fields: &crate::JsonObject) {
    write(level, message.as_ref(), &serde_json::to_string(fields).unwrap_or_default());
}

/// Writes an entry whose fields are JSON text already: an object, or nothing.
#[cfg(target_arch = "wasm32")]
pub fn write(level: Level, message: &str, fields_json: &str) {
    use crate::bindings::imports::log;
    let level = match level {
        Level::Trace => log::Level::Trace,
        Level::Debug => log::Level::Debug,
        Level::Info => log::Level::Info,
        Level::Warn => log::Level::Warn,
        Level::Error => log::Level::Error,
    };
    log::write(level, message, fields_json);
}

/// Writes an entry whose fields are JSON text already: an object, or nothing.
#[cfg(not(target_arch = "wasm32"))]
pub fn write(level: Level, message: &str, fields_json: &str) {
    crate::testing::host::log(level, message, fields_json);
}
