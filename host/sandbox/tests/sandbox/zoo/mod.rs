//! The hostile zoo: every export and import of every kind of plugin attacks the host in every way, and is contained.
//!
//! The matrices in `exports.md` and `imports.md` are what happened. Their rows are read from `wit/`, the attacks that an export can
//! make by its answer from its type: a new function of the contract adds a row, which the guests of `tests/guests` must be able to
//! fill. Each cell also checks that the failure is named (which plugin, which failure, in the error and in the
//! plugin's status, which health shows), and that another plugin goes on.

mod cell;
mod contract;
mod patterns;
mod provoke;
mod schemas;
pub(crate) mod shapes;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use expect_test::{ExpectFile, expect_file};
use telemetry_sandbox::{Plugin, PluginKind, SandboxOptions};

use self::cell::{is_endless, outcome, spec};
use self::contract::{Contract, Export, KINDS};
use self::provoke::main_export;
use crate::fixture::{Fixture, events};

/// Attacks that every export can make.
const ANYONES: [&str; 13] = [
    "loop",
    "loop-in-host",
    "memory",
    "memory-declined",
    "leak",
    "stack",
    "stack-arrays",
    "trap",
    "exit",
    "sleep",
    "handles",
    "log-flood",
    "counter-flood",
];

/// Attacks by what is answered, and whether an export can make them.
type ByAnswer = (&'static str, fn(&Export) -> bool);
const BY_ANSWER: [ByAnswer; 10] = [
    ("error", |export| export.fails),
    ("giant-error", |export| export.fails),
    ("error-no-utf8", |export| export.fails),
    ("giant-string", |export| export.strings),
    ("giant-list", |export| export.lists),
    ("no-utf8", |export| export.strings),
    ("broken-json", |export| export.json),
    ("nan", |export| export.floats),
    ("wrong-row", speaks_of_rows),
    ("wrong-row-2", speaks_of_rows),
];

/// Exports whose answer speaks of rows, or has one entry for each.
fn speaks_of_rows(export: &Export) -> bool {
    ["validate-events", "validate-samples", "evaluate", "deliver"].contains(&export.name.as_str())
}

/// Two sandboxes, one for what only the clock ends, with little time that still is enough for all that is harmless, and a plugin that
/// has nothing to do with it.
struct Zoo {
    patient: Fixture,
    hurried: Fixture,
    bystander: Plugin,
}

impl Zoo {
    fn open() -> Self {
        let cache = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("code-cache");
        let fixture = |init_deadline| {
            Fixture::with(SandboxOptions {
                cache_directory: Some(cache.clone()),
                init_deadline,
                ..SandboxOptions::default()
            })
        };
        let patient = fixture(Duration::from_secs(20));
        let bystander = patient.guest("evil");
        Self { patient, hurried: fixture(Duration::from_secs(1)), bystander }
    }

    fn outcome(&self, kind: PluginKind, export: &str, attack: &str) -> String {
        let fixture = if is_endless(attack) { &self.hurried } else { &self.patient };
        let outcome = outcome(&fixture.sandbox, &spec(kind, export, attack), export, attack);
        let validator = self.bystander.validator().unwrap();
        validator.validate_events(&events(&["harmless"])).unwrap();
        assert_eq!(self.bystander.status().failures, 0);
        outcome
    }

    fn of_validator(&self, attack: &str) -> String {
        match attack {
            "–" => attack.to_owned(),
            attack => self.outcome(PluginKind::Validator, "validate-events", attack),
        }
    }
}

/// Rows of a Markdown table.
struct Matrix(String);

impl Matrix {
    fn new<'a>(columns: impl IntoIterator<Item = &'a str>) -> Self {
        let columns: Vec<_> = columns.into_iter().collect();
        let rule = "---|".repeat(columns.len());
        Self(format!("| | {} |\n|---|{rule}\n", columns.join(" | ")))
    }

    fn row(&mut self, name: &str, cells: &[String]) {
        writeln!(self.0, "| {name} | {} |", cells.join(" | ")).unwrap();
    }

    fn check(self, expected: ExpectFile) {
        expected.assert_eq(&self.0);
    }
}

#[test]
fn every_export_in_every_way() {
    let (zoo, contract) = (Zoo::open(), Contract::read());
    let mut matrix = Matrix::new(ANYONES.into_iter().chain(BY_ANSWER.map(|(attack, _)| attack)));
    for kind in KINDS {
        for export in contract.exports(kind) {
            let mut cells: Vec<String> =
                ANYONES.iter().map(|attack| zoo.outcome(kind, &export.name, attack)).collect();
            for (attack, is_possible) in BY_ANSWER {
                cells.push(match is_possible(&export) {
                    true => zoo.outcome(kind, &export.name, attack),
                    false => "–".to_owned(),
                });
            }
            matrix.row(&format!("{kind}: {}", export.name), &cells);
        }
    }
    matrix.check(expect_file!["exports.md"]);
}

#[test]
fn every_import_without_end_and_with_too_much() {
    let (zoo, contract) = (Zoo::open(), Contract::read());
    let mut matrix = Matrix::new(["without end", "giant"]);
    for kind in KINDS {
        for import in contract.imports(kind) {
            let cells =
                ["*", "-giant"].map(|form| zoo.outcome(kind, main_export(kind), &format!("{import}{form}")));
            matrix.row(&format!("{kind}: {import}"), &cells);
        }
    }
    // What else there is of patterns and schemas, and what the standard library calls. What costs nothing but the plugin's own time,
    // its deadline ends.
    for (what, attacks) in [
        ("patterns that are kept", ["patterns.compile-leak", "–"].as_slice()),
        ("patterns that are costly", &["patterns.find-costly", "–"]),
        ("patterns that are not its own", &["patterns.forged", "–"]),
        ("schemas that are kept", &["json-schemas.compile-leak", "–"]),
        ("rows that are judged again and again", &["json-schemas.check-repeated", "–"]),
        ("standard output", &["print*", "print-giant"]),
        ("lines of one write", &["–", "print-lines"]),
        ("clock", &["clock*", "–"]),
        ("random numbers", &["random*", "–"]),
        ("sleep", &["sleep*", "–"]),
    ] {
        let cells: Vec<String> = attacks.iter().map(|attack| zoo.of_validator(attack)).collect();
        matrix.row(&format!("validator: {what}"), &cells);
    }
    matrix.check(expect_file!["imports.md"]);
}
