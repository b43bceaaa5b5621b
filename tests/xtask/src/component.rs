//! Builds the components (shipped plugins and the tests' guests) and publishes them as packages `TARGET/plugins/NAME/` and as
//! `TARGET/guests/NAME.wasm`. Each folder then holds exactly what the tree has, and an unchanged file keeps its time.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::announce;
use crate::cargo::Cargo;
use crate::failure::Failure;
use crate::package;
use crate::setup::{GUEST_TARGET, PLUGIN_TARGET};
use crate::workspace::Workspace;

/// The profile of the root `Cargo.toml` that makes components small and fast. It has a folder of its own below the
/// target folder, so that it never undoes what the dev profile has built.
const PROFILE: &str = "component";

/// The environment variable that tells the host where plugins are.
pub(crate) const PLUGINS_VARIABLE: &str = "BRIDGE_TELEMETRY__PLUGINS__DIRECTORY";

/// Where a sort of component lives, how its packages are called and where it is published below the target folder.
struct Sort {
    folder: &'static str,
    prefix: &'static str,
    published: &'static str,
    target: &'static str,
    form: Form,
}

/// What is published of a crate.
#[derive(Clone, Copy)]
enum Form {
    /// Its component.
    Component,
    /// Its component with the manifest, in a folder.
    Package,
}

const PLUGINS: Sort = Sort {
    folder: "plugins",
    prefix: "plugin-",
    published: "plugins",
    target: PLUGIN_TARGET,
    form: Form::Package,
};
const GUESTS: Sort = Sort {
    folder: "tests/guests",
    prefix: "guest-",
    published: "guests",
    target: GUEST_TARGET,
    form: Form::Component,
};

/// One crate that becomes a component.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Component {
    /// The folder's name, and the published file's.
    pub(crate) name: String,
    /// The cargo package.
    package: String,
    /// What it is compiled to.
    target: &'static str,
}

/// Builds all components, with one cargo call for each target, and publishes them.
pub(crate) fn build(workspace: &Workspace, cargo: &Cargo<'_>) -> Result<(), Failure> {
    let sorts = [(&PLUGINS, components(workspace, &PLUGINS)?), (&GUESTS, components(workspace, &GUESTS)?)];
    for target in [PLUGIN_TARGET, GUEST_TARGET] {
        let all = sorts.iter().flat_map(|(_, components)| components);
        let packages: Vec<&str> = all
            .filter(|component| component.target == target)
            .map(|component| component.package.as_str())
            .collect();
        if !packages.is_empty() {
            announce(&format!("building {} components for {target}: {}", packages.len(), packages.join(" ")));
            let mut line = vec!["build", "--profile", PROFILE, "--target", target];
            line.extend(packages.iter().flat_map(|package| ["--package", package]));
            cargo.run(line)?;
        }
    }
    for (sort, components) in &sorts {
        let published = workspace.target.join(sort.published);
        let sources = workspace.root.join(sort.folder);
        let sizes = match sort.form {
            Form::Package => package::publish(&workspace.target, &published, &sources, components)?,
            Form::Component => publish(&workspace.target, &published, components)?,
        };
        announce(&format!("{}: {}", published.display(), in_words(components, &sizes)));
    }
    Ok(())
}

/// Each component with its size.
fn in_words(components: &[Component], sizes: &[usize]) -> String {
    let sizes = components.iter().zip(sizes);
    let words = sizes.map(|(component, bytes)| format!("{} {} KB", component.name, bytes.div_ceil(1000)));
    words.collect::<Vec<_>>().join(", ")
}

/// `--plugins TARGET/plugins`, unless the caller says by a flag, a configuration file or the environment where plugins are:
/// the flag would win over all of them.
pub(crate) fn plugins_flag(
    workspace: &Workspace,
    arguments: &[OsString],
    in_environment: bool,
) -> Vec<OsString> {
    let named = arguments.iter().filter_map(|argument| argument.to_str()).any(|text| {
        ["--plugins", "--config"]
            .iter()
            .any(|flag| text.strip_prefix(flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('=')))
    });
    if named || in_environment {
        Vec::new()
    } else {
        vec!["--plugins".into(), workspace.target.join(PLUGINS.published).into()]
    }
}

fn components(workspace: &Workspace, sort: &Sort) -> Result<Vec<Component>, Failure> {
    workspace.crates_in(sort.folder)?.iter().map(|folder| component(folder, sort)).collect()
}

/// One crate. Its `Cargo.toml` may name another target than its sort's, as `[package.metadata.component]`.
fn component(folder: &Path, sort: &Sort) -> Result<Component, Failure> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let package = format!("{}{name}", sort.prefix);
    let manifest = folder.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).map_err(|source| Failure::File {
        action: "read",
        path: manifest,
        source,
    })?;
    // Not a TOML parser: one line of a fixed form, and cargo itself reports a file that it cannot read.
    let says = |key: &str, value: &str| {
        text.lines().any(|line| line.replace(' ', "") == format!("{key}=\"{value}\""))
    };
    if says("name", &package) {
        let target = if says("target", GUEST_TARGET) { GUEST_TARGET } else { sort.target };
        return Ok(Component { name, package, target });
    }
    Err(Failure::Component {
        folder: folder.to_path_buf(),
        reason: format!("its package must be called `{package}`, after the folder"),
    })
}

/// Copies what changed and removes what no crate stands for any more. Returns the size of each.
fn publish(built: &Path, published: &Path, components: &[Component]) -> Result<Vec<usize>, Failure> {
    fs::create_dir_all(published).map_err(|source| Failure::File {
        action: "create",
        path: published.to_path_buf(),
        source,
    })?;
    let mut sizes = Vec::new();
    let mut current = Vec::new();
    for component in components {
        let content = content(built, component)?;
        let to = published.join(format!("{}.wasm", component.name));
        sizes.push(content.len());
        write_if_changed(&to, &content)?;
        current.push(to);
    }
    remove_others(published, &current)?;
    Ok(sizes)
}

/// What cargo made of the crate, below its target folder.
pub(crate) fn content(built: &Path, component: &Component) -> Result<Vec<u8>, Failure> {
    let folder = built.join(component.target).join(PROFILE);
    let from = folder.join(format!("{}.wasm", component.package.replace('-', "_")));
    fs::read(&from).map_err(|_| Failure::Component {
        folder: PathBuf::from(&component.package),
        reason: format!(
            "cargo made no {}: the crate needs `[lib] crate-type = [\"cdylib\"]`",
            from.display()
        ),
    })
}

/// Through a temporary file and a rename: a host that reads meanwhile sees the old file or the new one, never half.
pub(crate) fn write_if_changed(to: &Path, content: &[u8]) -> Result<(), Failure> {
    if fs::read(to).is_ok_and(|before| before == content) {
        return Ok(());
    }
    let temporary = to.with_added_extension(std::process::id().to_string());
    fs::write(&temporary, content).and_then(|()| fs::rename(&temporary, to)).map_err(|source| Failure::File {
        action: "write",
        path: to.to_path_buf(),
        source,
    })
}

/// Removes files, so that a component that left the tree is not loaded any more; also what an interrupted copy left.
fn remove_others(published: &Path, current: &[PathBuf]) -> Result<(), Failure> {
    let failed = |source| Failure::File { action: "tidy", path: published.to_path_buf(), source };
    for entry in fs::read_dir(published).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let ours = path.file_name().is_some_and(|name| name.to_string_lossy().contains(".wasm"));
        if ours && path.is_file() && !current.contains(&path) {
            announce(&format!("removing {}, which no crate stands for", path.display()));
            fs::remove_file(&path).map_err(failed)?;
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An empty folder, removed at the end.
    pub(crate) struct Folder(pub(crate) PathBuf);

    impl Folder {
        pub(crate) fn new(test: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("xtask-component-{test}-{}", std::process::id()));
            fs::create_dir_all(path.join("built/component")).unwrap();
            Folder(path)
        }

        pub(crate) fn published(&self) -> Vec<String> {
            let mut names: Vec<String> = fs::read_dir(self.0.join("plugins"))
                .unwrap()
                .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
                .collect();
            names.sort();
            names
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    pub(crate) fn named(name: &str) -> Component {
        Component { name: name.into(), package: format!("plugin-{name}"), target: "built" }
    }

    #[test]
    fn publishing_leaves_exactly_what_the_tree_has() {
        let folder = Folder::new("publish");
        let (built, published) = (folder.0.join("built/component"), folder.0.join("plugins"));
        fs::write(built.join("plugin_error_rate.wasm"), "first").unwrap();
        fs::write(built.join("plugin_ewma.wasm"), "other").unwrap();
        assert_eq!(publish(&folder.0, &published, &[named("error-rate"), named("ewma")]).unwrap(), [5, 5]);
        assert_eq!(folder.published(), ["error-rate.wasm", "ewma.wasm"]);

        fs::write(published.join("notes.txt"), "").unwrap();
        fs::write(published.join("ewma.wasm.4711"), "half").unwrap();
        fs::write(built.join("plugin_error_rate.wasm"), "second").unwrap();
        publish(&folder.0, &published, &[named("error-rate")]).unwrap();
        assert_eq!(folder.published(), ["error-rate.wasm", "notes.txt"]);
        assert_eq!(fs::read(published.join("error-rate.wasm")).unwrap(), b"second");
    }

    #[test]
    fn an_unchanged_component_is_not_written_again() {
        let folder = Folder::new("unchanged");
        let file = folder.0.join("ewma.wasm");
        write_if_changed(&file, b"same").unwrap();
        let mut permissions = fs::metadata(&file).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&file, permissions).unwrap();
        let before = fs::metadata(&file).unwrap().modified().unwrap();
        write_if_changed(&file, b"same").unwrap();
        assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), before);
        assert!(fs::metadata(&file).unwrap().permissions().readonly(), "the file was replaced");
    }

    #[test]
    fn a_crate_that_makes_no_component_is_refused_with_the_remedy() {
        let folder = Folder::new("absent");
        let failure = publish(&folder.0, &folder.0.join("plugins"), &[named("ewma")]).unwrap_err();
        assert!(failure.to_string().contains("cdylib"), "{failure}");
    }

    #[test]
    fn a_package_is_called_after_its_folder() {
        let folder = Folder::new("name");
        let check = |manifest: &str| {
            let path = folder.0.join("ewma");
            fs::create_dir_all(&path).unwrap();
            fs::write(path.join("Cargo.toml"), manifest).unwrap();
            component(&path, &PLUGINS)
        };
        let component = check("[package]\nname = \"plugin-ewma\"\n").unwrap();
        assert_eq!(component, Component { target: PLUGIN_TARGET, ..named("ewma") });
        let other =
            "[package]\nname = \"plugin-ewma\"\n[package.metadata.component]\ntarget = \"wasm32-wasip2\"\n";
        assert_eq!(check(other).unwrap().target, GUEST_TARGET);
        let failure = check("[package]\nname = \"ewma\"\n").unwrap_err();
        assert!(failure.to_string().contains("`plugin-ewma`"), "{failure}");
    }

    #[test]
    fn the_caller_s_plugins_folder_wins() {
        let workspace = Workspace { root: "/house".into(), target: "/cache".into() };
        let expect: [OsString; 2] = ["--plugins".into(), "/cache/plugins".into()];
        assert_eq!(plugins_flag(&workspace, &["--no-system".into()], false), expect);
        assert!(plugins_flag(&workspace, &["--no-system".into()], true).is_empty());
        for named in
            [&["--plugins", "/mine"][..], &["--plugins=/mine"], &["--config", "c.toml"], &["--config=c.toml"]]
        {
            let named: Vec<OsString> = named.iter().map(OsString::from).collect();
            assert!(plugins_flag(&workspace, &named, false).is_empty(), "{named:?}");
        }
    }
}
