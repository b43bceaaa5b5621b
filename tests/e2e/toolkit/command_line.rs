//! The subcommands as authors type them.

use std::path::Path;

use bridge_telemetry_tests::language_project;
use serde_json::{Value, json};

use crate::cli::place::{Place, document, told};

/// A copy of a project that a test may change.
fn copy(project: &str, place: &Place) {
    copy_folder(&language_project(project).unwrap(), &place.path().join("project"));
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

fn run(place: &Place, arguments: &[&str]) -> (i32, Value) {
    document(place.bare(arguments).arg("--json"))
}

#[test]
fn a_failed_case_is_shown_by_its_lines_and_blessed_on_demand() {
    let place = Place::new();
    copy("new-c-validator", &place);
    let (exit, body) = run(&place, &["plugin", "test", "project"]);
    assert_eq!((exit, &body["results"][0]["passed"]), (0, &json!(true)), "{body}");

    let expected = "project/tests/first.expected.json";
    place.write(expected, &place.read(expected).replace("too_long", "too_wide"));
    let (exit, body) = run(&place, &["plugin", "test", "project"]);
    assert_eq!((exit, &body["status"]), (1, &json!("error")), "{body}");
    let output = place.bare(&["plugin", "test", "project"]).output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("FAILED  first"), "{shown}");
    let line = |sign: char, code: &str| format!("{sign}          \"code\": \"{code}\"");
    assert!(shown.contains(&line('-', "too_wide")) && shown.contains(&line('+', "too_long")), "{shown}");

    let (exit, body) = run(&place, &["plugin", "test", "project", "--bless"]);
    assert_eq!((exit, &body["results"][0]["blessed"]), (0, &json!(true)), "{body}");
    assert_eq!(run(&place, &["plugin", "test", "project"]).0, 0);
}

#[test]
fn a_series_that_a_new_monitor_in_c_has_no_room_for_is_counted() {
    let place = Place::new();
    copy("new-c-monitor", &place);
    let context = "x".repeat(300);
    let samples = format!(
        "{{ metric_name = \"queue_length\", context = {{ queue = \"{context}\" }}, metric_value = 101 }}"
    );
    place.write("project/tests/long.toml", &format!("[[step]]\nsamples = [{samples}]\n"));
    let (exit, body) = run(&place, &["plugin", "test", "project", "--case", "long", "--bless"]);
    assert_eq!(exit, 0, "{body}");
    let found: Value = serde_json::from_str(&place.read("project/tests/long.expected.json")).unwrap();
    assert_eq!(found["steps"][0]["signals"], json!([]), "{found}");
    assert_eq!(found["counters"]["series_left_out"].as_f64(), Some(1.0), "{found}");
}

/// What a check found that keeps a plugin from being installed.
fn errors(body: &Value) -> Vec<&str> {
    let findings = body["check"]["findings"].as_array().unwrap().iter();
    let errors = findings.filter(|finding| finding["severity"] == "error");
    errors.map(|finding| finding["message"].as_str().unwrap()).collect()
}

#[test]
fn a_check_refuses_what_installing_refuses_for_the_same_reason() {
    let place = Place::new();
    copy("new-c-validator", &place);
    let sound = place.read("project/plugin.toml");
    let install = ["plugin", "install", "project", "--plugins", "plugins"];
    let line = |key: &str| sound.lines().find(|line| line.starts_with(key)).unwrap();
    let with_schema = |file: &str| format!("config_schema = \"{file}\"\n{}", line("description"));
    place.write("project/stale.json", "{}");
    for (from, to, reason) in [
        ("contract", "contract = \"9.1.0\"".to_owned(), "disagree about contract: 9.1.0"),
        ("description", with_schema("schema.json"), "has no schema.json"),
        ("description", with_schema("stale.json"), "disagree about config_schema"),
        ("version", "version = \"9.9.9\"".to_owned(), "disagree about version: 9.9.9"),
        ("sha256", format!("sha256 = \"{}\"", "0".repeat(64)), "its SHA-256 is"),
    ] {
        place.write("project/plugin.toml", &sound.replacen(line(from), &to, 1));
        let (exit, body) = run(&place, &["plugin", "check", "project"]);
        let found = errors(&body);
        assert_eq!((exit, found.len()), (1, 1), "{body}");
        assert!(found[0].contains(reason), "{found:?}");
        let (exit, body) = run(&place, &install);
        let refused = body["error"]["message"].as_str().unwrap_or_default();
        assert_eq!(exit, 1, "{body}");
        assert!(found[0].starts_with(refused), "{found:?}: {body}");
    }
    place.write("project/plugin.toml", &sound);
    assert_eq!(run(&place, &["plugin", "check", "project"]).0, 0);
    let (exit, body) = run(&place, &install);
    assert_eq!(exit, 0, "{body}");
}

#[test]
fn a_check_finds_all_at_once() {
    let place = Place::new();
    copy("new-c-validator", &place);
    assert_eq!(run(&place, &["plugin", "check", "project"]).0, 0);

    let manifest = place.read("project/plugin.toml");
    let manifest = manifest
        .replace("version = \"0.1.0\"", "version = \"9.9.9\"")
        .replace("sha256 = \"", "sha256 = \"00");
    let hash = manifest.split("sha256 = \"").nth(1).unwrap().split('"').next().unwrap();
    place.write("project/plugin.toml", &manifest.replace(hash, &hash[..64]));
    let (exit, body) = run(&place, &["plugin", "check", "project"]);
    assert_eq!(exit, 1, "{body}");
    let errors = errors(&body);
    assert!(errors.iter().any(|error| error.contains("disagree about version: 9.9.9")), "{errors:?}");
    assert!(errors.iter().any(|error| error.contains("its SHA-256 is")), "{errors:?}");
    let (exit, _) = run(&place, &["plugin", "check", "nowhere"]);
    assert_eq!(exit, 2);
}

#[test]
fn what_a_build_lacks_is_named_with_the_command_that_installs_it() {
    let place = Place::new();
    for (language, tool, command) in [
        ("python", "componentize-py", "pip install componentize-py=="),
        ("javascript", "jco", "npm install --prefix . --no-save @bytecodealliance/jco@"),
        ("c", "zig", "pip install ziglang=="),
        ("rust", "cargo", "https://rustup.rs"),
    ] {
        let (exit, body) =
            run(&place, &["plugin", "new", language, "--kind", "sink", "--language", language]);
        assert_eq!(exit, 0, "{body}");
        let mut build = place.bare(&["plugin", "build", language]);
        let output = build.env("PATH", "/nowhere").output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let told = told(&output);
        assert!(told.contains(tool) && told.contains(command), "{language}: {told}");
    }
    let (exit, body) = run(&place, &["plugin", "new", "c", "--kind", "sink", "--language", "c"]);
    assert_eq!(exit, 2, "{body}");
    let (exit, body) = run(&place, &["plugin", "new", "../up", "--kind", "sink"]);
    assert_eq!(exit, 2, "{body}");
}

#[test]
fn a_plugin_that_became_dearer_is_found() {
    let place = Place::new();
    copy("new-c-validator", &place);
    let (exit, body) = run(&place, &["plugin", "bench", "project", "--save-baseline", "base.json"]);
    assert_eq!(exit, 0, "{body}");
    let figures = body["measurements"].as_array().unwrap();
    assert!(figures.iter().any(|figure| figure["name"] == "1000 events a call"), "{body}");
    let (exit, body) = run(&place, &["plugin", "bench", "project", "--baseline", "base.json"]);
    assert_eq!(exit, 0, "fuel is the same at every run: {body}");

    let mut base: Value = serde_json::from_str(&place.read("base.json")).unwrap();
    let fuel = base[1]["fuel"].as_f64().unwrap();
    base[1]["fuel"] = json!(fuel / 1.5);
    place.write("base.json", &base.to_string());
    let (exit, body) = run(&place, &["plugin", "bench", "project", "--baseline", "base.json"]);
    assert_eq!((exit, body["regressions"].as_array().unwrap().len()), (1, 1), "{body}");
    let (exit, _) =
        run(&place, &["plugin", "bench", "project", "--baseline", "base.json", "--threshold", "60"]);
    assert_eq!(exit, 0);
}
