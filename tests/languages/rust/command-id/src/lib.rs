//! Refuses commands without an id of bounded length.

use bridge_telemetry_plugin::{
    Event, EventVerdict, Plugin, Result, Subscription, Validator, export_validator,
};
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// Longest `command_id` that is accepted.
    longest: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { longest: 64 }
    }
}

struct CommandId(Config);

impl Plugin for CommandId {
    const NAME: &'static str = "command-id";
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        Ok(Self(config))
    }
}

/// The part of `data` that is looked at; its strings are borrowed from the batch.
#[derive(Deserialize)]
struct Command<'a> {
    #[serde(borrow)]
    command_id: &'a str,
}

impl Validator for CommandId {
    fn subscribe(&self) -> Subscription {
        Subscription::none().event_types(["COMMAND_*"])
    }

    fn validate_event(&mut self, event: Event<'_>, verdict: &mut EventVerdict) -> Result<()> {
        match event.data_as::<Command<'_>>() {
            Err(_) => verdict.reject(event, "bad_command", "/data", "the command has no id"),
            Ok(command) if command.command_id.len() > self.0.longest => {
                verdict.reject(event, "too_long", "/data/command_id", "the command's id is too long");
            }
            Ok(_) => {}
        }
        Ok(())
    }
}

export_validator!(CommandId);
