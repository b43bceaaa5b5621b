//! `plugin …`: one file per subcommand.

mod inspect;
mod list;
mod logs;
mod reload;

use crate::arguments::{Plugin, Shared};
use crate::exit::{Exit, Failure};

pub(super) fn execute(command: Plugin, shared: &Shared) -> Result<Exit, Failure> {
    match command {
        Plugin::List => list::execute(shared),
        Plugin::Inspect(arguments) => inspect::execute(&arguments, shared),
        Plugin::Reload(arguments) => reload::execute(&arguments, shared),
        Plugin::Logs(arguments) => logs::execute(&arguments, shared),
    }
}
