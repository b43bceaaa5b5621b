//! `events --follow`.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Stdio};

use serde_json::{Value, json};

use super::place::{Place, signal, told};
use super::running::Running;

const SIGTERM: i32 = 15;

struct Following {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Following {
    fn start(place: &Place, arguments: &[&str]) -> Self {
        let mut child = place
            .command(&["events", "--follow"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    fn next(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "{line:?}");
        line
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn record(place: &Place, event_type: &str, number: usize) -> Value {
    let event = json!({"event_type": event_type, "source": "s", "data": {"n": number}});
    let (exit, receipt) = place.json(&["record", "event", &event.to_string()]);
    assert_eq!(exit, 0, "{receipt}");
    receipt
}

#[test]
fn a_follower_shows_what_is_recorded_after_it_started_once() {
    let place = Place::new();
    let running = Running::start(&place);
    let first = record(&place, "A", 0);
    let from = first["timestamp"].as_str().unwrap();
    let mut following = Following::start(&place, &["--json", "--type", "A", "--from", from]);
    // That the first event is shown says that the follower is at work.
    let shown: Value = serde_json::from_str(&following.next()).unwrap();
    assert_eq!(shown["event_id"], first["event_id"]);
    for number in 1..4 {
        record(&place, "B", number);
        let recorded = record(&place, "A", number);
        let shown: Value = serde_json::from_str(&following.next()).unwrap();
        assert_eq!((&shown["event_id"], &shown["data"]["n"]), (&recorded["event_id"], &json!(number)));
    }
    // Not SIGINT: a shell that starts the tests in the background has them ignore it.
    signal(&following.child, "TERM");
    assert_eq!(following.child.wait().unwrap().signal(), Some(SIGTERM));
    assert_eq!(running.terminate(), 0);
}

#[test]
fn an_event_of_the_future_or_of_the_past_holds_back_no_other() {
    let place = Place::new();
    let running = Running::start(&place);
    let now = bridge_telemetry::Clock::now(&bridge_telemetry::SystemClock::default());
    let shifted = |seconds: u64, ahead: bool| {
        let shift = std::time::Duration::from_secs(seconds);
        let time = if ahead { now.plus(shift) } else { now.minus(shift) };
        let event = json!({"event_type": "A", "source": "s", "timestamp": time.to_string()});
        let (exit, receipt) = place.json(&["record", "event", &event.to_string()]);
        assert_eq!(exit, 0, "{receipt}");
        receipt["event_id"].clone()
    };
    let from = now.minus(std::time::Duration::from_secs(3_600)).to_string();
    let mut following = Following::start(&place, &["--json", "--from", &from]);
    let mut shown = || serde_json::from_str::<Value>(&following.next()).unwrap()["event_id"].clone();
    for (seconds, ahead) in [(1_800, true), (0, true), (10, false), (3_000, true), (20, false)] {
        let recorded = shifted(seconds, ahead);
        assert_eq!(shown(), recorded, "{seconds} s, {ahead}");
    }
    assert_eq!(running.terminate(), 0);
}

#[test]
fn more_events_of_one_instant_than_fit_a_page_are_all_shown() {
    const EVENTS: usize = 2_500;
    let place = Place::new();
    let running = Running::start(&place);
    let now = bridge_telemetry::Clock::now(&bridge_telemetry::SystemClock::default()).floor_to_millis();
    let events: Vec<Value> = (0..EVENTS)
        .map(|n| json!({"event_type": "A", "source": "s", "timestamp": now.to_string(), "data": {"n": n}}))
        .collect();
    let mut following = Following::start(&place, &["--from", &now.to_string()]);
    let (exit, body) = place.json_with_input(&["record", "event", "-"], json!(events).to_string().as_bytes());
    assert_eq!((exit, &body["status"]), (0, &json!("success")));
    let mut numbers: Vec<usize> = (0..EVENTS)
        .map(|_| {
            let line = following.next();
            let (_, number) = line.split_once(r#"{"n":"#).unwrap();
            number.split_once('}').unwrap().0.parse().unwrap()
        })
        .collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..EVENTS), "each once");
    let running_address = running.summary["address"].clone();
    assert_eq!(running.terminate(), 0);
    // The host is gone, and the follower says so.
    assert_eq!(following.child.wait().unwrap().code(), Some(3));
    let mut text = String::new();
    following.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    let address = running_address.as_str().unwrap();
    assert!(text.starts_with(&format!("error: the host at http://{address} does not answer: ")), "{text}");
}

#[test]
fn without_a_host_there_is_nothing_to_follow() {
    let place = Place::new();
    let output = place.run(&["events", "--follow"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(told(&output).contains("no host runs on data"), "{}", told(&output));
}
