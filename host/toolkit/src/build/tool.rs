//! Finding and running the tools of a language.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::BuildError;
use crate::project::Project;

/// Finds a program: in the project's own folders first, then on the path.
pub(super) fn find(project: &Project, name: &str) -> Option<PathBuf> {
    let own = [".venv/bin", "node_modules/.bin"].map(|folder| project.directory.join(folder));
    let path = env::var_os("PATH").unwrap_or_default();
    own.into_iter()
        .chain(env::split_paths(&path))
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
        // Tools run in other folders than this one.
        .map(|program| std::path::absolute(&program).unwrap_or(program))
}

/// Runs a tool; what it prints goes to standard error, which is for people.
pub(super) fn run(command: &mut Command) -> Result<(), BuildError> {
    let tool = name_of(command);
    command.stdin(Stdio::null()).stdout(std::io::stderr());
    let status = command.status().map_err(|source| not_started(&tool, source))?;
    if status.success() { Ok(()) } else { Err(BuildError::Tool { tool, status }) }
}

/// Runs a tool and answers what it prints on standard output.
pub(super) fn run_for_output(command: &mut Command) -> Result<Vec<u8>, BuildError> {
    let tool = name_of(command);
    command.stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().map_err(|source| not_started(&tool, source))?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(BuildError::Tool { tool, status: output.status })
    }
}

fn name_of(command: &Command) -> String {
    let program = Path::new(command.get_program());
    program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned()
}

fn not_started(tool: &str, source: std::io::Error) -> BuildError {
    BuildError::File { path: tool.into(), source }
}
