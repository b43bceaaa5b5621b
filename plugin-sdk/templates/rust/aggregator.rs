//! Adds `{{function}}(factor=1)` to queries: the distance from the least to the greatest sample.

use bridge_telemetry_plugin::{
    Aggregate, AggregateValue, Aggregates, Aggregation, NoConfig, Plugin, Result, Timestamp, export_aggregation,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

struct SpreadPlugin;

impl Plugin for SpreadPlugin {
    const NAME: &'static str = "{{name}}";
    type Config = NoConfig;

    fn new(_: NoConfig) -> Result<Self> {
        Ok(Self)
    }
}

impl Aggregation for SpreadPlugin {
    fn aggregates(&self) -> Aggregates {
        Aggregates::of::<Spread>()
    }
}

/// The parameters of a query.
#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Spread {
    /// What the distance is multiplied by.
    factor: f64,
}

impl Default for Spread {
    fn default() -> Self {
        Self { factor: 1.0 }
    }
}

/// The running state of one group of samples: the least and the greatest so far.
#[derive(Serialize, Deserialize)]
struct Group(Option<(f64, f64)>);

impl Aggregate for Spread {
    const NAME: &'static str = "{{function}}";
    const DESCRIPTION: &'static str = "Distance from the least to the greatest sample, times factor (default 1)";
    type Group = Group;

    fn open(&self) -> Group {
        Group(None)
    }

    fn update(&self, group: &mut Group, _: &[Timestamp], values: &[f64]) -> Result<()> {
        for value in values {
            let (least, greatest) = group.0.unwrap_or((*value, *value));
            group.0 = Some((least.min(*value), greatest.max(*value)));
        }
        Ok(())
    }

    fn merge(&self, group: &mut Group, other: Group) -> Result<()> {
        let Some((least, greatest)) = other.0 else { return Ok(()) };
        self.update(group, &[], &[least, greatest])
    }

    fn evaluate(&self, group: &Group) -> Result<AggregateValue> {
        Ok(group.0.map(|(least, greatest)| (greatest - least) * self.factor).into())
    }
}

export_aggregation!(SpreadPlugin);
