//! `plugin new`, `build`, `check`, `test`, `replay`, `bench`: what authors of plugins use.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use telemetry_toolkit::Language;

#[derive(Debug, Subcommand)]
pub(crate) enum PluginAuthor {
    /// Make a project: a small plugin that works, with its test cases
    New(New),
    /// Build a project with its language's tools
    Build {
        /// The project's folder
        #[arg(value_name = "DIR", default_value = ".")]
        directory: PathBuf,
    },
    /// Check a component and its manifest: all that would keep a host from taking it
    Check {
        /// A component's file, or a project's folder
        #[arg(default_value = ".")]
        plugin: PathBuf,
    },
    /// Run a project's test cases, tests/*.toml, in the sandbox
    Test(Test),
    /// Show a monitor or validator what a store holds: what would it have raised or refused? Nothing is stored or sent
    Replay(Replay),
    /// Measure a component: fuel and time per event, sample, value and call
    Bench(Bench),
}

#[derive(Debug, Args)]
pub(crate) struct New {
    /// The plugin's name: small letters, digits and hyphens
    pub(crate) name: String,
    /// What it extends
    #[arg(long, value_enum)]
    pub(crate) kind: KindChoice,
    /// What it is written in
    #[arg(long, value_enum, default_value_t = LanguageChoice::Rust)]
    pub(crate) language: LanguageChoice,
    /// The project's folder [default: the plugin's name]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// The folder of the Rust SDK, plugin-sdk of a checkout [default: the one that this program was built from]
    #[arg(long, value_name = "DIR")]
    pub(crate) sdk: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum KindChoice {
    /// Refuses or normalises records before they are stored
    Validator,
    /// Adds aggregate functions to queries
    #[value(alias = "aggregator")]
    Aggregation,
    /// Watches stored records and raises signals
    Monitor,
    /// Delivers alerts or routes them on
    Sink,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum LanguageChoice {
    Rust,
    Python,
    #[value(name = "javascript", alias = "js")]
    JavaScript,
    C,
}

impl From<LanguageChoice> for Language {
    fn from(choice: LanguageChoice) -> Self {
        match choice {
            LanguageChoice::Rust => Self::Rust,
            LanguageChoice::Python => Self::Python,
            LanguageChoice::JavaScript => Self::JavaScript,
            LanguageChoice::C => Self::C,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// The project's folder
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) directory: PathBuf,
    /// Only cases whose names contain this
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) case: String,
    /// The component, where DIR has no plugin.toml that names it
    #[arg(long, value_name = "FILE")]
    pub(crate) component: Option<PathBuf>,
    /// Keep what comes out now as what is expected
    #[arg(long)]
    pub(crate) bless: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// A component's file, a project's folder, or the name of a plugin
    pub(crate) plugin: String,
    /// Records not before this time, RFC 3339
    #[arg(long, value_name = "T", conflicts_with = "last")]
    pub(crate) from: Option<String>,
    /// Records not after this time, RFC 3339
    #[arg(long, value_name = "T")]
    pub(crate) to: Option<String>,
    /// The latest stretch of time, such as 1h or 15m
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(crate) last: Option<std::time::Duration>,
    /// The plugin's configuration, a JSON object [default: the one of plugins.settings]
    #[arg(long, value_name = "JSON")]
    pub(crate) settings: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// A component's file, or a project's folder
    #[arg(default_value = ".")]
    pub(crate) plugin: PathBuf,
    /// The plugin's configuration, a JSON object
    #[arg(long, value_name = "JSON")]
    pub(crate) settings: Option<String>,
    /// Keep the figures in this file
    #[arg(long, value_name = "FILE")]
    pub(crate) save_baseline: Option<PathBuf>,
    /// Compare with the figures in this file; exit code 1 when one grew too much
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,
    /// By how much fuel may grow, in percent; it is the same at every run
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0)]
    pub(crate) threshold: f64,
    /// By how much time may grow, in percent; not compared unless given, as it depends on the machine
    #[arg(long, value_name = "PERCENT")]
    pub(crate) time_threshold: Option<f64>,
}
