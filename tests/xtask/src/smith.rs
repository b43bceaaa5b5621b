//! Builds `tests/smith`, which makes WebAssembly that nobody wrote for the tests of the plugin loader: a workspace of its own in a
//! folder of its own below the target folder.

use crate::announce;
use crate::cargo::Cargo;
use crate::failure::Failure;
use crate::workspace::Workspace;

/// Builds the program `TARGET/smith/debug/smith`.
pub(crate) fn build(workspace: &Workspace, cargo: &Cargo<'_>) -> Result<(), Failure> {
    announce("building `smith`");
    let manifest = workspace.root.join("tests").join("smith").join("Cargo.toml");
    let folder = workspace.target.join("smith");
    cargo.run([
        "build".as_ref(),
        "--locked".as_ref(),
        "--manifest-path".as_ref(),
        manifest.as_os_str(),
        "--target-dir".as_ref(),
        folder.as_os_str(),
    ])
}
