//! `rollups`: aggregations whose states are kept per series and bucket, so that long ranges are answered from buckets.
//!
//! ```toml
//! [[rollups]]
//! aggregation = "percentile(q=0.99)"   # as a query names it: APPROX_QUANTILE, STDDEV or a plugin's
//! metrics = ["http_*"]                 # all metrics when left out
//! resolution = "1h"                    # days are kept besides
//! any_parameters = true                # its states serve every q
//! ```

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telemetry_core::aggregation::{AggregationSource, AggregationSpec, BuiltInAggregations};
use telemetry_core::limits;

use super::path::KeyPath;
use super::plugin::PluginsConfig;
use super::quantity::Period;

/// One aggregation whose states are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RollupConfig {
    /// The aggregation with its parameters, as a query names it: `APPROX_QUANTILE`, `STDDEV`, or one of a plugin that can be
    /// merged and does not depend on times. Queries with the same parameters are answered from its states.
    pub aggregation: String,
    /// Names of metrics; a trailing `*` matches a prefix. All when empty.
    #[serde(default)]
    pub metrics: Vec<String>,
    /// The length of a bucket, from `"1m"` to `"1d"`; divides a day. States of whole days are kept besides. The shorter, the
    /// more room they take, and a bucket with fewer than 64 samples has none.
    #[serde(default = "hour")]
    pub resolution: Period,
    /// Whether the states serve queries with other parameters, too. Say so where the parameters do not change what is kept,
    /// but only what is made of it, like the `q` of the shipped `percentile`.
    #[serde(default)]
    pub any_parameters: bool,
}

fn hour() -> Period {
    Period(Duration::from_secs(3600))
}

impl RollupConfig {
    /// An aggregation of all metrics, by the hour.
    pub fn new(aggregation: impl Into<String>) -> Self {
        Self {
            aggregation: aggregation.into(),
            metrics: Vec::new(),
            resolution: hour(),
            any_parameters: false,
        }
    }
}

/// What is wrong with rollups, as far as it shows without loading plugins.
pub(super) fn faults(rollups: &[RollupConfig], plugins: &PluginsConfig) -> Vec<(KeyPath, String)> {
    let path = KeyPath::of(["rollups"]);
    let mut faults = Vec::new();
    if rollups.len() > limits::MAX_STATE_ROLLUPS {
        let most = limits::MAX_STATE_ROLLUPS;
        faults.push((path.clone(), format!("there may be {most}, there are {}", rollups.len())));
    }
    for (index, rollup) in rollups.iter().enumerate() {
        let path = path.index(index);
        if let Err(reason) = check_aggregation(&rollup.aggregation, plugins) {
            faults.push((path.key("aggregation"), reason));
        }
        if !is_possible(rollup.resolution.duration()) {
            let message = "must be a minute or more, and divide a day: \"5m\", \"1h\", \"1d\"".to_owned();
            faults.push((path.key("resolution"), message));
        }
        for (place, pattern) in rollup.metrics.iter().enumerate() {
            let name = pattern.strip_suffix('*').unwrap_or(pattern);
            if pattern.is_empty() || name.contains('*') {
                let message = "must be a metric's name, or the beginning of names with a * at its end";
                faults.push((path.key("metrics").index(place), message.to_owned()));
            }
        }
        let same = |other: &&RollupConfig| {
            other.aggregation == rollup.aggregation && other.resolution == rollup.resolution
        };
        if rollups.iter().take(index).any(|other| same(&other)) {
            let message = "is there already with this resolution; name all metrics in one place";
            faults.push((path.key("aggregation"), message.to_owned()));
        }
    }
    faults
}

fn is_possible(width: Duration) -> bool {
    let day = Duration::from_secs(86_400).as_nanos();
    width >= limits::MIN_STATE_BUCKET && day.is_multiple_of(width.as_nanos())
}

fn check_aggregation(text: &str, plugins: &PluginsConfig) -> Result<(), String> {
    let spec = AggregationSpec::parse(text).map_err(|error| error.to_string())?;
    match BuiltInAggregations.find(&spec.name, &spec.parameters) {
        Some(Err(error)) => Err(error.to_string()),
        Some(Ok(function)) if function.state_identity().is_none() => Err(format!(
            "states of {} are not kept: of the built-in functions those of APPROX_QUANTILE and STDDEV are",
            function.name()
        )),
        Some(Ok(_)) => Ok(()),
        None => {
            let has_plugins = plugins.directory.is_some()
                || plugins.settings.values().any(|plugin| plugin.component.is_some());
            if has_plugins {
                return Ok(());
            }
            Err(format!(
                "no aggregation is called {}: there are no plugins, and of the built-in functions the states of \
                 APPROX_QUANTILE and STDDEV can be kept",
                spec.name
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::super::ConfigLayers;

    fn check(text: &str, expect: Expect) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("c.toml");
        std::fs::write(&path, text).unwrap();
        let shown = match ConfigLayers::new().file(&path).load() {
            Ok(config) => format!("{:?}", config.rollups),
            Err(error) => error.to_string().replace(&format!("{}/", directory.path().display()), ""),
        };
        expect.assert_eq(&shown);
    }

    #[test]
    fn only_the_aggregation_is_needed() {
        check(
            "[[rollups]]\naggregation = \"APPROX_QUANTILE\"\n",
            expect![[
                r#"[RollupConfig { aggregation: "APPROX_QUANTILE", metrics: [], resolution: Period(3600s), any_parameters: false }]"#
            ]],
        );
    }

    #[test]
    fn faults_have_their_line() {
        check(
            r#"[[rollups]]
aggregation = "APPROX_QUANTILE(q=99)"
[[rollups]]
aggregation = "P99"
resolution = "7m"
[[rollups]]
aggregation = "percentile"
metrics = ["http_*", "a*b", ""]
[[rollups]]
aggregation = "stddev("
[[rollups]]
aggregation = "STDDEV"
[[rollups]]
aggregation = "STDDEV"
metrics = ["cpu"]
"#,
            expect![[r#"
                the configuration has 8 faults:
                  c.toml:2:15: rollups[0].aggregation: Unsupported aggregation method: APPROX_QUANTILE (q must be a number from 0 to 1, such as q=0.99)
                  c.toml:4:15: rollups[1].aggregation: states of P99 are not kept: of the built-in functions those of APPROX_QUANTILE and STDDEV are
                  c.toml:5:14: rollups[1].resolution: must be a minute or more, and divide a day: "5m", "1h", "1d"
                  c.toml:7:15: rollups[2].aggregation: no aggregation is called percentile: there are no plugins, and of the built-in functions the states of APPROX_QUANTILE and STDDEV can be kept
                  c.toml:8:22: rollups[2].metrics[1]: must be a metric's name, or the beginning of names with a * at its end
                  c.toml:8:29: rollups[2].metrics[2]: must be a metric's name, or the beginning of names with a * at its end
                  c.toml:10:15: rollups[3].aggregation: "stddev(" does not name an aggregation: a parameter begins with its name
                  c.toml:14:15: rollups[5].aggregation: is there already with this resolution; name all metrics in one place"#]],
        );
    }
}
