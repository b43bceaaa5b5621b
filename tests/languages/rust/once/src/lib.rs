//! Takes each alert once while it fires, and says at its end what it was told.

use std::time::Duration;

use bridge_telemetry_plugin::{Alert, NoConfig, Outcome, Plugin, Result, Sink, export_sink, key_value};

struct Once;

impl Plugin for Once {
    const NAME: &'static str = "once";
    type Config = NoConfig;

    fn new(_: NoConfig) -> Result<Self> {
        Ok(Self)
    }
}

impl Sink for Once {
    fn deliver(&mut self, alert: &Alert, _: Duration) -> Result<Outcome> {
        Ok(take(alert).unwrap_or_else(|error| Outcome::rejected(error.message())))
    }
}

fn take(alert: &Alert) -> Result<Outcome> {
    let key = format!("told:{}", alert.key);
    let told = key_value::get(&key)?;
    if alert.is_firing() {
        if told.is_some() {
            return Ok(Outcome::Duplicate);
        }
        key_value::put(&key, alert.summary.as_bytes())?;
        return Ok(Outcome::delivered());
    }
    let Some(told) = told else { return Ok(Outcome::rejected("nobody was told")) };
    key_value::delete(&key)?;
    Ok(Outcome::Delivered(Some(String::from_utf8_lossy(&told).into_owned())))
}

export_sink!(Once);
