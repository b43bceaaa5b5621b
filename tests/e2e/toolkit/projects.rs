//! New projects of every kind in every language, as `plugin new` and `plugin build` made them; and the shipped plugins' cases.

use std::path::Path;

use bridge_telemetry_tests::{language_project, plugin};
use telemetry_toolkit::{Severity, Suite, TestReport, check, test};

use super::languages::LANGUAGES;

const KINDS: [&str; 4] = ["validator", "aggregation", "monitor", "sink"];

pub(super) fn expect_passed(what: &str, report: &TestReport) {
    for result in &report.results {
        let why = result.error.iter().chain(&result.difference).chain(&result.breaches);
        assert!(result.passed, "{what}: {}: {}", result.name, why.cloned().collect::<Vec<_>>().join("\n"));
        assert!(result.calls > 0 && result.fuel > 0, "{what}: {}", result.name);
    }
}

#[test]
fn every_new_project_is_sound_and_passes_its_case() {
    for language in LANGUAGES {
        for kind in KINDS {
            let name = format!("new-{language}-{kind}");
            let project = language_project(&name).unwrap();
            let report = check(&project).unwrap();
            let bad: Vec<_> =
                report.findings.iter().filter(|finding| finding.severity > Severity::Note).collect();
            assert!(bad.is_empty(), "{name}: {bad:?}");
            expect_passed(&name, &test(&project, "", false).unwrap());
        }
    }
}

#[test]
fn shipped_plugins_pass_their_cases() {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins");
    let mut seen = 0;
    for entry in std::fs::read_dir(&plugins).unwrap() {
        let folder = entry.unwrap().path();
        if !folder.join("Cargo.toml").is_file() {
            continue;
        }
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let suite = Suite {
            component: plugin(&name).unwrap(),
            name: name.clone(),
            cases: folder.join("tests"),
            grants: Default::default(),
        };
        expect_passed(&name, &suite.run("", false).unwrap());
        seen += 1;
    }
    assert!(seen >= 9, "{seen}");
}
