//! Refuses commands without an id, or with one that is too long.

use bridge_telemetry_plugin::{
    EventBatch, EventVerdict, Plugin, Result, Subscription, Validator, export_validator,
};
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// Longest `command_id` that is accepted, in bytes.
    longest: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { longest: 64 }
    }
}

struct CommandId(Config);

impl Plugin for CommandId {
    const NAME: &'static str = "{{name}}";
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        Ok(Self(config))
    }
}

impl Validator for CommandId {
    fn subscribe(&self) -> Subscription {
        Subscription::none().event_types(["COMMAND_*"])
    }

    fn validate_events(&mut self, batch: &EventBatch, verdict: &mut EventVerdict) -> Result<()> {
        let values = batch.values(&["/command_id"])?;
        for event in batch.events() {
            match values.get(event, 0).as_str() {
                None => verdict.reject(event, "bad_command", "/data", "the command has no id"),
                Some(id) if id.len() > self.0.longest => {
                    verdict.reject(event, "too_long", "/data/command_id", "the command's id is too long");
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

export_validator!(CommandId);
