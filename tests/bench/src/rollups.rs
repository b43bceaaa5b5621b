//! A plugin's percentile over 30 days: from kept states against reading every sample, through `get_metrics` of the same host.
//! And what keeping states costs: building them, and their bytes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bridge_telemetry::config::{PluginPolicy, PluginSettings, RollupConfig};
use bridge_telemetry::{
    Config, Context, Host, HostBuilder, ManualClock, MetricDraft, MetricQuery, Timestamp,
};
use bridge_telemetry_tests as artifact;

use crate::Scale;
use crate::measure::Runs;
use crate::meter::median;
use crate::table::{Report, seconds};

const DAYS: i64 = 30;
const NANOS: i64 = 1_000_000_000;
/// Samples of one call.
const BATCH: usize = 1_000;

/// Series and the seconds between their samples.
struct Shape {
    series: usize,
    step: i64,
}

pub(crate) fn run(report: &mut Report, scale: &Scale) -> anyhow::Result<()> {
    for shape in
        [Shape { series: scale.records(100), step: 10 }, Shape { series: scale.records(10), step: 1 }]
    {
        measure(report, scale, &shape)?;
    }
    Ok(())
}

/// When the samples begin.
fn begin() -> Timestamp {
    Timestamp::from_nanos(1_772_000_000 * NANOS)
}

/// A host over the folder; with `keeps`, states of the plugin's percentile and of the built-in sketch are kept.
fn open(folder: &std::path::Path, clock: &Arc<ManualClock>, keeps: bool) -> anyhow::Result<Host> {
    let mut config = Config::default();
    config.storage_config.connection_string = folder.join("store");
    config.storage_config.memory_bytes.0 = 1 << 30;
    config.retention_policy.metrics.duration_days = 40;
    if keeps {
        config.rollups = vec![
            RollupConfig { any_parameters: true, ..RollupConfig::new("percentile") },
            RollupConfig::new("APPROX_QUANTILE"),
        ];
    }
    let component = Some(artifact::plugin("percentile")?);
    let mut settings = PluginSettings { component, required: true, ..PluginSettings::default() };
    // What else runs on the machine must not end a call.
    settings.limits.deadline_ms = 10_000;
    config.plugins.policy = PluginPolicy::Any;
    config.plugins.settings.insert("percentile".to_owned(), settings);
    let clock = Arc::clone(clock) as Arc<dyn bridge_telemetry::Clock>;
    Ok(HostBuilder::new(config).clock(clock).without_background().open()?)
}

/// Log-normal latencies in milliseconds, rounded to 2 decimals.
fn latency(series: usize, number: i64) -> f64 {
    let mixed = (number.unsigned_abs() ^ ((series as u64) << 40)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let uniform = |bits: u64| (bits & 0xFFFF_FFFF) as f64 / 4_294_967_296.0;
    let (one, two) = (uniform(mixed).max(1e-9), uniform(mixed >> 32));
    let normal = (-2.0 * one.ln()).sqrt() * (std::f64::consts::TAU * two).cos();
    ((3.0 + 0.7 * normal).exp() * 100.0).round() / 100.0
}

fn fill(host: &Host, clock: &ManualClock, shape: &Shape) -> anyhow::Result<u64> {
    let per_day = 86_400 / shape.step;
    let mut count = 0;
    for day in 0..DAYS {
        for series in 0..shape.series {
            let context = Context::from_labels([("host", format!("host-{series:03}").as_str())]);
            let drafts: Vec<MetricDraft> = (0..per_day)
                .map(|n| {
                    let at = begin().nanos() + (day * 86_400 + n * shape.step) * NANOS;
                    let value = latency(series, day * per_day + n);
                    MetricDraft::new("kept", value)
                        .with_context(context.clone())
                        .at(Timestamp::from_nanos(at))
                })
                .collect();
            for part in drafts.chunks(BATCH) {
                for outcome in host.record_metrics(part.to_vec()) {
                    outcome?;
                    count += 1;
                }
            }
        }
        clock.advance(Duration::from_secs(86_400));
    }
    Ok(count)
}

/// Seconds of CPU time of the plugin's percentile over so many series of one sample a second, medians: from kept states, and from
/// every sample.
pub(crate) fn kept_and_raw(series: usize, repeat: usize) -> anyhow::Result<(f64, f64)> {
    let folder = tempfile::tempdir()?;
    let clock = first_day();
    let (plain, count) = filled(folder.path(), &clock, &Shape { series, step: 1 })?;
    let [query, ..] = queries();
    let ask = |host: &Host, repeat: usize| -> anyhow::Result<f64> {
        Ok(median(repeat, || answered(host, &query, 1, count).map(drop))?.each(1))
    };
    let raw = ask(&plain, repeat.min(5))?;
    plain.close();
    drop(plain);
    let keeping = open(folder.path(), &clock, true)?;
    keeping.maintain()?;
    Ok((ask(&keeping, repeat)?, raw))
}

fn first_day() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(begin().plus(Duration::from_secs(86_400))))
}

/// A host without kept states that has all samples, and their number.
fn filled(folder: &std::path::Path, clock: &Arc<ManualClock>, shape: &Shape) -> anyhow::Result<(Host, u64)> {
    let plain = open(folder, clock, false)?;
    let count = fill(&plain, clock, shape)?;
    plain.maintain()?;
    Ok((plain, count))
}

fn measure(report: &mut Report, scale: &Scale, shape: &Shape) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let clock = first_day();
    let what = format!("{} series, {} s, {DAYS} days", shape.series, shape.step);
    let (plain, count) = filled(folder.path(), &clock, shape)?;
    let raw = queries().map(|query| answered(&plain, &query, scale.repeat().min(3), count));
    plain.close();
    drop(plain);
    let keeping = open(folder.path(), &clock, true)?;
    let started = Instant::now();
    keeping.maintain()?;
    report_building(report, &what, &keeping, started.elapsed(), count)?;
    for (query, raw) in queries().into_iter().zip(raw) {
        let kept = answered(&keeping, &query, scale.repeat() * 3, count)?;
        let step = if query.step.is_some() { ", by the hour" } else { "" };
        report.time(
            &format!("{}{step}, {what}: from kept states", query.aggregation.default),
            &kept,
            if step.is_empty() { "≤ 0.02 x" } else { "" },
            Some(("reading every sample", &raw?)),
        );
    }
    Ok(())
}

fn queries() -> [MetricQuery; 4] {
    let to = begin().plus(Duration::from_secs(DAYS.unsigned_abs() * 86_400));
    let query = |function: &str| MetricQuery::of(["kept"]).aggregate(function).between(begin(), to);
    let hours = |function: &str| query(function).step(Duration::from_secs(3600));
    let [plugin, built_in] = ["percentile(q=0.99)", "APPROX_QUANTILE(q=0.99)"];
    [query(plugin), hours(plugin), query(built_in), hours(built_in)]
}

fn report_building(
    report: &mut Report,
    what: &str,
    host: &Host,
    took: Duration,
    count: u64,
) -> anyhow::Result<()> {
    let (mut states, mut bytes) = (0, 0);
    for rollup in &host.health_check().rollups {
        let kept = rollup.kept.as_ref().ok_or_else(|| anyhow::anyhow!("{rollup:?}"))?;
        anyhow::ensure!(kept.pending_partitions == 0 && kept.failures == 0, "{rollup:?}");
        states += kept.states_built;
        bytes += kept.bytes_written;
    }
    let figures = format!(
        "{} for {states} states, {:.1} bytes a state, {:.3} a sample",
        seconds(took.as_secs_f64()),
        bytes as f64 / states.max(1) as f64,
        bytes as f64 / count.max(1) as f64
    );
    report.figure(&format!("building both rollups, {what}"), figures, "");
    Ok(())
}

fn counted(answer: &bridge_telemetry::MetricsAnswer) -> u64 {
    answer.metrics.get("kept").map_or(0, |metric| metric.tally.sample_count)
}

fn answered(host: &Host, query: &MetricQuery, repeat: usize, count: u64) -> anyhow::Result<Runs> {
    Runs::of(repeat, 1, || {
        let answer = host.get_metrics(query)?;
        anyhow::ensure!(counted(&answer) == count, "{} of {count}", counted(&answer));
        Ok(())
    })
}
