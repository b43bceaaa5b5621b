//! Shipped validator `redact`: masks secrets before anything is stored.
//!
//! A value under a configured key is masked whole, at any depth; in all other texts the parts that match a pattern are masked.
//! It looks at `data` and the other top-level fields of events, and at the contexts of metrics. Place it first among the
//! validators: refused events are logged with the rewrites made so far.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests"))]

mod masking;

use std::borrow::Cow;

use bridge_telemetry_plugin::{
    Event, EventVerdict, Plugin, PluginError, Result, SampleBatch, SampleVerdict, Subscription, Validator,
    counters, export_validator, include_schema,
};
use masking::Masking;
use regex_lite::{NoExpand, Regex};
use schemars::JsonSchema;
use serde::Deserialize;

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
    /// A bit for each length that a key has: most texts are told apart by it.
    lengths: u64,
    patterns: Vec<Regex>,
    mask: String,
}

impl Plugin for Redact {
    const NAME: &'static str = "redact";
    type Config = Config;
    const CONFIG_SCHEMA: Option<&'static str> = Some(include_schema!("../config.schema.json"));

    fn new(config: Config) -> Result<Self> {
        let compile = |(index, pattern): (usize, &String)| {
            let fault = |error| PluginError::invalid_config(format!("patterns[{index}]: {error}"));
            Regex::new(pattern).map_err(fault)
        };
        let patterns = config.patterns.iter().enumerate().map(compile).collect::<Result<_>>()?;
        let lengths = config.keys.iter().fold(0, |lengths, key| lengths | length_bit(key));
        Ok(Self { keys: config.keys, lengths, patterns, mask: config.mask })
    }
}

impl Validator for Redact {
    fn subscribe(&self) -> Subscription {
        Subscription::none().all_events().all_metrics()
    }

    fn validate_event(&mut self, event: Event<'_>, verdict: &mut EventVerdict) -> Result<()> {
        if let Some(data) = self.redacted(event.data_json())? {
            verdict.replace_data_json(event, data);
        }
        if let Some(extra) = self.redacted(event.extra_json())? {
            verdict.replace_extra_json(event, extra);
        }
        Ok(())
    }

    fn validate_samples(&mut self, batch: &SampleBatch, verdict: &mut SampleVerdict) -> Result<()> {
        for series in batch.series() {
            if let Some(context) = self.redacted(series.context_json())? {
                verdict.replace_context_json(series, context);
            }
        }
        Ok(())
    }
}

impl Redact {
    /// The object without its secrets; `None` when it has none. All else stays as it is, numbers to the last digit.
    fn redacted(&self, json: &str) -> Result<Option<String>> {
        if !self.may_hold_secret(json) {
            return Ok(None);
        }
        let mut masking = Masking::new(self, json);
        masking.value()?;
        let Some((copy, masked)) = masking.finish() else { return Ok(None) };
        counters::add("masked_values", masked);
        Ok(Some(copy))
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
        self.lengths & length_bit(key) != 0 && self.keys.iter().any(|secret| secret.eq_ignore_ascii_case(key))
    }

    /// The text without what the patterns match; `None` when they match nothing.
    fn redacted_text(&self, text: &str) -> Option<String> {
        let mut redacted = None;
        for pattern in &self.patterns {
            let before = redacted.as_deref().unwrap_or(text);
            if let Cow::Owned(after) = pattern.replace_all(before, NoExpand(&self.mask)) {
                redacted = Some(after);
            }
        }
        redacted.filter(|redacted| redacted != text)
    }
}

/// All long texts share the last bit.
fn length_bit(text: &str) -> u64 {
    1 << text.len().min(63)
}

export_validator!(Redact);

#[cfg(test)]
mod tests {
    use super::*;
    use bridge_telemetry_plugin::testing::{self, EventBatchBuilder, SampleBatchBuilder};

    fn redacted(config: &str, data: &str) -> Option<String> {
        let plugin: Redact = testing::restart(config, None).unwrap();
        plugin.redacted(data).unwrap()
    }

    #[test]
    fn masks_keys_at_any_depth_and_keeps_all_else_as_it_was() {
        let data = r#"{"z":1,"a":[{"Password":{"deep":[1]}}],"n":0.30000000000000004,"i":[1e400,-0,123456789012345678901],"token":"***"}"#;
        let masked = r#"{"z":1,"a":[{"Password":"***"}],"n":0.30000000000000004,"i":[1e400,-0,123456789012345678901],"token":"***"}"#;
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
        assert_eq!(redacted("{}", r#"{"p\u0061ssword":"x"}"#).as_deref(), Some(r#"{"p\u0061ssword":"***"}"#));
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
        assert_eq!((rewrite.row, rewrite.data_json.is_some(), rewrite.extra_json.is_some()), (1, true, true));

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
    fn keys_of_any_length_are_found() {
        let long = "k".repeat(70);
        let config = format!(r#"{{"keys":["{long}",""]}}"#);
        let data = format!(r#"{{"":1,"{long}":2,"{long}k":3,"{}":4}}"#, "k".repeat(63));
        let masked = redacted(&config, &data).unwrap();
        assert_eq!(masked, data.replace(":1,", ":\"***\",").replace(":2,", ":\"***\","));
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
