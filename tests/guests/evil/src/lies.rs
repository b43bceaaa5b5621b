//! Answers that cannot be used, by the attack's name.

use bridge_telemetry_plugin::bindings::imports::event_values;
use bridge_telemetry_plugin::bindings::imports::patterns::Pattern;
use bridge_telemetry_plugin::bindings::validation::exports::bridge::telemetry::validation::{
    EventRewrite, EventVerdict, Issue, SampleVerdict, SeriesRewrite,
};
use bridge_telemetry_zoo as zoo;

pub(crate) fn events(attack: &str) -> Option<EventVerdict> {
    zoo::patterns::attack(attack);
    zoo::schemas::attack(attack);
    let issues = |issues| EventVerdict { issues, rewrites: vec![] };
    let rewrite = |row, data: &str| EventVerdict {
        issues: vec![],
        rewrites: vec![EventRewrite { row, data_json: Some(data.to_owned()), extra_json: None }],
    };
    Some(match attack {
        "giant-list" => issues(vec![issue(0, ""); 100_000]),
        "giant-string" => issues(vec![issue(0, &"x".repeat(zoo::GIANT))]),
        "no-utf8" => issues(vec![Issue { code: zoo::no_utf8(), ..issue(0, "") }]),
        "wrong-row" => issues(vec![issue(u32::MAX, "")]),
        "wrong-row-2" => rewrite(1_000, "{}"),
        "broken-json" => rewrite(0, "{\"a\":"),
        "event-values.read*" => loop {
            drop(event_values::read(&["/a".to_owned()]));
        },
        "event-values.read-giant" => loop {
            drop(event_values::read(&vec!["/x".repeat(1 << 9); 1 << 9]));
        },
        "patterns.forged" => {
            // SAFETY: it is not, nobody gave it this handle; the host has to find out.
            let forged = unsafe { Pattern::from_handle(1 << 16) };
            issues(vec![issue(0, &format!("{:?}", forged.is_match("a")))])
        }
        _ => return None,
    })
}

pub(crate) fn samples(attack: &str) -> Option<SampleVerdict> {
    let issues = |issues| SampleVerdict { issues, rewrites: vec![] };
    let rewrite = |series, context: &str| SampleVerdict {
        issues: vec![],
        rewrites: vec![SeriesRewrite { series, context_json: context.to_owned() }],
    };
    Some(match attack {
        "giant-list" => issues(vec![issue(0, ""); 100_000]),
        "giant-string" => rewrite(0, &format!("{{\"a\":\"{}\"}}", "x".repeat(zoo::GIANT))),
        "no-utf8" => issues(vec![Issue { message: zoo::no_utf8(), ..issue(0, "") }]),
        "wrong-row" => issues(vec![issue(77, "")]),
        "wrong-row-2" => rewrite(77, "{}"),
        "broken-json" => rewrite(0, "{\"a\":"),
        _ => return None,
    })
}

fn issue(row: u32, message: &str) -> Issue {
    Issue { row, reject: true, code: "evil".to_owned(), path: String::new(), message: message.to_owned() }
}
