//! `plugin enable`, `plugin disable` and `plugin remove`.

use bridge_telemetry::plugins::package;
use bridge_telemetry::{Clock, SystemClock};
use serde_json::{Map, Value, json};

use super::{Effect, failure, report_change};
use crate::arguments::{Named, Shared};
use crate::exit::{Exit, Failure};
use crate::settings;

pub(super) fn enable(arguments: &Named, shared: &Shared) -> Result<Exit, Failure> {
    let config = settings::config(shared)?;
    let changed = package::enable(&config.plugins, &arguments.name).map_err(failure)?;
    report(shared, &arguments.name, changed, ("enabled", Effect::of_gain(&config.plugins)))
}

pub(super) fn disable(arguments: &Named, shared: &Shared) -> Result<Exit, Failure> {
    let config = settings::config(shared)?;
    let changed = package::disable(&config.plugins, &arguments.name).map_err(failure)?;
    report(shared, &arguments.name, changed, ("disabled", Effect::of_loss(&config.plugins)))
}

pub(super) fn remove(arguments: &Named, shared: &Shared) -> Result<Exit, Failure> {
    let config = settings::config(shared)?;
    let now = SystemClock::default().now();
    package::remove(&config.plugins, &arguments.name, now).map_err(failure)?;
    report(shared, &arguments.name, true, ("removed", Effect::of_loss(&config.plugins)))
}

fn report(
    shared: &Shared,
    name: &str,
    changed: bool,
    (what, effect): (&str, Effect),
) -> Result<Exit, Failure> {
    let told = if changed { format!("{name} is {what}") } else { format!("{name} was {what} already") };
    let body: Map<String, Value> =
        [("name", json!(name)), ("changed", json!(changed)), ("state", json!(what))]
            .map(|(key, value)| (key.to_owned(), value))
            .into_iter()
            .collect();
    report_change(shared, &[told], body, effect)
}
