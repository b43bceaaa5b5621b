//! Finds what the build leaves in the target folder. Nothing is built here: a missing file is an error that names the
//! command which makes it.

use std::path::{Path, PathBuf};

const MAKES_COMPONENTS: &str = "cargo xtask plugins";

/// Why an artifact is not to be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArtifactError {
    /// The running program does not lie in a target folder, so that nothing can be found beside it.
    #[error("{} is not below a cargo target folder; start it through `cargo xtask test` or `cargo xtask bench`", .program.display())]
    NoTargetFolder {
        /// The running program.
        program: PathBuf,
    },
    /// The file has not been built.
    #[error("{} does not exist; `{command}` makes it", .path.display())]
    NotBuilt {
        /// The file looked for.
        path: PathBuf,
        /// The command that makes it.
        command: &'static str,
    },
    /// The operating system did not say which program is running.
    #[error("the running program's path is not known")]
    UnknownProgram(#[source] std::io::Error),
}

/// The folder of all shipped plugins' packages with their pins, as the host takes it with `--plugins`.
///
/// # Errors
/// If the components have not been built.
pub fn component_folder() -> Result<PathBuf, ArtifactError> {
    let folder = target_folder()?.join("plugins");
    if folder.is_dir() {
        Ok(folder)
    } else {
        Err(ArtifactError::NotBuilt { path: folder, command: MAKES_COMPONENTS })
    }
}

/// The component of the shipped plugin `name`, such as `percentile`.
///
/// # Errors
/// If the component has not been built.
pub fn plugin(name: &str) -> Result<PathBuf, ArtifactError> {
    component(&target_folder()?.join("plugins").join(name), name)
}

/// The component of the test guest `name`, a folder of `tests/guests`.
///
/// # Errors
/// If the component has not been built.
pub fn guest(name: &str) -> Result<PathBuf, ArtifactError> {
    component(&target_folder()?.join("guests"), name)
}

/// The project `name` with its component, written in one of the languages: `python-percentile`, or `new-c-sink` for a new one
/// from the templates.
///
/// # Errors
/// If it has not been built.
pub fn language_project(name: &str) -> Result<PathBuf, ArtifactError> {
    let path = target_folder()?.join("languages").join(name);
    if path.is_dir() {
        Ok(path)
    } else {
        Err(ArtifactError::NotBuilt { path, command: "cargo xtask languages" })
    }
}

/// The program `bridge-telemetry`.
///
/// # Errors
/// If the program has not been built.
pub fn host_binary() -> Result<PathBuf, ArtifactError> {
    let path = target_folder()?.join("debug").join("bridge-telemetry");
    if path.is_file() { Ok(path) } else { Err(ArtifactError::NotBuilt { path, command: "cargo xtask test" }) }
}

fn component(folder: &Path, name: &str) -> Result<PathBuf, ArtifactError> {
    let path = folder.join(format!("{name}.wasm"));
    if path.is_file() { Ok(path) } else { Err(ArtifactError::NotBuilt { path, command: MAKES_COMPONENTS }) }
}

/// Cargo puts programs in `TARGET/debug` and test binaries in `TARGET/debug/deps`.
fn target_folder() -> Result<PathBuf, ArtifactError> {
    let program = std::env::current_exe().map_err(ArtifactError::UnknownProgram)?;
    match target_folder_of(&program) {
        Some(folder) => Ok(folder.to_path_buf()),
        None => Err(ArtifactError::NoTargetFolder { program }),
    }
}

fn target_folder_of(program: &Path) -> Option<&Path> {
    program.ancestors().skip(1).take(2).find(|folder| folder.ends_with("debug"))?.parent()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_folder_is_seen_from_programs_and_tests() {
        let check = |program: &str, expect: Option<&str>| {
            assert_eq!(target_folder_of(Path::new(program)), expect.map(Path::new), "{program}");
        };
        check("/cache/target/debug/bridge-telemetry-bench", Some("/cache/target"));
        check("/cache/target/debug/deps/e2e-0112e30c57db715a", Some("/cache/target"));
        check("/usr/local/bin/bridge-telemetry-bench", None);
    }

    #[test]
    fn a_missing_component_names_the_command_that_makes_it() {
        let error = guest("no-such-guest").unwrap_err();
        assert!(error.to_string().contains("cargo xtask plugins"), "{error}");
    }
}
