//! Quantile q (default 0.99) within 1 % of the true value, from a mergeable sketch.

use std::collections::BTreeMap;

use bridge_telemetry_plugin::{
    Aggregate, AggregateValue, Aggregates, Aggregation, NoConfig, Plugin, PluginError, Result, Timestamp,
    export_aggregation,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Values of one bucket are within 1 % of its middle: bucket k of a sign holds GAMMA^(k-1) < |value| <= GAMMA^k.
const GAMMA: f64 = 1.01 / 0.99;

struct PercentilePlugin;

impl Plugin for PercentilePlugin {
    const NAME: &'static str = "percentile";
    type Config = NoConfig;

    fn new(_: NoConfig) -> Result<Self> {
        Ok(Self)
    }
}

impl Aggregation for PercentilePlugin {
    fn aggregates(&self) -> Aggregates {
        Aggregates::of::<Percentile>()
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Percentile {
    /// Which quantile: 0 is the minimum, 1 the maximum.
    q: f64,
}

impl Default for Percentile {
    fn default() -> Self {
        Self { q: 0.99 }
    }
}

/// Counts by sign and k; negative values have negative ks, so that the order is the values'.
#[derive(Default, Serialize, Deserialize)]
struct Sketch(BTreeMap<(i8, i32), u64>);

impl Aggregate for Percentile {
    const NAME: &'static str = "percentile";
    const DESCRIPTION: &'static str =
        "Quantile q (default 0.99) within 1 % of the true value, from a mergeable sketch";
    type Group = Sketch;

    fn prepare(self) -> Result<Self> {
        if (0.0..=1.0).contains(&self.q) {
            return Ok(self);
        }
        Err(PluginError::unsupported("q must lie between 0 and 1; for the 99th percentile write q=0.99"))
    }

    fn open(&self) -> Sketch {
        Sketch::default()
    }

    fn update(&self, group: &mut Sketch, _: &[Timestamp], values: &[f64]) -> Result<()> {
        let log_gamma = GAMMA.ln();
        for value in values {
            let k = (value.abs().ln() / log_gamma).ceil() as i32;
            let bucket = match value {
                positive if *positive > 0.0 => (1, k),
                negative if *negative < 0.0 => (-1, -k),
                _ => (0, 0),
            };
            *group.0.entry(bucket).or_default() += 1;
        }
        Ok(())
    }

    fn merge(&self, group: &mut Sketch, other: Sketch) -> Result<()> {
        for (bucket, count) in other.0 {
            *group.0.entry(bucket).or_default() += count;
        }
        Ok(())
    }

    fn evaluate(&self, group: &Sketch) -> Result<AggregateValue> {
        let rank = self.q * (group.0.values().sum::<u64>() as f64 - 1.0);
        let mut seen = 0;
        for ((sign, k), count) in &group.0 {
            seen += count;
            if seen as f64 > rank {
                let (sign, k) = (f64::from(*sign), f64::from(*k));
                return Ok(AggregateValue::Number(sign * 2.0 * (GAMMA.ln() * sign * k).exp() / (GAMMA + 1.0)));
            }
        }
        Ok(AggregateValue::None)
    }
}

export_aggregation!(PercentilePlugin);
