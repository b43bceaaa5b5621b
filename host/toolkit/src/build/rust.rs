//! Rust: plain cargo, for the target `wasm32-unknown-unknown`, with the linker of Rust that makes components. What the standard library
//! has for the system is left out: a plugin has none.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use super::tool::{find, run_for_output};
use super::{BuildError, read_made};
use crate::project::Project;

const TARGET: &str = "wasm32-unknown-unknown";
/// Part of Rust.
const LINKER: &str = "target.wasm32-unknown-unknown.linker=\"wasm-component-ld\"";

/// One line of what cargo prints for programs.
#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    reason: String,
    #[serde(default)]
    filenames: Vec<PathBuf>,
    #[serde(default)]
    manifest_path: PathBuf,
}

pub(super) fn build(project: &Project) -> Result<Vec<u8>, BuildError> {
    let cargo = find(project, "cargo").ok_or_else(|| BuildError::Missing {
        what: "cargo".to_owned(),
        remedy: "install Rust from https://rustup.rs".to_owned(),
    })?;
    if !has_target(&project.directory) {
        return Err(BuildError::Missing {
            what: format!("Rust's target {TARGET}"),
            remedy: format!("run `rustup target add {TARGET}`"),
        });
    }
    let mut command = Command::new(cargo);
    command
        .args([
            "build",
            "--release",
            "--target",
            TARGET,
            "--config",
            LINKER,
            "--message-format",
            "json-render-diagnostics",
        ])
        .current_dir(&project.directory);
    forget_a_callers_package(&mut command);
    let output = run_for_output(&mut command)?;
    let own = project.directory.join("Cargo.toml").canonicalize().ok();
    let made = String::from_utf8_lossy(&output)
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .filter(|message| message.reason == "compiler-artifact")
        .filter(|message| message.manifest_path.canonicalize().ok() == own)
        .flat_map(|message| message.filenames)
        .find(|file| file.extension().is_some_and(|extension| extension == "wasm"))
        .ok_or(BuildError::NoComponent {
            tool: "cargo",
            remedy: "Cargo.toml needs `[lib]` with `crate-type = [\"cdylib\"]`",
        })?;
    read_made(&made, "cargo")
}

/// Whether the toolchain in use has the target's standard library; asks rustc, so that it works without rustup too.
fn has_target(directory: &Path) -> bool {
    let answer = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .current_dir(directory)
        .output();
    answer.is_ok_and(|answer| {
        let folder = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
        answer.status.success() && !folder.is_empty() && Path::new(&folder).is_dir()
    })
}

/// A cargo that runs this program describes its own package to it; build scripts that look there would run anew.
fn forget_a_callers_package(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let describes = name.to_str().is_some_and(|name| {
            ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"].iter().any(|prefix| name.starts_with(prefix))
        });
        if describes {
            command.env_remove(name);
        }
    }
}
