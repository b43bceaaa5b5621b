//! Other stores with the benchmark's samples: SQLite, one JSON value per sample in RocksDB, tsink, and, where `DUCKDB_PYTHON`
//! names a Python that has it, DuckDB. `cargo xtask bench store --peers` runs it after the store's own rows.

#[path = "../../src/store/data.rs"]
#[allow(dead_code, reason = "shared with the benchmark, which uses more of it")]
mod data;
mod duckdb;
mod json_rows;
#[path = "../../src/meter.rs"]
#[allow(dead_code, reason = "shared with the benchmark, which uses more of it")]
mod meter;
#[path = "../../src/store/shapes.rs"]
mod shapes;
mod sqlite;
mod time_series;

use std::path::Path;

use comfy_table::{Table, presets};
use telemetry_core::AdmittedSample;

use data::{BATCH, Fleet, HOSTS, METRICS, first_time, time_of};
use meter::{Meter, median};

/// Steps of ten seconds, as many for every peer: the slowest needs a minute for them.
const STEPS: usize = 1_000;

/// What is asked of every peer.
#[derive(Clone, Copy, Debug)]
enum Question {
    /// The mean of one series.
    One,
    /// The mean of each series.
    Each,
    /// The mean of one unaligned hour over all series, from and to these milliseconds.
    Hour(i64, i64),
    /// Means by host and five minutes.
    Buckets,
}

/// A store that samples are put into.
trait Peer {
    /// Stores a call's samples.
    fn append(&mut self, samples: &[AdmittedSample]) -> anyhow::Result<()>;
    /// Brings everything to the disk.
    fn finish(&mut self) -> anyhow::Result<()>;
    /// Answers how many figures the answer has; `None` where it is not asked.
    fn ask(&self, question: Question) -> anyhow::Result<Option<usize>>;
}

fn main() -> anyhow::Result<()> {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header([
        "peer, 1 M samples",
        "ingest",
        "disk",
        "one series",
        "each of 1,000",
        "one hour",
        "host × 5 min",
    ]);
    let samples = STEPS * HOSTS * METRICS;
    let folder = tempfile::tempdir()?;
    type Open = fn(&Path) -> anyhow::Result<Box<dyn Peer>>;
    let peers: [(&str, Open); 3] = [
        ("SQLite, integer ids, 1,000 rows a transaction", |path| Ok(Box::new(sqlite::Sqlite::open(path)?))),
        ("one JSON value per sample in RocksDB", |path| Ok(Box::new(json_rows::JsonRows::open(path)?))),
        ("tsink 0.10.2", |path| Ok(Box::new(time_series::Tsink::open(path)?))),
    ];
    for (place, (name, open)) in peers.into_iter().enumerate() {
        eprintln!("measuring {name} …");
        let path = folder.path().join(place.to_string());
        std::fs::create_dir_all(&path)?;
        table.add_row(measure(name, &mut *open(&path)?, &path, samples)?);
    }
    if let Some(python) = std::env::var_os("DUCKDB_PYTHON") {
        eprintln!("measuring DuckDB …");
        table.add_row(duckdb::run(&python, folder.path(), samples)?);
    }
    println!("{table}");
    Ok(())
}

fn measure(name: &str, peer: &mut dyn Peer, path: &Path, samples: usize) -> anyhow::Result<Vec<String>> {
    let mut fleet = Fleet::of_all_shapes(HOSTS);
    let mut meter = Meter::start();
    for _ in 0..samples / BATCH {
        let batch = meter.leave_out(|| fleet.next(BATCH))?;
        peer.append(&batch)?;
    }
    peer.finish()?;
    let spent = meter.read();
    let mut row = vec![
        name.to_owned(),
        format!("{:.2} CPU-s/M", spent.cpu.as_secs_f64() / samples as f64 * 1e6),
        format!("{:.2} B", bytes_in(path)? as f64 / samples as f64),
    ];
    let from = time_of(STEPS / 2).nanos() / 1_000_000 + 7_123;
    let hour = Question::Hour(from, from + 3_600_000);
    for question in [Question::One, Question::Each, hour, Question::Buckets] {
        if peer.ask(question)?.is_none() {
            row.push("–".to_owned());
            continue;
        }
        let spent = median(5, || {
            let figures = peer.ask(question)?.unwrap_or(0);
            anyhow::ensure!(figures > 0, "{name}: {question:?} has no answer");
            Ok(())
        })?;
        row.push(format!("{:.2} ms", spent.wall.as_secs_f64() * 1e3));
    }
    Ok(row)
}

/// The bytes of all files below a directory.
fn bytes_in(path: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        bytes += if entry.file_type()?.is_dir() { bytes_in(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(bytes)
}

/// A sample's time in milliseconds.
fn milliseconds(sample: &AdmittedSample) -> i64 {
    sample.timestamp().nanos() / 1_000_000
}

/// The start of all samples in milliseconds.
fn start() -> i64 {
    first_time().nanos() / 1_000_000
}
