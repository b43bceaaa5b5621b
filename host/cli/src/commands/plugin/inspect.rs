//! `plugin inspect`.

use std::path::PathBuf;

use bridge_telemetry::plugins::inspect_component;
use serde_json::json;

use crate::arguments::{Inspect, Shared};
use crate::exit::{Exit, Failure};
use crate::{output, settings};

pub(super) fn execute(arguments: &Inspect, shared: &Shared) -> Result<Exit, Failure> {
    let plugin = arguments.plugin.as_str();
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
