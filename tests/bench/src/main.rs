//! Benchmarks of the host: `cargo xtask bench`. Each figure stands beside its alternative, measured in the same run.
//!
//! The machine's noise is met by repeating each measurement and showing the median with its range; nothing here passes
//! or fails.

mod chart;
mod languages;
mod measure;
mod meter;
mod peer;
mod plugins;
mod recording;
mod reload;
mod residence;
mod retrieval;
mod rollups;
mod store;
mod table;
mod validation;
mod zoo;

use std::process::ExitCode;

use bridge_telemetry::plugins::compile_for_parent;
use clap::Parser;

use crate::table::Report;

/// What to measure.
#[derive(Parser)]
#[command(about)]
struct Arguments {
    /// Only the parts whose name contains this text: recording, validation, retrieval, residence, rollups, reload. Or `languages`:
    /// plugins in each language; or `plugins`: plugins against their goals, beside native Rust, a bare module and Extism, which it
    /// compiles the first time; or `zoo`: recording beside plugins that misbehave; or `store`: the storage engine against its
    /// goals. These are done only when they are named, and the last two take minutes.
    #[arg(default_value = "")]
    part: String,
    /// Repetitions of each measurement: 5 if nothing is said, of `plugins` 21 rounds in which all take turns.
    #[arg(long)]
    repeat: Option<usize>,
    /// Divides the number of records, for a quick look.
    #[arg(long, default_value_t = 1)]
    divide: usize,
    /// Of `store`, only the groups of rows whose name contains this text: ingest-queries, single, disk, events, churn,
    /// memory, recovery, durability, bomb, expiry. Of `plugins`: validator, libraries, monitor, watching, aggregation, rollups,
    /// start, reload, size.
    #[arg(long, default_value = "")]
    only: String,
    /// In `store`, also what takes long: reopening with a hundred million samples.
    #[arg(long)]
    large: bool,
    /// After `store`, also other stores with the same samples: SQLite, JSON in RocksDB, tsink, and DuckDB where the variable
    /// DUCKDB_PYTHON names a Python that has it, NumPy and PyArrow. The first time compiles them.
    #[arg(long)]
    peers: bool,
    /// What this process does for another one that measures it.
    #[arg(long, hide = true)]
    child: Option<String>,
}

/// One measured part.
type Part = (&'static str, fn(&mut Report, &Scale) -> anyhow::Result<()>);

/// How much is measured.
pub(crate) struct Scale {
    repeat: usize,
    divide: usize,
}

impl Scale {
    /// A number of records, scaled down as asked.
    pub(crate) fn records(&self, full: usize) -> usize {
        (full / self.divide.max(1)).max(1)
    }

    pub(crate) fn repeat(&self) -> usize {
        self.repeat.max(1)
    }
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    if arguments.child.as_deref() == Some(zoo::COMPILER) {
        return Ok(compile_for_parent());
    }
    run(arguments).map(|()| ExitCode::SUCCESS)
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    if let Some(order) = &arguments.child {
        return store::run_child(order);
    }
    if arguments.part == "plugins" {
        let rounds = arguments.repeat.unwrap_or(21).max(1);
        let scale = Scale { repeat: rounds, divide: arguments.divide };
        return plugins::run(&plugins::Plan { only: arguments.only, rounds, scale });
    }
    let repeat = arguments.repeat.unwrap_or(5);
    if arguments.part == "store" {
        let Arguments { only, divide, large, peers, .. } = arguments;
        store::run(&store::Plan { only, divide, repeat, large })?;
        return if peers { store::run_peers() } else { Ok(()) };
    }
    if arguments.part == "languages" {
        return languages::run();
    }
    let scale = Scale { repeat, divide: arguments.divide };
    if arguments.part == "zoo" {
        let mut report = Report::new();
        zoo::run(&mut report, &scale)?;
        report.print();
        return Ok(());
    }
    // Residence first: memory that other parts freed would count as the idle host's.
    let parts: [Part; 6] = [
        ("residence", residence::run),
        ("recording", recording::run),
        ("validation", validation::run),
        ("retrieval", retrieval::run),
        ("rollups", rollups::run),
        ("reload", reload::run),
    ];
    let mut report = Report::new();
    for (name, run) in parts {
        if name.contains(&arguments.part) {
            eprintln!("measuring {name} …");
            run(&mut report, &scale)?;
        }
    }
    report.print();
    Ok(())
}
