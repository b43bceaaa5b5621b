//! What the operator configures: rules, checked when the plugin starts.

use std::collections::BTreeMap;

use bridge_telemetry_plugin::{Period, PluginError, Result, Severity, number};
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// What to watch.
    #[serde(default)]
    pub(crate) rules: Vec<Rule>,
    /// A series that has had no sample for this long resolves.
    #[serde(default = "default_stale_after")]
    pub(crate) stale_after: Period,
    /// Most series that are beyond a threshold at one time; further ones are counted as `series_ignored` and not watched.
    #[serde(default = "default_max_series")]
    pub(crate) max_series: usize,
}

fn default_stale_after() -> Period {
    Period::from_seconds(3600)
}

fn default_max_series() -> usize {
    10_000
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    /// Stands in the alert's key and in its label `rule`. Unless given: metric, comparison and threshold.
    #[serde(default)]
    pub(crate) name: String,
    /// The metric; a trailing `*` matches a prefix.
    #[schemars(length(min = 1))]
    pub(crate) metric: String,
    /// How a value is compared with the threshold.
    pub(crate) comparison: Comparison,
    /// The value from which on it is beyond.
    pub(crate) threshold: f64,
    /// The value at which a firing series resolves: on the good side of the threshold. Unless given: the threshold.
    #[serde(default)]
    clear: Option<f64>,
    /// How long all samples must have been beyond the threshold before it fires.
    #[serde(default, rename = "for")]
    pub(crate) hold: Period,
    /// How bad it is.
    #[serde(default)]
    pub(crate) severity: Severity,
    /// Labels for the alert, besides `rule`, `metric` and the series' context.
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
pub(crate) enum Comparison {
    #[serde(rename = ">")]
    Above,
    #[serde(rename = ">=")]
    AtLeast,
    #[serde(rename = "<")]
    Below,
    #[serde(rename = "<=")]
    AtMost,
}

impl Comparison {
    pub(crate) fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Self::Above => value > limit,
            Self::AtLeast => value >= limit,
            Self::Below => value < limit,
            Self::AtMost => value <= limit,
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Above => ">",
            Self::AtLeast => ">=",
            Self::Below => "<",
            Self::AtMost => "<=",
        }
    }
}

impl Rule {
    pub(crate) fn watches(&self, metric: &str) -> bool {
        match self.metric.strip_suffix('*') {
            Some(prefix) => metric.starts_with(prefix),
            None => metric == self.metric,
        }
    }

    pub(crate) fn is_beyond(&self, value: f64) -> bool {
        self.comparison.holds(value, self.threshold)
    }

    /// Where it resolves.
    pub(crate) fn clear(&self) -> f64 {
        self.clear.unwrap_or(self.threshold)
    }

    pub(crate) fn is_clear(&self, value: f64) -> bool {
        !self.comparison.holds(value, self.clear())
    }
}

/// Gives every rule a name of its own and refuses what cannot work.
pub(crate) fn checked(mut rules: Vec<Rule>) -> Result<Vec<Rule>> {
    let mut names = Vec::new();
    for (index, rule) in rules.iter_mut().enumerate() {
        let fault = |what: &str| Err(PluginError::InvalidConfig(format!("rules[{index}].{what}")));
        if rule.name.is_empty() {
            rule.name =
                format!("{} {} {}", rule.metric, rule.comparison.as_str(), number::text(rule.threshold));
        }
        if names.contains(&rule.name) {
            return fault("name is taken by a rule before it");
        }
        let clear = rule.clear();
        let on_good_side = match rule.comparison {
            Comparison::Above | Comparison::AtLeast => clear <= rule.threshold,
            Comparison::Below | Comparison::AtMost => clear >= rule.threshold,
        };
        if !on_good_side {
            return fault("clear lies beyond the threshold: a firing series could never resolve");
        }
        names.push(rule.name.clone());
    }
    Ok(rules)
}
