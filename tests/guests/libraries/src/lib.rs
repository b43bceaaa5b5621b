//! The benchmark's validator with libraries for patterns and JSON Schemas in the component: what the shipped `redact` and
//! `json-schema` have the host do.

use bridge_telemetry_plugin::{
    Event, EventVerdict, Plugin, PluginError, Result, Subscription, Validator, export_validator,
};
use regex_lite::Regex;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// Events that have a text in which one of them is found are refused.
    patterns: Vec<String>,
    /// Events whose data does not fit are refused.
    schema: Option<Value>,
}

struct Libraries {
    patterns: Vec<Regex>,
    schema: Option<jsonschema::Validator>,
}

impl Plugin for Libraries {
    const NAME: &'static str = "libraries";
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        let patterns = config.patterns.iter().map(|pattern| Regex::new(pattern));
        let schema = config.schema.map(|schema| jsonschema::validator_for(&schema)).transpose();
        Ok(Self {
            patterns: patterns
                .collect::<std::result::Result<_, _>>()
                .map_err(|error| PluginError::invalid_config(error.to_string()))?,
            schema: schema.map_err(|error| PluginError::invalid_config(error.to_string()))?,
        })
    }
}

impl Validator for Libraries {
    fn subscribe(&self) -> Subscription {
        Subscription::none().all_events()
    }

    fn validate_event(&mut self, event: Event<'_>, verdict: &mut EventVerdict) -> Result<()> {
        let data = Value::Object(event.data()?);
        if !self.patterns.is_empty() && self.is_found(&data) {
            verdict.reject(event, "pattern", "/data", "a pattern is found");
        }
        if let Some(schema) = &self.schema {
            for error in schema.iter_errors(&data) {
                let path = format!("/data{}", error.instance_path().as_str());
                verdict.reject(event, error.kind().keyword(), &path, error.masked().to_string());
            }
        }
        Ok(())
    }
}

impl Libraries {
    fn is_found(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self
                .patterns
                .iter()
                .fold(false, |found, pattern| found | pattern.find_iter(text).next().is_some()),
            Value::Array(values) => values.iter().fold(false, |found, value| found | self.is_found(value)),
            Value::Object(members) => {
                members.values().fold(false, |found, value| found | self.is_found(value))
            }
            _ => false,
        }
    }
}

export_validator!(Libraries);
