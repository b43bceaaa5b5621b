//! Aggregates that tell which instances worked on them: each instance counts its runs of samples under a name of its own. One
//! function traps at a value, one cannot save its states, and one depends on the order of its samples.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

use bridge_telemetry_plugin::{
    Aggregate, AggregateValue, Aggregates, Aggregation, NoConfig, Plugin, PluginError, Result, Timestamp,
    counters, export_aggregation,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

struct Pieces;

impl Plugin for Pieces {
    const NAME: &'static str = "pieces";
    type Config = NoConfig;

    fn new(_: NoConfig) -> Result<Self> {
        Ok(Self)
    }
}

impl Aggregation for Pieces {
    fn aggregates(&self) -> Aggregates {
        Aggregates::of::<Counted>()
            .and::<Greatest>()
            .and::<Summed>()
            .and::<Fragile>()
            .and::<Unsaved>()
            .and::<Sequence>()
    }
}

/// Counts a run of samples; the host's random numbers tell instances apart.
fn note_run() {
    static NAME: OnceLock<String> = OnceLock::new();
    let name = NAME.get_or_init(|| format!("runs_{:016x}", RandomState::new().hash_one(0_u8)));
    counters::add(name, 1);
}

#[allow(
    clippy::cast_precision_loss,
    reason = "what is counted in memory is below 2^53, and so is what a digest is cut to"
)]
fn number(count: u64) -> AggregateValue {
    AggregateValue::Number(count as f64)
}

fn plus(sum: f64, value: f64) -> f64 {
    sum + value
}

macro_rules! aggregate {
    ($type:ident, $name:literal, $open:expr, $add:path) => {
        #[derive(Default, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        struct $type {}

        impl Aggregate for $type {
            const NAME: &'static str = $name;
            const DESCRIPTION: &'static str = $name;
            type Group = f64;

            fn open(&self) -> f64 {
                $open
            }

            fn update(&self, group: &mut f64, _: &[Timestamp], values: &[f64]) -> Result<()> {
                note_run();
                for value in values {
                    *group = $add(*group, *value);
                }
                Ok(())
            }

            fn merge(&self, group: &mut f64, other: f64) -> Result<()> {
                *group = $add(*group, other);
                Ok(())
            }

            fn evaluate(&self, group: &f64) -> Result<AggregateValue> {
                Ok(AggregateValue::Number(*group))
            }
        }
    };
}

aggregate!(Greatest, "greatest", f64::NEG_INFINITY, f64::max);
aggregate!(Summed, "summed", 0.0, plus);

/// The number of samples.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Counted {}

impl Aggregate for Counted {
    const NAME: &'static str = "counted";
    const DESCRIPTION: &'static str = "The number of samples";
    type Group = u64;

    fn open(&self) -> u64 {
        0
    }

    fn update(&self, group: &mut u64, _: &[Timestamp], values: &[f64]) -> Result<()> {
        note_run();
        *group += values.len() as u64;
        Ok(())
    }

    fn merge(&self, group: &mut u64, other: u64) -> Result<()> {
        *group += other;
        Ok(())
    }

    fn evaluate(&self, group: &u64) -> Result<AggregateValue> {
        Ok(number(*group))
    }
}

/// The number of samples, none of which may be `at`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Fragile {
    /// It traps at this value.
    at: f64,
}

impl Aggregate for Fragile {
    const NAME: &'static str = "fragile";
    const DESCRIPTION: &'static str = "The number of samples, or a trap";
    type Group = u64;

    fn open(&self) -> u64 {
        0
    }

    fn update(&self, group: &mut u64, _: &[Timestamp], values: &[f64]) -> Result<()> {
        assert!(!values.contains(&self.at), "the value that it traps at");
        *group += values.len() as u64;
        Ok(())
    }

    fn merge(&self, group: &mut u64, other: u64) -> Result<()> {
        *group += other;
        Ok(())
    }

    fn evaluate(&self, group: &u64) -> Result<AggregateValue> {
        Ok(number(*group))
    }
}

/// The number of samples, in a state that cannot be saved.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Unsaved {
    /// It traps where it would answer an error.
    traps: bool,
}

#[derive(Deserialize)]
struct Sealed {
    count: u64,
    traps: bool,
}

impl Serialize for Sealed {
    fn serialize<S: Serializer>(&self, _: S) -> std::result::Result<S::Ok, S::Error> {
        assert!(!self.traps, "it stays where it is");
        Err(serde::ser::Error::custom("it stays where it is"))
    }
}

impl Aggregate for Unsaved {
    const NAME: &'static str = "unsaved";
    const DESCRIPTION: &'static str = "The number of samples, which says that it merges and cannot be saved";
    type Group = Sealed;

    fn open(&self) -> Sealed {
        Sealed { count: 0, traps: self.traps }
    }

    fn update(&self, group: &mut Sealed, _: &[Timestamp], values: &[f64]) -> Result<()> {
        group.count += values.len() as u64;
        Ok(())
    }

    fn merge(&self, group: &mut Sealed, other: Sealed) -> Result<()> {
        group.count += other.count;
        Ok(())
    }

    fn evaluate(&self, group: &Sealed) -> Result<AggregateValue> {
        Ok(number(group.count))
    }
}

/// A number that changes with the samples and with their order.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Sequence {}

impl Aggregate for Sequence {
    const NAME: &'static str = "sequence";
    const DESCRIPTION: &'static str = "A digest of the samples in their order";
    const NEEDS_TIMESTAMPS: bool = true;
    type Group = u64;

    fn open(&self) -> u64 {
        0
    }

    fn update(&self, group: &mut u64, timestamps: &[Timestamp], values: &[f64]) -> Result<()> {
        for (timestamp, value) in timestamps.iter().zip(values) {
            let sample = timestamp.cast_unsigned() ^ value.to_bits();
            *group = group.wrapping_mul(0x0100_0000_01b3).wrapping_add(sample);
        }
        Ok(())
    }

    fn merge(&self, _: &mut u64, _: u64) -> Result<()> {
        Err(PluginError::unsupported("digests of two parts are not the digest of both"))
    }

    fn evaluate(&self, group: &u64) -> Result<AggregateValue> {
        // What a double holds exactly.
        Ok(number(group >> 11))
    }
}

export_aggregation!(Pieces);
