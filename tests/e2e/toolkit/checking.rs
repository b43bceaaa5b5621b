//! What `plugin check` finds of a component by itself, and what `plugin bench` does with functions that need parameters.

use std::path::Path;

use bridge_telemetry::plugins::CONTRACT_VERSION;
use bridge_telemetry_tests::guest;
use serde_json::{Value, json};

use crate::cli::place::{Place, document};
use crate::zoo::shapes::{compile_bomb, hundred_megabytes, with_memories};

/// An empty component: the magic, then layer 1. A core module has layer 0.
const EMPTY: [u8; 8] = [0x00, b'a', b's', b'm', 0x0d, 0x00, 0x01, 0x00];

/// Where the component lies that is checked.
fn component(place: &Place) -> std::path::PathBuf {
    place.path().join("it.wasm")
}

/// The exit code, and severity, part and text of each finding but that there is no manifest.
fn checked(place: &Place) -> (i32, Vec<[String; 3]>) {
    let (exit, body) = document(place.bare(&["plugin", "check", "it.wasm"]).arg("--json"));
    let findings = body["check"]["findings"].as_array().unwrap().iter();
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let findings = findings.map(|finding| ["severity", "part", "message"].map(|key| text(finding, key)));
    (exit, findings.filter(|[_, part, _]| part != "manifest").collect())
}

/// A host refuses the component: the check says so, with nothing but these findings of one part.
fn refused(place: &Place, part: &str, expected: &[&str]) {
    let (exit, findings) = checked(place);
    assert_eq!((exit, findings.len()), (1, expected.len()), "{findings:?}");
    for ([severity, of, message], expected) in findings.iter().zip(expected) {
        assert_eq!((severity.as_str(), of.as_str()), ("error", part), "{message}");
        assert!(message.contains(expected), "{message}");
    }
    let component = component(place);
    let installed = ["plugin", "install", component.to_str().unwrap(), "--plugins", "plugins"];
    assert_ne!(document(place.bare(&installed).arg("--json")).0, 0);
}

/// A component with other names in it, as long as those before.
fn renamed(component: &Path, names: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = std::fs::read(component).unwrap();
    for (from, to) in names {
        assert_eq!(from.len(), to.len());
        let places: Vec<usize> =
            (0..bytes.len()).filter(|at| bytes[*at..].starts_with(from.as_bytes())).collect();
        assert!(!places.is_empty(), "{from}");
        for at in places {
            bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        }
    }
    bytes
}

#[test]
fn a_check_finds_what_is_no_plugin_of_this_host() {
    let place = Place::new();
    let evil = guest("evil").unwrap();
    let write = |bytes: &[u8]| std::fs::write(component(&place), bytes).unwrap();
    write(&EMPTY);
    refused(&place, "world", &["it exports nothing"]);
    write(&[0x00, b'a', b's', b'm', 0x01, 0x00, 0x00, 0x00]);
    refused(&place, "world", &["this is a core WebAssembly module, not a component"]);
    write(&renamed(&evil, &[(CONTRACT_VERSION, "7.2.0")]));
    refused(&place, "world", &["@7.2.0; this host speaks version"]);
    let whole = std::fs::read(&evil).unwrap();
    write(&whole[..whole.len() / 2]);
    refused(&place, "component", &["truncated or corrupt"]);
}

#[test]
fn a_check_finds_every_import_that_the_kind_cannot_have() {
    let place = Place::new();
    let names =
        [("bridge:telemetry/log@", "bridge:telemetry/dog@"), ("wasi:cli/stderr@", "wasi:http/types@")];
    std::fs::write(component(&place), renamed(&guest("evil").unwrap(), &names)).unwrap();
    let (exit, findings) = checked(&place);
    assert_eq!((exit, findings.len()), (1, 2), "{findings:?}");
    let has = |import: &str, remedy: &str| {
        let found = findings.iter().find(|[_, part, message]| part == "world" && message.contains(import));
        let [severity, _, message] = found.unwrap_or_else(|| panic!("{import}: {findings:?}"));
        assert_eq!(severity, "error");
        assert!(message.contains("which a validator cannot have") && message.contains(remedy), "{message}");
    };
    has("bridge:telemetry/dog@", "its kind's world in the WIT package");
    has("wasi:http/types@", "a sink's bridge:telemetry/outbound-http, by grant");
}

#[test]
fn a_check_finds_what_is_too_large() {
    let place = Place::new();
    let evil = guest("evil").unwrap();
    hundred_megabytes(&evil, &component(&place));
    refused(&place, "component", &["bytes, the limit is 67108864"]);
    compile_bomb(&evil, &component(&place));
    refused(&place, "component", &["bytes times local variables in one function, the limit is"]);
    std::fs::write(component(&place), with_memories(&evil, 300, 10)).unwrap();
    refused(&place, "component", &["it needs more bytes of memory than its limit"]);

    // What starts, and takes more than half of what it may, is sound; its author is told.
    std::fs::write(component(&place), with_memories(&evil, 600, 1)).unwrap();
    let (exit, findings) = checked(&place);
    assert_eq!((exit, findings.len()), (0, 1), "{findings:?}");
    let [severity, part, message] = &findings[0];
    assert_eq!((severity.as_str(), part.as_str()), ("warning", "limits"));
    assert!(message.contains("bytes of memory, the default limit is"), "{message}");
}

fn bench(place: &Place, what: &str) -> (i32, Value) {
    let settings = json!({"only": "needy"}).to_string();
    document(place.bare(&["plugin", "bench", what, "--settings", &settings]).arg("--json"))
}

/// A function of the hostile aggregation that is not hostile, and has a parameter that must be given.
#[test]
fn functions_that_need_parameters_are_measured_with_those_of_a_test_case_or_left_out() {
    let place = Place::new();
    std::fs::create_dir_all(place.path().join("stats/tests")).unwrap();
    std::fs::copy(guest("evil-aggregation").unwrap(), place.path().join("stats/stats.wasm")).unwrap();
    let manifest = format!(
        "name = \"stats\"\nversion = \"6.6.6\"\nkind = \"aggregator\"\ncontract = \"{CONTRACT_VERSION}\"\n\
         component = \"stats.wasm\"\ndescription = \"each function is an attack\"\n"
    );
    place.write("stats/plugin.toml", &manifest);
    let names = |body: &Value| -> Vec<String> {
        let figures = body["measurements"].as_array().unwrap().iter();
        figures.map(|figure| figure["name"].as_str().unwrap().to_owned()).collect()
    };
    for what in ["stats", "stats/stats.wasm"] {
        let (exit, body) = bench(&place, what);
        assert_eq!((exit, names(&body).len()), (0, 1), "its start alone: {body}");
        let left_out = &body["left_out"][0];
        assert_eq!(left_out["function"], "needy", "{body}");
        let reason = left_out["reason"].as_str().unwrap();
        assert!(reason.contains("factor") && reason.contains("write a test case"), "{reason}");
    }
    let output =
        place.bare(&["plugin", "bench", "stats", "--settings", r#"{"only":"needy"}"#]).output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("left out: needy: it cannot be called without parameters"), "{shown}");

    place.write(
        "stats/tests/factor.toml",
        "[[step]]\naggregate = \"needy(factor=true)\"\nsamples = [{ metric_name = \"m\", metric_value = 1 }]\n\
         [[step]]\naggregate = \"NEEDY(factor=2)\"\nsamples = [{ metric_name = \"m\", metric_value = 1 }]\n",
    );
    let (exit, body) = bench(&place, "stats");
    assert_eq!((exit, &body["left_out"]), (0, &json!([])), "{body}");
    let calls = ["needy(factor=2): 1 values a call", "needy(factor=2): 10000 values a call"];
    assert_eq!(names(&body)[1..], calls, "{body}");
    place.write("stats/tests/factor.toml", "[[step]]\nsamples = 5\n");
    assert_eq!(bench(&place, "stats").0, 2, "a case that is needed and cannot be read");
}
