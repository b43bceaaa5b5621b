//! Hostile sink: an alert's label `attack`, or else its idempotency key, is the attack, with its argument after a space.
//! An order (see the crate `bridge-telemetry-zoo`) makes any export attack.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "hostile on purpose")]

use bridge_telemetry_plugin::bindings::delivery::exports::bridge::telemetry::delivery::{
    self, Alert, Outcome, Retry,
};
use bridge_telemetry_plugin::bindings::imports::key_value;
use bridge_telemetry_plugin::bindings::imports::outbound_http::{self, Failure, Header, Request};
use bridge_telemetry_plugin::bindings::imports::patterns::Pattern;
use bridge_telemetry_plugin::bindings::imports::types::{PluginError, State};
use bridge_telemetry_plugin::bindings::lifecycle::exports::bridge::telemetry::lifecycle;
use bridge_telemetry_zoo as zoo;

struct Evil;

impl lifecycle::Guest for Evil {
    fn describe() -> lifecycle::Info {
        zoo::describe(lifecycle::Info {
            name: "evil-sink".to_owned(),
            version: "6.6.6".to_owned(),
            description: "each alert is an attack".to_owned(),
            config_schema_json: "{}".to_owned(),
            attributes_json: "{}".to_owned(),
        })
    }

    fn init(config: String, restored: Option<State>) -> Result<(), PluginError> {
        zoo::configure(&config);
        zoo::here(if restored.is_some() { "init-restored" } else { "init" })
    }

    fn snapshot() -> Result<Option<State>, PluginError> {
        zoo::snapshot(zoo::state())
    }
}

impl delivery::Guest for Evil {
    fn deliver(alerts: Vec<Alert>, _: u32) -> Result<Vec<Outcome>, PluginError> {
        if let Some(lie) = zoo::at("deliver", lies)? {
            return Ok(lie);
        }
        if alerts.iter().any(|alert| alert.idempotency_key == "too_few") {
            return Ok(vec![]);
        }
        alerts.iter().map(attacked).collect()
    }
}

/// Attacks by an answer, and through what only sinks can call.
fn lies(attack: &str) -> Option<Vec<Outcome>> {
    zoo::patterns::attack(attack);
    Some(match attack {
        "giant-list" => vec![Outcome::Duplicate; 100_000],
        "giant-string" => vec![Outcome::Rejected("x".repeat(zoo::GIANT))],
        "no-utf8" => vec![Outcome::Rejected(zoo::no_utf8())],
        "wrong-row" => vec![],
        "wrong-row-2" => vec![Outcome::Duplicate; 2],
        "empty-key" => vec![Outcome::Forward(vec![String::new()])],
        "key-value.get*" => loop {
            drop(key_value::get("k"));
        },
        "key-value.put*" => loop {
            drop(key_value::put("k", &[1; 1000]));
        },
        "key-value.delete*" => loop {
            drop(key_value::delete("k"));
        },
        "outbound-http.send*" => loop {
            drop(outbound_http::send(&request("GET", "http://127.0.0.1:1/", "")));
        },
        "key-value.get-giant" => loop {
            drop(key_value::get(&"k".repeat(1 << 19)));
        },
        "key-value.put-giant" => loop {
            drop(key_value::put("k", &vec![0; 1 << 19]));
        },
        "key-value.delete-giant" => loop {
            drop(key_value::delete(&"k".repeat(1 << 19)));
        },
        "outbound-http.send-giant" => loop {
            drop(outbound_http::send(&Request {
                headers: vec![Header { name: "a".to_owned(), value: "b".repeat(1 << 19) }],
                ..request("POST", "http://127.0.0.1:1/", "")
            }));
        },
        _ => return None,
    })
}

fn attacked(alert: &Alert) -> Result<Outcome, PluginError> {
    let label = alert.labels.iter().find(|label| label.name == "attack");
    let order = label.map_or(&alert.idempotency_key, |label| &label.value);
    let (attack, argument) = order.split_once(' ').unwrap_or((order, ""));
    Ok(match attack {
        "panic" => panic!("sink down"),
        "loop" => loop {
            std::hint::spin_loop();
        },
        "error" => return Err(PluginError::Transient("later".to_owned())),
        "retry" => Outcome::Retry(Retry { after_milliseconds: Some(1500), reason: "busy".to_owned() }),
        "forward" => Outcome::Forward(argument.split(',').map(str::to_owned).collect()),
        "forward_many" => Outcome::Forward(vec!["pager".to_owned(); 100_000]),
        "alert" => Outcome::Delivered(Some(alert.alert_json.clone())),
        "put" => {
            key_value::put("last", argument.as_bytes())?;
            Outcome::Delivered(None)
        }
        "get" => Outcome::Delivered(
            key_value::get("last")?.map(|value| String::from_utf8_lossy(&value).into_owned()),
        ),
        "patterns" => Outcome::Rejected(Pattern::compile("^[a-z]+$")?.is_match(argument)?.to_string()),
        "http" => send(request("GET", argument, "")),
        "post" => send(request("POST", argument, "token=${secret:TOKEN}")),
        "stolen" => send(request("POST", argument, "token=${secret:OTHER}")),
        "host" => send(Request {
            headers: vec![Header { name: "Host".to_owned(), value: "elsewhere".to_owned() }],
            ..request("GET", argument, "")
        }),
        "trace" => send(request("TRACE", argument, "")),
        "giant" => send(Request { body: vec![0; 2 << 20], ..request("POST", argument, "") }),
        "raw" => send(raw(argument)),
        "storm" => loop {
            outbound_http::send(&request("GET", argument, "")).ok();
        },
        _ => Outcome::Duplicate,
    })
}

/// A request whose parts stand between bytes of value 1: method, URL, body, milliseconds, names and values of headers.
fn raw(parts: &str) -> Request {
    let mut parts = parts.split('\u{1}').map(str::to_owned);
    let mut next = || parts.next().unwrap_or_default();
    let (method, url, body, time) = (next(), next(), next().into_bytes(), next());
    let mut headers = Vec::new();
    while let Some(name) = parts.next() {
        headers.push(Header { name, value: parts.next().unwrap_or_default() });
    }
    Request { method, url, headers, body, timeout_milliseconds: time.parse().unwrap() }
}

fn request(method: &str, url: &str, body: &str) -> Request {
    Request {
        method: method.to_owned(),
        url: url.to_owned(),
        headers: vec![Header {
            name: "Authorization".to_owned(),
            value: "Bearer ${secret:TOKEN}".to_owned(),
        }],
        body: body.as_bytes().to_vec(),
        timeout_milliseconds: 10_000,
    }
}

/// The answer, or the failure, in an outcome.
fn send(request: Request) -> Outcome {
    match outbound_http::send(&request) {
        Ok(response) => Outcome::Delivered(Some(format!(
            "{} {}",
            response.status,
            String::from_utf8_lossy(&response.body)
        ))),
        Err(Failure::Denied(reason)) => Outcome::Rejected(format!("denied: {reason}")),
        Err(Failure::Timeout) => Outcome::Rejected("timeout".to_owned()),
        Err(Failure::Connection(reason)) => Outcome::Rejected(format!("connection: {reason}")),
        Err(Failure::TooLarge) => Outcome::Rejected("too large".to_owned()),
        Err(Failure::Other(reason)) => Outcome::Rejected(format!("other: {reason}")),
    }
}

bridge_telemetry_plugin::bindings::lifecycle::__export_lifecycle!(Evil with_types_in bridge_telemetry_plugin::bindings::lifecycle);
bridge_telemetry_plugin::bindings::delivery::__export_delivery!(Evil with_types_in bridge_telemetry_plugin::bindings::delivery);
