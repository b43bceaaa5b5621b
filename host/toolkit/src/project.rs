//! An author's project: a folder with a manifest, a source and test cases.

use std::io;
use std::path::{Path, PathBuf};

use bridge_telemetry::plugins::package::{MANIFEST_FILE, Manifest, ManifestError, Sha256};
use toml_edit::DocumentMut;

use crate::language::Language;

/// A project.
#[derive(Clone, Debug)]
pub struct Project {
    /// Its folder.
    pub directory: PathBuf,
    /// Its manifest.
    pub manifest: Manifest,
}

/// A folder is no project, or cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProjectError {
    /// A file cannot be read or written.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was to be done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no manifest.
    #[error("{} has no {MANIFEST_FILE}; `bridge-telemetry plugin new` makes a project with one", directory.display())]
    NoManifest {
        /// The folder.
        directory: PathBuf,
    },
    /// The manifest cannot be used.
    #[error("{}", directory.display())]
    Manifest {
        /// The folder.
        directory: PathBuf,
        /// What is wrong.
        #[source]
        source: ManifestError,
    },
    /// The manifest is no longer what was read.
    #[error("{} changed meanwhile", path.display())]
    Changed {
        /// The manifest.
        path: PathBuf,
    },
    /// There is no source.
    #[error("{} has none of src/lib.rs, plugin.py, plugin.js, plugin.c", directory.display())]
    NoSource {
        /// The folder.
        directory: PathBuf,
    },
    /// There is no component yet.
    #[error("{} is not there; `bridge-telemetry plugin build` makes it", path.display())]
    NotBuilt {
        /// The component.
        path: PathBuf,
    },
}

impl Project {
    /// The project in `directory`.
    pub fn open(directory: &Path) -> Result<Self, ProjectError> {
        let path = directory.join(MANIFEST_FILE);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(ProjectError::NoManifest { directory: directory.to_owned() });
            }
            Err(source) => return Err(ProjectError::File { action: "read", path, source }),
        };
        let manifest = Manifest::parse(&bytes)
            .map_err(|source| ProjectError::Manifest { directory: directory.to_owned(), source })?;
        Ok(Self { directory: directory.to_owned(), manifest })
    }

    /// Where its component is, or is to be.
    pub fn component(&self) -> PathBuf {
        self.directory.join(&self.manifest.component)
    }

    /// Its component, which must be there.
    pub fn built_component(&self) -> Result<PathBuf, ProjectError> {
        let path = self.component();
        if path.is_file() { Ok(path) } else { Err(ProjectError::NotBuilt { path }) }
    }

    /// The folder of its test cases.
    pub fn cases(&self) -> PathBuf {
        self.directory.join("tests")
    }

    /// What it is written in.
    pub fn language(&self) -> Result<Language, ProjectError> {
        Language::of(&self.directory)
            .ok_or_else(|| ProjectError::NoSource { directory: self.directory.clone() })
    }

    /// Writes into the manifest what a build knows of its component: the hash, and the version of the contract if its imports
    /// tell one. The rest of the file stays as it is.
    pub(crate) fn note_built(&mut self, hash: &Sha256, contract: Option<&str>) -> Result<(), ProjectError> {
        let speaks = self.manifest.contract.to_string();
        let contract = contract.filter(|contract| *contract != speaks);
        let hash = Some(hash).filter(|hash| self.manifest.sha256.as_ref() != Some(*hash)).map(Sha256::as_str);
        if contract.is_none() && hash.is_none() {
            return Ok(());
        }
        let path = self.directory.join(MANIFEST_FILE);
        let file = |action, source| ProjectError::File { action, path: path.clone(), source };
        let text = std::fs::read_to_string(&path).map_err(|source| file("read", source))?;
        let mut document: DocumentMut =
            text.parse().map_err(|_| ProjectError::Changed { path: path.clone() })?;
        for (key, value) in [("sha256", hash), ("contract", contract)] {
            value.into_iter().for_each(|value| note(&mut document, key, value));
        }
        let text = document.to_string();
        let manifest = Manifest::parse(text.as_bytes())
            .map_err(|source| ProjectError::Manifest { directory: self.directory.clone(), source })?;
        write_whole(&path, text.as_bytes()).map_err(|source| file("write", source))?;
        self.manifest = manifest;
        Ok(())
    }
}

/// Gives a key its value; what stands around the one before stays.
fn note(document: &mut DocumentMut, key: &str, text: &str) {
    match document.get_mut(key).and_then(toml_edit::Item::as_value_mut) {
        Some(value) => {
            let decor = value.decor().clone();
            *value = text.into();
            *value.decor_mut() = decor;
        }
        None => {
            document.insert(key, toml_edit::value(text));
        }
    }
}

/// Writes a file whole or not at all.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use io::Write;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut draft = tempfile::Builder::new().prefix(".draft-").tempfile_in(folder)?;
    draft.write_all(bytes)?;
    let permissions = std::fs::metadata(path).map(|found| found.permissions());
    #[cfg(unix)]
    let permissions = permissions.unwrap_or_else(|_| std::os::unix::fs::PermissionsExt::from_mode(0o644));
    #[cfg(unix)]
    draft.as_file().set_permissions(permissions)?;
    draft.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"# Mine.
name = "a"
version = "0.1.0"
kind = "validator"
contract = "0.2.2"
component = "a.wasm"   # made by build
description = "x"

[grants]
"#;

    #[test]
    fn a_hash_is_noted_and_the_rest_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(MANIFEST_FILE);
        std::fs::write(&path, MANIFEST).unwrap();
        let mut project = Project::open(folder.path()).unwrap();
        for bytes in [b"one", b"two"] {
            let hash = Sha256::of(bytes);
            project.note_built(&hash, Some("0.2.2")).unwrap();
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.starts_with("# Mine.\n") && text.contains("# made by build"), "{text}");
            assert_eq!(text.matches("sha256").count(), 1, "{text}");
            assert_eq!(Project::open(folder.path()).unwrap().manifest.sha256, Some(hash));
        }
    }

    #[test]
    fn the_contract_that_was_built_against_is_noted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(MANIFEST_FILE);
        let text = MANIFEST.replace("\"0.2.2\"", "\"0.1.0\"  # mine");
        std::fs::write(&path, &text).unwrap();
        let mut project = Project::open(folder.path()).unwrap();
        let hash = Sha256::of(b"one");
        project.note_built(&hash, None).unwrap();
        assert_eq!(project.manifest.contract.to_string(), "0.1.0", "its imports tell nothing");
        project.note_built(&hash, Some("0.2.2")).unwrap();
        assert_eq!(project.manifest.contract.to_string(), "0.2.2");
        assert_eq!(Project::open(folder.path()).unwrap().manifest, project.manifest);
        let noted = std::fs::read_to_string(&path).unwrap();
        assert!(noted.contains("contract = \"0.2.2\"  # mine\n"), "{noted}");
        assert!(project.note_built(&hash, Some("x")).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), noted, "nothing is written that cannot be read");
    }

    #[test]
    fn what_is_missing_is_named() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(Project::open(folder.path()), Err(ProjectError::NoManifest { .. })));
        std::fs::write(folder.path().join(MANIFEST_FILE), MANIFEST).unwrap();
        let project = Project::open(folder.path()).unwrap();
        assert!(matches!(project.language(), Err(ProjectError::NoSource { .. })));
        assert!(matches!(project.built_component(), Err(ProjectError::NotBuilt { .. })));
        std::fs::write(folder.path().join("plugin.py"), "").unwrap();
        assert_eq!(project.language().unwrap(), Language::Python);
    }
}
