//! Shipped validator `json-schema`: refuses events whose `data` does not fit the JSON Schema of their type.
//!
//! Schemas stand in the configuration, by event type. The host judges by them, within its limits: a schema has at most 256 KiB and 64
//! patterns of 384 bytes, without look-around and flags; it refers to what stands in it and to nothing else, and no schema within it
//! has an identifier of its own. Of the plugin's memory it takes 32 bytes for each byte of its text, some 3 KiB for each schema within
//! it, and for each different pattern 256 KiB and what it becomes when it is compiled. An event that takes too much to judge does not
//! fit, with the code `schema_limit`: too many steps, more than a tenth of a second, more memory than the plugin has left, a text that is
//! too long for the patterns, or, where the schema has `uniqueItems`, an array of thousands of different arrays that are the same but
//! for their brackets. Where slow events take all the time of a call, those after them are not told as if they were slow: the call
//! fails for now, and `on_failure` in the host's configuration says what becomes of all its events. Their sender may come again with
//! fewer at once. Messages name what is wrong but never repeat a value, since it may be a secret.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests"))]

use std::collections::BTreeMap;

use bridge_telemetry_plugin::json_schemas::{Schema, SchemaFault};
use bridge_telemetry_plugin::{
    Event, EventBatch, EventVerdict, Plugin, PluginError, Result, Subscription, Validator, export_validator,
    include_schema, json::Raw,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// Most objections to one event: enough to mend it.
const MAX_ISSUES: u32 = 16;
/// Most events that are judged in one call of the host: their objections are usually a tenth of the 16 MiB that it hands over.
const MAX_ROWS: usize = 1_024;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// By event type, the JSON Schema of `data`. A trailing `*` matches a prefix; an exact name goes first, then the longest
    /// prefix.
    #[serde(default)]
    #[schemars(extend("default" = {}))]
    schemas: BTreeMap<String, Raw>,
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
    schemas: Vec<Schema>,
    /// The number of the schema of each type.
    exact: BTreeMap<String, usize>,
    /// The same of each prefix, the longest first.
    prefixes: Vec<(String, usize)>,
    mode: Mode,
    unlisted: Unlisted,
}

impl Plugin for SchemaValidator {
    const NAME: &'static str = "json-schema";
    type Config = Config;
    const CONFIG_SCHEMA: Option<&'static str> = Some(include_schema!("../config.schema.json"));

    fn new(config: Config) -> Result<Self> {
        let (mut schemas, mut exact, mut prefixes) = (Vec::new(), BTreeMap::new(), Vec::new());
        for (event_type, schema) in config.schemas {
            let fault = |error: PluginError| {
                PluginError::invalid_config(format!("schemas.{event_type}: {}", error.message()))
            };
            let number = schemas.len();
            schemas.push(Schema::new(schema.as_str()).map_err(fault)?);
            match event_type.strip_suffix('*') {
                Some(prefix) => {
                    let goes_first = |(other, _): &(String, usize)| other.len() >= prefix.len();
                    prefixes.insert(prefixes.partition_point(goes_first), (prefix.to_owned(), number));
                }
                None => {
                    exact.insert(event_type, number);
                }
            }
        }
        Ok(Self { schemas, exact, prefixes, mode: config.mode, unlisted: config.unlisted })
    }
}

impl Validator for SchemaValidator {
    fn subscribe(&self) -> Subscription {
        let prefixes = self.prefixes.iter().map(|(prefix, _)| format!("{prefix}*"));
        let listed = self.exact.keys().cloned().chain(prefixes);
        match self.unlisted {
            Unlisted::Reject => Subscription::none().all_events(),
            Unlisted::Accept => Subscription::none().event_types(listed),
        }
    }

    fn validate_events(&mut self, batch: &EventBatch, verdict: &mut EventVerdict) -> Result<()> {
        // For each schema the events that it is for, in their order.
        let mut groups: Vec<Vec<Event<'_>>> = self.schemas.iter().map(|_| Vec::new()).collect();
        for event in batch.events() {
            match self.schema_of(event.event_type()).and_then(|number| groups.get_mut(number)) {
                Some(group) => group.push(event),
                None if self.unlisted == Unlisted::Reject => self.object_to_type(event, verdict),
                None => {}
            }
        }
        for (schema, group) in self.schemas.iter().zip(&groups) {
            for events in group.chunks(MAX_ROWS) {
                self.judge(schema, batch, events, verdict)?;
            }
        }
        Ok(())
    }
}

impl SchemaValidator {
    fn judge(
        &self,
        schema: &Schema,
        batch: &EventBatch,
        events: &[Event<'_>],
        verdict: &mut EventVerdict,
    ) -> Result<()> {
        let rows: Vec<u32> = events.iter().map(Event::row).collect();
        for fault in schema.check(batch, &rows, MAX_ISSUES)? {
            let place = events.binary_search_by_key(&fault.row, Event::row);
            if let Some(event) = place.ok().and_then(|place| events.get(place)) {
                self.object_to_data(*event, verdict, fault);
            }
        }
        Ok(())
    }

    fn schema_of(&self, event_type: &str) -> Option<usize> {
        let exact = self.exact.get(event_type).copied();
        exact.or_else(|| {
            let prefix = self.prefixes.iter().find(|(prefix, _)| event_type.starts_with(prefix));
            prefix.map(|(_, number)| *number)
        })
    }

    fn object_to_type(&self, event: Event<'_>, verdict: &mut EventVerdict) {
        let message = format!("no schema is configured for events of type \"{}\"", event.event_type());
        self.object(event, verdict, "no_schema".to_owned(), "/event_type".to_owned(), message);
    }

    fn object_to_data(&self, event: Event<'_>, verdict: &mut EventVerdict, fault: SchemaFault) {
        let (code, path) = (format!("schema_{}", fault.keyword), format!("/data{}", fault.path));
        self.object(event, verdict, code, path, fault.message);
    }

    fn object(
        &self,
        event: Event<'_>,
        verdict: &mut EventVerdict,
        code: String,
        path: String,
        message: String,
    ) {
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
    fn the_longest_prefix_decides() {
        let nested = r#"{"schemas":{"A*":false,"AB*":true,"ABC*":false,"AC*":true}}"#;
        for (event_type, fits) in
            [("A", false), ("AB", true), ("ABD", true), ("ABCD", false), ("ACD", true), ("B", true)]
        {
            assert_eq!(issues(nested, event_type, "{}").is_empty(), fits, "{event_type}");
        }
    }

    #[test]
    fn each_event_of_a_large_batch_is_judged_by_the_schema_of_its_type() {
        let config = r#"{"schemas":{"A*":{"required":["a"]},"B":{"required":["b"]}},"unlisted":"reject"}"#;
        let mut plugin: SchemaValidator = testing::restart(config, None).unwrap();
        let count = 3 * (u32::try_from(MAX_ROWS).unwrap() + 1);
        let batch = (0..count).fold(EventBatchBuilder::new(), |batch, row| match row % 3 {
            0 => batch.event("A1", "s", "{}"),
            1 => batch.event("B", "s", r#"{"b":1}"#),
            _ => batch.event("C", "s", "{}"),
        });
        let mut verdict = EventVerdict::default();
        plugin.validate_events(&batch.build(), &mut verdict).unwrap();
        let mut found: Vec<_> =
            verdict.issues().iter().map(|issue| (issue.row, issue.code.as_str())).collect();
        found.sort_unstable();
        let expected = (0..count).filter_map(|row| match row % 3 {
            0 => Some((row, "schema_required")),
            1 => None,
            _ => Some((row, "no_schema")),
        });
        assert!(found.into_iter().eq(expected));
    }

    #[test]
    fn objections_to_one_event_are_few() {
        let members: Vec<String> = (0..20).map(|number| format!(r#""{number}":0"#)).collect();
        let config = r#"{"schemas":{"A":{"additionalProperties":{"type":"string"}}}}"#;
        assert_eq!(issues(config, "A", &format!("{{{}}}", members.join(","))).len(), MAX_ISSUES as usize);
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
