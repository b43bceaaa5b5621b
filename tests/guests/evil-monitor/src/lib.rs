//! Hostile monitor: the type of an event is the attack. Its state is the number of batches that it has seen. An order (see the
//! crate `bridge-telemetry-zoo`) makes any export attack.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "hostile on purpose")]

use std::cell::Cell;

use bridge_telemetry_plugin::bindings::imports::patterns::Pattern;
use bridge_telemetry_plugin::bindings::imports::types::{
    EventBatch, Label, PluginError, SampleBatch, Severity, State, Subscription, Timestamp,
};
use bridge_telemetry_plugin::bindings::imports::{counters, event_values, key_value, log, query};
use bridge_telemetry_plugin::bindings::lifecycle::exports::bridge::telemetry::lifecycle;
use bridge_telemetry_plugin::bindings::monitoring::exports::bridge::telemetry::monitoring::{self, Signal};
use bridge_telemetry_zoo as zoo;

thread_local! {
    static SEEN: Cell<u64> = const { Cell::new(0) };
    static SNAPSHOT_TRAPS: Cell<bool> = const { Cell::new(false) };
}

struct Evil;

impl lifecycle::Guest for Evil {
    fn describe() -> lifecycle::Info {
        zoo::describe(lifecycle::Info {
            name: "evil-monitor".to_owned(),
            version: "6.6.6".to_owned(),
            description: "each event type is an attack".to_owned(),
            config_schema_json: "{}".to_owned(),
            attributes_json: "{}".to_owned(),
        })
    }

    fn init(config: String, restored: Option<State>) -> Result<(), PluginError> {
        zoo::configure(&config);
        zoo::here(if restored.is_some() { "init-restored" } else { "init" })?;
        let Some(state) = restored else { return Ok(()) };
        match state.version {
            1 => {
                let bytes =
                    state.bytes.try_into().map_err(|_| PluginError::Other("no state of mine".to_owned()))?;
                SEEN.set(u64::from_le_bytes(bytes));
                Ok(())
            }
            66 => panic!("poisoned state"),
            version => Err(PluginError::Unsupported(format!("state version {version}"))),
        }
    }

    fn snapshot() -> Result<Option<State>, PluginError> {
        assert!(!SNAPSHOT_TRAPS.get(), "no picture of me");
        zoo::snapshot(Some(State { version: 1, bytes: SEEN.get().to_le_bytes().to_vec() }))
    }
}

impl monitoring::Guest for Evil {
    fn subscribe() -> Subscription {
        zoo::subscribe(Subscription {
            event_types: Some(vec!["ATTACK_*".to_owned()]),
            sources: None,
            metrics: Some(vec![]),
            tick_milliseconds: Some(1000),
        })
    }

    fn on_events(batch: EventBatch) -> Result<Vec<Signal>, PluginError> {
        if let Some(lie) = zoo::at("on-events", |attack| lies(attack, batch.timestamps[0]))? {
            return Ok(lie);
        }
        SEEN.set(SEEN.get() + 1);
        let mut signals = Vec::new();
        let end = |index: usize| batch.fields.ends[index] as usize;
        for row in 0..batch.timestamps.len() {
            let event_type = &batch.fields.bytes[end(row * 5)..end(row * 5 + 1)];
            let attack = std::str::from_utf8(event_type).unwrap_or_default().trim_start_matches("ATTACK_");
            attacked(attack, batch.timestamps[row], &mut signals)?;
        }
        Ok(signals)
    }

    fn on_samples(batch: SampleBatch) -> Result<Vec<Signal>, PluginError> {
        if let Some(lie) = zoo::at("on-samples", |attack| lies(attack, batch.timestamps[0]))? {
            return Ok(lie);
        }
        SEEN.set(SEEN.get() + 1);
        let sum = batch.values.iter().sum();
        Ok(vec![Signal { value: Some(sum), ..signal("sum", batch.timestamps[0]) }])
    }

    fn tick(now: Timestamp) -> Result<Vec<Signal>, PluginError> {
        if let Some(lie) = zoo::at("tick", |attack| lies(attack, now))? {
            return Ok(lie);
        }
        let summary = format!("tick after {} batches", SEEN.get());
        Ok(vec![Signal { firing: false, summary, ..signal("tick", now) }])
    }
}

/// Attacks by an answer, and through what only monitors can call.
fn lies(attack: &str, now: Timestamp) -> Option<Vec<Signal>> {
    zoo::patterns::attack(attack);
    zoo::schemas::attack(attack);
    Some(match attack {
        "giant-list" => vec![signal("k", now); 20_000],
        "giant-string" => vec![Signal { summary: "x".repeat(zoo::GIANT), ..signal("k", now) }],
        "no-utf8" => vec![Signal { summary: zoo::no_utf8(), ..signal("k", now) }],
        "nan" => vec![Signal { value: Some(f64::NAN), ..signal("k", now) }],
        "empty-key" => vec![signal("", now)],
        "nondeterminism" => {
            // Seeded by the host, per instance.
            let seeded = std::collections::hash_map::RandomState::new();
            let number = std::hash::BuildHasher::hash_one(&seeded, 1_u8);
            vec![Signal { summary: number.to_string(), ..signal("k", now) }]
        }
        "event-values.read*" => loop {
            drop(event_values::read(&["/a".to_owned()]));
        },
        "event-values.read-giant" => loop {
            drop(event_values::read(&vec!["/x".repeat(1 << 9); 1 << 9]));
        },
        "key-value.get*" => loop {
            drop(key_value::get("k"));
        },
        "key-value.put*" => loop {
            drop(key_value::put("k", &[1; 1000]));
        },
        "key-value.delete*" => loop {
            drop(key_value::delete("k"));
        },
        "query.get-metrics*" => loop {
            drop(query::get_metrics("{}"));
        },
        "key-value.get-giant" => loop {
            drop(key_value::get(&"k".repeat(1 << 19)));
        },
        "key-value.put-giant" => {
            for n in 0_u32.. {
                drop(key_value::put(&n.to_string(), &vec![0; 1 << 19]));
            }
            vec![]
        }
        "key-value.delete-giant" => loop {
            drop(key_value::delete(&"k".repeat(1 << 19)));
        },
        "query.get-metrics-giant" => loop {
            drop(query::get_metrics(&"x".repeat(1 << 19)));
        },
        _ => return None,
    })
}

fn attacked(attack: &str, now: Timestamp, signals: &mut Vec<Signal>) -> Result<(), PluginError> {
    match attack {
        "PANIC" => panic!("monitor down"),
        "LOOP" => loop {
            std::hint::spin_loop();
        },
        "EMPTY_KEY" => signals.push(signal("", now)),
        "NAN" => signals.push(Signal { value: Some(f64::NAN), ..signal("k", now) }),
        "LABELS" => signals.push(Signal {
            labels: (0..100).map(|n| label(&n.to_string(), "many")).collect(),
            ..signal("k", now)
        }),
        "MANY" => signals.extend((0..20_000).map(|n| signal(&n.to_string(), now))),
        "SNAPSHOT" => SNAPSHOT_TRAPS.set(true),
        "PUT" => key_value::put("batches", &SEEN.get().to_le_bytes())?,
        "DELETE" => key_value::delete("batches")?,
        "GET" => {
            let value = key_value::get("batches")?;
            signals.push(Signal { summary: format!("{value:?}"), ..signal("get", now) });
        }
        "KEY_VALUE_LOOP" => loop {
            key_value::get("k")?;
        },
        "FILL" => {
            for n in 0_u32.. {
                key_value::put(&n.to_string(), &vec![0; 1 << 20])?;
            }
        }
        "VALUES" => {
            let table = event_values::read(&["/a".to_owned()])?;
            signals.push(Signal { value: Some(table.numbers[0]), ..signal("values", now) });
        }
        "PATTERNS" => {
            let found = Pattern::compile("PAT+")?.is_match(attack)?;
            signals.push(Signal { value: Some(f64::from(found)), ..signal("patterns", now) });
        }
        "QUERY" => signals.push(Signal { summary: query::get_metrics("{}")?, ..signal("query", now) }),
        // Not hostile at all: a word about each row.
        "CHATTY" => {
            log::write(log::Level::Debug, "saw a row", "");
            counters::add("rows", 1);
            let seen = key_value::get("rows")?.map_or(0, |seen| u64::from_le_bytes(seen.try_into().unwrap()));
            key_value::delete("rows")?;
            key_value::put("rows", &(seen + 1).to_le_bytes())?;
        }
        "GIANT_QUERY" => drop(query::get_metrics(&"x".repeat(1 << 20))?),
        _ => signals.push(signal(attack, now)),
    }
    Ok(())
}

fn signal(key: &str, timestamp: Timestamp) -> Signal {
    Signal {
        key: key.to_owned(),
        firing: true,
        severity: Severity::Critical,
        summary: "attack".to_owned(),
        value: None,
        timestamp,
        labels: vec![label("evil", "yes")],
    }
}

fn label(name: &str, value: &str) -> Label {
    Label { name: name.to_owned(), value: value.to_owned() }
}

bridge_telemetry_plugin::bindings::lifecycle::__export_lifecycle!(Evil with_types_in bridge_telemetry_plugin::bindings::lifecycle);
bridge_telemetry_plugin::bindings::monitoring::__export_monitoring!(Evil with_types_in bridge_telemetry_plugin::bindings::monitoring);
