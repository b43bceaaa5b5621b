//! Fires while a queue is longer than its limit, each series by itself.

use std::collections::BTreeSet;

use bridge_telemetry_plugin::{
    Monitor, Plugin, Result, SampleBatch, SavedState, Signal, Subscription, export_monitor,
};
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// Longest queue that is fine.
    limit: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self { limit: 100.0 }
    }
}

struct QueueLength {
    config: Config,
    /// The series that are too long now, by their contexts.
    firing: BTreeSet<String>,
}

impl Plugin for QueueLength {
    const NAME: &'static str = "{{name}}";
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        Ok(Self { config, firing: BTreeSet::new() })
    }

    fn save(&self) -> Result<Option<SavedState>> {
        SavedState::new(1, &self.firing).map(Some)
    }

    fn restore(&mut self, saved: SavedState) -> Result<()> {
        self.firing = saved.read_version(1)?;
        Ok(())
    }
}

impl Monitor for QueueLength {
    fn subscribe(&self) -> Subscription {
        Subscription::none().metrics(["queue_length"])
    }

    fn on_samples(&mut self, batch: &SampleBatch) -> Result<Vec<Signal>> {
        let mut signals = Vec::new();
        for sample in batch.samples() {
            let Some(value) = sample.value() else { continue };
            let key = sample.series().context_json();
            if value > self.config.limit && self.firing.insert(key.to_owned()) {
                let summary = format!("a queue is longer than {}", self.config.limit);
                signals.push(Signal::firing(key, sample.timestamp(), summary).value(value));
            } else if value <= self.config.limit && self.firing.remove(key) {
                signals.push(Signal::resolved(key, sample.timestamp(), "the queue is short again"));
            }
        }
        Ok(signals)
    }
}

export_monitor!(QueueLength);
