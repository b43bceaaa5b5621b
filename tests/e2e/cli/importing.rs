//! `import`: every record once, however often and however far it was run before.

use std::process::Stdio;

use serde_json::json;

use super::place::{Place, told};
use super::running::Running;

#[test]
fn files_are_imported_once() {
    let place = Place::new();
    let now = bridge_telemetry::Clock::now(&bridge_telemetry::SystemClock::default());
    place.write("cpu.csv", &format!("timestamp,value,host\n{now},1.5,a\n{now},2.5,b\n"));
    for stored in [2, 0] {
        let (exit, body) = place.json(&["import", "cpu.csv"]);
        assert_eq!((exit, &body["stored"]), (0, &json!(stored)), "{body}");
    }
    assert_eq!(place.aggregate("cpu", "SUM"), 4);
    let lines =
        "{\"event_type\":\"A\",\"source\":\"s\"}\n{\"metric_name\":\"m\",\"metric_value\":1}\n{oops\n";
    place.write("mixed.jsonl", lines);
    let (exit, body) = place.json(&["import", "mixed.jsonl"]);
    assert_eq!((exit, &body["stored"], &body["refused"]), (0, &json!(2), &json!(1)), "{body}");
}

#[test]
fn options_name_the_format_the_metric_and_further_labels() {
    let place = Place::new();
    let now = bridge_telemetry::Clock::now(&bridge_telemetry::SystemClock::default());
    place.write("values.txt", &format!("timestamp,value\n{now},1\n{now},2\n"));
    assert_eq!(place.run(&["import", "values.txt"]).status.code(), Some(2), "its name tells no format");
    let import = ["import", "values.txt", "--format", "csv", "--metric", "load", "--context", "room=a"];
    let (exit, body) = place.json(&import);
    assert_eq!((exit, &body["stored"]), (0, &json!(2)), "{body}");
    let (_, body) = place.json(&["get", "load", "--filter", "room=a", "--aggregation", "SUM"]);
    assert_eq!(body["metrics"]["load"]["value"], 3, "{body}");
    place.write("headless.csv", "1,2\n");
    let output = place.run(&["import", "headless.csv"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(told(&output).contains("timestamp and value"), "{}", told(&output));
    assert_eq!(place.run(&["import", "absent.csv"]).status.code(), Some(2));
}

#[test]
fn an_import_that_was_killed_goes_on_and_counts_nothing_twice() {
    const RECORDS: usize = 30_000;
    let place = Place::new();
    let text: String = (0..RECORDS).map(|_| "{\"metric_name\":\"m\",\"metric_value\":1}\n").collect();
    place.write("m.jsonl", &text);
    let running = Running::start(&place);
    let mut import = place.command(&["import", "m.jsonl", "--json"]).stdout(Stdio::null()).spawn().unwrap();
    // Killed in the middle: some of it is stored, and not yet all.
    while place.aggregate("m", "COUNT").as_u64().unwrap_or(0) == 0 {
        assert!(import.try_wait().unwrap().is_none_or(|status| status.success()));
    }
    import.kill().unwrap();
    import.wait().unwrap();
    let (exit, body) = place.json(&["import", "m.jsonl"]);
    assert_eq!(exit, 0, "{body}");
    let told = body["stored"].as_u64().unwrap() + body["known"].as_u64().unwrap();
    assert_eq!(told, RECORDS as u64, "{body}");
    assert!(body["known"].as_u64().unwrap() > 0, "{body}");
    assert_eq!(place.aggregate("m", "COUNT"), RECORDS);
    assert_eq!(running.terminate(), 0);
}
