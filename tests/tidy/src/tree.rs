//! The files of the checkout, without what is built or belongs to tools. Symbolic links are not followed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Folders that hold nothing written for this project.
const SKIPPED_FOLDERS: [&str; 6] = [".git", "target", "runtime", "node_modules", ".venv", "__pycache__"];
/// Folders whose content was not written by hand, or is input for tests.
const UNWRITTEN_FOLDERS: [&str; 2] = ["generated", "fixtures"];
/// Endings of the files that are read as text.
const TEXT_ENDINGS: [&str; 12] =
    ["rs", "toml", "wit", "md", "sh", "py", "js", "ts", "yml", "yaml", "html", "css"];

/// One file.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Its path from the root, with `/` between names.
    pub path: String,
    /// Its content, if it is text that somebody wrote.
    pub text: Option<String>,
}

impl SourceFile {
    /// Whether it is Rust source.
    #[must_use]
    pub fn is_rust(&self) -> bool {
        Path::new(&self.path).extension().is_some_and(|ending| ending == "rs")
    }
}

/// The root of this checkout: of the one cargo was started in, where a target folder is shared by several.
#[must_use]
pub fn root() -> PathBuf {
    let compiled_in = || PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(compiled_in, PathBuf::from);
    package.ancestors().nth(2).map(Path::to_path_buf).unwrap_or_default()
}

/// All files below `root`, sorted by path.
///
/// # Errors
/// If a folder or a text file cannot be read.
pub fn files(root: &Path) -> io::Result<Vec<SourceFile>> {
    let mut found = Vec::new();
    walk(root, "", &mut found)?;
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

fn walk(folder: &Path, prefix: &str, found: &mut Vec<SourceFile>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
        let kind = entry.file_type()?;
        if kind.is_dir() {
            if !SKIPPED_FOLDERS.contains(&name.as_str()) {
                walk(&entry.path(), &path, found)?;
            }
        } else if kind.is_file() {
            let text = if is_written_text(&path) { Some(fs::read_to_string(entry.path())?) } else { None };
            found.push(SourceFile { path, text });
        }
    }
    Ok(())
}

fn is_written_text(path: &str) -> bool {
    let written = !path.split('/').any(|part| UNWRITTEN_FOLDERS.contains(&part));
    let ending = Path::new(path).extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    written && (TEXT_ENDINGS.contains(&ending) || path == ".ci/run")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_files_and_fixtures_are_not_read() {
        assert!(is_written_text("host/core/src/lib.rs"));
        assert!(is_written_text(".ci/run"));
        assert!(!is_written_text("host/store/fixtures/v1/dump.toml"));
        assert!(!is_written_text("plugin-sdk/src/generated/world.rs"));
        assert!(!is_written_text("tests/logo.png"));
    }

    #[test]
    fn the_checkout_is_read_without_what_is_built() {
        let files = files(&root()).unwrap();
        let has = |path: &str| files.iter().any(|file| file.path == path);
        assert!(has("Cargo.toml") && has("tests/tidy/src/tree.rs") && has(".ci/run"));
        assert!(
            files.iter().all(|file| !file.path.starts_with("target/") && !file.path.starts_with(".git/"))
        );
    }
}
