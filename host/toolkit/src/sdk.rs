//! The contract and the helper modules as this program carries them, so that a project needs no checkout.

use std::io;
use std::path::{Path, PathBuf};

/// The WIT package.
pub(crate) const WIT: &str = include_str!("../../../wit/bridge-telemetry.wit");

macro_rules! files {
    ($folder:literal: $($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../plugin-sdk/", $folder, "/", $name)))),*]
    };
}

/// A file by its path below the folder that it is written to.
pub(crate) type SdkFile = (&'static str, &'static str);

/// The helper modules of Python.
pub(crate) const PYTHON: &[SdkFile] = files!("python":
    "aggregation.py",
    "bridge_telemetry_plugin/__init__.py",
    "bridge_telemetry_plugin/aggregator.py",
    "bridge_telemetry_plugin/batch.py",
    "bridge_telemetry_plugin/counters.py",
    "bridge_telemetry_plugin/errors.py",
    "bridge_telemetry_plugin/json_schemas.py",
    "bridge_telemetry_plugin/key_value.py",
    "bridge_telemetry_plugin/lifecycle.py",
    "bridge_telemetry_plugin/log.py",
    "bridge_telemetry_plugin/monitor.py",
    "bridge_telemetry_plugin/patterns.py",
    "bridge_telemetry_plugin/sink.py",
    "bridge_telemetry_plugin/validator.py",
    "bridge_telemetry_plugin/values.py",
);

/// The helper modules of JavaScript.
pub(crate) const JAVASCRIPT: &[SdkFile] = files!("javascript":
    "package.json",
    "aggregator.js",
    "batch.js",
    "counters.js",
    "errors.js",
    "json-schemas.js",
    "key-value.js",
    "lifecycle.js",
    "log.js",
    "monitor.js",
    "patterns.js",
    "sink.js",
    "utf8.js",
    "validator.js",
    "values.js",
);

/// The helper modules of C.
pub(crate) const C: &[SdkFile] = files!("c":
    "bt.c",
    "bt.h",
    "bt_aggregator.c",
    "bt_aggregator.h",
    "bt_key_value.c",
    "bt_key_value.h",
    "bt_monitor.c",
    "bt_monitor.h",
    "bt_own.h",
    "bt_patterns.c",
    "bt_patterns.h",
    "bt_query.c",
    "bt_query.h",
    "bt_rows.c",
    "bt_rows.h",
    "bt_rows_own.h",
    "bt_schemas.c",
    "bt_schemas.h",
    "bt_sink.c",
    "bt_sink.h",
    "bt_validator.c",
    "bt_validator.h",
    "bt_values.c",
    "bt_values_own.h",
);

/// Writes the contract and helper modules below `folder`, and answers the folder of the contract.
pub(crate) fn write(folder: &Path, files: &[SdkFile]) -> io::Result<PathBuf> {
    let wit = folder.join("wit");
    std::fs::create_dir_all(&wit)?;
    write_changed(&wit.join("bridge-telemetry.wit"), WIT)?;
    for (name, text) in files {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        write_changed(&path, text)?;
    }
    Ok(wit)
}

fn write_changed(path: &Path, text: &str) -> io::Result<()> {
    if std::fs::read(path).is_ok_and(|before| before == text.as_bytes()) {
        return Ok(());
    }
    std::fs::write(path, text)
}

/// The folder of the Rust SDK in the checkout that this program was built from, if it is still there.
pub(crate) fn rust_sdk() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugin-sdk").canonicalize().ok()?;
    folder.join("Cargo.toml").is_file().then_some(folder)
}
