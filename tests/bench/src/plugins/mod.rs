//! Plugins against their goals: `cargo xtask bench plugins`. What the sandbox costs beside the same work in native Rust, in a bare
//! module and in Extism, what loading and replacing plugins takes, and how large the shipped ones are.
//!
//! Contestants take turns and CPU time counts, so that a busy machine meets all alike; ratios are medians of the rounds' ratios.

mod bare;
mod checks;
mod contest;
mod crossing;
mod extism;
mod laboratory;
mod libraries;
mod moments;
mod sizes;
mod sums;
mod watching;

pub(crate) use laboratory::no_host;

use crate::Scale;
use crate::chart::Chart;

/// What is measured, and how often.
pub(crate) struct Plan {
    /// Only groups of rows whose name contains this.
    pub(crate) only: String,
    /// Rounds in which all contestants take their turn once.
    pub(crate) rounds: usize,
    /// Of the parts that are measured as elsewhere.
    pub(crate) scale: Scale,
}

type Group = (&'static str, fn(&mut Chart, &Plan) -> anyhow::Result<()>);

/// Measures and prints.
pub(crate) fn run(plan: &Plan) -> anyhow::Result<()> {
    let groups: [Group; 9] = [
        ("validator", checks::run),
        ("libraries", libraries::run),
        ("monitor", crossing::run),
        ("watching", watching::run),
        ("aggregation", sums::run),
        ("rollups", moments::kept),
        ("start", moments::start),
        ("reload", moments::reload),
        ("size", sizes::run),
    ];
    let mut chart = Chart::new();
    for (name, measure) in groups {
        if name.contains(&plan.only) {
            eprintln!("measuring {name} …");
            measure(&mut chart, plan)?;
        }
    }
    chart.print();
    Ok(())
}
