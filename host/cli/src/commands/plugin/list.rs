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
