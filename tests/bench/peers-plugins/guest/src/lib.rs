//! The benchmark's validator as one writes it for Extism: a list of events as JSON comes in, a list of objections as JSON goes out.
//! `idle` takes as much and answers nothing: what a call and the copy of its input cost without JSON.

use bridge_telemetry_bench_checks::{Command, OBJECTIONS, judge};
use extism_pdk::{FnResult, plugin_fn};
use serde::{Deserialize, Serialize};

/// An event; it is parsed in one go, and its strings are borrowed.
#[derive(Deserialize)]
struct Event<'a> {
    event_type: &'a str,
    source: &'a str,
    #[serde(borrow)]
    data: Command<'a>,
}

#[derive(Serialize)]
struct Issue {
    row: usize,
    reject: bool,
    code: &'static str,
    path: &'static str,
    message: &'static str,
}

#[plugin_fn]
pub fn validate(input: Vec<u8>) -> FnResult<Vec<u8>> {
    let events: Vec<Event<'_>> = serde_json::from_slice(&input)?;
    let mut issues = Vec::new();
    for (row, event) in events.iter().enumerate() {
        let found = judge(event.event_type, event.source, &event.data);
        if let Some(objection) = found.and_then(|place| OBJECTIONS.get(place)) {
            let (code, path, message) = (objection.code, objection.path, objection.message);
            issues.push(Issue { row, reject: true, code, path, message });
        }
    }
    Ok(serde_json::to_vec(&issues)?)
}

#[plugin_fn]
pub fn idle(input: Vec<u8>) -> FnResult<Vec<u8>> {
    let _ = input;
    Ok(Vec::new())
}
