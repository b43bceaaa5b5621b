//! Shipped aggregation `percentile(q=0.99)`: a quantile within 1 % of the true value, from a DDSketch.
//!
//! Sketches of parts merge without loss, so the host may split the work and keep sketches as rollups. The kept state does not
//! depend on `q`: one rollup answers every quantile.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests"))]

use bridge_telemetry_plugin::{
    Aggregate, AggregateValue, Aggregates, Aggregation, NoConfig, Plugin, PluginError, Result, Timestamp,
    export_aggregation, include_schema,
};
use schemars::JsonSchema;
use serde::Deserialize;
use sketches_ddsketch::{Config, DDSketch};

/// Largest error of an answer, relative to the true quantile.
const RELATIVE_ERROR: f64 = 0.01;
/// Most buckets of a sketch for each sign: with 1 % they span 17 decades, far more than one metric does. Beyond that the values
/// nearest to zero lose accuracy.
const MAX_BUCKETS: u32 = 2048;
/// Values nearer to zero than this count as zero.
const SMALLEST_VALUE: f64 = 1e-9;

struct PercentilePlugin;

impl Plugin for PercentilePlugin {
    const NAME: &'static str = "percentile";
    type Config = NoConfig;
    const CONFIG_SCHEMA: Option<&'static str> = Some(include_schema!("../config.schema.json"));

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
    /// Which quantile: 0 is the minimum, 0.5 the median, 1 the maximum.
    #[schemars(range(min = 0.0, max = 1.0))]
    q: f64,
}

impl Default for Percentile {
    fn default() -> Self {
        Self { q: 0.99 }
    }
}

impl Aggregate for Percentile {
    const PARAMETERS_SCHEMA: Option<&'static str> = Some(include_schema!("../parameters.schema.json"));
    const NAME: &'static str = "percentile";
    const DESCRIPTION: &'static str =
        "Quantile q (default 0.99) within 1 % of the true value, from a mergeable sketch";
    type Group = DDSketch;

    fn prepare(self) -> Result<Self> {
        if (0.0..=1.0).contains(&self.q) {
            return Ok(self);
        }
        Err(PluginError::unsupported("q must lie between 0 and 1; for the 99th percentile write q=0.99"))
    }

    fn open(&self) -> DDSketch {
        DDSketch::new(Config::new(RELATIVE_ERROR, MAX_BUCKETS, SMALLEST_VALUE))
    }

    fn update(&self, group: &mut DDSketch, _: &[Timestamp], values: &[f64]) -> Result<()> {
        values.iter().filter(|value| value.is_finite()).for_each(|value| group.add(*value));
        Ok(())
    }

    fn merge(&self, group: &mut DDSketch, other: DDSketch) -> Result<()> {
        group.merge(&other).map_err(|error| PluginError::other(error.to_string()))
    }

    fn evaluate(&self, group: &DDSketch) -> Result<AggregateValue> {
        let quantile = group.quantile(self.q).map_err(|error| PluginError::other(error.to_string()))?;
        // A bucket's middle may lie beyond all samples.
        let bounded = |quantile: f64| Some(quantile.max(group.min()?).min(group.max()?));
        Ok(quantile.and_then(bounded).into())
    }
}

export_aggregation!(PercentilePlugin);

#[cfg(test)]
mod tests {
    use super::*;
    use bridge_telemetry_plugin::{Accumulator, Runs, testing};

    fn accumulator(parameters: &str) -> Box<dyn Accumulator> {
        PercentilePlugin.aggregates().open("percentile", parameters).unwrap()
    }

    fn number(accumulator: &dyn Accumulator) -> f64 {
        match accumulator.evaluate().unwrap()[0] {
            AggregateValue::Number(number) => number,
            ref other => panic!("{other:?}"),
        }
    }

    #[test]
    fn answers_within_its_error() {
        let values: Vec<f64> = (1..=10_000).map(f64::from).collect();
        for (q, truth) in [(0.0, 1.0), (0.5, 5_000.0), (0.99, 9_900.0), (1.0, 10_000.0)] {
            let mut all = accumulator(&format!("{{\"q\":{q}}}"));
            all.update(Runs::new(&[0], &[10_000], &[], &values).unwrap()).unwrap();
            assert!((number(&*all) / truth - 1.0).abs() <= 0.011, "q {q}: {}", number(&*all));
        }
    }

    #[test]
    fn parts_merge_to_the_whole_whatever_their_q() {
        let values: Vec<f64> = (0..999).map(|n| f64::from(n % 37) - 18.0).collect();
        let mut whole = accumulator("{\"q\":0.9}");
        whole.update(Runs::new(&[0], &[999], &[], &values).unwrap()).unwrap();
        let mut merged = accumulator("{\"q\":0.9}");
        for part in values.chunks(333) {
            let mut accumulator = accumulator("");
            accumulator.update(Runs::new(&[0], &[333], &[], part).unwrap()).unwrap();
            merged.merge(accumulator.save().unwrap(), &[0]).unwrap();
        }
        assert_eq!(number(&*merged), number(&*whole));
    }

    #[test]
    fn nothing_is_none_and_a_wrong_q_is_refused() {
        let mut empty = accumulator("");
        empty.update(Runs::new(&[0], &[2], &[], &[f64::NAN, f64::INFINITY]).unwrap()).unwrap();
        empty.merge(accumulator("").save().unwrap(), &[]).unwrap();
        assert_eq!(empty.evaluate().unwrap(), [AggregateValue::None]);
        assert!(PercentilePlugin.aggregates().open("percentile", "{\"q\":99}").is_err());
    }

    #[test]
    fn schemas_are_current() {
        testing::schema::check_config::<PercentilePlugin>(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/config.schema.json"
        ));
        testing::schema::check_parameters::<Percentile>(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/parameters.schema.json"
        ));
    }
}
