//! Shipped validator `redact`: masks secrets before anything is stored.
//!
//! A value under a configured key is masked whole, at any depth; in all other texts the parts that match a pattern are masked, and
//! all of a text that is too long to be searched for one. Of numbers and the names of members none is searched: give their keys.
//! It looks at `data` and the other top-level fields of events, and at the contexts of metrics. What would be too long with its
//! secrets masked is `{"redacted":true}` instead (`objects_masked_whole`). Place it first among the validators: refused events are
//! logged with the rewrites made so far.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests"))]

mod ascii;
mod masking;
mod places;
mod walk;

use bridge_telemetry_plugin::{
    EventBatch, EventVerdict, Plugin, PluginError, Result, SampleBatch, SampleVerdict, Subscription,
    Validator, export_validator, include_schema, patterns::Pattern,
};
use masking::Gathering;
use schemars::JsonSchema;
use serde::Deserialize;

/// Most bytes of an event's `data` and other fields together, and of a context: the host refuses what is longer.
const MAX_EVENT_BYTES: usize = 4 << 20;
const MAX_CONTEXT_BYTES: usize = 8 << 10;
/// The only letter beyond ASCII whose small one is in ASCII: `k`.
const KELVIN: char = '\u{212a}';

#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// Keys whose values are masked whole; upper and lower case are the same.
    keys: Vec<String>,
    /// Regular expressions; what they match in any text is masked, with the letters, digits and words of Unicode or with those of ASCII. Neither numbers nor the names of members are searched.
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
    /// In small letters.
    keys: Vec<String>,
    /// A bit for each length that a key has: most texts are told apart by it.
    lengths: u64,
    /// Bytes of the longest key.
    longest: usize,
    /// Whether a key has other letters than those of ASCII.
    beyond_ascii: bool,
    patterns: Vec<Pattern>,
    mask: String,
}

impl Plugin for Redact {
    const NAME: &'static str = "redact";
    type Config = Config;
    const CONFIG_SCHEMA: Option<&'static str> = Some(include_schema!("../config.schema.json"));

    fn new(config: Config) -> Result<Self> {
        let compile = |(index, pattern): (usize, &String)| {
            let fault = |error: PluginError| {
                PluginError::invalid_config(format!("patterns[{index}]: {}", error.message()))
            };
            let unicode = Pattern::new(pattern).map_err(fault)?;
            let ascii = ascii::reading(index, pattern).map_err(fault)?;
            Ok([Some(unicode), ascii].into_iter().flatten())
        };
        let patterns = config.patterns.iter().enumerate().map(compile).collect::<Result<Vec<_>>>()?;
        let patterns = patterns.into_iter().flatten().collect();
        let keys: Vec<String> = config.keys.iter().map(|key| key.to_lowercase()).collect();
        let lengths = keys.iter().fold(0, |lengths, key| lengths | length_bit(key));
        let longest = keys.iter().map(String::len).max().unwrap_or_default();
        let beyond_ascii = !keys.iter().all(|key| key.is_ascii());
        Ok(Self { keys, lengths, longest, beyond_ascii, patterns, mask: config.mask })
    }
}

impl Validator for Redact {
    fn subscribe(&self) -> Subscription {
        Subscription::none().all_events().all_metrics()
    }

    fn validate_events(&mut self, batch: &EventBatch, verdict: &mut EventVerdict) -> Result<()> {
        let mut gathering = Gathering::new(self);
        if !self.patterns.is_empty() {
            for event in batch.events() {
                gathering.object(event.data_json())?;
                gathering.object(event.extra_json())?;
            }
        }
        let mut masking = gathering.search()?;
        for event in batch.events() {
            let (data, extra) = (event.data_json(), event.extra_json());
            let masked = masking.redacted(data, MAX_EVENT_BYTES.saturating_sub(extra.len()))?;
            let room = MAX_EVENT_BYTES.saturating_sub(masked.as_deref().unwrap_or(data).len());
            if let Some(data) = masked {
                verdict.replace_data_json(event, data);
            }
            if let Some(extra) = masking.redacted(extra, room)? {
                verdict.replace_extra_json(event, extra);
            }
        }
        masking.count();
        Ok(())
    }

    fn validate_samples(&mut self, batch: &SampleBatch, verdict: &mut SampleVerdict) -> Result<()> {
        let mut gathering = Gathering::new(self);
        if !self.patterns.is_empty() {
            batch.series().try_for_each(|series| gathering.object(series.context_json()))?;
        }
        let mut masking = gathering.search()?;
        for series in batch.series() {
            if let Some(context) = masking.redacted(series.context_json(), MAX_CONTEXT_BYTES)? {
                verdict.replace_context_json(series, context);
            }
        }
        masking.count();
        Ok(())
    }
}

impl Redact {
    /// Whether a key may be secret. Saves parsing nearly every object that has no secret: between each pair of quotes stands a key or
    /// a text. One with escapes is always parsed, since a key may be written with them.
    fn may_hold_secret(&self, json: &str) -> bool {
        if json.contains('\\') {
            return true;
        }
        json.split('"').skip(1).step_by(2).any(|text| self.is_secret(text))
    }

    fn is_secret(&self, key: &str) -> bool {
        let may_be = self.lengths & length_bit(key) != 0;
        if may_be && self.keys.iter().any(|secret| secret.eq_ignore_ascii_case(key)) {
            return true;
        }
        // Beyond ASCII a letter may take other bytes in the other case: four at most, and one at least. Of ASCII's letters none does,
        // and only the sign of the Kelvin becomes one.
        key.len() / 4 <= self.longest
            && !key.is_ascii()
            && (self.beyond_ascii || key.contains(KELVIN))
            && self.keys.contains(&key.to_lowercase())
    }
}

/// All long texts share the last bit.
fn length_bit(text: &str) -> u64 {
    1 << text.len().min(63)
}

export_validator!(Redact);

#[cfg(test)]
mod tests;
