//! The rules of the tree, applied to this checkout. A failure lists every violation and what to do about it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]
#![allow(
    clippy::explicit_write,
    reason = "eprintln! is captured while a test passes; a warning must be seen"
)]

use std::io::Write;
use std::path::Path;
use std::process::Command;

use bridge_telemetry_tidy::finding::{Finding, Report};
use bridge_telemetry_tidy::tree::{self, SourceFile};
use bridge_telemetry_tidy::{dependency, feature, layout, length, manifest, marker, mention, naming, wit};

fn files() -> Vec<SourceFile> {
    tree::files(&tree::root()).unwrap()
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(tree::root()).output().unwrap();
    assert!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn members() -> Vec<dependency::Member> {
    dependency::members(&cargo(&["metadata", "--no-deps", "--format-version", "1", "--locked"])).unwrap()
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn expect_none(findings: impl IntoIterator<Item = Finding>) {
    let lines: Vec<String> = findings.into_iter().map(|finding| finding.to_string()).collect();
    assert!(lines.is_empty(), "{} violations:\n{}", lines.len(), lines.join("\n"));
}

/// Lists the warnings past the capture of a test's output, so that they are seen although the test passes.
fn expect_no_failure(reports: impl IntoIterator<Item = Report>) {
    let mut failures = Vec::new();
    for report in reports {
        for warning in report.warnings {
            writeln!(std::io::stderr(), "tidy warning: {warning}").unwrap();
        }
        failures.extend(report.failures);
    }
    expect_none(failures);
}

#[test]
fn dependencies_point_one_way() {
    expect_none(dependency::check(&members()));
}

#[test]
fn manifests_follow_the_workspace() {
    expect_none(members().iter().flat_map(|member| {
        let text = std::fs::read_to_string(tree::root().join(&member.folder).join("Cargo.toml")).unwrap();
        manifest::check(&member.folder, &text)
    }));
}

#[test]
fn heavy_crates_are_compiled_once() {
    let [program, tests] = feature::EDGES.map(|edges| cargo(&[&feature::TREE[..], &[edges]].concat()));
    expect_none(feature::check(&program, &tests));
}

#[test]
fn files_are_short() {
    expect_no_failure(files().iter().map(length::file));
}

#[test]
fn functions_are_short() {
    expect_no_failure(files().iter().map(length::functions));
}

#[test]
fn names_say_something() {
    expect_none(files().iter().flat_map(naming::check));
}

#[test]
fn documents_name_places_that_are_there() {
    let files = files();
    let places = mention::places(&files);
    expect_none(files.iter().flat_map(|file| mention::check(file, &places)));
}

#[test]
fn nothing_is_marked_as_left_undone() {
    expect_none(files().iter().flat_map(marker::check));
}

#[test]
fn the_top_level_is_the_design_s() {
    expect_none(layout::check(&names_in(&tree::root()), &names_in(&tree::root().join("host"))));
}

#[test]
fn the_plugin_contract_changes_only_with_its_version() {
    let files = files();
    let contract: Vec<&str> = files
        .iter()
        .filter(|file| file.path.starts_with("wit/"))
        .filter_map(|file| file.text.as_deref())
        .collect();
    let version = wit::version(contract.iter().copied()).expect("a `package` line with a version in wit/");
    let record = std::fs::read_to_string(tree::root().join(wit::RECORD)).unwrap();
    expect_none(wit::check(&record, &version, &wit::fingerprint(contract)));
}
