//! The members' manifests: dependencies with their features come from the workspace alone (or a crate would be compiled
//! twice), lints too, and a component's crate is shaped so that link-time optimisation takes place.

use toml::{Table, Value};

use crate::finding::Finding;

/// Keys of a dependency by which a member would leave the workspace's choice.
const OWN_CHOICE: [&str; 6] = ["version", "features", "default-features", "git", "registry", "path"];
/// Where the crates of components stand.
const COMPONENT_FOLDERS: [&str; 2] = ["plugins/", "tests/guests/"];

/// Judges the manifest of the member in `folder` (from the root).
#[must_use]
pub fn check(folder: &str, text: &str) -> Vec<Finding> {
    let place = format!("{folder}/Cargo.toml");
    let manifest: Table = match text.parse() {
        Ok(manifest) => manifest,
        Err(error) => return vec![Finding::at(place, format!("cannot be read: {error}"))],
    };
    let mut found: Vec<Finding> = dependency_tables(&manifest)
        .flat_map(|table| table.iter())
        .filter_map(|(name, dependency)| {
            Some(Finding::at(&place, format!("`{name}` {}", own_choice(dependency)?)))
        })
        .collect();
    if !inherits(manifest.get("lints")) {
        found
            .push(Finding::at(&place, "does not take the workspace's lints: add `[lints] workspace = true`"));
    }
    if !inherits(manifest.get("package").and_then(|package| package.get("version"))) {
        found.push(Finding::at(&place, "has a version of its own: write `version.workspace = true`"));
    }
    if COMPONENT_FOLDERS.iter().any(|parent| folder.starts_with(parent)) && !makes_only_a_component(&manifest)
    {
        found.push(Finding::at(
            &place,
            "needs `[lib] crate-type = [\"cdylib\"]`: with an rlib beside it, cargo silently leaves out link-time optimisation",
        ));
    }
    found
}

/// The tables of dependencies, those for one kind of target included.
fn dependency_tables(manifest: &Table) -> impl Iterator<Item = &Table> {
    const KINDS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];
    let targets =
        manifest.get("target").and_then(Value::as_table).into_iter().flat_map(|targets| targets.values());
    let holders = targets.filter_map(Value::as_table).chain(std::iter::once(manifest));
    holders.flat_map(|holder| KINDS.iter().filter_map(|kind| holder.get(*kind)?.as_table()))
}

/// In which way a dependency does not simply follow the workspace.
fn own_choice(dependency: &Value) -> Option<String> {
    if !inherits(Some(dependency)) {
        return Some(
            "does not come from the workspace: name it in the root manifest, here write `workspace = true`"
                .into(),
        );
    }
    let key = OWN_CHOICE.into_iter().find(|key| dependency.get(key).is_some())?;
    Some(format!("has `{key}` of its own: it belongs into the root manifest, where it holds for all"))
}

fn inherits(value: Option<&Value>) -> bool {
    value.and_then(|value| value.get("workspace")).and_then(Value::as_bool) == Some(true)
}

fn makes_only_a_component(manifest: &Table) -> bool {
    let types = manifest.get("lib").and_then(|lib| lib.get("crate-type")).and_then(Value::as_array);
    types.is_some_and(|types| matches!(types.as_slice(), [only] if only.as_str() == Some("cdylib")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
[package]
name = \"plugin-ewma\"
version.workspace = true
[lib]
crate-type = [\"cdylib\"]
[lints]
workspace = true
[dependencies]
serde.workspace = true
rustix = { workspace = true, optional = true }
";

    fn findings(folder: &str, manifest: &str) -> Vec<String> {
        check(folder, manifest).into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn a_manifest_that_follows_the_workspace_passes() {
        assert_eq!(findings("plugins/ewma", GOOD), [""; 0]);
    }

    #[test]
    fn a_dependency_of_one_s_own_choice_is_refused() {
        for line in [
            "regex = \"1\"",
            "regex = { version = \"1\" }",
            "regex = { path = \"../regex\" }",
            "regex = { workspace = true, features = [\"std\"] }",
            "regex = { workspace = true, default-features = false }",
            "[dev-dependencies]\nregex = \"1\"",
            "[target.'cfg(unix)'.dependencies]\nregex = \"1\"",
        ] {
            let found = findings("plugins/ewma", &format!("{GOOD}{line}\n"));
            assert!(found.len() == 1 && found[0].starts_with("`regex`"), "{line}: {found:?}");
        }
    }

    #[test]
    fn lints_and_version_come_from_the_workspace() {
        assert_eq!(
            findings("host/core", &GOOD.replace("[lints]\nworkspace", "[lints.rust]\nunsafe_code")).len(),
            1
        );
        assert_eq!(
            findings("host/core", &GOOD.replace("version.workspace = true", "version = \"1.0.0\"")).len(),
            1
        );
    }

    #[test]
    fn a_component_s_crate_makes_nothing_else() {
        let both = GOOD.replace("[\"cdylib\"]", "[\"cdylib\", \"rlib\"]");
        assert_eq!(findings("plugins/ewma", &both).len(), 1);
        assert_eq!(findings("tests/guests/evil", &both).len(), 1);
        assert_eq!(findings("plugin-sdk", &both), [""; 0]);
    }

    #[test]
    fn nonsense_is_reported_not_passed() {
        assert_eq!(findings("host/core", "[package\n").len(), 1);
    }
}
