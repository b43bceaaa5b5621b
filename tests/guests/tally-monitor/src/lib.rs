//! Monitor of the crash tests: counts what it sees, and raises a signal at every event `GIVEN` that asks for one.
//!
//! Its state is text that the tests read: samples, the sum of their values, events, signals. The count of samples is in its
//! key-value space too, so that both can be held against each other.

use bridge_telemetry_plugin::{
    EventBatch, Monitor, NoConfig, Plugin, PluginError, Result, SampleBatch, SavedState, Signal,
    Subscription, export_monitor, key_value,
};
use serde::Deserialize;

#[derive(Default)]
struct Tally {
    samples: u64,
    sum: u64,
    events: u64,
    signals: u64,
}

/// What the data of an event `GIVEN` may ask for.
#[derive(Deserialize)]
struct Given {
    /// The alert's key; no signal without it.
    key: Option<String>,
    #[serde(default)]
    firing: bool,
}

impl Plugin for Tally {
    const NAME: &'static str = "tally-monitor";
    type Config = NoConfig;

    fn new(_: NoConfig) -> Result<Self> {
        Ok(Self::default())
    }

    fn save(&self) -> Result<Option<SavedState>> {
        let Self { samples, sum, events, signals } = self;
        Ok(Some(SavedState::from_bytes(1, format!("{samples} {sum} {events} {signals}").into_bytes())))
    }

    fn restore(&mut self, saved: SavedState) -> Result<()> {
        let text =
            std::str::from_utf8(saved.bytes()).map_err(|error| PluginError::other(error.to_string()))?;
        let numbers: Vec<u64> = text.split(' ').filter_map(|number| number.parse().ok()).collect();
        let [samples, sum, events, signals] = numbers[..] else {
            return Err(PluginError::other("not a state of this monitor"));
        };
        *self = Self { samples, sum, events, signals };
        Ok(())
    }
}

impl Monitor for Tally {
    fn subscribe(&self) -> Subscription {
        Subscription::none().event_types(["GIVEN", "MADE"]).metrics(["batch"])
    }

    fn on_events(&mut self, batch: &EventBatch) -> Result<Vec<Signal>> {
        let mut signals = Vec::new();
        for event in batch.events() {
            self.events += 1;
            let Given { key: Some(key), firing } = event.data_as()? else { continue };
            self.signals += 1;
            let make = if firing { Signal::firing } else { Signal::resolved };
            signals.push(make(key, event.timestamp(), "asked for".to_owned()));
        }
        Ok(signals)
    }

    fn on_samples(&mut self, batch: &SampleBatch) -> Result<Vec<Signal>> {
        for sample in batch.samples() {
            self.samples += 1;
            self.sum += sample.value().unwrap_or_default() as u64;
        }
        key_value::put("samples", self.samples.to_string().as_bytes())?;
        Ok(Vec::new())
    }
}

export_monitor!(Tally);
