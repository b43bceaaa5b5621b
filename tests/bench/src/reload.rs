//! What a reload under load costs: for how long each kind of plugin does nothing, and what a recording call notices.
//!
//! One thread records events that a validator judges, in single calls, and samples that a monitor watches; plugins are
//! replaced meanwhile, each time by the same component with other bytes in a section that says nothing.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bridge_telemetry::config::{PluginPolicy, PluginSettings};
use bridge_telemetry::{Config, Host, MetricDraft};
use bridge_telemetry_tests as artifact;

use crate::Scale;
use crate::recording::event;
use crate::table::{Report, seconds};

/// Plugins by name, with the one that reloading names and the component.
fn copies() -> anyhow::Result<[(&'static str, &'static str, PathBuf); 4]> {
    Ok([
        ("redact", "redact", artifact::plugin("redact")?),
        ("percentile", "percentile", artifact::plugin("percentile")?),
        ("tally", "tally", artifact::guest("tally")?),
        ("console", "console", artifact::plugin("console")?),
    ])
}

fn host(folder: &Path) -> anyhow::Result<Host> {
    let shelf = folder.join("plugins");
    std::fs::create_dir_all(&shelf)?;
    for (name, _, component) in copies()? {
        put(&shelf, name, &component, 0)?;
    }
    let mut config = Config::default();
    config.storage_config.connection_string = folder.join("store");
    config.loops.exempt_event_types = vec!["*".to_owned()];
    config.plugins.policy = PluginPolicy::Any;
    config.plugins.directory = Some(shelf);
    config.plugins.reload.watch = false;
    config.plugins.runtime_metrics.enabled = false;
    let settings = PluginSettings { required: true, ..PluginSettings::default() };
    for name in ["redact", "percentile", "tally"] {
        config.plugins.settings.insert(name.to_owned(), settings.clone());
    }
    Ok(Host::open(config)?)
}

/// The component as another version.
fn put(shelf: &Path, name: &str, component: &Path, revision: u32) -> anyhow::Result<()> {
    let mut bytes = std::fs::read(component)?;
    // A custom section: its length, the length of its name, the name, what it holds.
    bytes.extend([0, 13, 8]);
    bytes.extend(b"revision");
    bytes.extend(revision.to_le_bytes());
    let draft = shelf.join("draft");
    std::fs::write(&draft, bytes)?;
    Ok(std::fs::rename(draft, shelf.join(name).with_extension("wasm"))?)
}

/// The time of each call of a thread that records until it is told to stop.
fn record(host: &Host, over: &AtomicBool) -> anyhow::Result<Vec<Duration>> {
    let mut times = Vec::new();
    for number in 0_usize.. {
        if over.load(Ordering::Acquire) {
            break;
        }
        let start = Instant::now();
        host.record_event(event(number))?;
        times.push(start.elapsed());
        if number.is_multiple_of(16) {
            let samples = (0..16_u32).map(|row| MetricDraft::new("tally", f64::from(row)));
            host.record_metrics(samples.collect()).into_iter().try_for_each(|outcome| outcome.map(drop))?;
        }
    }
    times.sort_unstable();
    Ok(times)
}

/// Records beside `work`.
fn beside<R>(host: &Host, work: impl FnOnce() -> anyhow::Result<R>) -> anyhow::Result<(Vec<Duration>, R)> {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let recorder = scope.spawn(|| record(host, &over));
        let done = work();
        over.store(true, Ordering::Release);
        let times = recorder.join().map_err(|_| anyhow::anyhow!("the recording thread panicked"))??;
        Ok((times, done?))
    })
}

fn at(sorted: &[Duration], share: f64) -> f64 {
    let place = ((sorted.len().saturating_sub(1)) as f64 * share).round() as usize;
    sorted.get(place).copied().unwrap_or_default().as_secs_f64()
}

/// For how long a plugin did nothing while it was replaced.
pub(crate) struct Pause {
    pub(crate) plugin: &'static str,
    pub(crate) reloads: usize,
    /// Seconds.
    pub(crate) median: f64,
    /// Seconds.
    pub(crate) longest: f64,
}

/// Replaces each plugin so many times under load.
pub(crate) fn pauses(reloads: usize) -> anyhow::Result<Vec<Pause>> {
    let folder = tempfile::tempdir()?;
    let host = host(folder.path())?;
    Ok(reload_all(&host, folder.path(), reloads)?.pauses)
}

/// What reloading took.
struct Reloaded {
    pauses: Vec<Pause>,
    /// Of recording calls meanwhile.
    calls: Vec<Duration>,
    /// Of whole reloads.
    whole: Vec<Duration>,
}

fn reload_all(host: &Host, folder: &Path, reloads: usize) -> anyhow::Result<Reloaded> {
    let shelf = folder.join("plugins");
    let mut revision = 0;
    let mut done = Reloaded { pauses: Vec::new(), calls: Vec::new(), whole: Vec::new() };
    for (file, name, component) in copies()? {
        let (times, pauses) = beside(host, || {
            let mut pauses = Vec::with_capacity(reloads);
            for _ in 0..reloads {
                revision += 1;
                put(&shelf, file, &component, revision)?;
                let start = Instant::now();
                let reports = host.reload_plugin(name)?;
                done.whole.push(start.elapsed());
                pauses.push(reports.first().context("nothing was reloaded")?.pause);
            }
            pauses.sort_unstable();
            Ok(pauses)
        })?;
        done.calls.extend(times);
        let (median, longest) = (at(&pauses, 0.5), at(&pauses, 1.0));
        done.pauses.push(Pause { plugin: file, reloads, median, longest });
    }
    done.calls.sort_unstable();
    done.whole.sort_unstable();
    Ok(done)
}

pub(crate) fn run(report: &mut Report, scale: &Scale) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let host = host(folder.path())?;
    let Reloaded { pauses, calls: under, whole } = reload_all(&host, folder.path(), scale.records(40))?;
    for Pause { plugin, reloads, median, longest } in pauses {
        report.figure(
            &format!("pause at reload under load, {plugin}: median (most) of {reloads}"),
            format!("{} ({})", seconds(median), seconds(longest)),
            "≤ 1 ms",
        );
    }
    report.figure("… one whole reload, compiled and tried", seconds(at(&whole, 0.5)), "");
    // The same load beside a thread that compiles and replaces nothing: what the reloads' share of the processors costs.
    let (alone, ()) = beside(&host, || {
        std::thread::sleep(Duration::from_secs(2));
        Ok(())
    })?;
    for (what, share) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)] {
        report.figure(
            &format!("record_event beside reloads, {what} (without reloads)"),
            format!("{} ({})", seconds(at(&under, share)), seconds(at(&alone, share))),
            "",
        );
    }
    Ok(())
}
