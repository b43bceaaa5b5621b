//! One file per command.

mod alerts;
mod completions;
mod config;
mod events;
mod get;
mod health;
mod import;
mod plugin;
mod record;
mod run;
mod store;
mod store_repair;
mod store_stats;

use crate::arguments::{Arguments, Command};
use crate::connection::Connection;
use crate::exit::{Exit, Failure};

/// Runs the command; its answer is printed already.
pub(crate) fn execute(arguments: Arguments) -> Result<Exit, Failure> {
    let Arguments { shared, command } = arguments;
    let connect = || Connection::open(&shared);
    match command {
        Command::Run(run) => run::execute(&shared, &run),
        Command::Record(record) => record::execute(&connect()?, record, &shared),
        Command::Get(get) => get::execute(&connect()?, &get, &shared),
        Command::Events(events) => events::execute(&events, &shared),
        Command::Health => health::execute(&connect()?, &shared),
        Command::Alerts(alerts) => alerts::execute(&connect()?, &alerts, &shared),
        Command::Import(import) => import::execute(&connect()?, &import, &shared),
        Command::Plugin(plugin) => plugin::execute(plugin, &shared),
        Command::Store(store) => store::execute(store, &shared),
        Command::Config(config) => config::execute(config, &shared),
        Command::Completions { shell } => completions::execute(shell, &shared),
    }
}
