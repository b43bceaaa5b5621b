//! `plugin …`: one struct per subcommand that has arguments.

use std::path::PathBuf;

use bridge_telemetry::plugins::package::Sha256;
use clap::{Args, Subcommand};

use super::PluginAuthor;

#[derive(Debug, Subcommand)]
pub(crate) enum Plugin {
    /// Every plugin with its state
    List,
    /// What a plugin is, what it asks for, and whether this host would run it
    Inspect(Inspect),
    /// Have the running host take over the component that now stands in a plugin's file
    Reload(Reload),
    /// The last lines of a plugin's log, from the running host
    Logs(Logs),
    /// Check a plugin, copy it into the folder of plugins and pin its hash
    Install(Install),
    /// Let a disabled plugin be loaded again; a host that runs loads it
    Enable(Named),
    /// Keep a plugin from being loaded; a host that runs stops it
    Disable(Named),
    /// Remove a plugin and its pin from the folder of plugins; a host that runs stops it
    Remove(Named),
    /// Sign a package: fill the component's hash into its manifest, and write plugin.toml.minisig beside it
    Sign(Sign),
    /// Make a pair of keys to sign packages with
    Keygen(Keygen),
    #[command(flatten)]
    Author(PluginAuthor),
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// A package's folder, an archive of one (tar, tar.gz), a component, or the name of a plugin
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

#[derive(Debug, Args)]
pub(crate) struct Install {
    /// A package's folder, an archive of one (tar, tar.gz), or a component
    #[arg(value_name = "PACKAGE")]
    pub(crate) source: PathBuf,
    /// The name of a component without a manifest [default: what it calls itself]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// The SHA-256 that the component must have, as its author published it
    #[arg(long, value_name = "HASH")]
    pub(crate) sha256: Option<Sha256>,
    /// Let an older version replace a newer one that is installed or ran
    #[arg(long)]
    pub(crate) allow_downgrade: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Named {
    /// The plugin's name
    pub(crate) name: String,
}

#[derive(Debug, Args)]
pub(crate) struct Sign {
    /// The package's folder
    #[arg(value_name = "PACKAGE")]
    pub(crate) folder: PathBuf,
    /// The secret key's file, made with `plugin keygen` or `minisign -GW`
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Keygen {
    /// Where the keys go: PATH.key, which is secret, and PATH.pub
    #[arg(value_name = "PATH", default_value = "plugin-signing")]
    pub(crate) path: PathBuf,
}
