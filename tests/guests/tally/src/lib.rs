//! A monitor that tells exactly which samples it saw, how often and in which order: in its state, in its key-value space, in
//! its counters and by its signals. Told to, it traps at random: in the middle of a batch, and while it saves its state.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};

use bridge_telemetry_plugin::{
    Monitor, Plugin, Result, SampleBatch, SavedState, Signal, Subscription, counters, export_monitor,
    key_value, log,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The number of the format of the saved state.
const STATE_VERSION: u32 = 7;

#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// It traps at one sample of so many, and at one saving of a tenth as many; never: 0.
    trap_one_in: u64,
    /// The metrics that it counts.
    metrics: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self { trap_one_in: 0, metrics: vec!["tally*".to_owned()] }
    }
}

struct Tally {
    config: Config,
    seen: BTreeMap<String, Seen>,
}

/// What it saw of one metric.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Seen {
    count: u64,
    /// Changes with every sample and with their order.
    digest: u64,
    firing: bool,
}

impl Plugin for Tally {
    const NAME: &'static str = "tally";
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        Ok(Self { config, seen: BTreeMap::new() })
    }

    fn save(&self) -> Result<Option<SavedState>> {
        trap_at_random(self.config.trap_one_in / 10);
        SavedState::new(STATE_VERSION, &self.seen).map(Some)
    }

    fn restore(&mut self, saved: SavedState) -> Result<()> {
        self.seen = saved.read_version(STATE_VERSION)?;
        Ok(())
    }
}

impl Monitor for Tally {
    fn subscribe(&self) -> Subscription {
        Subscription::none().metrics(self.config.metrics.clone())
    }

    fn on_samples(&mut self, batch: &SampleBatch) -> Result<Vec<Signal>> {
        let mut signals = Vec::new();
        for sample in batch.samples() {
            let Some(value) = sample.value() else {
                counters::add("texts", 1);
                continue;
            };
            let name = sample.series().name();
            let seen = self.seen.entry(name.to_owned()).or_default();
            seen.count += 1;
            seen.digest = seen.digest.wrapping_mul(0x0100_0000_01b3).wrapping_add(value.to_bits());
            counters::add("seen", 1);
            key_value::put(&format!("count:{name}"), seen.count.to_string().as_bytes())?;
            key_value::put(&format!("digest:{name}"), seen.digest.to_string().as_bytes())?;
            // Half changed: only a new start mends that.
            trap_at_random(self.config.trap_one_in);
            // The last digit decides: from 5 on it fires.
            let fires = value.rem_euclid(10.0) >= 5.0;
            if fires {
                signals.push(
                    Signal::firing(name, sample.timestamp(), format!("{name} is {value}"))
                        .label("name", name),
                );
            } else if seen.firing {
                let signal = Signal::resolved(name, sample.timestamp(), format!("{name} is {value}"));
                signals.push(signal.label("name", name));
            }
            seen.firing = fires;
        }
        log::debug(format!("saw {} samples", batch.samples().count()));
        Ok(signals)
    }
}

fn trap_at_random(one_in: u64) {
    // The host's random numbers: the hasher's keys are new each time.
    let random = RandomState::new().hash_one(0_u8);
    assert!(one_in == 0 || !random.is_multiple_of(one_in), "bad luck");
}

export_monitor!(Tally);
