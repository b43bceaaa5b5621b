//! `config schema` and `config check`.

use bridge_telemetry::config;
use serde_json::{Value, json};

use crate::arguments::{Config, Shared};
use crate::exit::{Exit, Failure};
use crate::{output, settings};

pub(super) fn execute(command: Config, shared: &Shared) -> Result<Exit, Failure> {
    match command {
        Config::Schema => {
            let schema = config::Config::schema();
            output::line(&serde_json::to_string_pretty(&schema).unwrap_or_default());
            Ok(Exit::Done)
        }
        Config::Check { file } => {
            let Some(file) = file.or_else(|| shared.config.clone()) else {
                let message = "name the file: bridge-telemetry config check FILE";
                return Err(Failure::usage(anyhow::anyhow!(message)));
            };
            settings::layers(&Shared { config: Some(file.clone()), ..shared.clone() }).check_plugins()?;
            if shared.json {
                output::line(&Value::to_string(&json!({"status": "success", "file": file})));
            } else {
                output::line(&format!("{} is a valid configuration", file.display()));
            }
            Ok(Exit::Done)
        }
    }
}
