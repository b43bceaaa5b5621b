//! Hostile validator: the type of an event is the attack that is made on the host while it is validated; an order (see the crate
//! `bridge-telemetry-zoo`) makes any export attack.
//!
//! It answers through the raw bindings, since the SDK does not let an author answer garbage.
#![cfg(target_arch = "wasm32")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    unsafe_code,
    reason = "hostile on purpose"
)]

mod attack;
mod lies;

use bridge_telemetry_plugin::bindings::imports::event_values;
use bridge_telemetry_plugin::bindings::imports::types::{
    EventBatch, PluginError, SampleBatch, State, Subscription,
};
use bridge_telemetry_plugin::bindings::lifecycle::exports::bridge::telemetry::lifecycle;
use bridge_telemetry_plugin::bindings::validation::exports::bridge::telemetry::validation::{
    self, EventVerdict, Issue, SampleVerdict, SeriesRewrite,
};
use bridge_telemetry_zoo as zoo;

struct Evil;

impl lifecycle::Guest for Evil {
    fn describe() -> lifecycle::Info {
        zoo::describe(Self::info())
    }

    fn init(config: String, restored: Option<State>) -> Result<(), PluginError> {
        zoo::configure(&config);
        zoo::here(if restored.is_some() { "init-restored" } else { "init" })?;
        let attacks = ["loop", "panic", "log_and_trap", "memory", "invalid", "transient"];
        attack::remember(&config);
        match attacks.into_iter().find(|attack| config.contains(&format!("\"init\":\"{attack}\""))) {
            Some("invalid") => Err(PluginError::InvalidConfig("limit: must be even".to_owned())),
            Some("transient") => Err(PluginError::Transient("come back later".to_owned())),
            Some(attack) => attack::run(attack).map(drop),
            None => Ok(()),
        }
    }

    fn snapshot() -> Result<Option<State>, PluginError> {
        zoo::snapshot(zoo::state())
    }
}

impl Evil {
    fn info() -> lifecycle::Info {
        lifecycle::Info {
            name: "evil".to_owned(),
            version: "6.6.6".to_owned(),
            description: "each event type is an attack".to_owned(),
            config_schema_json: r#"{
                "type": "object",
                "properties": {
                    "init": {"enum": ["loop", "panic", "log_and_trap", "memory", "invalid", "transient"]},
                    "subscription": {"enum": ["patterns", "tick"]},
                    "order": {"type": "string"},
                    "only": {"type": "string"}
                },
                "additionalProperties": false
            }"#
            .to_owned(),
            attributes_json: "{}".to_owned(),
        }
    }
}

impl validation::Guest for Evil {
    fn subscribe() -> Subscription {
        let config = attack::remembered();
        let patterns = if config.contains("\"patterns\"") { vec![String::new(); 100_000] } else { vec![] };
        zoo::subscribe(Subscription {
            event_types: Some(patterns),
            sources: None,
            metrics: Some(vec![]),
            tick_milliseconds: config.contains("\"tick\"").then_some(0),
        })
    }

    fn validate_events(batch: EventBatch) -> Result<EventVerdict, PluginError> {
        if let Some(lie) = zoo::at("validate-events", lies::events)? {
            return Ok(lie);
        }
        let mut verdict = EventVerdict { issues: vec![], rewrites: vec![] };
        let end = |index: usize| batch.fields.ends[index] as usize;
        for row in 0..batch.timestamps.len() {
            let event_type = &batch.fields.bytes[end(row * 5)..end(row * 5 + 1)];
            let (issues, rewrites) = attack::run(std::str::from_utf8(event_type).unwrap_or_default())?;
            verdict
                .issues
                .extend(issues.into_iter().map(|issue| Issue { row: issue.row + row as u32, ..issue }));
            verdict.rewrites.extend(rewrites);
        }
        Ok(verdict)
    }

    fn validate_samples(batch: SampleBatch) -> Result<SampleVerdict, PluginError> {
        if let Some(lie) = zoo::at("validate-samples", lies::samples)? {
            return Ok(lie);
        }
        let name = &batch.series.bytes[..batch.series.ends[0] as usize];
        let context_json = match std::str::from_utf8(name).unwrap_or_default() {
            "broken_context" => "{\"a\":".to_owned(),
            "values" => return Err(event_values::read(&["/a".to_owned()]).unwrap_err()),
            "giant_context" => format!("{{\"a\":\"{}\"}}", "x".repeat(100_000)),
            _ => return Ok(SampleVerdict { issues: vec![], rewrites: vec![] }),
        };
        Ok(SampleVerdict { issues: vec![], rewrites: vec![SeriesRewrite { series: 0, context_json }] })
    }
}

bridge_telemetry_plugin::bindings::lifecycle::__export_lifecycle!(Evil with_types_in bridge_telemetry_plugin::bindings::lifecycle);
bridge_telemetry_plugin::bindings::validation::__export_validation!(Evil with_types_in bridge_telemetry_plugin::bindings::validation);
