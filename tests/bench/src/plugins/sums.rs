//! A plugin's sum and mean over ten million samples, against the built-in ones made to look at every sample as well.

use std::sync::Arc;
use std::time::Duration;

use bridge_telemetry::aggregation::{AggregationRegistry, Engine};
use bridge_telemetry::{MetricQuery, SystemClock};
use bridge_telemetry_tests as artifact;

use super::Plan;
use super::contest::{Contestant, contest};
use super::laboratory::Laboratory;
use crate::chart::{Chart, Goal, Unit};
use crate::meter::process_time;
use crate::store::data::{BATCH, Fleet, HOSTS, METRICS, STEPS, metric_name, time_of};
use crate::store::queries::Decoded;
use crate::store::site::Site;
use crate::table::seconds;

/// The built-in one, and the plugin's.
const FUNCTIONS: [&str; 6] = ["SUM", "plain_sum", "vector_sum", "MEAN", "plain_mean", "vector_mean"];

fn fill(plan: &Plan) -> anyhow::Result<(Site, u64)> {
    let samples = plan.scale.records(STEPS * HOSTS * METRICS).next_multiple_of(BATCH);
    let site = Site::open(time_of(STEPS), |_| {})?;
    let mut fleet = Fleet::of_all_shapes(HOSTS);
    for _ in 0..samples / BATCH {
        site.append(fleet.next(BATCH)?)?;
    }
    site.close_days(1)?;
    Ok((site, samples as u64))
}

fn wall() -> Duration {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed()
}

pub(super) fn run(chart: &mut Chart, plan: &Plan) -> anyhow::Result<()> {
    let laboratory = Laboratory::new()?;
    let plugin = laboratory.load(artifact::guest("sums")?)?;
    let source = plugin.aggregations().ok_or_else(|| anyhow::anyhow!("sums is no aggregator"))?;
    let registry = AggregationRegistry::new([source]);
    let (site, samples) = fill(plan)?;
    let engine = Engine::new(Arc::new(SystemClock::default()));
    let ask = |function: &str| {
        let query = MetricQuery::of((0..METRICS).map(metric_name)).aggregate(function);
        let answer = engine.run(&query, &Decoded(&site.store), &registry, None)?;
        let seen: u64 = answer.metrics.values().map(|metric| metric.tally.sample_count).sum();
        anyhow::ensure!(seen == samples && !answer.incomplete, "{function} saw {seen} of {samples} samples");
        Ok(())
    };
    // CPU tells what a plugin costs, the wall time that it has as many cores as a built-in function.
    for (clock, what) in [(process_time as fn() -> Duration, "CPU"), (wall, "wall")] {
        let mut asking: Vec<_> = FUNCTIONS.iter().map(|function| || ask(function)).collect();
        let mut contestants: Vec<Contestant<'_>> = Vec::new();
        for one in &mut asking {
            contestants.push(one);
        }
        let times = contest(plan.rounds.div_ceil(3), 1, clock, &mut contestants)?;
        for (place, name) in FUNCTIONS.iter().enumerate() {
            let built_in = place / 3 * 3;
            if place == built_in {
                continue;
            }
            let goal = Goal::AtMost(if name.starts_with("plain") { 1.5 } else { 1.2 });
            chart.row(
                &format!("{name} of a plugin, {} M samples, all decoded, {what}", samples / 1_000_000),
                times.ratio(place, built_in),
                Unit::Ratio,
                format!("{}, built in {}", seconds(times.median(place)), seconds(times.median(built_in))),
                goal,
            );
        }
    }
    Ok(())
}
