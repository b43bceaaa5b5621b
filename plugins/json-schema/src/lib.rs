//! Shipped validator `json-schema`: refuses events whose `data` does not fit the JSON Schema of their type.
//!
//! Schemas stand in the configuration, by event type. References may point within a schema; nothing is fetched. Messages name
//! what is wrong but never repeat a value, since it may be a secret.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests"))]

use std::collections::BTreeMap;

use bridge_telemetry_plugin::{
    Event, EventVerdict, Plugin, PluginError, Result, Subscription, Validator, export_validator,
    include_schema,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// Most objections to one event: enough to mend it.
const MAX_ISSUES: usize = 16;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// By event type, the JSON Schema of `data`. A trailing `*` matches a prefix; an exact name goes first, then the longest
    /// prefix.
    #[serde(default)]
    schemas: BTreeMap<String, Value>,
    /// What happens to an event that does not fit.
    #[serde(default)]
    mode: Mode,
    /// What happens to events of a type without a schema.
    #[serde(default)]
    unlisted: Unlisted,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Mode {
    /// It is refused.
    #[default]
    Reject,
    /// It is stored, and the caller is warned.
    Warn,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Unlisted {
    /// They are stored.
    #[default]
    Accept,
    /// They do not fit.
    Reject,
}

struct SchemaValidator {
    exact: BTreeMap<String, jsonschema::Validator>,
    /// Longest prefix first.
    prefixes: Vec<(String, jsonschema::Validator)>,
    mode: Mode,
    unlisted: Unlisted,
}

impl Plugin for SchemaValidator {
    const NAME: &'static str = "json-schema";
    type Config = Config;
    const CONFIG_SCHEMA: Option<&'static str> = Some(include_schema!("../config.schema.json"));

    fn new(config: Config) -> Result<Self> {
        let (mut exact, mut prefixes) = (BTreeMap::new(), Vec::new());
        for (event_type, schema) in config.schemas {
            let fault = |error| PluginError::InvalidConfig(format!("schemas.{event_type}: {error}"));
            let schema = jsonschema::validator_for(&schema).map_err(fault)?;
            match event_type.strip_suffix('*') {
                Some(prefix) => prefixes.push((prefix.to_owned(), schema)),
                None => drop(exact.insert(event_type, schema)),
            }
        }
        prefixes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        Ok(Self { exact, prefixes, mode: config.mode, unlisted: config.unlisted })
    }
}

impl Validator for SchemaValidator {
    fn subscribe(&self) -> Subscription {
        let prefixes = self.prefixes.iter().map(|(prefix, _)| format!("{prefix}*"));
        let listed: Vec<String> = self.exact.keys().cloned().chain(prefixes).collect();
        match self.unlisted {
            Unlisted::Reject => Subscription::none().all_events(),
            Unlisted::Accept if listed.is_empty() => Subscription::none(),
            Unlisted::Accept => Subscription::none().event_types(listed),
        }
    }

    fn validate_event(&mut self, event: Event<'_>, verdict: &mut EventVerdict) -> Result<()> {
        let Some(schema) = self.schema_of(event.event_type()) else {
            if self.unlisted == Unlisted::Reject {
                let message =
                    format!("no schema is configured for events of type \"{}\"", event.event_type());
                self.object(event, verdict, "no_schema", "/event_type", &message);
            }
            return Ok(());
        };
        let data = Value::Object(event.data()?);
        for error in schema.iter_errors(&data).take(MAX_ISSUES) {
            let path = format!("/data{}", error.instance_path().as_str());
            let code = format!("schema_{}", error.kind().keyword());
            self.object(event, verdict, &code, &path, &error.masked().to_string());
        }
        Ok(())
    }
}

impl SchemaValidator {
    fn schema_of(&self, event_type: &str) -> Option<&jsonschema::Validator> {
        self.exact.get(event_type).or_else(|| {
            let prefix = self.prefixes.iter().find(|(prefix, _)| event_type.starts_with(prefix));
            prefix.map(|(_, schema)| schema)
        })
    }

    fn object(&self, event: Event<'_>, verdict: &mut EventVerdict, code: &str, path: &str, message: &str) {
        match self.mode {
            Mode::Reject => verdict.reject(event, code, path, message),
            Mode::Warn => verdict.warn(event, code, path, message),
        }
    }
}

export_validator!(SchemaValidator);

#[cfg(test)]
mod tests {
    use super::*;
    use bridge_telemetry_plugin::testing::{self, EventBatchBuilder};

    const CONFIG: &str = r##"{"schemas": {
        "COMMAND_*": {"type": "object", "required": ["command_id"],
            "properties": {"command_id": {"$ref": "#/$defs/id"}}, "$defs": {"id": {"type": "string", "minLength": 2}}},
        "COMMAND_ERROR": {"required": ["error_code"]}
    }}"##;

    fn issues(config: &str, event_type: &str, data: &str) -> Vec<(bool, String, String)> {
        let mut plugin: SchemaValidator = testing::restart(config, None).unwrap();
        let batch = EventBatchBuilder::new().event(event_type, "s", data).build();
        let mut verdict = EventVerdict::default();
        plugin.validate_events(&batch, &mut verdict).unwrap();
        let issues = verdict.issues().iter();
        issues.map(|issue| (issue.reject, issue.code.clone(), issue.path.clone())).collect()
    }

    fn issue(code: &str, path: &str) -> (bool, String, String) {
        (true, code.to_owned(), path.to_owned())
    }

    #[test]
    fn the_schema_of_the_type_decides() {
        assert_eq!(issues(CONFIG, "COMMAND_RECEIVED", r#"{"command_id":"c1"}"#), []);
        assert_eq!(issues(CONFIG, "COMMAND_RECEIVED", "{}"), [issue("schema_required", "/data")]);
        let short = issues(CONFIG, "COMMAND_RECEIVED", r#"{"command_id":"c"}"#);
        assert_eq!(short, [issue("schema_minLength", "/data/command_id")]);
        assert_eq!(issues(CONFIG, "COMMAND_ERROR", r#"{"error_code":1}"#), [], "an exact name goes first");
        assert_eq!(issues(CONFIG, "OPERATION", "{}"), [], "no schema, nothing to object");
    }

    #[test]
    fn modes_and_unlisted_types() {
        let warn = r#"{"schemas":{"A":false},"mode":"warn","unlisted":"reject"}"#;
        assert_eq!(issues(warn, "A", "{}"), [(false, "schema_falseSchema".into(), "/data".into())]);
        assert_eq!(issues(warn, "B", "{}"), [(false, "no_schema".into(), "/event_type".into())]);
        let subscription = |config| testing::restart::<SchemaValidator>(config, None).unwrap().subscribe();
        assert_eq!(subscription("{}"), Subscription::none());
        assert_eq!(subscription(CONFIG), Subscription::none().event_types(["COMMAND_ERROR", "COMMAND_*"]));
        assert_eq!(subscription(warn), Subscription::none().all_events());
    }

    #[test]
    fn messages_do_not_repeat_values() {
        let mut plugin: SchemaValidator =
            testing::restart(r#"{"schemas":{"A":{"properties":{"p":{"maxLength":3}}}}}"#, None).unwrap();
        let batch = EventBatchBuilder::new().event("A", "s", r#"{"p":"hunter2"}"#).build();
        let mut verdict = EventVerdict::default();
        plugin.validate_events(&batch, &mut verdict).unwrap();
        assert!(!verdict.issues()[0].message.contains("hunter2"), "{}", verdict.issues()[0].message);
    }

    #[test]
    fn a_wrong_schema_is_named() {
        let fault = |config| testing::restart::<SchemaValidator>(config, None).err().unwrap().to_string();
        assert!(fault(r#"{"schemas":{"A":{"type":"text"}}}"#).contains("schemas.A"));
        assert!(
            fault(r#"{"schemas":{"A":{"$ref":"https://example.org/schema.json"}}}"#).contains("schemas.A")
        );
    }

    #[test]
    fn schemas_are_current() {
        testing::schema::check_config::<SchemaValidator>(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/config.schema.json"
        ));
    }
}
