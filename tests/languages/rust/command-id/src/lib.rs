//! Refuses commands without an id of bounded length.

use bridge_telemetry_plugin::json_schemas::{Schema, SchemaFault};
use bridge_telemetry_plugin::patterns::{Pattern, Texts};
use bridge_telemetry_plugin::{
    Event, EventBatch, EventVerdict, Plugin, Result, Subscription, Validator, export_validator,
};
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// Longest `command_id` that is accepted.
    longest: usize,
    /// What it may not have in it, a regular expression; empty: anything goes.
    forbidden: String,
    /// What `data` must fit, a JSON Schema as text; empty: anything goes.
    schema: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { longest: 64, forbidden: String::new(), schema: String::new() }
    }
}

struct CommandId {
    longest: usize,
    forbidden: Option<Pattern>,
    schema: Option<Schema>,
}

impl Plugin for CommandId {
    const NAME: &'static str = "command-id";
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        let forbidden = match config.forbidden.as_str() {
            "" => None,
            expression => Some(Pattern::new(expression)?),
        };
        let schema = match config.schema.as_str() {
            "" => None,
            schema_json => Some(Schema::new(schema_json)?),
        };
        Ok(Self { longest: config.longest, forbidden, schema })
    }
}

impl CommandId {
    /// What the id may not have in it: the last of it.
    fn forbidden_in<'a>(&self, id: &'a str) -> Result<Option<&'a str>> {
        let Some(pattern) = &self.forbidden else { return Ok(None) };
        if !pattern.is_match(id)? {
            return Ok(None);
        }
        let mut texts = Texts::new();
        texts.push(id)?;
        let findings = pattern.find(&texts)?;
        Ok(findings.found.last().and_then(|found| id.get(found.range.clone())))
    }

    /// What does not fit the schema: the first of it.
    fn unfit_in(&self, batch: &EventBatch, event: Event<'_>) -> Result<Option<SchemaFault>> {
        let Some(schema) = &self.schema else { return Ok(None) };
        Ok(schema.check(batch, &[event.row()], 1)?.into_iter().next())
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
                Some(id) if id.len() > self.longest => {
                    verdict.reject(event, "too_long", "/data/command_id", "the command's id is too long");
                }
                Some(id) => {
                    if let Some(found) = self.forbidden_in(id)? {
                        let message = format!("the command's id may not have {found:?} in it");
                        verdict.reject(event, "bad_command_id", "/data/command_id", message);
                    } else if let Some(fault) = self.unfit_in(batch, event)? {
                        let path = format!("/data{}", fault.path);
                        verdict.reject(event, "bad_command", path, fault.message);
                    }
                }
            }
        }
        Ok(())
    }
}

export_validator!(CommandId);
