//! `plugin …`: one file per subcommand.

mod bench;
mod build;
mod check;
mod create;
mod inspect;
mod install;
mod keygen;
mod list;
mod logs;
mod reload;
mod replay;
mod sign;
mod switch;
mod test;

use std::path::Path;

use bridge_telemetry::config::PluginsConfig;
use bridge_telemetry::plugins::package::PackageError;
use serde_json::{Map, Value, json};

use crate::arguments::{Plugin, PluginAuthor, Shared};
use crate::connection;
use crate::exit::{Exit, Failure};
use crate::output::{self, line, one_line};

pub(super) fn execute(command: Plugin, shared: &Shared) -> Result<Exit, Failure> {
    match command {
        Plugin::List => list::execute(shared),
        Plugin::Inspect(arguments) => inspect::execute(&arguments, shared),
        Plugin::Reload(arguments) => reload::execute(&arguments, shared),
        Plugin::Logs(arguments) => logs::execute(&arguments, shared),
        Plugin::Install(arguments) => install::execute(&arguments, shared),
        Plugin::Enable(arguments) => switch::enable(&arguments, shared),
        Plugin::Disable(arguments) => switch::disable(&arguments, shared),
        Plugin::Remove(arguments) => switch::remove(&arguments, shared),
        Plugin::Sign(arguments) => sign::execute(&arguments, shared),
        Plugin::Keygen(arguments) => keygen::execute(&arguments, shared),
        Plugin::Author(PluginAuthor::New(new)) => create::execute(&new, shared),
        Plugin::Author(PluginAuthor::Build { directory }) => build::execute(&directory, shared),
        Plugin::Author(PluginAuthor::Check { plugin }) => check::execute(&plugin, shared),
        Plugin::Author(PluginAuthor::Test(arguments)) => test::execute(&arguments, shared),
        Plugin::Author(PluginAuthor::Replay(arguments)) => replay::execute(&arguments, shared),
        Plugin::Author(PluginAuthor::Bench(arguments)) => bench::execute(&arguments, shared),
    }
}

/// A plugin's configuration as it was given.
fn settings_json(given: Option<&str>) -> Result<Option<Value>, Failure> {
    let Some(text) = given else { return Ok(None) };
    match serde_json::from_str(text) {
        Ok(settings @ Value::Object(_)) => Ok(Some(settings)),
        Ok(_) => Err(Failure::usage(anyhow::anyhow!("--settings: must be a JSON object"))),
        Err(error) => Err(Failure::usage(anyhow::Error::new(error).context("--settings"))),
    }
}

/// A change of the folder of plugins was refused, or the command named what does not exist.
fn failure(error: PackageError) -> Failure {
    if error.is_usage() { Failure::usage(error) } else { Failure::refused(error) }
}

/// What a host that runs does about a change in the folder of plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    /// It takes the change over by itself, if it is configured as this command is.
    TakenOver,
    /// It stops the plugin by itself, under the same condition.
    Stopped,
    /// It goes on with what it has loaded.
    AtNextStart,
}

impl Effect {
    /// Of a plugin that a host may load from now on.
    fn of_gain(plugins: &PluginsConfig) -> Self {
        if plugins.reload.watch { Self::TakenOver } else { Self::AtNextStart }
    }

    /// Of a plugin that a host may not run any more.
    fn of_loss(plugins: &PluginsConfig) -> Self {
        if plugins.reload.watch { Self::Stopped } else { Self::AtNextStart }
    }
}

/// Prints what was changed in the folder of plugins, and what a host that runs does about it.
fn report_change(
    shared: &Shared,
    told: &[String],
    mut body: Map<String, Value>,
    effect: Effect,
) -> Result<Exit, Failure> {
    let is_running = connection::is_host_running(shared)?;
    if shared.json {
        body.insert("status".to_owned(), "success".into());
        body.insert("restart_needed".to_owned(), (is_running && effect == Effect::AtNextStart).into());
        output::line(&Value::Object(body).to_string());
        return Ok(Exit::Done);
    }
    for text in told {
        line(&one_line(text));
    }
    if is_running {
        line(match effect {
            Effect::TakenOver => "the host that runs here takes it over when it has tried it",
            Effect::Stopped => "the host that runs here stops it in a moment",
            Effect::AtNextStart => {
                "the host that runs here goes on with what it has loaded until it is started again"
            }
        });
    }
    Ok(Exit::Done)
}

/// A path in JSON.
fn path_text(path: &Path) -> Value {
    json!(path.to_string_lossy())
}
