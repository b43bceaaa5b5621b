//! What the tests' hostile guests have in common: an order says which export makes which attack, whatever the guest's kind.
//!
//! The order is `EXPORT/ATTACK`. It stands in the configuration (`"order"`); for what comes before any configuration, in the
//! component's own bytes, where the test writes it over `ORDER_PLACE`.
#![cfg(target_arch = "wasm32")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    unsafe_code,
    reason = "hostile on purpose"
)]

mod exhaust;
mod host_calls;
pub mod patterns;
pub mod schemas;

use std::cell::RefCell;

use bridge_telemetry_plugin::bindings::imports::types::{PluginError, State, Subscription};
use bridge_telemetry_plugin::bindings::lifecycle::exports::bridge::telemetry::lifecycle::Info;
pub use exhaust::GIANT;

/// What the place of an order in the component's bytes begins with; the order follows, filled up with spaces.
const MARK: &[u8; 12] = b"zoo-order-> ";
/// Bytes of the place.
const PLACE: usize = 80;

/// Where the test writes an order.
#[unsafe(no_mangle)]
static ORDER_PLACE: [u8; PLACE] = place();

const fn place() -> [u8; PLACE] {
    let mut place = [b' '; PLACE];
    let mut at = 0;
    while at < MARK.len() {
        place[at] = MARK[at];
        at += 1;
    }
    place
}

thread_local! {
    static CONFIG: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps the configuration, with the order in it.
pub fn configure(config: &str) {
    CONFIG.set(config.to_owned());
}

/// A text of the configuration; empty when there is none. No JSON parser: texts have no quotes in them.
pub fn configured(key: &str) -> String {
    CONFIG.with_borrow(|config| {
        let text = config.split_once(&format!("\"{key}\":\"")).and_then(|(_, rest)| rest.split_once('"'));
        text.map_or_else(String::new, |(text, _)| text.to_owned())
    })
}

/// The state to hand over: there is one only where a restored state is to be attacked with.
pub fn state() -> Option<State> {
    attack_at("init-restored").map(|_| State { version: 1, bytes: vec![7; 8] })
}

/// The order's answer to `snapshot`, or the honest one.
///
/// # Errors
/// The attacks that are an error.
pub fn snapshot(honest: Option<State>) -> Result<Option<State>, PluginError> {
    let giant =
        |attack: &str| (attack == "giant-list").then(|| Some(State { version: 1, bytes: vec![0; GIANT] }));
    Ok(at("snapshot", giant)?.unwrap_or(honest))
}

/// The order's answer to `describe`, made of the honest one.
pub fn describe(honest: Info) -> Info {
    let lie = |attack: &str| {
        Some(match attack {
            "giant-string" => Info { description: "x".repeat(GIANT), ..honest.clone() },
            "no-utf8" => Info { name: no_utf8(), ..honest.clone() },
            "broken-json" => Info { config_schema_json: "{".to_owned(), ..honest.clone() },
            // No attack: several versions of one guest follow each other.
            other => Info { version: other.strip_prefix("version-")?.to_owned(), ..honest.clone() },
        })
    };
    at("describe", lie).ok().flatten().unwrap_or(honest)
}

/// The order's answer to `subscribe`, or the honest one.
pub fn subscribe(honest: Subscription) -> Subscription {
    let event_types = |types| Subscription { event_types: Some(types), ..honest.clone() };
    let lie = |attack: &str| {
        Some(match attack {
            "giant-list" => event_types(vec![String::new(); 200_000]),
            "giant-string" => event_types(vec!["x".repeat(GIANT)]),
            "no-utf8" => event_types(vec![no_utf8()]),
            _ => return None,
        })
    };
    let mut answer = at("subscribe", lie).ok().flatten().unwrap_or_else(|| honest.clone());
    let only = configured("only");
    if !only.is_empty() {
        answer.metrics = Some(vec![only.clone()]);
        answer.event_types = Some(vec![only]);
    }
    answer
}

fn order() -> String {
    // SAFETY: it is a static; read as it is in memory, since the compiler thinks that it knows what is there.
    let place = unsafe { std::ptr::read_volatile(&raw const ORDER_PLACE) };
    let written = String::from_utf8_lossy(&place[MARK.len()..]).trim().to_owned();
    if written.is_empty() { configured("order") } else { written }
}

/// The version that a component is where several of one guest follow each other: the test writes `version/2` in the place of an
/// order. 1 where nothing is written.
pub fn version() -> u32 {
    attack_at("version").and_then(|version| version.parse().ok()).unwrap_or(1)
}

/// The attack that is ordered at `export`.
pub fn attack_at(export: &str) -> Option<String> {
    let order = order();
    let (at, attack) = order.split_once('/')?;
    (at == export).then(|| attack.to_owned())
}

/// Makes the attack that is ordered at `export`: `own` makes those that are an answer of this export's own type, and the
/// others are everybody's. `None`: go on as if nothing had been ordered.
///
/// # Errors
/// The attacks that are an error.
pub fn at<A>(export: &str, own: impl FnOnce(&str) -> Option<A>) -> Result<Option<A>, PluginError> {
    let Some(attack) = attack_at(export) else { return Ok(None) };
    if let Some(answer) = own(&attack) {
        return Ok(Some(answer));
    }
    anyones(&attack)?;
    Ok(None)
}

/// [`at`] where no answer is an attack.
///
/// # Errors
/// The attacks that are an error.
pub fn here(export: &str) -> Result<(), PluginError> {
    at(export, |_| None::<()>).map(drop)
}

fn anyones(attack: &str) -> Result<(), PluginError> {
    if exhaust::known(attack) || host_calls::known(attack) {
        return Ok(());
    }
    Err(match attack {
        "giant-error" => PluginError::Other("x".repeat(GIANT)),
        "error-no-utf8" => PluginError::Other(no_utf8()),
        "error" => PluginError::Other("no luck".to_owned()),
        unknown => panic!("no attack is called {unknown}"),
    })
}

/// A string that is none.
pub fn no_utf8() -> String {
    // SAFETY: it is not; the host has to find out.
    unsafe { String::from_utf8_unchecked(vec![0xFF; 8]) }
}
