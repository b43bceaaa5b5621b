//! Builds a project with its language's tools and notes the component's hash and contract in the manifest.

mod c;
mod frame;
mod javascript;
mod python;
mod rust;
mod tool;

use std::io;
use std::path::{Path, PathBuf};

use bridge_telemetry::plugins::package::{Sha256, contract_of};
use serde::Serialize;
use telemetry_core::SystemClock;
use telemetry_sandbox::{Component, LoadError, PluginKind, Sandbox, SandboxError};

use crate::language::Language;
use crate::project::{Project, ProjectError, write_whole};
use crate::run::{bare_ports, repeatable};

/// What a build leaves in the project besides the component.
const BUILD_FOLDER: &str = "build";

/// A component that was built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Built {
    /// Where it is.
    pub component: PathBuf,
    /// Its kind.
    pub kind: PluginKind,
    /// What it was written in.
    pub language: &'static str,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its SHA-256, as the manifest has it now.
    pub sha256: String,
}

/// A project could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The folder is no project.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// A tool is missing.
    #[error("{what} is missing; {remedy}")]
    Missing {
        /// What it is.
        what: String,
        /// The command that installs it.
        remedy: String,
    },
    /// A tool ended with an error, which it has printed.
    #[error("{tool} failed ({status}); what it printed above says why")]
    Tool {
        /// Its name.
        tool: String,
        /// How it ended.
        status: std::process::ExitStatus,
    },
    /// A tool left nothing.
    #[error("{tool} made no component: {remedy}")]
    NoComponent {
        /// Its name.
        tool: &'static str,
        /// What to look at.
        remedy: &'static str,
    },
    /// A file cannot be read or written.
    #[error("cannot write to or read from {}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The compiled module cannot become a component.
    #[error("the module cannot become a component: {reason}")]
    Encode {
        /// What is wrong, with a remedy where one is known.
        reason: String,
    },
    /// The runtime could not be started.
    #[error("the plugin runtime could not be started")]
    Sandbox(#[from] SandboxError),
    /// What was built is no plugin.
    #[error("what was built cannot be used")]
    Component(#[from] LoadError),
    /// What was built is of another kind than the manifest says.
    #[error("plugin.toml says that this is a {manifest}, but its source makes a {component}")]
    Kind {
        /// What the manifest says.
        manifest: PluginKind,
        /// What was built.
        component: PluginKind,
    },
}

/// Builds the project in `directory`.
pub fn build(directory: &Path) -> Result<Built, BuildError> {
    let mut project = Project::open(directory)?;
    let language = project.language()?;
    let bytes = match language {
        Language::Rust => rust::build(&project)?,
        Language::Python => python::build(&project)?,
        Language::JavaScript => javascript::build(&project)?,
        Language::C => c::build(&project)?,
    };
    let component = project.component();
    write_whole(&component, &bytes).map_err(|source| BuildError::File { path: component.clone(), source })?;
    let sandbox = Sandbox::new(repeatable(), bare_ports(), std::sync::Arc::new(SystemClock::default()))?;
    let outline = sandbox.outline(Component::File(component.clone()))?;
    if outline.kind != project.manifest.kind {
        return Err(BuildError::Kind { manifest: project.manifest.kind, component: outline.kind });
    }
    let sha256 = Sha256::of(&bytes);
    project.note_built(&sha256, contract_of(&outline.imports))?;
    Ok(Built {
        component,
        kind: outline.kind,
        language: language.as_str(),
        bytes: outline.bytes,
        sha256: sha256.to_string(),
    })
}

/// The project's folder for what a build leaves.
fn build_folder(project: &Project) -> Result<PathBuf, BuildError> {
    let folder = project.directory.join(BUILD_FOLDER);
    std::fs::create_dir_all(&folder)
        .and_then(|()| folder.canonicalize())
        .map_err(|source| BuildError::File { path: folder, source })
}

/// The bytes of a file that a tool made.
fn read_made(path: &Path, tool: &'static str) -> Result<Vec<u8>, BuildError> {
    std::fs::read(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => BuildError::NoComponent { tool, remedy: "look at what it printed above" },
        _ => BuildError::File { path: path.to_owned(), source: error },
    })
}
