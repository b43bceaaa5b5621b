//! What takes moments: loading, starting an instance, the pause at a reload, and a month of kept states.

use std::time::{Duration, Instant};

use bridge_telemetry_tests as artifact;

use super::Plan;
use super::contest::median;
use super::laboratory::{Laboratory, spec};
use crate::chart::{Chart, Goal, Unit};
use crate::table::seconds;
use crate::{reload, rollups};

/// Loads of each plugin that are timed, and instances.
const TIMES: usize = 100;

/// The shipped plugins that start without a configuration, one of each kind.
const SHIPPED: [&str; 4] = ["redact", "percentile", "threshold", "console"];

/// Loading from the cache of compiled code, and starting an instance of what is loaded.
pub(super) fn start(chart: &mut Chart, _plan: &Plan) -> anyhow::Result<()> {
    let laboratory = Laboratory::new()?;
    let (mut loads, mut starts) = (Vec::new(), Vec::new());
    for name in SHIPPED {
        let component = artifact::plugin(name)?;
        // Compiles it.
        drop(laboratory.load(component.clone())?);
        let mut took = Vec::with_capacity(TIMES);
        for _ in 0..TIMES {
            let start = Instant::now();
            let plugin = laboratory.load(component.clone())?;
            took.push(start.elapsed().as_secs_f64());
            drop(plugin);
        }
        loads.push((name, median(took)));
        let prepared = laboratory.sandbox.prepare(spec(component))?;
        let costs = prepared.instance_costs(TIMES)?;
        let of = |part: fn(&telemetry_sandbox::InstanceCost) -> Duration| {
            median(costs.iter().map(|cost| part(cost).as_secs_f64()).collect())
        };
        starts.push((name, of(|cost| cost.instantiate), of(|cost| cost.init)));
    }
    for (name, load) in loads {
        chart.row(
            &format!("{name}: loading from the cache, all checks, described and initialised"),
            load,
            Unit::Seconds,
            String::new(),
            Goal::AtMost(1e-3),
        );
    }
    for (name, instantiate, init) in starts {
        chart.row(
            &format!("{name}: instantiating"),
            instantiate,
            Unit::Seconds,
            format!("its own initialisation {}", seconds(init)),
            Goal::AtMost(15e-6),
        );
    }
    Ok(())
}

/// For how long each kind of plugin does nothing when it is replaced under load.
pub(super) fn reload(chart: &mut Chart, plan: &Plan) -> anyhow::Result<()> {
    for pause in reload::pauses(plan.scale.records(40))? {
        chart.row(
            &format!("{}: pause at a reload under load", pause.plugin),
            pause.median,
            Unit::Seconds,
            format!("the longest of {} {}", pause.reloads, seconds(pause.longest)),
            Goal::AtMost(1e-3),
        );
    }
    Ok(())
}

/// A percentile over thirty days from kept states; `bench rollups` has more of it.
pub(super) fn kept(chart: &mut Chart, plan: &Plan) -> anyhow::Result<()> {
    let series = plan.scale.records(10);
    let (kept, raw) = rollups::kept_and_raw(series, plan.rounds)?;
    chart.row(
        &format!("percentile over 30 days of {series} series at 1 s, CPU: kept states so many times as fast"),
        raw / kept,
        Unit::Ratio,
        format!("{}, all samples {}", seconds(kept), seconds(raw)),
        Goal::AtLeast(50.0),
    );
    Ok(())
}
