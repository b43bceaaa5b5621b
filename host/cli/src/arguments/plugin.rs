//! `plugin …`: one struct per subcommand that has arguments.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Plugin {
    /// Every plugin with its state
    List,
    /// What a component is: kind, imports, configuration schema
    Inspect(Inspect),
    /// Have the running host take over the component that now stands in a plugin's file
    Reload(Reload),
    /// The last lines of a plugin's log, from the running host
    Logs(Logs),
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// A component's file, or the name of a plugin
    pub(crate) plugin: String,
}

#[derive(Debug, Args)]
pub(crate) struct Reload {
    /// A plugin, a sink (every receiver's copy of it) or a receiver
    pub(crate) plugin: String,
}

#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// A plugin or a receiver
    pub(crate) plugin: String,
    /// At most so many lines
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) lines: usize,
    /// Go on with the lines that come; one JSON object a line with --json
    #[arg(long)]
    pub(crate) follow: bool,
}
