//! Putting samples in: batches, and one sample a call.

use super::Plan;
use super::data::{BATCH, Fleet, HOSTS, METRICS, STEPS, time_of};
use super::site::Site;
use crate::chart::{Chart, Goal, Unit};
use crate::meter::Meter;

/// Puts all samples of the thousand series in.
pub(super) fn fill(chart: &mut Chart, plan: &Plan) -> anyhow::Result<Site> {
    let steps = (STEPS / plan.divide.max(1)).max(360);
    let site = Site::open(time_of(STEPS), |_| {})?;
    let mut fleet = Fleet::of_all_shapes(HOSTS);
    let samples = steps * HOSTS * METRICS;
    let mut meter = Meter::start();
    for _ in 0..samples / BATCH {
        let batch = meter.leave_out(|| fleet.next(BATCH))?;
        site.append(batch)?;
    }
    site.store.seal()?;
    let spent = meter.read();
    chart.row(
        "ingest in batches of 1,000, labels resolved, all sealed",
        spent.cpu.as_secs_f64() / samples as f64 * 1e6,
        Unit::PerMillion,
        format!("{:.2} M/s", samples as f64 / spent.wall.as_secs_f64() / 1e6),
        Goal::AtMost(0.30),
    );
    let meter = Meter::start();
    site.close_days(1)?;
    let spent = meter.read();
    chart.row(
        "… then bringing both days into their final form",
        spent.cpu.as_secs_f64() / samples as f64 * 1e6,
        Unit::PerMillion,
        crate::table::seconds(spent.wall.as_secs_f64()),
        Goal::None,
    );
    Ok(site)
}

/// One sample a call.
pub(super) fn single(chart: &mut Chart, plan: &Plan) -> anyhow::Result<()> {
    let site = Site::open(time_of(STEPS), |_| {})?;
    let mut fleet = Fleet::of_all_shapes(HOSTS);
    site.append(fleet.next(BATCH)?)?;
    let calls = 1_000_000 / plan.divide.max(1);
    let mut meter = Meter::start();
    for _ in 0..calls.div_ceil(BATCH) {
        for sample in meter.leave_out(|| fleet.next(BATCH))? {
            site.append(vec![sample])?;
        }
    }
    let spent = meter.read();
    chart.row(
        "single append of one sample, a CPU-second",
        calls as f64 / spent.cpu.as_secs_f64(),
        Unit::PerSecond,
        format!("{:.0} k/s", calls as f64 / spent.wall.as_secs_f64() / 1e3),
        Goal::AtLeast(200_000.0),
    );
    Ok(())
}
