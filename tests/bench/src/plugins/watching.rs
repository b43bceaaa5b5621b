//! What a monitor costs a host for each record, and what a further one does that watches the same: those share one reading of the log.

use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use bridge_telemetry::config::{PluginPolicy, PluginSettings};
use bridge_telemetry::{Config, Context, Host, MetricDraft};
use bridge_telemetry_tests as artifact;

use super::Plan;
use super::contest::contest;
use crate::chart::{Chart, Goal, Unit};
use crate::meter::process_time;
use crate::recording::event;
use crate::table::seconds;

/// Records of one call.
const BATCH: usize = 100;
/// Calls of a round.
const CALLS: usize = 200;
/// How long monitors may take for a round.
const PATIENCE: Duration = Duration::from_secs(60);

fn host(folder: &Path, component: &Path, monitors: usize) -> anyhow::Result<Host> {
    let mut config = Config::default();
    config.storage_config.connection_string = folder.join(format!("{monitors} monitors"));
    config.loops.exempt_event_types = vec!["*".to_owned()];
    config.plugins.policy = PluginPolicy::Any;
    for number in 0..monitors {
        let component = Some(component.to_path_buf());
        let settings = PluginSettings { component, required: true, ..PluginSettings::default() };
        config.plugins.settings.insert(format!("monitor-{number}"), settings);
    }
    Ok(Host::open(config)?)
}

fn samples(host: &Host) -> anyhow::Result<()> {
    for _ in 0..CALLS {
        let sample = |number: usize| {
            let context = Context::from_labels([("host", format!("host-{number}").as_str())]);
            MetricDraft::new("command_processing_time_ms", (number % 997) as f64 / 8.0).with_context(context)
        };
        for outcome in host.record_metrics((0..BATCH).map(sample).collect()) {
            outcome?;
        }
    }
    ensure!(host.drain(PATIENCE), "the monitors do not keep up");
    Ok(())
}

fn events(host: &Host) -> anyhow::Result<()> {
    for _ in 0..CALLS {
        for outcome in host.record_events((0..BATCH).map(event).collect()) {
            outcome?;
        }
    }
    ensure!(host.drain(PATIENCE), "the monitors do not keep up");
    Ok(())
}

pub(super) fn run(chart: &mut Chart, plan: &Plan) -> anyhow::Result<()> {
    let (idle, rate) = (artifact::guest("idle-monitor")?, artifact::plugin("error-rate")?);
    measure(chart, plan, "samples, a monitor that does nothing", &idle, samples)?;
    measure(chart, plan, "events, error-rate", &rate, events)
}

fn measure(
    chart: &mut Chart,
    plan: &Plan,
    what: &str,
    component: &Path,
    record: fn(&Host) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let [none, one, five] = [0, 1, 5].map(|monitors| host(folder.path(), component, monitors));
    let (none, one, five) = (none?, one?, five?);
    let times = contest(
        plan.rounds,
        CALLS * BATCH,
        process_time,
        &mut [&mut || record(&none), &mut || record(&one), &mut || record(&five)],
    )?;
    let first = times.difference(1, 0);
    let further = times.difference(2, 1) / 4.0;
    chart.row(
        &format!("{what}: what a record costs a further monitor, beside the first"),
        further / first,
        Unit::Ratio,
        format!("{}, the first {}; recording {}", seconds(further), seconds(first), seconds(times.median(0))),
        Goal::None,
    );
    for host in [none, one, five] {
        host.close();
    }
    Ok(())
}
