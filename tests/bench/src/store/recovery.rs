//! What a process that holds a store takes of memory, and how long opening takes after it was killed.

use std::sync::Arc;

use telemetry_core::ManualClock;
use telemetry_store::{Store, StoreOptions};

use super::Plan;
use super::child::Filled;
use super::data::{STEPS, time_of};
use crate::chart::{Chart, Goal, Unit};
use crate::meter::Meter;

/// The memory budget of the default options.
const BUDGET: u64 = 256 << 20;
/// The budget with which a million series are active.
const RAISED_BUDGET: u64 = 1 << 30;

/// Resident memory by number of active series.
pub(super) fn memory(chart: &mut Chart, plan: &Plan) -> anyhow::Result<()> {
    let rows = [
        (1_000, 10_000_000, BUDGET, "1,000 series after 10 M samples", Goal::AtMost(120e6)),
        (200_000, 400_000, BUDGET, "200,000 series, two samples each", Goal::AtMost(232e6)),
        (
            1_000_000,
            1_000_000,
            RAISED_BUDGET,
            "1 M series, one sample each, 1 GB budget",
            Goal::AtMost(900e6),
        ),
        // Slower, and nothing fails: the series alone take more than the budget, so that heads are sealed early.
        (1_000_000, 3_000_000, BUDGET, "1 M series, three samples each, 256 MB budget", Goal::None),
    ];
    for (series, samples, budget, what, goal) in rows {
        let folder = tempfile::tempdir()?;
        let samples = samples / plan.divide.max(1);
        let filled = Filled::start(folder.path(), series, samples, budget)?;
        let what = format!("resident memory, {what}");
        chart.row(&what, filled.resident as f64, Unit::Memory, filled.beside.clone(), goal);
        filled.kill()?;
    }
    Ok(())
}

/// Opening after `kill -9`.
pub(super) fn run(chart: &mut Chart, plan: &Plan) -> anyhow::Result<()> {
    let mut sizes = vec![1, 10];
    if plan.large {
        sizes.push(100);
    }
    for millions in sizes {
        let folder = tempfile::tempdir()?;
        let samples = millions * 1_000_000 / plan.divide.max(1);
        Filled::start(folder.path(), 1_000, samples, BUDGET)?.kill()?;
        let meter = Meter::start();
        let clock = Arc::new(ManualClock::at(time_of(STEPS * 10)));
        let store = Store::open(StoreOptions::in_directory(folder.path()), clock)?;
        let spent = meter.read();
        let stats = store.stats();
        anyhow::ensure!(stats.last_sequence == samples as u64, "{} samples", stats.last_sequence);
        anyhow::ensure!(stats.reports.is_empty(), "{:?}", stats.reports);
        let replayed = stats.last_sequence - stats.sealed_sequence;
        chart.row(
            &format!("reopening after kill -9 with {millions} M samples stored, wall"),
            spent.wall.as_secs_f64(),
            Unit::Seconds,
            format!("{} CPU, {} k replayed", crate::table::seconds(spent.each(1)), replayed / 1000),
            Goal::AtMost(4.0),
        );
    }
    Ok(())
}
