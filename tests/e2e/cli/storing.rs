//! `store backup`, `restore` and `verify`, with a running host and without.

use serde_json::json;

use super::place::Place;
use super::running::Running;

fn record(place: &Place, value: &str) {
    let (exit, body) = place.json(&["record", "metric", "load", value]);
    assert_eq!(exit, 0, "{body}");
}

#[test]
fn a_backup_of_a_running_host_is_brought_back() {
    let place = Place::new();
    let running = Running::start(&place);
    for value in ["1", "2", "4"] {
        record(&place, value);
    }
    let (exit, made) = place.json(&["store", "backup", "kept"]);
    assert_eq!((exit, &made["status"]), (0, &json!("success")), "{made}");
    assert!(made["files"].as_u64().unwrap() > 3 && made["last_sequence"].as_u64().unwrap() >= 3, "{made}");
    let (exit, body) = place.json(&["store", "backup", "kept"]);
    assert_eq!((exit, &body["error"]["code"]), (1, &json!("INVALID_QUERY")), "it is taken: {body}");
    record(&place, "8");
    assert_eq!(place.aggregate("load", "SUM"), 15);
    let (exit, body) = place.json(&["store", "verify"]);
    assert_eq!((exit, &body["sound"]), (0, &json!(true)), "{body}");

    let (exit, body) = place.json(&["store", "restore", "kept", "--replace"]);
    assert_eq!((exit, &body["error"]["code"]), (3, &json!("STORAGE_FAILURE")), "a host has it: {body}");
    assert_eq!(running.terminate(), 0);
    let (exit, body) = place.json(&["store", "restore", "kept"]);
    assert_eq!(exit, 1, "{body}");
    assert!(body["error"]["message"].as_str().unwrap().contains("--replace"), "{body}");
    assert_eq!(place.aggregate("load", "SUM"), 15);

    let (exit, body) = place.json(&["store", "restore", "kept", "--check"]);
    assert_eq!(
        (exit, &body["last_sequence"], &body["set_aside"]),
        (0, &made["last_sequence"], &json!(null)),
        "{body}"
    );
    let (exit, body) = place.json(&["store", "restore", "kept", "--replace"]);
    assert_eq!((exit, &body["bytes"]), (0, &made["bytes"]), "{body}");
    assert!(body["set_aside"].as_str().unwrap().ends_with("data.set-aside-1"), "{body}");
    assert_eq!(place.aggregate("load", "SUM"), 7);
    let words = String::from_utf8(place.run(&["store", "verify"]).stdout).unwrap();
    assert!(words.starts_with("sound: "), "{words}");
}

#[test]
fn damage_is_found_and_named() {
    let place = Place::new();
    record(&place, "1");
    assert_eq!(place.json(&["store", "backup", "kept"]).0, 0);
    let backup = place.path().join("kept/rocksdb/CURRENT");
    std::fs::write(&backup, "MANIFEST-999999\n").unwrap();
    let (exit, body) = place.json(&["store", "restore", "kept", "--check"]);
    assert_eq!((exit, &body["error"]["code"]), (1, &json!("RETRIEVAL_FAILURE")), "{body}");
    assert!(body["error"]["message"].as_str().unwrap().contains("CURRENT"), "{body}");
    assert_eq!(place.json(&["store", "restore", "nothing", "--check"]).0, 1);

    // Opened again, what was recorded is in tables.
    assert_eq!(place.aggregate("load", "SUM"), 1);
    let tables = std::fs::read_dir(place.path().join("data/rocksdb")).unwrap();
    let tables: Vec<_> = tables
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "sst"))
        .collect();
    assert!(!tables.is_empty());
    for table in &tables {
        let mut bytes = std::fs::read(table).unwrap();
        // The first block holds rows.
        bytes[10] ^= 1;
        std::fs::write(table, bytes).unwrap();
    }
    let output = place.run(&["store", "verify"]);
    let words = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    assert_ne!(output.status.code(), Some(0), "{words}");
    let named = |path: &std::path::PathBuf| words.contains(path.file_name().unwrap().to_str().unwrap());
    assert!(tables.iter().any(named), "{words}");
}
