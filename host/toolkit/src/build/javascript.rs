//! JavaScript: rolldown makes one module of the plugin and the helper modules, jco puts QuickJS and that module into one
//! component. WASI is stubbed out, as a plugin has none of it.

use std::path::PathBuf;
use std::process::Command;

use serde_json::json;

use super::tool::{find, run};
use super::{BuildError, build_folder, read_made};
use crate::project::Project;
use crate::sdk;

/// The version that this is tested with.
const VERSION: &str = "1.35.0";

pub(super) fn build(project: &Project) -> Result<Vec<u8>, BuildError> {
    let (jco, rolldown) = (tool(project, "jco")?, tool(project, "rolldown")?);
    let folder = build_folder(project)?;
    let sdk_folder = folder.join("sdk");
    let wit = sdk::write(&sdk_folder, sdk::JAVASCRIPT)
        .map_err(|source| BuildError::File { path: sdk_folder.clone(), source })?;
    let config = folder.join("rolldown.config.mjs");
    let module = folder.join("bundle.js");
    let settings = json!({
        "input": "plugin.js",
        "resolve": {"alias": {"bridge-telemetry-plugin": sdk_folder}},
        "output": {"file": module, "format": "esm"},
    });
    // The contract's modules are given by the component's world.
    let text = format!("export default {{ ...{settings}, external: [/^bridge:/] }};\n");
    std::fs::write(&config, text).map_err(|source| BuildError::File { path: config.clone(), source })?;
    run(Command::new(rolldown)
        .args(["--logLevel", "warn", "--config"])
        .arg(&config)
        .current_dir(&project.directory))?;
    let output = folder.join("component.wasm");
    let _ = std::fs::remove_file(&output);
    let mut command = Command::new(jco);
    command
        .arg("componentize")
        .arg(&module)
        .arg("--wit")
        .arg(wit)
        .args(["--world-name", project.manifest.kind.world(), "--backend", "quickjs"])
        .args(["--backend-qjs-disable-async", "--backend-qjs-stub-wasi", "--out"])
        .arg(&output)
        .current_dir(&project.directory);
    run(&mut command)?;
    read_made(&output, "jco")
}

fn tool(project: &Project, name: &str) -> Result<PathBuf, BuildError> {
    find(project, name).ok_or_else(|| BuildError::Missing {
        what: format!("{name}, of jco"),
        remedy: format!(
            "run `npm install --prefix . --no-save @bytecodealliance/jco@{VERSION}` in {}, with Node.js 20 or newer",
            project.directory.display()
        ),
    })
}
