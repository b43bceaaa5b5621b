//! Where things are: the workspace's root and the target folder. Both paths are absolute.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// The checkout that this command works on.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The folder of the root `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Where cargo puts what it builds.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// Finds the workspace of this crate and its target folder.
    pub(crate) fn locate() -> Result<Workspace, Failure> {
        // Cargo sets the variable when it runs us; the compiled-in value serves a direct start.
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest.ancestors().nth(2).map(Path::to_path_buf).unwrap_or_default();
        if !root.join("Cargo.lock").is_file() {
            return Err(Failure::Missing {
                what: format!("the workspace's Cargo.lock in `{}`", root.display()),
                remedy: "start it as `cargo xtask` inside the checkout".into(),
            });
        }
        let asked = ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR"].into_iter().find_map(std::env::var_os);
        let current = std::env::current_dir().map_err(|source| Failure::File {
            action: "find the current folder, seen from",
            path: root.clone(),
            source,
        })?;
        let target = target_folder(&root, &current, asked);
        Ok(Workspace { root, target })
    }

    /// The folders directly inside `path` (from the root) that hold a crate, by name. None if there is no such path.
    pub(crate) fn crates_in(&self, path: &str) -> Result<Vec<PathBuf>, Failure> {
        let folder = self.root.join(path);
        if !folder.is_dir() {
            return Ok(Vec::new());
        }
        let failed = |source| Failure::File { action: "list", path: folder.clone(), source };
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.join("Cargo.toml").is_file() {
                found.push(path);
            }
        }
        found.sort();
        Ok(found)
    }
}

/// Cargo's own rule: a relative folder named in the environment is seen from the current one.
fn target_folder(root: &Path, current: &Path, asked: Option<OsString>) -> PathBuf {
    match asked.filter(|asked| !asked.is_empty()) {
        Some(asked) => current.join(asked),
        None => root.join("target"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_folder_follows_the_environment() {
        let check = |asked: Option<&str>, expect: &str| {
            let found =
                target_folder(Path::new("/house"), Path::new("/house/host"), asked.map(OsString::from));
            assert_eq!(found, Path::new(expect), "{asked:?}");
        };
        check(None, "/house/target");
        check(Some(""), "/house/target");
        check(Some("/cache/target"), "/cache/target");
        check(Some("build"), "/house/host/build");
    }

    #[test]
    fn only_folders_with_a_manifest_are_crates() {
        let workspace = Workspace::locate().unwrap();
        let names: Vec<String> = workspace
            .crates_in("tests")
            .unwrap()
            .iter()
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        assert!(names.contains(&"xtask".to_owned()), "{names:?}");
        assert!(!names.contains(&"src".to_owned()), "{names:?}");
        assert!(workspace.crates_in("no/such/folder").unwrap().is_empty());
    }
}
