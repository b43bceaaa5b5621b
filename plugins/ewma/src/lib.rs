//! Shipped aggregation `ewma(half_life="5m")`: an exponentially weighted moving average by time.
//!
//! The newest sample weighs 1, one that is a half-life older weighs a half, and so on; the result is the weighted mean. It is a
//! function of the samples alone: not of the order in which they come, nor of how they are split, so that parts merge.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests"))]

use bridge_telemetry_plugin::{
    Aggregate, AggregateValue, Aggregates, Aggregation, NoConfig, Period, Plugin, PluginError, Result,
    Timestamp, export_aggregation, include_schema,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

struct EwmaPlugin;

impl Plugin for EwmaPlugin {
    const NAME: &'static str = "ewma";
    type Config = NoConfig;
    const CONFIG_SCHEMA: Option<&'static str> = Some(include_schema!("../config.schema.json"));

    fn new(_: NoConfig) -> Result<Self> {
        Ok(Self)
    }
}

impl Aggregation for EwmaPlugin {
    fn aggregates(&self) -> Aggregates {
        Aggregates::of::<Ewma>()
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Ewma {
    /// After this time a sample weighs half as much.
    half_life: Period,
}

impl Default for Ewma {
    fn default() -> Self {
        Self { half_life: Period::from_seconds(300) }
    }
}

/// Sums as of `newest`.
#[derive(Serialize, Deserialize)]
struct Weighted {
    half_life: i64,
    newest: Timestamp,
    sum: f64,
    weight: f64,
}

impl Weighted {
    fn add(&mut self, timestamp: Timestamp, sum: f64, weight: f64) {
        let age = timestamp.saturating_sub(self.newest) as f64 / self.half_life as f64;
        let factor = (-age.abs()).exp2();
        if timestamp > self.newest {
            (self.sum, self.weight) = (self.sum * factor + sum, self.weight * factor + weight);
            self.newest = timestamp;
        } else {
            self.sum += sum * factor;
            self.weight += weight * factor;
        }
    }
}

impl Aggregate for Ewma {
    const PARAMETERS_SCHEMA: Option<&'static str> = Some(include_schema!("../parameters.schema.json"));
    const NAME: &'static str = "ewma";
    const DESCRIPTION: &'static str =
        "Mean in which a sample's weight halves with every half_life (default 5m) of age";
    const NEEDS_TIMESTAMPS: bool = true;
    type Group = Weighted;

    fn prepare(self) -> Result<Self> {
        if self.half_life.is_zero() {
            return Err(PluginError::unsupported("half_life must be longer than nothing, such as \"5m\""));
        }
        Ok(self)
    }

    fn open(&self) -> Weighted {
        Weighted { half_life: self.half_life.as_nanos(), newest: Timestamp::MIN, sum: 0.0, weight: 0.0 }
    }

    fn update(&self, group: &mut Weighted, timestamps: &[Timestamp], values: &[f64]) -> Result<()> {
        let samples = timestamps.iter().zip(values).filter(|(_, value)| value.is_finite());
        samples.for_each(|(timestamp, value)| group.add(*timestamp, *value, 1.0));
        Ok(())
    }

    fn merge(&self, group: &mut Weighted, other: Weighted) -> Result<()> {
        if group.half_life != other.half_life {
            return Err(PluginError::unsupported("a state saved with another half_life"));
        }
        group.add(other.newest, other.sum, other.weight);
        Ok(())
    }

    fn evaluate(&self, group: &Weighted) -> Result<AggregateValue> {
        Ok((group.weight > 0.0).then(|| group.sum / group.weight).into())
    }
}

export_aggregation!(EwmaPlugin);

#[cfg(test)]
mod tests {
    use super::*;
    use bridge_telemetry_plugin::{Accumulator, Runs, testing};

    const SECOND: i64 = 1_000_000_000;

    fn accumulator(parameters: &str) -> Box<dyn Accumulator> {
        EwmaPlugin.aggregates().open("ewma", parameters).unwrap()
    }

    fn number(accumulator: &dyn Accumulator) -> f64 {
        match accumulator.evaluate().unwrap()[0] {
            AggregateValue::Number(number) => number,
            ref other => panic!("{other:?}"),
        }
    }

    #[test]
    fn weight_halves_with_every_half_life() {
        for parameters in ["{\"half_life\":10}", "{\"half_life\":\"10s\"}"] {
            let mut ewma = accumulator(parameters);
            ewma.update(Runs::new(&[0], &[2], &[0, 10 * SECOND], &[0.0, 3.0]).unwrap()).unwrap();
            assert!((number(&*ewma) - 2.0).abs() < 1e-12, "(0 · ½ + 3 · 1) / 1½");
        }
    }

    #[test]
    fn neither_order_nor_split_matters() {
        let times: Vec<i64> = (0..90).map(|n| n * n * SECOND).collect();
        let values: Vec<f64> = (0..90).map(|n| f64::from(n % 7)).collect();
        let mut whole = accumulator("");
        whole.update(Runs::new(&[0], &[90], &times, &values).unwrap()).unwrap();
        let mut merged = accumulator("");
        for part in [60..90, 0..30, 30..60] {
            let mut one = accumulator("");
            one.update(Runs::new(&[0], &[30], &times[part.clone()], &values[part]).unwrap()).unwrap();
            merged.merge(one.save().unwrap(), &[0]).unwrap();
        }
        assert!((number(&*merged) - number(&*whole)).abs() < 1e-9);
    }

    #[test]
    fn refuses_what_cannot_be_answered() {
        assert!(EwmaPlugin.aggregates().open("ewma", "{\"half_life\":0}").is_err());
        assert!(accumulator("").update(Runs::new(&[0], &[1], &[], &[1.0]).unwrap()).is_err(), "no times");
        let mut short = accumulator("{\"half_life\":1}");
        short.update(Runs::new(&[0], &[1], &[1], &[1.0]).unwrap()).unwrap();
        assert!(accumulator("").merge(short.save().unwrap(), &[0]).is_err(), "another half-life");
        let mut empty = accumulator("");
        empty.update(Runs::new(&[0], &[0], &[], &[]).unwrap()).unwrap();
        empty.merge(empty.save().unwrap(), &[0]).unwrap();
        assert_eq!(empty.evaluate().unwrap(), [AggregateValue::None]);
    }

    #[test]
    fn schemas_are_current() {
        testing::schema::check_config::<EwmaPlugin>(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/config.schema.json"
        ));
        testing::schema::check_parameters::<Ewma>(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/parameters.schema.json"
        ));
    }
}
