//! `plugin …`: one struct per subcommand that has arguments.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Plugin {
    /// Every plugin with its state
    List,
    /// What a component is: kind, imports, configuration schema
    Inspect(Inspect),
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// A component's file, or the name of a plugin
    pub(crate) plugin: String,
}
