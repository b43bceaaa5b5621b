//! A process of its own that fills a store: its memory is the store's, and it can be killed.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use telemetry_core::ManualClock;
use telemetry_store::{RecordBatch, Store, StoreOptions};

use super::bomb;
use super::data::{BATCH, Fleet, METRICS, STEPS, time_of};
use crate::meter::resident;

/// What the child does, as its argument says: directory, series, samples, bytes of memory.
pub(crate) fn run(order: &str) -> anyhow::Result<()> {
    if bomb::is_order(order) {
        return bomb::run_child(order);
    }
    let fields: Vec<&str> = order.split('|').collect();
    let [directory, series, samples, memory] = fields.as_slice() else { anyhow::bail!("{order}") };
    let (series, samples): (usize, usize) = (series.parse()?, samples.parse()?);
    let options = StoreOptions { memory_bytes: memory.parse()?, ..StoreOptions::in_directory(directory) };
    let before = resident()?;
    let mut fleet = Fleet::of_all_shapes(series / METRICS);
    let of_fleet = resident()?.saturating_sub(before);
    let store = Store::open(options, Arc::new(ManualClock::at(time_of(STEPS))))?;
    let (mut left, start) = (samples, Instant::now());
    while left > 0 {
        let batch = fleet.next(left.min(BATCH))?;
        left -= batch.len();
        store.append(&RecordBatch { samples: batch, ..RecordBatch::default() })?;
    }
    // The texts of the series are shared with the store; what the generator holds beside them is small.
    let shown = resident()?.saturating_sub(of_fleet / 2);
    let mut out = std::io::stdout().lock();
    let stats = store.stats();
    anyhow::ensure!(stats.metrics_total == samples as u64, "{} are counted", stats.metrics_total);
    anyhow::ensure!(stats.overflowed_samples == 0, "{} went to overflow series", stats.overflowed_samples);
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    let memory = &stats.memory;
    writeln!(
        out,
        "filled {shown} all counted in {:.1} s; index {:.0} MB, heads {:.1} of {:.1} MB, buffers {:.0} MB, cache {:.0} MB",
        start.elapsed().as_secs_f64(),
        megabytes(memory.index.used_bytes),
        megabytes(memory.heads.used_bytes),
        megabytes(memory.heads.limit_bytes),
        megabytes(memory.write_buffers.used_bytes),
        megabytes(memory.block_cache.used_bytes),
    )?;
    out.flush()?;
    // Until it is killed.
    loop {
        std::thread::park();
    }
}

/// A child that has filled its store and waits.
pub(super) struct Filled {
    child: Child,
    _out: BufReader<ChildStdout>,
    /// Its resident memory.
    pub(super) resident: u64,
    /// What it says beside it.
    pub(super) beside: String,
}

impl Filled {
    pub(super) fn start(
        directory: &Path,
        series: usize,
        samples: usize,
        memory: u64,
    ) -> anyhow::Result<Self> {
        let order = format!("{}|{series}|{samples}|{memory}", directory.display());
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["store", "--child", &order]).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let mut out = BufReader::new(child.stdout.take().ok_or_else(|| anyhow::anyhow!("no output"))?);
        let mut line = String::new();
        out.read_line(&mut line)?;
        let told = line.trim().strip_prefix("filled ").unwrap_or_default();
        let (resident, beside) = told.split_once(' ').unwrap_or((told, ""));
        Ok(Self { child, _out: out, resident: resident.parse()?, beside: beside.to_owned() })
    }

    /// Ends it as `kill -9` does.
    pub(super) fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}
