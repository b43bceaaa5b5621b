//! Memory of an idle host with the shipped plugins loaded.

use bridge_telemetry::{Config, Host};
use bridge_telemetry_tests as artifact;

use crate::Scale;
use crate::table::Report;

pub(crate) fn run(report: &mut Report, _scale: &Scale) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut config = Config::default();
    config.storage_config.connection_string = folder.path().join("store");
    config.plugins.directory = Some(artifact::component_folder()?);
    // Once to fill the cache of compiled code: compiling needs more memory than running.
    drop(Host::open(config.clone())?);
    let before = resident()?;
    let host = Host::open(config)?;
    host.health_check();
    let after = resident()?;
    report.figure(
        "resident memory of the process with an idle host, nine plugins",
        mebibytes(after),
        "≤ 60 MB",
    );
    report.figure(
        "… of it added by opening the host a second time",
        mebibytes(after.saturating_sub(before)),
        "",
    );
    Ok(())
}

/// Resident bytes of this process.
fn resident() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kibibytes * 1024)
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
