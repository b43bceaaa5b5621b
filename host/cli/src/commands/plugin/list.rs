//! `plugin list`.

use serde_json::Value;

use crate::arguments::Shared;
use crate::connection::Connection;
use crate::exit::{Exit, Failure};
use crate::output::{self, text};

pub(super) fn execute(shared: &Shared) -> Result<Exit, Failure> {
    let envelope = Connection::open(shared)?.plugins()?;
    Ok(output::answer(&envelope, shared.json, |body| {
        let plugins = body.get("plugins").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if plugins.is_empty() {
            return output::line("no plugins; set plugins.directory or --plugins");
        }
        output::table(
            [
                "NAME",
                "KIND",
                "VERSION",
                "STATE",
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
                    "loaded" => text(plugin, "/state"),
                    other => other.to_owned(),
                };
                let memory = plugin.get("memory_bytes").and_then(Value::as_u64);
                let memory =
                    memory.map_or_else(|| "-".to_owned(), |bytes| format!("{} KiB", bytes.div_ceil(1024)));
                let cpu = plugin.get("cpu_seconds").and_then(Value::as_f64);
                let cpu = cpu.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.3} s"));
                let told = match plugin.pointer("/last_reload/outcome").and_then(Value::as_str) {
                    _ if plugin.get("reason").is_some() => cell("reason"),
                    Some("refused" | "rolled_back" | "rollback_failed") => {
                        text(plugin, "/last_reload/reason")
                    }
                    _ => cell("description"),
                };
                [
                    cell("name"),
                    cell("kind"),
                    version(plugin),
                    state,
                    cell("calls"),
                    cell("failures"),
                    cell("restarts"),
                    cell("lag_records"),
                    cpu,
                    memory,
                    told,
                ]
            }),
        );
    }))
}

/// The version, with its number since the host was opened when it is not the first.
fn version(plugin: &Value) -> String {
    match plugin.get("generation").and_then(Value::as_u64) {
        Some(generation) if generation > 1 => format!("{} (no. {generation})", text(plugin, "/version")),
        _ => text(plugin, "/version"),
    }
}
