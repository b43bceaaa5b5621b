//! The direction of dependencies: which member of the workspace may know which, and who alone may use a heavy crate.
//!
//! `core ← store`, `core ← sandbox`, `{core, store, sandbox} ← host ← {server, toolkit} ← cli`; `plugin-sdk ← plugins`; host and
//! SDK share only `wit/`. Reads `cargo metadata --no-deps`; build and test dependencies count like the others.

use std::path::Path;

use serde_json::Value;

use crate::finding::Finding;

/// What a part may depend on, each part given by its folder; `/*` stands for every folder inside.
const RULES: [(&str, &[&str]); 19] = [
    ("host/core", &[]),
    ("host/store", &["host/core"]),
    ("host/sandbox", &["host/core"]),
    ("host", &["host/core", "host/store", "host/sandbox"]),
    ("host/server", &["host/core", "host/store", "host/sandbox", "host"]),
    ("host/toolkit", &["host/core", "host/sandbox", "host"]),
    ("host/cli", &["host/core", "host/store", "host/sandbox", "host", "host/server", "host/toolkit"]),
    ("plugin-sdk", &["plugin-sdk/*"]),
    ("plugin-sdk/*", &["plugin-sdk/*"]),
    ("plugins/*", &["plugin-sdk", "plugin-sdk/*"]),
    ("tests/guests/*", &["plugin-sdk", "plugin-sdk/*", "tests/zoo", "tests/bench/checks"]),
    ("tests/zoo", &["plugin-sdk"]),
    ("tests/xtask", &[]),
    ("tests/tidy", &[]),
    ("tests/faults", &["host/core", "host/store"]),
    ("tests/bench", &["host", "host/*", "tests", "tests/bench/checks"]),
    ("tests/bench/checks", &[]),
    ("tests/fuzz", &["host/store"]),
    ("tests", &["host", "host/*", "tests/*", "plugin-sdk"]),
];

/// Crates that one part alone may use, by the start of their names: testing another part never compiles them.
const RESERVED: [(&str, &str); 4] = [
    ("rocksdb", "host/store"),
    ("librocksdb-sys", "host/store"),
    ("wasmtime", "host/sandbox"),
    ("cranelift", "host/sandbox"),
];

/// The benchmarks compare the store with plain RocksDB and plugins with bare modules, and link both through the host in any case.
const PEER_USES: [(&str, &str); 2] = [("tests/bench", "rocksdb"), ("tests/bench", "wasmtime")];

/// The part that is built before anything else is there, and so has no dependency at all.
const BARE: &str = "tests/xtask";

/// A member of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The package's name.
    pub name: String,
    /// Its folder from the root, with `/` between names.
    pub folder: String,
    /// The packages that it names as dependencies, of every kind.
    pub dependencies: Vec<String>,
}

/// Reads the members out of `cargo metadata --no-deps --format-version 1`. None if the text is not of that form.
#[must_use]
pub fn members(metadata: &str) -> Option<Vec<Member>> {
    let metadata: Value = serde_json::from_str(metadata).ok()?;
    let root = Path::new(metadata.get("workspace_root")?.as_str()?);
    metadata.get("packages")?.as_array()?.iter().map(|package| member(package, root)).collect()
}

fn member(package: &Value, root: &Path) -> Option<Member> {
    let manifest = Path::new(package.get("manifest_path")?.as_str()?);
    let folder = manifest.parent()?.strip_prefix(root).ok()?.to_str()?.replace('\\', "/");
    let dependencies: Option<Vec<String>> = package
        .get("dependencies")?
        .as_array()?
        .iter()
        .map(|dependency| Some(dependency.get("name")?.as_str()?.to_owned()))
        .collect();
    Some(Member { name: package.get("name")?.as_str()?.to_owned(), folder, dependencies: dependencies? })
}

/// The dependencies that point the wrong way.
#[must_use]
pub fn check(members: &[Member]) -> Vec<Finding> {
    let mut found = Vec::new();
    for member in members {
        let Some((_, allowed)) = RULES.iter().find(|(part, _)| covers(part, &member.folder)) else {
            found.push(Finding::at(
                &member.folder,
                "is not in the rules of dependency direction: give it a place there",
            ));
            continue;
        };
        for dependency in &member.dependencies {
            if let Some(reason) = objection(member, dependency, allowed, members) {
                found.push(Finding::at(&member.folder, format!("depends on `{dependency}`: {reason}")));
            }
        }
    }
    found
}

fn objection(member: &Member, dependency: &str, allowed: &[&str], members: &[Member]) -> Option<String> {
    if member.folder == BARE {
        return Some("it must have no dependencies, so that it builds in seconds".to_owned());
    }
    let reserved =
        RESERVED.iter().find(|(start, owner)| dependency.starts_with(start) && *owner != member.folder);
    if let Some((_, owner)) = reserved.filter(|_| !PEER_USES.contains(&(member.folder.as_str(), dependency)))
    {
        return Some(format!("only {owner} may use it"));
    }
    let target = members.iter().find(|other| other.name == dependency)?;
    // A test dependency on itself is how a crate's tests switch its features on.
    let fine = target.folder == member.folder || allowed.iter().any(|part| covers(part, &target.folder));
    (!fine)
        .then(|| format!("the direction is wrong, {} may know only [{}]", member.folder, allowed.join(", ")))
}

/// Whether a part's pattern stands for the folder.
fn covers(part: &str, folder: &str) -> bool {
    match part.strip_suffix("/*") {
        Some(parent) => folder
            .strip_prefix(parent)
            .and_then(|rest| rest.strip_prefix('/'))
            .is_some_and(|name| !name.contains('/')),
        None => part == folder,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(folder: &str, name: &str, dependencies: &[&str]) -> Member {
        Member {
            name: name.into(),
            folder: folder.into(),
            dependencies: dependencies.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    /// The house as it should be, with one more dependency of one member.
    fn findings(folder: &str, dependency: &str) -> Vec<Finding> {
        let mut house = vec![
            member("host/core", "telemetry-core", &["serde"]),
            member("host/store", "telemetry-store", &["telemetry-core", "rocksdb"]),
            member("host/sandbox", "telemetry-sandbox", &["telemetry-core", "wasmtime"]),
            member("host", "bridge-telemetry", &["telemetry-core", "telemetry-store", "telemetry-sandbox"]),
            member("host/server", "bridge-telemetry-server", &["bridge-telemetry", "axum"]),
            member("host/cli", "bridge-telemetry-cli", &["bridge-telemetry-server", "bridge-telemetry"]),
            member("plugin-sdk", "bridge-telemetry-plugin", &["wit-bindgen"]),
            member("plugins/ewma", "plugin-ewma", &["bridge-telemetry-plugin"]),
            member("tests", "bridge-telemetry-tests", &["bridge-telemetry", "telemetry-store"]),
            member("tests/xtask", "xtask", &[]),
        ];
        assert_eq!(check(&house), []);
        house.iter_mut().find(|member| member.folder == folder).unwrap().dependencies.push(dependency.into());
        check(&house)
    }

    #[test]
    fn a_dependency_against_the_direction_is_refused() {
        for (folder, dependency) in [
            ("host/core", "telemetry-store"),
            ("host/store", "telemetry-sandbox"),
            ("host/sandbox", "telemetry-store"),
            ("host", "bridge-telemetry-server"),
            ("host/server", "bridge-telemetry-cli"),
            ("host", "bridge-telemetry-plugin"),
            ("plugin-sdk", "telemetry-core"),
            ("plugins/ewma", "telemetry-core"),
            ("host/cli", "plugin-ewma"),
        ] {
            assert_eq!(findings(folder, dependency).len(), 1, "{folder} on {dependency}");
        }
    }

    #[test]
    fn a_dependency_along_the_direction_passes() {
        for (folder, dependency) in
            [("host/cli", "telemetry-core"), ("host/core", "regex"), ("host", "bridge-telemetry")]
        {
            assert_eq!(findings(folder, dependency), [], "{folder} on {dependency}");
        }
    }

    #[test]
    fn heavy_crates_have_one_user() {
        for (folder, dependency) in [
            ("host", "rocksdb"),
            ("tests", "wasmtime"),
            ("host/core", "cranelift-codegen"),
            ("tests", "librocksdb-sys"),
        ] {
            let found = findings(folder, dependency);
            assert!(found.len() == 1 && found[0].message.contains("only host/"), "{found:?}");
        }
    }

    #[test]
    fn the_first_thing_built_depends_on_nothing() {
        assert_eq!(findings("tests/xtask", "anyhow").len(), 1);
    }

    #[test]
    fn a_new_part_needs_a_rule() {
        let found = check(&[member("host/novelty", "novelty", &[])]);
        assert!(found.len() == 1 && found[0].message.contains("give it a place"), "{found:?}");
    }

    #[test]
    fn metadata_is_read_and_nonsense_is_not() {
        let metadata = r#"{"workspace_root":"/house","packages":[
            {"name":"telemetry-core","manifest_path":"/house/host/core/Cargo.toml",
             "dependencies":[{"name":"serde","kind":null},{"name":"proptest","kind":"dev"}]}]}"#;
        assert_eq!(
            members(metadata).unwrap(),
            [member("host/core", "telemetry-core", &["serde", "proptest"])]
        );
        assert_eq!(members("{}"), None);
        assert_eq!(members(r#"{"workspace_root":"/house","packages":[{"name":1}]}"#), None);
    }
}
