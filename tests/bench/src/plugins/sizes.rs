//! How large the shipped plugins are.

use bridge_telemetry_tests as artifact;

use super::Plan;
use crate::chart::{Chart, Goal, Unit};

/// Bytes of a shipped plugin at most.
const MOST: f64 = 100_000.0;

pub(super) fn run(chart: &mut Chart, _plan: &Plan) -> anyhow::Result<()> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(artifact::component_folder()?)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    anyhow::ensure!(!names.is_empty(), "no plugin is shipped");
    names.sort();
    for name in names {
        let bytes = std::fs::metadata(artifact::plugin(&name)?)?.len();
        chart.row(
            &format!("size of the shipped {name}"),
            bytes as f64,
            Unit::Kilobytes,
            String::new(),
            Goal::AtMost(MOST),
        );
    }
    Ok(())
}
