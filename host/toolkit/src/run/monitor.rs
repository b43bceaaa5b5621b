//! Runs a monitor.

use serde_json::{Value, json};
use telemetry_core::Signal;
use telemetry_core::extension::{Monitor, PluginFailure};
use telemetry_sandbox::PluginKind;

use super::{Bench, Outcome, RunError, failure, last, numbered, wrong_step};
use crate::case::{Case, Step};
use crate::shown::{shown_events, shown_samples};

/// Shows the case to the monitor; with `restarts`, its state is handed over to a fresh instance after every step.
pub(super) fn run(bench: &Bench, case: &Case, restarts: bool) -> Result<Outcome, RunError> {
    let Some(monitor) = bench.plugin.monitor(None) else { return Ok(Outcome::of(Vec::new())) };
    let mut monitor = monitor?;
    let mut steps = Vec::new();
    for (number, step) in numbered(case) {
        let mut document = show(bench, &mut *monitor, number, step)?;
        if document.get("failure").is_some() {
            // As in a host, it goes on from its last checkpoint; here that is the beginning, whether there were others or not.
            bench.key_values.clear();
            if let Err(error) = monitor.restart(None) {
                document["restart_failure"] = failure(&error);
            }
        } else if restarts && let Err(error) = hand_over(bench, &mut *monitor) {
            document["failure"] = failure(&error);
        }
        steps.push(document);
    }
    Ok(Outcome::of(steps))
}

fn show(bench: &Bench, monitor: &mut dyn Monitor, number: usize, step: &Step) -> Result<Value, RunError> {
    let subscription = monitor.subscription().clone();
    let (mut document, answer) = match step {
        Step::Events(batch) => {
            let shown = shown_events(batch, &subscription);
            bench.at(last(batch.timestamps()).unwrap_or_default());
            let document = json!({"step": number, "events": batch.len(), "shown": shown.rows.len()});
            let none = shown.batch.is_empty();
            (document, if none { Ok(Vec::new()) } else { monitor.on_events(&shown.batch) })
        }
        Step::Samples(batch) => {
            let shown = shown_samples(batch, &subscription);
            bench.at(last(batch.timestamps()).unwrap_or_default());
            let document = json!({"step": number, "samples": batch.len(), "shown": shown.rows.len()});
            let none = shown.batch.is_empty();
            (document, if none { Ok(Vec::new()) } else { monitor.on_samples(&shown.batch) })
        }
        Step::Tick(now) => {
            bench.at(*now);
            (json!({"step": number, "tick": now}), monitor.tick(*now))
        }
        Step::Restart => {
            let document = json!({"step": number, "restart": true});
            (document, hand_over(bench, monitor).map(|()| Vec::new()))
        }
        _ => return Err(wrong_step(number, PluginKind::Monitor)),
    };
    match answer {
        Ok(signals) if matches!(step, Step::Restart) && signals.is_empty() => {}
        Ok(signals) => document["signals"] = signals.iter().map(signal).collect(),
        Err(error) => document["failure"] = failure(&error),
    }
    Ok(document)
}

/// Saves the monitor's state and what it wrote, and gives both to a fresh instance.
fn hand_over(bench: &Bench, monitor: &mut dyn Monitor) -> Result<(), PluginFailure> {
    let checkpoint = monitor.checkpoint()?;
    bench.key_values.commit(monitor.name(), &checkpoint.writes);
    monitor.committed();
    monitor.restart(checkpoint.state)
}

/// A signal as people read it.
pub(crate) fn signal(signal: &Signal) -> Value {
    serde_json::to_value(signal).unwrap_or_default()
}

/// What a restart changed, in words.
pub(super) fn breach(whole: &Outcome, restarted: &Outcome) -> Option<String> {
    let (number, (one, other)) =
        (1..).zip(whole.steps.iter().zip(&restarted.steps)).find(|(_, (one, other))| one != other)?;
    Some(format!(
        "step {number}: a monitor whose state was handed over to a fresh instance after each step finds something else; after a \
         crash it would, too. Without: {one}; with: {other}"
    ))
}
