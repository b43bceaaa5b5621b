//! Enters one export of a plugin once.

use std::time::Duration;

use serde_json::Map;
use telemetry_core::Timestamp;
use telemetry_core::aggregation::{Accumulator, AggregationError, SampleRun};
use telemetry_core::extension::{FailureReason, Monitor, PluginFailure, SavedState};
use telemetry_sandbox::{LoadError, Plugin, PluginKind, PluginSpec, Sandbox};

use crate::fixture::{events, sample};
use crate::sink::alert;

/// The interface's main export: where attacks through imports are made.
pub(super) const fn main_export(kind: PluginKind) -> &'static str {
    match kind {
        PluginKind::Validator => "validate-events",
        PluginKind::Aggregator => "update",
        PluginKind::Monitor => "on-events",
        PluginKind::Sink => "deliver",
    }
}

/// Whether loading alone enters the export.
pub(super) fn is_entered_by_loading(export: &str) -> bool {
    matches!(export, "describe" | "init" | "subscribe" | "aggregates")
}

/// A state like those that the guests hand over.
fn state() -> SavedState {
    SavedState { version: 1, bytes: vec![7; 8] }
}

/// Enters `export` of a loaded plugin, which was made of `spec`, as often as said.
pub(super) fn provoke(
    sandbox: &Sandbox,
    spec: &PluginSpec,
    plugin: &Plugin,
    export: &str,
    times: usize,
) -> Result<(), PluginFailure> {
    if is_entered_by_loading(export) {
        return Ok(());
    }
    if plugin.info().kind == PluginKind::Monitor && export != "init-restored" {
        let mut monitor = plugin.monitor(None).unwrap()?;
        return (0..times).try_for_each(|_| watch(&mut *monitor, export));
    }
    (0..times).try_for_each(|_| enter(sandbox, spec, plugin, export))
}

fn enter(sandbox: &Sandbox, spec: &PluginSpec, plugin: &Plugin, export: &str) -> Result<(), PluginFailure> {
    match (plugin.info().kind, export) {
        (PluginKind::Monitor, "init-restored") => plugin.monitor(Some(state())).unwrap().map(drop),
        (_, "init-restored") => {
            let loaded = sandbox.prepare(spec.clone()).unwrap().succeed(plugin, Some(state()));
            match loaded {
                Ok(_) => Ok(()),
                Err(LoadError::Start(failure)) => Err(failure),
                Err(other) => panic!("{other}"),
            }
        }
        (_, "snapshot") => plugin.snapshot().map(drop),
        (PluginKind::Validator, "validate-events") => {
            plugin.validator().unwrap().validate_events(&events(&["harmless", "harmless"])).map(drop)
        }
        (PluginKind::Validator, "validate-samples") => {
            plugin.validator().unwrap().validate_samples(&sample("m", 1.0)).map(drop)
        }
        (PluginKind::Aggregator, _) => aggregate(plugin, export),
        (PluginKind::Sink, "deliver") => {
            let mut sink = plugin.sink().unwrap();
            sink.deliver(&[alert("anything")], Duration::from_millis(1)).map(drop)
        }
        (kind, export) => panic!("nobody knows how to enter {export} of a {kind}"),
    }
}

fn watch(monitor: &mut dyn Monitor, export: &str) -> Result<(), PluginFailure> {
    match export {
        "on-events" => monitor.on_events(&events(&["ATTACK_x"])).map(drop),
        "on-samples" => monitor.on_samples(&sample("m", 1.0)).map(drop),
        "tick" => monitor.tick(Timestamp::from_millis(5)).map(drop),
        "snapshot" => monitor.checkpoint().map(drop),
        export => panic!("nobody knows how to enter {export} of a monitor"),
    }
}

fn aggregate(plugin: &Plugin, export: &str) -> Result<(), PluginFailure> {
    let function = plugin.aggregations().unwrap().find("good_sum", &Map::new()).unwrap().unwrap();
    let run = SampleRun { group: 0, timestamps: &[], values: &[1.0, 2.0] };
    let saved = SavedState { version: 1, bytes: 1.5_f64.to_le_bytes().to_vec() };
    let entered = |accumulator: &mut dyn Accumulator| {
        accumulator.update(&[run])?;
        match export {
            "create" | "update" | "drop" => Ok(()),
            "merge" => accumulator.merge(&saved, &[0]),
            "save" => accumulator.save().map(drop),
            "evaluate" => accumulator.evaluate().map(drop),
            export => panic!("nobody knows how to enter {export} of an aggregator"),
        }
    };
    let before = plugin.status();
    let answer = function.accumulator().and_then(|mut accumulator| entered(&mut *accumulator));
    match answer {
        // The end of an accumulator answers nobody: what befell it shows in the plugin's status.
        Ok(()) => match last_failure(&before.failures_by_kind, plugin) {
            Some(reason) => Err(PluginFailure { plugin: plugin.name().to_owned(), reason }),
            None => Ok(()),
        },
        Err(AggregationError::Plugin(failure)) => Err(failure),
        Err(other) => panic!("{other}"),
    }
}

fn last_failure(
    before: &std::collections::BTreeMap<&'static str, u64>,
    plugin: &Plugin,
) -> Option<FailureReason> {
    let status = plugin.status();
    let (kind, _) = status.failures_by_kind.iter().find(|(kind, count)| before.get(*kind) != Some(count))?;
    Some(match *kind {
        "trap" => FailureReason::Trap(String::new()),
        "deadline" => FailureReason::Deadline(Duration::ZERO),
        "limit" => FailureReason::Limit { what: "anything", limit: 0 },
        "output" => FailureReason::Output(String::new()),
        kind => panic!("a resource's end failed by {kind}"),
    })
}
