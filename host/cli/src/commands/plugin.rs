//! `plugin list` and `plugin inspect`.

use std::path::PathBuf;

use bridge_telemetry::plugins::inspect_component;
use serde_json::{Value, json};

use crate::arguments::{Plugin, Shared};
use crate::connection::Connection;
use crate::exit::{Exit, Failure};
use crate::output::{self, text};
use crate::settings;

pub(super) fn execute(command: Plugin, shared: &Shared) -> Result<Exit, Failure> {
    match command {
        Plugin::List => list(shared),
        Plugin::Inspect { plugin } => inspect(&plugin, shared),
    }
}

fn list(shared: &Shared) -> Result<Exit, Failure> {
    let envelope = Connection::open(shared)?.plugins()?;
    Ok(output::answer(&envelope, shared.json, |body| {
        let plugins = body.get("plugins").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if plugins.is_empty() {
            return output::line("no plugins; set plugins.directory or --plugins");
        }
        output::table(
            ["NAME", "KIND", "STATE", "CALLS", "FAILURES", "TIME", "DESCRIPTION"],
            plugins.iter().map(|plugin| {
                let cell = |name: &str| text(plugin, &format!("/{name}"));
                let state = match cell("load").as_str() {
                    "loaded" => text(plugin, "/state"),
                    other => other.to_owned(),
                };
                let told = if plugin.get("reason").is_some() { cell("reason") } else { cell("description") };
                [
                    cell("name"),
                    cell("kind"),
                    state,
                    cell("calls"),
                    cell("failures"),
                    cell("time_used_seconds"),
                    told,
                ]
            }),
        );
    }))
}

fn inspect(plugin: &str, shared: &Shared) -> Result<Exit, Failure> {
    let file = PathBuf::from(plugin);
    let file = if file.is_file() {
        file
    } else {
        let config = settings::config(shared)?;
        config.plugins.component_of(plugin).filter(|file| file.is_file()).ok_or_else(|| {
            Failure::usage(anyhow::anyhow!(
                "\"{plugin}\" is neither a file nor a plugin of plugins.directory"
            ))
        })?
    };
    let info = inspect_component(&file).map_err(Failure::refused)?;
    let body = json!({"status": "success", "plugin": info});
    if shared.json {
        output::line(&body.to_string());
    } else {
        output::line(&output::printable(&serde_json::to_string_pretty(&info).unwrap_or_default()));
    }
    Ok(Exit::Done)
}
