//! The storage engine against its goals: `cargo xtask bench store`.
//!
//! Ten million generated samples of a thousand series, and real ones. Every figure stands beside its goal; CPU time is that of
//! the whole process, background threads included, without what making the samples took.

mod bomb;
mod child;
mod churn;
pub(crate) mod data;
mod disk;
mod durability;
mod events;
mod expiry;
mod ingest;
mod nab;
pub(crate) mod queries;
mod recovery;
mod shapes;
pub(crate) mod site;

use crate::chart::Chart;
pub(crate) use child::run as run_child;

/// What is measured, and how much of it.
pub(crate) struct Plan {
    /// Only groups of rows whose name contains this; of the queries, behind a slash, only those that contain what follows it.
    pub(crate) only: String,
    /// Divides the number of samples.
    pub(crate) divide: usize,
    /// Repetitions of a query.
    pub(crate) repeat: usize,
    /// Whether reopening is also measured with a hundred million samples.
    pub(crate) large: bool,
}

/// Builds and runs the comparison with other stores, which is a workspace of its own.
pub(crate) fn run_peers() -> anyhow::Result<()> {
    let manifest = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/Cargo.toml");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = std::process::Command::new(cargo);
    let status = command.args(["run", "--quiet", "--manifest-path"]).arg(manifest).status()?;
    anyhow::ensure!(status.success(), "the comparison with other stores failed");
    Ok(())
}

type Group = (&'static str, fn(&mut Chart, &Plan) -> anyhow::Result<()>);

/// Measures and prints.
pub(crate) fn run(plan: &Plan) -> anyhow::Result<()> {
    let groups: [Group; 10] = [
        ("ingest-queries", queries::run),
        ("single", ingest::single),
        ("disk", disk::run),
        ("events", events::run),
        ("churn", churn::run),
        ("memory", recovery::memory),
        ("recovery", recovery::run),
        ("durability", durability::run),
        ("bomb", bomb::run),
        ("expiry", expiry::run),
    ];
    let mut chart = Chart::new();
    let only = plan.only.split('/').next().unwrap_or_default();
    for (name, measure) in groups {
        if name.contains(only) {
            eprintln!("measuring {name} …");
            measure(&mut chart, plan)?;
        }
    }
    chart.print();
    Ok(())
}
