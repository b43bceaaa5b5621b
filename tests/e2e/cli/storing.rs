//! `store backup`, `restore`, `verify`, `repair` and `stats`, with a running host and without.

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

#[test]
fn a_damaged_store_is_repaired_and_kept() {
    let place = Place::new();
    for value in ["1", "2", "4"] {
        record(&place, value);
    }
    let (exit, body) = place.json(&["store", "repair"]);
    assert_eq!((exit, &body["damaged"], &body["set_aside"]), (0, &json!(false), &json!(null)), "{body}");
    let words = String::from_utf8(place.run(&["store", "repair"]).stdout).unwrap();
    assert_eq!(words, "sound: nothing was changed\n");

    let rocks = place.path().join("data/rocksdb");
    let manifest = std::fs::read_to_string(rocks.join("CURRENT")).unwrap();
    let manifest = rocks.join(manifest.trim_end());
    let mut bytes = std::fs::read(&manifest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&manifest, bytes).unwrap();
    std::fs::remove_file(rocks.join("CURRENT")).unwrap();
    let (exit, body) = place.json(&["get", "load"]);
    assert_eq!(exit, 3, "{body}");
    assert!(body["error"]["message"].as_str().unwrap().contains("store repair"), "{body}");

    let (exit, body) = place.json(&["store", "repair", "--dry-run"]);
    assert_eq!((exit, &body["damaged"], &body["set_aside"]), (0, &json!(true), &json!(null)), "{body}");
    assert_eq!((&body["samples_kept"], &body["samples_lost"]), (&json!(3), &json!(0)), "{body}");
    assert_eq!(place.json(&["get", "load"]).0, 3, "nothing was changed");
    let words = String::from_utf8(place.run(&["store", "repair"]).stdout).unwrap();
    assert!(words.contains("kept ") && words.contains("3 samples; lost 0 events and 0 samples"), "{words}");
    assert!(words.contains("data.set-aside-1"), "{words}");
    assert!(place.path().join("data.set-aside-1/rocksdb").is_dir());
    assert_eq!(place.aggregate("load", "SUM"), 7);
    assert_eq!(Place::new().json(&["store", "repair"]).0, 2, "there is no store");
}

#[test]
fn figures_of_a_store_with_a_host_and_without() {
    let place = Place::new();
    record(&place, "1");
    let check = || {
        let (exit, body) = place.json(&["store", "stats"]);
        assert_eq!((exit, &body["status"]), (0, &json!("success")), "{body}");
        let partitions = body["partitions"].as_array().unwrap();
        let metrics = partitions.iter().find(|partition| partition["class"] == "metrics").unwrap();
        assert_eq!((&metrics["records"], &metrics["series"]), (&json!(1), &json!(1)), "{body}");
        assert!(body["store"]["memory"]["heads"]["limit_bytes"].as_u64().unwrap() > 0, "{body}");
        let (_, quick) = place.json(&["store", "stats", "--quick"]);
        assert_eq!(quick["partitions"][0]["chunks"], json!(null), "{quick}");
        let words = String::from_utf8(place.run(&["store", "stats"]).stdout).unwrap();
        for part in ["PARTITION", "FAMILY", "MEMORY", "write buffers", "active series"] {
            assert!(words.contains(part), "{part} in {words}");
        }
    };
    check();
    let running = Running::start(&place);
    check();
    let (exit, body) = place.json(&["store", "repair"]);
    assert_eq!((exit, &body["error"]["code"]), (3, &json!("STORAGE_FAILURE")), "a host has it: {body}");
    assert_eq!(running.terminate(), 0);
}
