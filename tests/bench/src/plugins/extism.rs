//! The same validator in Extism, which is a workspace of its own: built and run from here, its lines taken over.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::Context as _;

/// Seconds of CPU time for one event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extism {
    /// The call, with JSON made and read.
    pub(super) whole: f64,
    /// The same checks natively, in the same process.
    pub(super) native: f64,
    /// A call with the same bytes that does nothing.
    pub(super) idle: f64,
}

/// What Extism takes with so many events a call. The first time compiles it.
pub(super) fn measure(rounds: usize, events: usize) -> anyhow::Result<Extism> {
    static LINES: OnceLock<Result<String, String>> = OnceLock::new();
    let lines = LINES.get_or_init(|| run(rounds).map_err(|error| format!("{error:#}")));
    let lines = lines.as_ref().map_err(|error| anyhow::anyhow!("{error}"))?;
    let lines = lines.lines().map(serde_json::from_str::<serde_json::Value>);
    for line in lines {
        let line = line.context("not a line of figures")?;
        let figure = |name: &str| line.get(name).and_then(serde_json::Value::as_f64).context(name.to_owned());
        if figure("batch")? == events as f64 {
            return Ok(Extism { whole: figure("whole")?, native: figure("native")?, idle: figure("idle")? });
        }
    }
    anyhow::bail!("it printed no line about {events} events a call")
}

fn run(rounds: usize) -> anyhow::Result<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers-plugins");
    eprintln!("building and measuring Extism, whose first build takes long …");
    cargo(&folder, &["build", "--release", "--package", "extism-checks", "--target", "wasm32-wasip2"])?;
    let guest = target(&folder).join("wasm32-wasip2/release/extism_checks.wasm");
    let guest = guest.to_str().context("a path that is no text")?;
    let package = "bridge-telemetry-bench-peers-plugins";
    cargo(&folder, &["run", "--package", package, "--", guest, &rounds.to_string()])
}

/// Its own, whatever the environment says: two workspaces in one folder would undo each other's work.
fn target(folder: &Path) -> PathBuf {
    folder.join("target")
}

/// What cargo, or what it ran, printed.
fn cargo(folder: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // From its own folder, so that what the project's cargo configuration says holds here too.
    command.current_dir(folder).env("CARGO_TARGET_DIR", target(folder)).stderr(Stdio::inherit());
    let (verb, rest) = arguments.split_first().context("no command")?;
    let output = command.args([verb, "--quiet", "--locked"]).args(rest).output()?;
    anyhow::ensure!(output.status.success(), "cargo {verb} failed for Extism's workspace");
    Ok(String::from_utf8(output.stdout)?)
}
