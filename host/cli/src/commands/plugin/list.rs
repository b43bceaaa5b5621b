//! `plugin list`: a running host's plugins, or else what lies in the folder.

use bridge_telemetry::envelope::Envelope;
use bridge_telemetry::plugins::installed_plugins;
use serde_json::{Value, json};

use super::failure;
use crate::arguments::Shared;
use crate::connection::{self, Connection};
use crate::exit::{Exit, Failure};
use crate::output::{self, text};
use crate::settings;

pub(super) fn execute(shared: &Shared) -> Result<Exit, Failure> {
    if connection::is_host_running(shared)? {
        let envelope = Connection::to_running_host(shared)?.plugins()?;
        return Ok(output::answer(&envelope, shared.json, |body| show(body, running)));
    }
    let (config, faults) = settings::config_of_last_run(shared)?;
    for fault in faults {
        eprintln!("warning: {}", output::printable(&fault.to_string()));
    }
    let plugins = installed_plugins(&config).map_err(failure)?;
    let envelope = Envelope { body: json!({"status": "success", "plugins": plugins}), error: None };
    Ok(output::answer(&envelope, shared.json, |body| show(body, installed)))
}

fn show(body: &Value, table: impl Fn(&[Value])) {
    match body.get("plugins").and_then(Value::as_array).map(Vec::as_slice) {
        None | Some([]) => output::line("no plugins; set plugins.directory or --plugins"),
        Some(plugins) => table(plugins),
    }
}

fn running(plugins: &[Value]) {
    output::table(
        [
            "NAME",
            "KIND",
            "VERSION",
            "STATE",
            "TRUST",
            "CALLS",
            "FAILURES",
            "RESTARTS",
            "LAG",
            "CPU",
            "MEMORY",
            "DESCRIPTION",
        ],
        plugins.iter().map(|plugin| {
            let cell = |name: &str| text(plugin, &format!("/{name}"));
            let state = match cell("load").as_str() {
                "loaded" => cell("state"),
                other => other.to_owned(),
            };
            let memory = plugin.get("memory_bytes").and_then(Value::as_u64);
            let memory =
                memory.map_or_else(|| "-".to_owned(), |bytes| format!("{} KiB", bytes.div_ceil(1024)));
            let cpu = plugin.get("cpu_seconds").and_then(Value::as_f64);
            let cpu = cpu.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.3} s"));
            [
                cell("name"),
                cell("kind"),
                version(plugin),
                state,
                trust(plugin),
                cell("calls"),
                cell("failures"),
                cell("restarts"),
                cell("lag_records"),
                cpu,
                memory,
                told(plugin),
            ]
        }),
    );
}

fn installed(plugins: &[Value]) {
    output::table(
        ["NAME", "KIND", "VERSION", "STATE", "TRUST", "DESCRIPTION"],
        plugins.iter().map(|plugin| {
            let cell = |name: &str| text(plugin, &format!("/{name}"));
            [cell("name"), cell("kind"), cell("version"), cell("load"), trust(plugin), told(plugin)]
        }),
    );
}

/// Why it may be run, in two words.
fn trust(plugin: &Value) -> String {
    let is_pinned = plugin.pointer("/trust/pinned") == Some(&Value::Bool(true));
    match plugin.pointer("/trust/signer") {
        Some(_) => format!("signed by {}", text(plugin, "/trust/signer")),
        None if is_pinned => "pinned".to_owned(),
        None => text(plugin, "/trust/policy"),
    }
}

/// Why it does not run, or why its last version does not; else what it is.
fn told(plugin: &Value) -> String {
    let is_there = |name: &str| plugin.get(name).is_some();
    match plugin.pointer("/last_reload/outcome").and_then(Value::as_str) {
        _ if is_there("reason") => text(plugin, "/reason"),
        Some("refused" | "rolled_back" | "rollback_failed") => text(plugin, "/last_reload/reason"),
        _ => text(plugin, "/description"),
    }
}

/// The version, with its number since the host was opened when it is not the first.
fn version(plugin: &Value) -> String {
    match plugin.get("generation").and_then(Value::as_u64) {
        Some(generation) if generation > 1 => format!("{} (no. {generation})", text(plugin, "/version")),
        _ => text(plugin, "/version"),
    }
}
