//! A sink that tells a far side of all that it does, in the order in which it does it: the beginning, some steps and the end of each
//! call, with its version. The number of its calls is its state, the number of its starts in its key-value space.
#![cfg(target_arch = "wasm32")]

use std::time::Duration;

use bridge_telemetry_plugin::http::Request;
use bridge_telemetry_plugin::{Alert, Outcome, Plugin, Result, SavedState, Sink, export_sink, key_value};
use bridge_telemetry_zoo::version;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The number of the format of the saved state.
const STATE_VERSION: u32 = 1;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Where to tell it.
    url: String,
    /// What is told between the beginning and the end of a call: how long a call takes.
    #[serde(default)]
    steps: u32,
}

struct Journal {
    config: Config,
    starts: u64,
    calls: u64,
}

/// What the far side is told.
#[derive(Serialize)]
struct Entry<'a> {
    what: &'a str,
    version: u32,
    starts: u64,
    calls: u64,
    keys: &'a [&'a str],
}

impl Journal {
    fn tell(&self, what: &str, keys: &[&str]) -> Result<()> {
        let entry = Entry { what, version: version(), starts: self.starts, calls: self.calls, keys };
        Request::post(&self.config.url).json(&entry).send()?;
        Ok(())
    }
}

impl Plugin for Journal {
    const NAME: &'static str = "journal-sink";
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        let starts = key_value::load::<u64>("starts")?.unwrap_or_default() + 1;
        key_value::store("starts", &starts)?;
        Ok(Self { config, starts, calls: 0 })
    }

    fn save(&self) -> Result<Option<SavedState>> {
        SavedState::new(STATE_VERSION, &self.calls).map(Some)
    }

    fn restore(&mut self, saved: SavedState) -> Result<()> {
        self.calls = saved.read_version(STATE_VERSION)?;
        Ok(())
    }
}

impl Sink for Journal {
    fn deliver(&mut self, alert: &Alert, deadline: Duration) -> Result<Outcome> {
        Ok(self.deliver_all(std::slice::from_ref(alert), deadline)?.remove(0))
    }

    fn deliver_all(&mut self, alerts: &[Alert], _: Duration) -> Result<Vec<Outcome>> {
        self.calls += 1;
        let keys: Vec<&str> = alerts.iter().map(|alert| &*alert.idempotency_key).collect();
        self.tell("begin", &keys)?;
        for _ in 0..self.config.steps {
            self.tell("step", &keys)?;
        }
        self.tell("end", &keys)?;
        Ok(vec![Outcome::delivered(); alerts.len()])
    }
}

export_sink!(Journal);
