//! Builds the components of every language for the tests: the plugins of `tests/languages`, and a new project of each kind from
//! the templates, all with `bridge-telemetry plugin build`. They are published as `TARGET/languages/NAME/`, whole projects, and
//! are built anew only when something that they are made of has changed: CPython alone takes a quarter of a minute for each.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::announce;
use crate::cargo::run;
use crate::failure::Failure;
use crate::tools::Tools;
use crate::workspace::Workspace;

const KINDS: [&str; 4] = ["validator", "aggregation", "monitor", "sink"];
/// The file that says what a published project was made of.
const MARK: &str = ".made-of";

/// A language, and what its components are made of besides the plugin itself.
struct Language {
    name: &'static str,
    sources: &'static [&'static str],
}

/// What all of them are made of.
const EVERY_LANGUAGE: [&str; 4] =
    ["wit", "host/toolkit/src/build", "host/toolkit/src/template.rs", "plugin-sdk/templates/tests"];

const LANGUAGES: [Language; 4] = [
    Language { name: "c", sources: &["plugin-sdk/c", "plugin-sdk/templates/c"] },
    Language { name: "javascript", sources: &["plugin-sdk/javascript", "plugin-sdk/templates/javascript"] },
    Language { name: "python", sources: &["plugin-sdk/python", "plugin-sdk/templates/python"] },
    Language {
        name: "rust",
        sources: &["plugin-sdk/src", "plugin-sdk/Cargo.toml", "plugin-sdk/templates/rust", "Cargo.lock"],
    },
];

/// A project that is to be built.
struct Job {
    /// Its folder's name below `TARGET/languages`.
    name: String,
    origin: Origin,
    made_of: u64,
}

enum Origin {
    /// A folder of `tests/languages`.
    Folder(PathBuf),
    /// A new project of this kind and language.
    Template { kind: &'static str, language: &'static str },
}

/// Builds what is not built yet, with the program `toolkit`.
pub(crate) fn build(workspace: &Workspace, toolkit: &Path) -> Result<(), Failure> {
    let published = workspace.target.join("languages");
    let due: Vec<Job> =
        jobs(workspace)?.into_iter().filter(|job| !job.is_done(&published.join(&job.name))).collect();
    if due.is_empty() {
        return Ok(());
    }
    let tools = Tools::complete(workspace)?;
    for job in due {
        announce(&format!("building the {} for the tests", job.name));
        job.build(workspace, &published, toolkit, &tools)?;
    }
    Ok(())
}

fn jobs(workspace: &Workspace) -> Result<Vec<Job>, Failure> {
    let mut jobs = Vec::new();
    for language in &LANGUAGES {
        let made_of = made_of(workspace, language)?;
        for kind in KINDS {
            jobs.push(Job {
                name: format!("new-{}-{kind}", language.name),
                origin: Origin::Template { kind, language: language.name },
                made_of,
            });
        }
        let folder = workspace.root.join("tests/languages").join(language.name);
        for project in folders_in(&folder)? {
            let name = project.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let mut hasher = DefaultHasher::new();
            made_of.hash(&mut hasher);
            hash_tree(&project, &mut hasher)?;
            jobs.push(Job {
                name: format!("{}-{name}", language.name),
                origin: Origin::Folder(project),
                made_of: hasher.finish(),
            });
        }
    }
    Ok(jobs)
}

fn made_of(workspace: &Workspace, language: &Language) -> Result<u64, Failure> {
    let mut hasher = DefaultHasher::new();
    Tools::versions().hash(&mut hasher);
    for source in EVERY_LANGUAGE.iter().chain(language.sources) {
        hash_tree(&workspace.root.join(source), &mut hasher)?;
    }
    Ok(hasher.finish())
}

/// Adds all files below `path`, or the file there, with their names.
fn hash_tree(path: &Path, hasher: &mut DefaultHasher) -> Result<(), Failure> {
    let failed = |source| Failure::File { action: "read", path: path.to_path_buf(), source };
    path.file_name().hash(hasher);
    if !path.is_dir() {
        fs::read(path).map_err(failed)?.hash(hasher);
        return Ok(());
    }
    let mut entries: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        entries.push(entry.map_err(failed)?.path());
    }
    entries.sort();
    entries.retain(|entry| entry.file_name().is_none_or(|name| name != "__pycache__"));
    entries.iter().try_for_each(|entry| hash_tree(entry, hasher))
}

fn folders_in(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |source| Failure::File { action: "list", path: path.to_path_buf(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?.path();
        if entry.join("plugin.toml").is_file() {
            found.push(entry);
        }
    }
    found.sort();
    Ok(found)
}

impl Job {
    fn is_done(&self, folder: &Path) -> bool {
        fs::read_to_string(folder.join(MARK)).is_ok_and(|found| found == self.made_of.to_string())
    }

    fn build(
        &self,
        workspace: &Workspace,
        published: &Path,
        toolkit: &Path,
        tools: &Tools,
    ) -> Result<(), Failure> {
        let folder = published.join(&self.name);
        let failed = |source| Failure::File { action: "write", path: folder.clone(), source };
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(failed)?;
        }
        fs::create_dir_all(published).map_err(failed)?;
        match &self.origin {
            Origin::Folder(project) => {
                copy_tree(project, &folder)?;
                name_sdk(workspace, &folder.join("Cargo.toml"))?;
            }
            Origin::Template { kind, language } => {
                let mut command = Command::new(toolkit);
                command.args(["plugin", "new", &self.name, "--kind", kind, "--language", language, "--sdk"]);
                command.arg(workspace.root.join("plugin-sdk")).arg("--dir").arg(&folder);
                run(command.stdout(std::io::stderr()))?;
            }
        }
        if folder.join("Cargo.toml").is_file() {
            // The versions that the workspace has downloaded already.
            fs::copy(workspace.root.join("Cargo.lock"), folder.join("Cargo.lock")).map_err(failed)?;
        }
        let mut command = Command::new(toolkit);
        command.args(["plugin", "build"]).arg(&folder).env("PATH", tools.path()?);
        // One folder for all, so that the SDK is compiled once.
        command.env("CARGO_TARGET_DIR", published.join("cargo")).stdout(std::io::stderr());
        run(&mut command)?;
        fs::write(folder.join(MARK), self.made_of.to_string()).map_err(failed)
    }
}

/// In the tree the SDK's path is relative; elsewhere it is not.
fn name_sdk(workspace: &Workspace, manifest: &Path) -> Result<(), Failure> {
    let Ok(text) = fs::read_to_string(manifest) else { return Ok(()) };
    let sdk = workspace.root.join("plugin-sdk");
    fs::write(manifest, text.replace("../../../../plugin-sdk", &sdk.to_string_lossy()))
        .map_err(|source| Failure::File { action: "write", path: manifest.to_path_buf(), source })
}

fn copy_tree(from: &Path, to: &Path) -> Result<(), Failure> {
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |source| Failure::File { action: "copy", path, source }
    };
    fs::create_dir_all(to).map_err(failed(to))?;
    for entry in fs::read_dir(from).map_err(failed(from))? {
        let entry = entry.map_err(failed(from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_tree(&source, &target)?;
        } else {
            fs::copy(&source, &target).map_err(failed(&source))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash_of(path: &Path) -> u64 {
        let mut hasher = DefaultHasher::new();
        hash_tree(path, &mut hasher).unwrap();
        hasher.finish()
    }

    #[test]
    fn a_change_anywhere_builds_anew() {
        let folder = std::env::temp_dir().join(format!("xtask-languages-{}", std::process::id()));
        let deep = folder.join("a/b");
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("plugin.py"), "one").unwrap();
        let first = hash_of(&folder);
        assert_eq!(hash_of(&folder), first);
        fs::write(deep.join("plugin.py"), "two").unwrap();
        let second = hash_of(&folder);
        fs::rename(deep.join("plugin.py"), deep.join("other.py")).unwrap();
        let third = hash_of(&folder);
        assert!(first != second && second != third && first != third);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn every_language_has_its_plugins_and_templates() {
        let jobs = jobs(&Workspace::locate().unwrap()).unwrap();
        let has = |name: String| assert!(jobs.iter().any(|job| job.name == name), "{name}");
        for language in &LANGUAGES {
            let plugins = ["command-id", "percentile", "high-water", "once"];
            plugins.iter().for_each(|name| has(format!("{}-{name}", language.name)));
            KINDS.iter().for_each(|kind| has(format!("new-{}-{kind}", language.name)));
        }
    }
}
