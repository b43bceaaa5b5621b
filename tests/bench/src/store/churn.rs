//! New series: what the first sample of each costs.

use super::Plan;
use super::chart::{Chart, Goal, Unit};
use super::data::{BATCH, Fleet, METRICS, STEPS, time_of};
use super::meter::Meter;
use super::site::Site;

/// New series.
const SERIES: usize = 200_000;

pub(super) fn run(chart: &mut Chart, plan: &Plan) -> anyhow::Result<()> {
    let count = SERIES / plan.divide.max(1);
    let site = Site::open(time_of(STEPS), |_| {})?;
    let mut fleet = Fleet::of_all_shapes(count / METRICS);
    let mut meter = Meter::start();
    for _ in 0..count.div_ceil(BATCH) {
        let batch = meter.leave_out(|| fleet.next(BATCH))?;
        site.append(batch)?;
    }
    let spent = meter.read();
    chart.row(
        "new series with 10 labels, CPU",
        spent.each(count),
        Unit::Seconds,
        crate::table::seconds(spent.wall.as_secs_f64() / count as f64),
        Goal::AtMost(20e-6),
    );
    site.close_days(1)?;
    let tables = site.close()?;
    chart.row(
        "new series with 10 labels and one sample, disk",
        tables.all() as f64 / count as f64,
        Unit::Bytes,
        String::new(),
        Goal::AtMost(150.0),
    );
    Ok(())
}
