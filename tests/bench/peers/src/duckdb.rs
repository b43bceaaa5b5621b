//! DuckDB, from PyPI: its C++ is not compiled here. The samples reach it as columns in a file.

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use crate::data::{BATCH, Fleet, HOSTS, METRICS};
use crate::{STEPS, milliseconds};

/// Runs the script; answers its row.
pub(crate) fn run(python: &OsStr, folder: &Path, samples: usize) -> anyhow::Result<Vec<String>> {
    let path = folder.join("samples.bin");
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path)?);
    let mut fleet = Fleet::of_all_shapes(HOSTS);
    for _ in 0..samples / BATCH {
        for (place, sample) in fleet.next(BATCH)?.iter().enumerate() {
            // A batch is one step of all series, in the order of their numbers.
            file.write_all(&(place as i64).to_le_bytes())?;
            file.write_all(&milliseconds(sample).to_le_bytes())?;
            file.write_all(&sample.value().as_f64().unwrap_or(0.0).to_le_bytes())?;
        }
    }
    file.flush()?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("duckdb_peer.py");
    let from = crate::time_of(STEPS / 2).nanos() / 1_000_000 + 7_123;
    let output = Command::new(python)
        .arg(script)
        .args([&path, &folder.join("samples.duckdb")])
        .args([METRICS.to_string(), from.to_string(), (from + 3_600_000).to_string()])
        .output()?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().split('|').map(str::to_owned).collect())
}
