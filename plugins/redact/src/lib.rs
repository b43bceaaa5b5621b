//! Shipped validator `redact`: masks secrets before anything is stored.
//!
//! A value under a configured key is masked whole, at any depth; in all other texts the parts that match a pattern are masked.
//! It looks at `data` and the other top-level fields of events, and at the contexts of metrics. Place it first among the
//! validators: refused events are logged with the rewrites made so far.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests"))]

use bridge_telemetry_plugin::{
    Event, EventVerdict, JsonObject, Plugin, PluginError, Result, SampleBatch, SampleVerdict, Subscription,
    Validator, counters, export_validator,
};
use regex_lite::Regex;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// Keys whose values are masked whole; upper and lower case are the same.
    keys: Vec<String>,
    /// Regular expressions; what they match in any text is masked.
    patterns: Vec<String>,
    /// What stands in place of a secret.
    mask: String,
}

impl Default for Config {
    fn default() -> Self {
        let keys = [
            "password",
            "passwd",
            "secret",
            "token",
            "access_token",
            "refresh_token",
            "api_key",
            "apikey",
            "api-key",
            "authorization",
            "private_key",
            "credentials",
        ];
        Self { keys: keys.map(str::to_owned).to_vec(), patterns: Vec::new(), mask: "***".to_owned() }
    }
}

struct Redact {
    keys: Vec<String>,
    patterns: Vec<Regex>,
    mask: String,
}

impl Plugin for Redact {
    const NAME: &'static str = "redact";
    type Config = Config;
    const CONFIG_SCHEMA: Option<&'static str> = Some(include_str!("../config.schema.json"));

    fn new(config: Config) -> Result<Self> {
        let compile = |(index, pattern): (usize, &String)| {
            let fault = |error| PluginError::invalid_config(format!("patterns[{index}]: {error}"));
            Regex::new(pattern).map_err(fault)
        };
        let patterns = config.patterns.iter().enumerate().map(compile).collect::<Result<_>>()?;
        Ok(Self { keys: config.keys, patterns, mask: config.mask })
    }
}

impl Validator for Redact {
    fn subscribe(&self) -> Subscription {
        Subscription::none().all_events().all_metrics()
    }

    fn validate_event(&mut self, event: Event<'_>, verdict: &mut EventVerdict) -> Result<()> {
        if let Some(data) = self.redacted(event.data_json())? {
            verdict.replace_data(event, data);
        }
        if let Some(extra) = self.redacted(event.extra_json())? {
            verdict.replace_extra(event, extra);
        }
        Ok(())
    }

    fn validate_samples(&mut self, batch: &SampleBatch, verdict: &mut SampleVerdict) -> Result<()> {
        for series in batch.series() {
            if let Some(context) = self.redacted(series.context_json())? {
                verdict.replace_context(series, context);
            }
        }
        Ok(())
    }
}

impl Redact {
    /// The object without its secrets; `None` when it has none.
    fn redacted(&self, json: &str) -> Result<Option<JsonObject>> {
        if !self.may_hold_secret(json) {
            return Ok(None);
        }
        let mut object = serde_json::from_str(json)?;
        let masked = self.redact_object(&mut object);
        if masked == 0 {
            return Ok(None);
        }
        counters::add("masked_values", masked);
        Ok(Some(object))
    }

    /// Saves parsing nearly every object that has no secret: between each pair of quotes stands a key or a text. One with
    /// escapes is always parsed, since a key may be written with them.
    fn may_hold_secret(&self, json: &str) -> bool {
        if !self.patterns.is_empty() || json.contains('\\') {
            return true;
        }
        json.split('"').skip(1).step_by(2).any(|text| self.is_secret(text))
    }

    fn is_secret(&self, key: &str) -> bool {
        self.keys.iter().any(|secret| secret.eq_ignore_ascii_case(key))
    }

    /// Masks in place; the answer is the number of values changed.
    fn redact_object(&self, object: &mut JsonObject) -> u64 {
        let redact = |(key, value): (&String, &mut Value)| {
            if !self.is_secret(key) {
                return self.redact_value(value);
            }
            let changed = value.as_str() != Some(&self.mask);
            *value = Value::String(self.mask.clone());
            u64::from(changed)
        };
        object.iter_mut().map(redact).sum()
    }

    fn redact_value(&self, value: &mut Value) -> u64 {
        match value {
            Value::Object(object) => self.redact_object(object),
            Value::Array(values) => values.iter_mut().map(|value| self.redact_value(value)).sum(),
            Value::String(text) => self.redact_text(text),
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        }
    }

    fn redact_text(&self, text: &mut String) -> u64 {
        let before = text.clone();
        for pattern in &self.patterns {
            if pattern.is_match(text) {
                *text = pattern.replace_all(text, regex_lite::NoExpand(&self.mask)).into_owned();
            }
        }
        u64::from(*text != before)
    }
}

export_validator!(Redact);

#[cfg(test)]
mod tests {
    use super::*;
    use bridge_telemetry_plugin::testing::{self, EventBatchBuilder, SampleBatchBuilder};

    fn redacted(config: &str, data: &str) -> Option<String> {
        let plugin: Redact = testing::restart(config, None).unwrap();
        plugin.redacted(data).unwrap().map(|object| Value::Object(object).to_string())
    }

    #[test]
    fn masks_keys_at_any_depth_and_keeps_all_else_as_it_was() {
        let data = r#"{"z":1,"a":[{"Password":{"deep":[1]}}],"n":0.30000000000000004,"token":"***"}"#;
        let masked = r#"{"z":1,"a":[{"Password":"***"}],"n":0.30000000000000004,"token":"***"}"#;
        assert_eq!(redacted("{}", data).as_deref(), Some(masked));
        assert_eq!(redacted("{}", masked), None, "nothing left to mask");
    }

    #[test]
    fn masks_patterns_in_texts_but_not_keys_named_alike() {
        let config = r#"{"keys":[],"patterns":["[0-9]{4}-[0-9]{4}","^secret$"],"mask":"$0"}"#;
        let masked = redacted(config, r#"{"password":"card 1234-5678!","list":["secret","no secret"]}"#);
        assert_eq!(masked.as_deref(), Some(r#"{"password":"card $0!","list":["$0","no secret"]}"#));
    }

    #[test]
    fn an_escaped_key_is_no_way_around() {
        assert_eq!(redacted("{}", r#"{"p\u0061ssword":"x"}"#).as_deref(), Some(r#"{"password":"***"}"#));
        assert_eq!(redacted("{}", r#"{"passwords":"x","of":"password"}"#), None);
    }

    #[test]
    fn looks_at_data_other_fields_and_contexts() {
        let mut plugin: Redact = testing::restart("{}", None).unwrap();
        let batch = EventBatchBuilder::new()
            .event("A", "s", "{}")
            .event("A", "s", r#"{"secret":1}"#)
            .extra(r#"{"api_key":"k"}"#)
            .build();
        let mut verdict = EventVerdict::default();
        plugin.validate_events(&batch, &mut verdict).unwrap();
        assert!(verdict.issues().is_empty());
        let [rewrite] = verdict.rewrites() else { unreachable!() };
        assert_eq!((rewrite.row, rewrite.data.is_some(), rewrite.extra.is_some()), (1, true, true));

        let batch = SampleBatchBuilder::new()
            .sample("logins", r#"{"user":"a"}"#, 1, 1.0)
            .text_sample("logins", r#"{"token":"t"}"#, 1)
            .build();
        let mut verdict = SampleVerdict::default();
        plugin.validate_samples(&batch, &mut verdict).unwrap();
        assert_eq!(verdict.rewrites().len(), 1);
        assert_eq!(verdict.rewrites()[0].series, 1);
        assert_eq!(testing::counter("masked_values"), 3);
    }

    #[test]
    fn a_wrong_pattern_is_named() {
        let error = testing::restart::<Redact>(r#"{"patterns":["a","("]}"#, None).err().unwrap();
        assert!(error.to_string().contains("patterns[1]"), "{error}");
    }

    #[test]
    fn schemas_are_current() {
        testing::schema::check_config::<Redact>(concat!(env!("CARGO_MANIFEST_DIR"), "/config.schema.json"));
    }
}
