//! Ten million series of one sample each, far beyond the limits: what that takes, and whether all of them count.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use telemetry_core::admission::{AcceptedTimes, admit_sample};
use telemetry_core::{
    AdmittedSample, Context, ManualClock, MetricDraft, MetricSelection, ScanBlock, ScanOptions, TimeRange,
    Timestamp,
};
use telemetry_store::{RecordBatch, Store, StoreOptions};

use super::Plan;
use super::data::{BATCH, first_time, metric_name};
use crate::chart::{Chart, Goal, Unit};
use crate::meter::{Meter, peak};

const SERIES: usize = 10_000_000;
/// Values go round: their sum is exact.
const VALUES: usize = 1000;
/// What marks this module's order to a child.
const ORDER: &str = "bomb";

pub(super) fn run(chart: &mut Chart, plan: &Plan) -> anyhow::Result<()> {
    let count = SERIES / plan.divide.max(1);
    // One metric meets its own limit; twenty together meet the one of the whole store.
    for (metrics, goal) in [(1, Goal::AtMost(256e6)), (20, Goal::AtMost(1024e6))] {
        let folder = tempfile::tempdir()?;
        let order = format!("{ORDER}|{}|{metrics}|{count}", folder.path().display());
        let mut command = Command::new(std::env::current_exe()?);
        let said = command.args(["store", "--child", &order]).stderr(Stdio::inherit()).output()?;
        anyhow::ensure!(said.status.success(), "the child that stores the series failed");
        let said = String::from_utf8(said.stdout)?;
        let fields: Vec<f64> = said.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let [peak, seconds, active, overflowed] = fields.as_slice() else { anyhow::bail!("{said}") };
        let beside = format!("{active} active, {overflowed} samples overflowed, COUNT and SUM exact");
        let what = format!("{count} new series of {metrics} metrics, peak resident memory");
        chart.row(&what, *peak, Unit::Memory, beside, goal);
        chart.row("… CPU of each", seconds / count as f64, Unit::Seconds, String::new(), Goal::None);
    }
    Ok(())
}

/// Whether an order is one of this module's.
pub(super) fn is_order(order: &str) -> bool {
    order.starts_with(ORDER)
}

/// What the child does: stores the series, then counts them.
pub(super) fn run_child(order: &str) -> anyhow::Result<()> {
    let fields: Vec<&str> = order.split('|').collect();
    let [_, directory, metrics, count] = fields.as_slice() else { anyhow::bail!("{order}") };
    let (metrics, count): (usize, usize) = (metrics.parse()?, count.parse()?);
    let options = StoreOptions::in_directory(Path::new(directory));
    let store = Store::open(options, Arc::new(ManualClock::at(first_time())))?;
    let names: Vec<Arc<str>> = (0..metrics).map(|metric| metric_name(metric).into()).collect();
    let mut meter = Meter::start();
    let mut made = 0;
    while made < count {
        let batch = meter.leave_out(|| batch(&names, made..(made + BATCH).min(count)))?;
        made += batch.len();
        store.append(&RecordBatch { samples: batch, ..RecordBatch::default() })?;
    }
    let spent = meter.read();
    let stats = store.stats();
    check(&store, count)?;
    store.seal()?;
    check(&store, count)?;
    let stats_after = store.stats();
    anyhow::ensure!(stats_after.metrics_total == count as u64, "{stats_after:?}");
    let mut out = std::io::stdout().lock();
    let (active, overflowed) = (stats.active_series, stats.overflowed_samples);
    writeln!(out, "{} {} {active} {overflowed}", peak()?, spent.cpu.as_secs_f64())?;
    Ok(())
}

fn batch(names: &[Arc<str>], range: std::ops::Range<usize>) -> anyhow::Result<Vec<AdmittedSample>> {
    let times = AcceptedTimes { now: first_time(), oldest: Timestamp::MIN, newest: Timestamp::MAX };
    let mut samples = Vec::with_capacity(range.len());
    for number in range {
        let name = names.get(number % names.len()).cloned().unwrap_or_default();
        let request = format!("request-{number}");
        let context = Context::from_labels([("region", "eu"), ("request", request.as_str())]);
        let draft = MetricDraft::new(name.to_string(), (number % VALUES) as f64);
        let admitted = admit_sample(draft.with_context(context).at(first_time()), &times);
        samples.push(admitted.map_err(|refused| anyhow::anyhow!("a sample was refused: {refused:?}"))?);
    }
    Ok(samples)
}

/// Every sample counts, and so does its value.
fn check(store: &Store, count: usize) -> anyhow::Result<()> {
    let series = store.select_series(&MetricSelection::default(), TimeRange::ALL)?;
    let ids: Vec<u32> = series.iter().map(|series| series.id).collect();
    let (mut found, mut sum) = (0, 0.0);
    let options = ScanOptions { digests: true, ..ScanOptions::default() };
    store.scan(&ids, TimeRange::ALL, options, &mut |_, block| {
        match block {
            ScanBlock::Digest(digest) => (found, sum) = (found + digest.count, sum + digest.sum),
            ScanBlock::Samples { values, .. } => {
                (found, sum) = (found + values.len() as u64, sum + values.iter().sum::<f64>());
            }
            ScanBlock::Text { .. } | ScanBlock::State(_) => {}
        }
        ControlFlow::Continue(())
    })?;
    let wanted: usize = (0..count).map(|number| number % VALUES).sum();
    anyhow::ensure!(found == count as u64 && sum == wanted as f64, "{found} samples with the sum {sum}");
    Ok(())
}
