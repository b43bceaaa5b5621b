//! Publishes the shipped plugins as packages, as `bridge-telemetry plugin install` would: `TARGET/plugins/NAME/` with the
//! component and its manifest, into which the component's SHA-256 is filled, and the pins of all in `plugins.lock`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::announce;
use crate::component::{self, Component};
use crate::failure::Failure;

const MANIFEST: &str = "plugin.toml";
const LOCK: &str = "plugins.lock";
/// Programs that print SHA-256: of GNU, and of other systems.
const HASHERS: [&[&str]; 2] = [&["sha256sum"], &["shasum", "-a", "256"]];

/// Publishes the packages of `components`, whose sources are in `sources`, and nothing else. Returns the size of each component.
pub(crate) fn publish(
    built: &Path,
    published: &Path,
    sources: &Path,
    components: &[Component],
) -> Result<Vec<usize>, Failure> {
    let mut sizes = Vec::new();
    let mut pins = String::new();
    let mut current = vec![published.join(LOCK)];
    for component in components {
        let folder = published.join(&component.name);
        create(&folder)?;
        let content = component::content(built, component)?;
        sizes.push(content.len());
        let file = folder.join(format!("{}.wasm", component.name));
        component::write_if_changed(&file, &content)?;
        let source = sources.join(&component.name).join(MANIFEST);
        let hash = sha256(&file)?;
        let manifest = filled(&source, &component.name, &hash)?;
        component::write_if_changed(&folder.join(MANIFEST), manifest.as_bytes())?;
        let version = value_of(&manifest, "version").unwrap_or_default();
        let manifest_hash = sha256(&folder.join(MANIFEST))?;
        pins += &format!(
            "\n[plugins.{}]\nversion = {version}\nsha256 = \"{hash}\"\nmanifest_sha256 = \"{manifest_hash}\"\n",
            component.name
        );
        current.push(folder);
    }
    remove_others(published, &current)?;
    write_lock(published, &pins)?;
    Ok(sizes)
}

/// Writes the pins. What was disabled stays so.
fn write_lock(published: &Path, pins: &str) -> Result<(), Failure> {
    let path = published.join(LOCK);
    let before = fs::read_to_string(&path).unwrap_or_default();
    let disabled = before.lines().find(|line| line.starts_with("disabled = "));
    let disabled = disabled.map(|line| format!("{line}\n")).unwrap_or_default();
    let text = format!("# The shipped plugins, as they were built.\nformat = 1\n{disabled}{pins}");
    component::write_if_changed(&path, text.as_bytes())
}

/// The manifest's text with the component's hash in it.
fn filled(source: &Path, name: &str, hash: &str) -> Result<String, Failure> {
    let text = fs::read_to_string(source).map_err(|source_error| Failure::File {
        action: "read",
        path: source.to_path_buf(),
        source: source_error,
    })?;
    let wrong = |reason: String| Failure::Component { folder: source.to_path_buf(), reason };
    for (key, value) in [("name", name.to_owned()), ("component", format!("{name}.wasm"))] {
        if value_of(&text, key) != Some(&format!("\"{value}\"")) {
            return Err(wrong(format!("it must say `{key} = \"{value}\"`, after the folder")));
        }
    }
    if value_of(&text, "sha256").is_some() {
        return Err(wrong("it must not say `sha256`, which the build fills in".to_owned()));
    }
    let mut filled = String::new();
    for line in text.lines() {
        filled += &format!("{line}\n");
        if line.starts_with("component = ") {
            filled += &format!("sha256 = \"{hash}\"\n");
        }
    }
    Ok(filled)
}

/// The value of a key at the top of a manifest, as it is written. Not a TOML parser: lines of a fixed form, and the host
/// reports a file that it cannot read.
fn value_of<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let top = text.lines().take_while(|line| !line.starts_with('['));
    top.filter_map(|line| line.split_once(" = ")).find(|(found, _)| *found == key).map(|(_, value)| value)
}

/// The SHA-256 of a file. The standard library has none, and this crate has no other; every system has a program for it.
fn sha256(file: &Path) -> Result<String, Failure> {
    for line in HASHERS {
        let Some((program, arguments)) = line.split_first() else { continue };
        let Ok(output) = Command::new(program).args(arguments).arg(file).output() else { continue };
        let text = String::from_utf8_lossy(&output.stdout);
        // A name with a backslash or line feed in it is told by a backslash before the hash.
        let hash = text.split_whitespace().next().unwrap_or_default().trim_start_matches('\\');
        if output.status.success() && hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(hash.to_owned());
        }
    }
    Err(Failure::Missing {
        what: format!("a program that prints the SHA-256 of `{}`", file.display()),
        remedy: "install sha256sum, which is part of the package coreutils".into(),
    })
}

fn create(folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(|source| Failure::File {
        action: "create",
        path: folder.to_path_buf(),
        source,
    })
}

/// Removes packages and components, so that a plugin that left the tree is not loaded any more.
fn remove_others(published: &Path, current: &[PathBuf]) -> Result<(), Failure> {
    let failed = |source| Failure::File { action: "tidy", path: published.to_path_buf(), source };
    for entry in fs::read_dir(published).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if current.contains(&path) {
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.join(MANIFEST).is_file() {
            announce(&format!("removing {}, which no crate stands for", path.display()));
            fs::remove_dir_all(&path).map_err(failed)?;
        } else if path.is_file() && (name.contains(".wasm") || name.starts_with(LOCK)) {
            announce(&format!("removing {}, which no crate stands for", path.display()));
            fs::remove_file(&path).map_err(failed)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::tests::{Folder, named};

    const SOURCE: &str =
        "name = \"ewma\"\nversion = \"1.2.0\"\ncomponent = \"ewma.wasm\"\n\n[grants]\nname = \"x\"\n";
    /// Of the text `first`.
    const FIRST: &str = "a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e";

    fn publish_ewma(folder: &Folder, source: &str, content: &str) -> Result<Vec<usize>, Failure> {
        let sources = folder.0.join("sources");
        fs::create_dir_all(sources.join("ewma")).unwrap();
        fs::write(sources.join("ewma").join(MANIFEST), source).unwrap();
        fs::write(folder.0.join("built/component/plugin_ewma.wasm"), content).unwrap();
        publish(&folder.0, &folder.0.join("plugins"), &sources, &[named("ewma")])
    }

    #[test]
    fn a_package_is_published_with_its_hash_and_its_pin() {
        let folder = Folder::new("package");
        let published = folder.0.join("plugins");
        fs::create_dir_all(published.join("gone")).unwrap();
        fs::write(published.join("gone").join(MANIFEST), "").unwrap();
        fs::write(published.join("flat.wasm"), "").unwrap();
        fs::write(published.join("notes.txt"), "").unwrap();
        fs::write(published.join(LOCK), "format = 1\ndisabled = [\"ewma\"]\n").unwrap();
        assert_eq!(publish_ewma(&folder, SOURCE, "first").unwrap(), [5]);
        assert_eq!(folder.published(), ["ewma", "notes.txt", "plugins.lock"]);
        assert_eq!(fs::read(published.join("ewma/ewma.wasm")).unwrap(), b"first");
        let manifest = fs::read_to_string(published.join("ewma").join(MANIFEST)).unwrap();
        let expected = SOURCE.replace("ewma.wasm\"\n", &format!("ewma.wasm\"\nsha256 = \"{FIRST}\"\n"));
        assert_eq!(manifest, expected);
        let hash = sha256(&published.join("ewma").join(MANIFEST)).unwrap();
        let lock = fs::read_to_string(published.join(LOCK)).unwrap();
        let pin = format!(
            "[plugins.ewma]\nversion = \"1.2.0\"\nsha256 = \"{FIRST}\"\nmanifest_sha256 = \"{hash}\"\n"
        );
        assert!(lock.ends_with(&pin), "{lock}");
        assert!(lock.contains("format = 1\ndisabled = [\"ewma\"]\n"), "{lock}");
    }

    #[test]
    fn a_manifest_is_called_after_its_folder_and_has_no_hash_of_its_own() {
        let folder = Folder::new("manifest");
        fs::create_dir_all(folder.0.join("plugins")).unwrap();
        for (from, to, told) in [
            ("name = \"ewma\"", "name = \"other\"", "name = \"ewma\""),
            ("\"ewma.wasm\"", "\"../x.wasm\"", "component = \"ewma.wasm\""),
            ("version", "sha256 = \"00\"\nversion", "must not say `sha256`"),
        ] {
            let failure = publish_ewma(&folder, &SOURCE.replacen(from, to, 1), "first").unwrap_err();
            assert!(failure.to_string().contains(told), "{failure}");
        }
    }
}
