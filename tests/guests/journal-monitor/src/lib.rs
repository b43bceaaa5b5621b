//! A monitor that writes into its log where each call begins and where it ends, with its version and the records that the call is
//! about. In between it works for a while, so that calls which overlap are seen to.
#![cfg(target_arch = "wasm32")]

use std::hint::black_box;

use bridge_telemetry_plugin::{
    Monitor, Plugin, Result, SampleBatch, SavedState, Signal, Subscription, export_monitor, log,
};
use bridge_telemetry_zoo::version;
use schemars::JsonSchema;
use serde::Deserialize;

/// The number of the format of the saved state.
const STATE_VERSION: u32 = 1;

#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// Rounds of work in each call.
    rounds: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { rounds: 1_000_000 }
    }
}

struct Journal {
    config: Config,
    calls: u64,
}

impl Plugin for Journal {
    const NAME: &'static str = "journal-monitor";
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        Ok(Self { config, calls: 0 })
    }

    fn save(&self) -> Result<Option<SavedState>> {
        SavedState::new(STATE_VERSION, &self.calls).map(Some)
    }

    fn restore(&mut self, saved: SavedState) -> Result<()> {
        self.calls = saved.read_version(STATE_VERSION)?;
        Ok(())
    }
}

impl Monitor for Journal {
    fn subscribe(&self) -> Subscription {
        Subscription::none().metrics(["journal"])
    }

    fn on_samples(&mut self, batch: &SampleBatch) -> Result<Vec<Signal>> {
        self.calls += 1;
        let sequences: Vec<u64> = batch.samples().map(|sample| sample.sequence()).collect();
        let (first, last) = (sequences.first().unwrap_or(&0), sequences.last().unwrap_or(&0));
        let entry = |what: &str| format!("{what} {} {} {first} {last}", version(), self.calls);
        log::info(entry("begin"));
        for round in 0..self.config.rounds {
            black_box(round);
        }
        log::info(entry("end"));
        Ok(Vec::new())
    }
}

export_monitor!(Journal);
