//! One compiled copy of the heavy crates: with the tests' own dependencies or without, RocksDB, wasmtime and all that
//! they depend on have the same features. A difference would have cargo compile them twice, which takes twenty minutes.

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::Finding;

/// The crates that take the time.
const HEAVY: [&str; 3] = ["librocksdb-sys", "wasmtime", "cranelift-codegen"];

/// `cargo tree` in the form that is read here, but for the kinds of dependencies.
pub const TREE: [&str; 7] =
    ["tree", "--workspace", "--locked", "--prefix", "depth", "--format", " {p} [{f}]"];
/// The kinds for a program alone, and for tests.
pub const EDGES: [&str; 2] = ["--edges=normal,build", "--edges=normal,build,dev"];

/// A crate's name and version with the features it is compiled with, as `cargo tree` prints them.
type Unit = String;

/// Compares the trees of the program and of the tests.
#[must_use]
pub fn check(program: &str, tests: &str) -> Vec<Finding> {
    let (program, tests) = (heavy_units(program), heavy_units(tests));
    let mut found = Vec::new();
    if program.is_empty() {
        found.push(Finding::at(
            "Cargo.toml",
            format!("no heavy crate ({}) is in the tree: is it read right?", HEAVY.join(", ")),
        ));
    }
    for unit in program.symmetric_difference(&tests) {
        let where_from = if tests.contains(unit) { "only in tests" } else { "only without tests" };
        found.push(Finding::at(
            "Cargo.toml",
            format!("{unit}: these features {where_from}: ask for the same ones in dependencies and dev-dependencies"),
        ));
    }
    found
}

/// The heavy crates and everything below them.
fn heavy_units(tree: &str) -> BTreeSet<Unit> {
    let below = dependencies(tree);
    let mut open: Vec<&str> = below.keys().copied().filter(|unit| HEAVY.contains(&name_of(unit))).collect();
    let mut found = BTreeSet::new();
    while let Some(unit) = open.pop() {
        if found.insert(unit.to_owned()) {
            open.extend(below.get(unit).into_iter().flatten());
        }
    }
    found
}

/// Who depends directly on whom. A subtree that cargo has printed before is left out and marked `(*)`, so that all
/// occurrences of a unit are put together.
fn dependencies(tree: &str) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut below: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut path: Vec<&str> = Vec::new();
    for line in tree.lines() {
        let Some((depth, unit)) = line.split_once(' ') else { continue };
        let Ok(depth) = depth.parse::<usize>() else { continue };
        let unit = unit.trim_end_matches(" (*)");
        path.truncate(depth);
        if let Some(parent) = path.last() {
            below.entry(parent).or_default().insert(unit);
        }
        below.entry(unit).or_default();
        path.push(unit);
    }
    below
}

fn name_of(unit: &str) -> &str {
    unit.split(' ').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: &str = "\
0 bridge-telemetry-cli v0.8.0 (/house/host/cli) []
1 telemetry-sandbox v0.8.0 (/house/host/sandbox) []
2 wasmtime v48.0.8 [runtime,std]
3 smallvec v1.16.6 [union]
3 serde v1.0.229 [std]
1 serde_json v1.0.154 [std]

0 telemetry-store v0.8.0 (/house/host/store) []
1 librocksdb-sys v0.19.0 [lz4]
2 smallvec v1.16.6 [union] (*)
";

    #[test]
    fn equal_features_pass_whatever_the_tests_add() {
        let tests = format!(
            "{PROGRAM}0 tests v0.8.0 (/house/tests) []\n1 proptest v1.12.0 [std]\n2 rand v0.9.0 [std]\n"
        );
        assert_eq!(check(PROGRAM, &tests), []);
    }

    #[test]
    fn a_feature_that_only_tests_ask_for_is_found_below_a_heavy_crate() {
        let found =
            check(PROGRAM, &PROGRAM.replace("smallvec v1.16.6 [union]", "smallvec v1.16.6 [serde,union]"));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.iter().all(|finding| finding.message.starts_with("smallvec")), "{found:?}");
    }

    #[test]
    fn a_light_crate_may_differ() {
        assert_eq!(
            check(
                PROGRAM,
                &PROGRAM.replace("serde_json v1.0.154 [std]", "serde_json v1.0.154 [raw_value,std]")
            ),
            []
        );
    }

    #[test]
    fn a_subtree_left_out_is_taken_from_where_it_stands_in_full() {
        let tree =
            "0 a v1 []\n1 serde v1 [std]\n2 serde_core v1 [std]\n0 wasmtime v48 []\n1 serde v1 [std] (*)\n";
        let units = heavy_units(tree);
        assert!(units.contains("serde_core v1 [std]"), "{units:?}");
    }

    #[test]
    fn a_tree_without_heavy_crates_was_not_read_right() {
        assert_eq!(check("", "").len(), 1);
    }
}
