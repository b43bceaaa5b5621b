//! Asking: one series, all series, an hour, five-minute buckets, a quantile of everything.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bridge_telemetry::MetricQuery;
use bridge_telemetry::aggregation::{
    AggregationRegistry, Completeness, Engine, SampleReader, SelectedSeries,
};
use bridge_telemetry::query::ReadError;
use telemetry_core::{
    LabelFilter, MetricSelection, ScanBlock, ScanOptions, SystemClock, TimeRange, Timestamp,
};
use telemetry_store::Store;

use super::Plan;
use super::data::{HOSTS, METRICS, STEPS, first_time, host_name, metric_name, time_of};
use super::ingest;
use crate::chart::{Chart, Goal, Unit};
use crate::meter::median;

/// A store whose digests are not used: everything is decoded.
pub(crate) struct Decoded<'a>(pub(crate) &'a Store);

impl SampleReader for Decoded<'_> {
    fn select(
        &self,
        selection: &MetricSelection,
        range: TimeRange,
    ) -> Result<Vec<SelectedSeries>, ReadError> {
        SampleReader::select(self.0, selection, range)
    }

    fn scan(
        &self,
        series: &[u32],
        range: TimeRange,
        options: ScanOptions,
        visit: &mut dyn FnMut(usize, ScanBlock<'_>) -> ControlFlow<()>,
    ) -> Result<Completeness, ReadError> {
        SampleReader::scan(self.0, series, range, ScanOptions { digests: false, ..options }, visit)
    }
}

/// One measured question.
struct Question {
    what: &'static str,
    /// Asked in turn: one is asked again and again, of several each finds little at hand that an earlier one decoded.
    queries: Vec<MetricQuery>,
    decoded: bool,
    /// Samples that it is about, over all metrics.
    samples: Option<usize>,
    goal: Option<f64>,
}

pub(super) fn run(chart: &mut Chart, plan: &Plan) -> anyhow::Result<()> {
    let site = ingest::fill(chart, plan)?;
    let engine = Engine::new(Arc::new(SystemClock::default()));
    let registry = AggregationRegistry::default();
    let steps = (STEPS / plan.divide.max(1)).max(360);
    let only = plan.only.split('/').nth(1).unwrap_or_default();
    for question in questions(steps).into_iter().filter(|question| question.what.contains(only)) {
        let reader: &dyn SampleReader = if question.decoded { &Decoded(&site.store) } else { &site.store };
        let mut queries = question.queries.iter().cycle();
        let spent = median(plan.repeat, || {
            let query = queries.next().context("a question without a query")?;
            let answer = engine.run(query, reader, &registry, None)?;
            let seen: u64 = answer.metrics.values().map(|metric| metric.tally.sample_count).sum();
            anyhow::ensure!(!answer.incomplete && seen > 0, "{}: {seen} samples", question.what);
            if let Some(samples) = question.samples {
                anyhow::ensure!(seen == samples as u64, "{}: {seen} samples", question.what);
            }
            Ok(())
        })?;
        let wall = spent.wall.as_secs_f64();
        let beside = format!("{} CPU", crate::table::seconds(spent.each(1)));
        let goal = question.goal.map_or(Goal::None, Goal::AtMost);
        chart.row(question.what, wall, Unit::Seconds, beside, goal);
    }
    Ok(())
}

fn questions(steps: usize) -> Vec<Question> {
    let all = steps * HOSTS * METRICS;
    let end = time_of(steps);
    let seven = Duration::from_secs(7);
    let everything = || MetricQuery::of((0..METRICS).map(metric_name));
    let one = || MetricQuery::of([metric_name(1)]).filter(LabelFilter::equal("hostname", host_name(42)));
    let per_series = || everything().group_by(["hostname"]);
    let asked_in_turn = |what, queries, samples, milliseconds: f64| Question {
        what,
        queries,
        decoded: false,
        samples,
        goal: Some(milliseconds / 1e3),
    };
    let question =
        |what, query, samples, milliseconds| asked_in_turn(what, vec![query], samples, milliseconds);
    let hour = |start: Timestamp| everything().between(start, start.plus(Duration::from_secs(3600)));
    let off = Duration::from_secs(1237);
    // Three hours apart: no two of them share a page.
    let hours: Vec<MetricQuery> =
        (0..steps.saturating_sub(500)).step_by(1080).map(|step| hour(time_of(step).plus(off))).collect();
    vec![
        question("q1 mean of one series, 10,000 samples", one(), Some(steps), 0.1),
        question(
            "… its range cut 7 s off both ends",
            one().between(first_time().plus(seven), end.minus(seven + Duration::from_secs(10))),
            None,
            0.2,
        ),
        question("q2 mean of each of 1,000 series, 10 M samples", per_series(), Some(all), 10.0),
        Question {
            decoded: true, ..question("… all decoded (digests off)", per_series(), Some(all), 60.0)
        },
        question(
            "q3 mean of one unaligned hour over all series",
            hour(time_of(steps / 2).plus(off)),
            None,
            2.5,
        ),
        Question { goal: None, ..asked_in_turn("… of another hour each time", hours, None, 0.0) },
        question(
            "q4 mean by host and 5 minutes over all 10 M",
            everything().group_by(["hostname"]).step(Duration::from_secs(300)),
            Some(all),
            60.0,
        ),
        question("p99 of all 10 M values, exact, by metric", everything().aggregate("P99"), Some(all), 300.0),
    ]
}
