//! New series: what the first sample of each costs, and what is left of series that came and went.

use std::time::Duration;

use telemetry_core::admission::{AcceptedTimes, admit_sample};
use telemetry_core::{AdmittedSample, MetricDraft, MetricSelection, TimeRange, Timestamp};
use telemetry_store::InventoryDepth;

use super::Plan;
use super::data::{BATCH, Fleet, METRICS, STEPS, labels, metric_name, time_of};
use super::site::Site;
use crate::chart::{Chart, Goal, Unit};
use crate::meter::Meter;

/// New series.
const SERIES: usize = 200_000;
/// Hosts with ten series each, of which a tenth is replaced every hour.
const CHURNING_HOSTS: usize = 1_000;
const HOUR: Duration = Duration::from_secs(3_600);
const DAY_HOURS: usize = 24;
const DAYS: usize = 7;
/// The day after which as much is gone as comes.
const STEADY_DAY: usize = 3;

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
    replaced(chart, plan)
}

/// A tenth of the series is replaced every hour for seven days, of which one is kept.
fn replaced(chart: &mut Chart, plan: &Plan) -> anyhow::Result<()> {
    let hosts = (CHURNING_HOSTS / plan.divide.max(1)).max(10);
    let site = Site::open(time_of(0), |options| {
        options.metrics_retention = HOUR * 24;
        options.background = false;
    })?;
    let mut measured = [(u64::MAX, 0); 2];
    for hour in 0..DAYS * DAY_HOURS {
        let first = hour * hosts / 10;
        let now = time_of(0).plus(HOUR * u32::try_from(hour)?);
        for host in first..first + hosts {
            site.append(first_samples(host, now)?)?;
        }
        site.pass(HOUR);
        site.store.maintain()?;
        let day = hour / DAY_HOURS + 1;
        let moment = [STEADY_DAY, DAYS].into_iter().position(|measured| measured == day);
        if let Some(least) = moment.and_then(|moment| measured.get_mut(moment)) {
            // Tables that wait to be compacted come and go with the hours: the least of a day is what stays.
            let (disk, index) = footprint(&site)?;
            *least = (disk.min(least.0), index);
        }
    }
    let [first, last] = measured;
    let rows = [("disk", first.0, last.0), ("index in memory", first.1, last.1)];
    for (what, first, last) in rows {
        chart.row(
            &format!("{what} after {DAYS} days of 10 % new series an hour, beside {STEADY_DAY} days"),
            last as f64 / first as f64,
            Unit::Ratio,
            format!("{:.1} MB beside {:.1} MB", last as f64 / 1e6, first as f64 / 1e6),
            Goal::AtMost(1.1),
        );
    }
    Ok(())
}

/// A sample of each series of a host.
fn first_samples(host: usize, now: Timestamp) -> anyhow::Result<Vec<AdmittedSample>> {
    let times = AcceptedTimes { now, oldest: Timestamp::MIN, newest: Timestamp::MAX };
    let context = labels(host);
    (0..METRICS)
        .map(|metric| {
            let draft = MetricDraft::new(metric_name(metric), host as f64).at(now);
            let admitted =
                admit_sample(draft, &times).map_err(|refused| anyhow::anyhow!("{}", refused.error))?;
            Ok(admitted.rewritten(context.clone()))
        })
        .collect()
}

/// Bytes of tables and write buffers, and of the index in memory, with all partitions' postings loaded.
fn footprint(site: &Site) -> anyhow::Result<(u64, u64)> {
    site.store.select_series(&MetricSelection::default(), TimeRange::ALL)?;
    let inventory = site.store.inventory(InventoryDepth::Quick)?;
    let families = inventory.families.iter();
    let disk = families.map(|family| family.table_bytes + family.buffer_bytes).sum();
    Ok((disk, inventory.store.memory.index.used_bytes))
}
