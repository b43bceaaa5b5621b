//! Sums and means as an author would write them first (`plain_sum`, `plain_mean`), and with vectors (`vector_sum`,
//! `vector_mean`): what a custom aggregate costs beside the built-in one.

use bridge_telemetry_plugin::{
    Aggregate, AggregateValue, Aggregates, Aggregation, NoConfig, Plugin, Result, Timestamp,
    export_aggregation,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

struct Sums;

impl Plugin for Sums {
    const NAME: &'static str = "sums";
    type Config = NoConfig;

    fn new(_: NoConfig) -> Result<Self> {
        Ok(Self)
    }
}

impl Aggregation for Sums {
    fn aggregates(&self) -> Aggregates {
        Aggregates::of::<PlainSum>().and::<PlainMean>().and::<VectorSum>().and::<VectorMean>()
    }
}

/// What has been seen of a group.
#[derive(Default, Serialize, Deserialize)]
struct Seen {
    count: u64,
    sum: f64,
}

impl Seen {
    fn add(&mut self, values: &[f64], sum: f64) {
        self.count += values.len() as u64;
        self.sum += sum;
    }

    fn mean(&self) -> AggregateValue {
        #[allow(clippy::cast_precision_loss, reason = "a count of samples in memory is below 2^53")]
        (self.count > 0).then(|| self.sum / self.count as f64).into()
    }

    fn total(&self) -> AggregateValue {
        (self.count > 0).then_some(self.sum).into()
    }
}

macro_rules! aggregate {
    ($type:ident, $name:literal, $description:literal, $add:path, $evaluate:path) => {
        #[derive(Default, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        struct $type {}

        impl Aggregate for $type {
            const NAME: &'static str = $name;
            const DESCRIPTION: &'static str = $description;
            type Group = Seen;

            fn open(&self) -> Seen {
                Seen::default()
            }

            fn update(&self, group: &mut Seen, _: &[Timestamp], values: &[f64]) -> Result<()> {
                group.add(values, $add(values));
                Ok(())
            }

            fn merge(&self, group: &mut Seen, other: Seen) -> Result<()> {
                group.count += other.count;
                group.sum += other.sum;
                Ok(())
            }

            fn evaluate(&self, group: &Seen) -> Result<AggregateValue> {
                Ok($evaluate(group))
            }
        }
    };
}

aggregate!(PlainSum, "plain_sum", "The sum, one value after the other", plain, Seen::total);
aggregate!(PlainMean, "plain_mean", "The mean, one value after the other", plain, Seen::mean);
aggregate!(VectorSum, "vector_sum", "The sum, eight values at a time", vectors, Seen::total);
aggregate!(VectorMean, "vector_mean", "The mean, eight values at a time", vectors, Seen::mean);

fn plain(values: &[f64]) -> f64 {
    values.iter().sum()
}

/// Four independent vectors hide the latency of an addition.
#[cfg(target_arch = "wasm32")]
#[target_feature(enable = "simd128")]
fn vectors(values: &[f64]) -> f64 {
    use core::arch::wasm32::{f64x2, f64x2_add, f64x2_extract_lane, f64x2_splat};
    let (chunks, rest) = values.as_chunks::<8>();
    let mut sums = [f64x2_splat(0.0); 4];
    for [a, b, c, d, e, f, g, h] in chunks {
        let pairs = [f64x2(*a, *b), f64x2(*c, *d), f64x2(*e, *f), f64x2(*g, *h)];
        for (sum, pair) in sums.iter_mut().zip(pairs) {
            *sum = f64x2_add(*sum, pair);
        }
    }
    let [a, b, c, d] = sums;
    let all = f64x2_add(f64x2_add(a, b), f64x2_add(c, d));
    f64x2_extract_lane::<0>(all) + f64x2_extract_lane::<1>(all) + plain(rest)
}

/// Elsewhere the crate is only checked.
#[cfg(not(target_arch = "wasm32"))]
fn vectors(values: &[f64]) -> f64 {
    plain(values)
}

export_aggregation!(Sums);
