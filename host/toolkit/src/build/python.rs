//! Python: componentize-py puts CPython, the helper modules and the plugin into one component. WASI is stubbed out, as a plugin
//! has none of it.

use std::process::Command;

use super::tool::{find, run};
use super::{BuildError, build_folder, read_made};
use crate::project::Project;
use crate::sdk;

/// The version that this is tested with.
const VERSION: &str = "0.25.1";

pub(super) fn build(project: &Project) -> Result<Vec<u8>, BuildError> {
    let tool = find(project, "componentize-py").ok_or_else(|| BuildError::Missing {
        what: "componentize-py".to_owned(),
        remedy: format!(
            "run `python3 -m venv .venv && .venv/bin/pip install componentize-py=={VERSION}` in {}",
            project.directory.display()
        ),
    })?;
    let folder = build_folder(project)?;
    let sdk_folder = folder.join("sdk");
    let wit = sdk::write(&sdk_folder, sdk::PYTHON)
        .map_err(|source| BuildError::File { path: sdk_folder.clone(), source })?;
    let output = folder.join("component.wasm");
    let _ = std::fs::remove_file(&output);
    let mut command = Command::new(tool);
    command
        .arg("--wit-path")
        .arg(wit)
        .args(["--world", project.manifest.kind.world(), "--quiet", "componentize", "--stub-wasi"])
        .arg("--python-path")
        .arg(sdk_folder)
        .args(["--python-path", ".", "plugin", "--output"])
        .arg(&output)
        .current_dir(&project.directory);
    run(&mut command)?;
    read_made(&output, "componentize-py")
}
