//! Bytes on the disk, all in: chunks, headers, index, what is left of the log; the days closed and compacted.

use super::Plan;
use super::data::{BATCH, Fleet, METRICS, STEPS, time_of};
use super::nab;
use super::shapes::Shape;
use super::site::Site;
use crate::chart::{Chart, Goal, Unit};

/// Hosts of one shape's series.
const HOSTS: usize = 20;

pub(super) fn run(chart: &mut Chart, plan: &Plan) -> anyhow::Result<()> {
    let shapes = [
        (Shape::Integers, "small-step integers", Goal::AtMost(0.385)),
        (Shape::Decimals, "2 decimals", Goal::AtMost(1.30)),
        (Shape::Counter, "counters", Goal::AtMost(1.00)),
        (Shape::Latency, "log-normal latencies", Goal::None),
        (Shape::Jittered, "2 decimals, times with 5 ms of jitter", Goal::None),
    ];
    let steps = (STEPS / plan.divide.max(1)).max(360);
    for (shape, name, goal) in shapes {
        let site = Site::open(time_of(STEPS), |_| {})?;
        let mut fleet = Fleet::of(shape, HOSTS);
        let samples = steps * HOSTS * METRICS;
        for _ in 0..samples.div_ceil(BATCH) {
            site.append(fleet.next(BATCH)?)?;
        }
        report(chart, &format!("disk all in, {name}"), (site, samples), 1, goal)?;
    }
    for (days, width) in [(30, 1), (365, 8)] {
        let filled = nab::store(days, None)?;
        let what = format!("disk all in, real series (NAB), {days} days kept");
        report(chart, &what, filled, width, Goal::AtMost(1.65))?;
        let filled = nab::store(days, Some("realAWSCloudwatch"))?;
        report(chart, "… of these the servers and cloud services alone", filled, width, Goal::None)?;
    }
    let beside = "times, headers and index left out".to_owned();
    chart.row(
        "… what the values alone take, `pco` at its highest effort",
        nab::floor()?,
        Unit::Bytes,
        beside,
        Goal::None,
    );
    Ok(())
}

fn report(
    chart: &mut Chart,
    what: &str,
    (site, samples): (Site, usize),
    width: u32,
    goal: Goal,
) -> anyhow::Result<()> {
    site.close_days(width)?;
    let tables = site.close()?;
    let share = tables.other as f64 / samples as f64;
    let beside = format!("of it {share:.3} B not the partitions'");
    chart.row(what, tables.all() as f64 / samples as f64, Unit::Bytes, beside, goal);
    Ok(())
}
