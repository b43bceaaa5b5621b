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

#[test]
fn labels_of_the_command_line_are_those_of_samples_in_json_lines() {
    let place = Place::new();
    let lines = "{\"metric_name\":\"m\",\"metric_value\":1}\n\
                 {\"metric_name\":\"m\",\"metric_value\":2,\"context\":{\"room\":\"b\"}}\n";
    place.write("m.jsonl", lines);
    let sum = |room: &str| {
        let filter = format!("room={room}");
        let (_, body) = place.json(&["get", "m", "--filter", &filter, "--aggregation", "SUM"]);
        body["metrics"]["m"]["value"].clone()
    };
    for (label, stored) in [("room=a", 2), ("room=a", 0), ("room=c", 2)] {
        let (exit, body) = place.json(&["import", "m.jsonl", "--context", label]);
        assert_eq!((exit, &body["stored"]), (0, &json!(stored)), "{label}: {body}");
    }
    assert_eq!([sum("a"), sum("b"), sum("c")], [json!(1), json!(4), json!(1)]);
    let output = place.run(&["import", "m.jsonl", "--metric", "n"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(told(&output).contains("--metric"), "{}", told(&output));
}

#[test]
fn what_is_over_the_hosts_limit_of_a_body_is_sent_in_parts_and_told() {
    let place = Place::new();
    place.write("small.toml", "[server]\nmax_body_bytes = 2048\n");
    let running = Running::of(place.command(&["run", "--no-system", "--config", "small.toml"]));
    // Equal records: what tells one part from another is not their content.
    let samples = "{\"metric_name\":\"m\",\"metric_value\":1}\n".repeat(100);
    let large = json!({"event_type": "LARGE", "source": "s", "data": {"text": "x".repeat(4096)}});
    place.write("m.jsonl", &format!("{samples}{large}\n{samples}"));
    for (stored, known) in [(200, 0), (0, 200)] {
        let (exit, body) = place.json(&["import", "m.jsonl"]);
        assert_eq!((exit, &body["refused"]), (0, &json!(1)), "{body}");
        assert_eq!((&body["stored"], &body["known"]), (&json!(stored), &json!(known)), "{body}");
        let reason = body["reasons"][0].as_str().unwrap();
        assert!(reason.starts_with("line 101: PAYLOAD_TOO_LARGE: "), "{reason}");
    }
    assert_eq!(place.aggregate("m", "COUNT"), 200);
    assert_eq!(running.terminate(), 0);
}

#[test]
fn a_line_of_a_megabyte_and_more_passes_and_one_over_the_limit_is_told() {
    let place = Place::new();
    let running = Running::start(&place);
    let event = |bytes: usize| {
        json!({"event_type": "A", "source": "s", "data": {"text": "x".repeat(bytes)}}).to_string()
    };
    // Small ones around it: together they would be over the limit of a body.
    let lines = [1_000, 3 << 20, 3 << 20, 4 << 20, 5 << 20, 1_000].map(event);
    place.write("large.jsonl", &lines.join("\n"));
    let (exit, body) = place.json(&["import", "large.jsonl"]);
    assert_eq!((exit, &body["stored"], &body["refused"]), (0, &json!(4), &json!(2)), "{body}");
    let told: Vec<&str> =
        body["reasons"].as_array().unwrap().iter().filter_map(|told| told.as_str()).collect();
    assert!(told[0].starts_with("line 4: ") && told[1].starts_with("line 5: "), "{told:?}");
    assert_eq!(running.terminate(), 0);
}
