//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

mod plugin;
mod plugin_author;

pub(crate) use plugin::{Inspect, Install, Keygen, Logs, Named, Plugin, Reload, Sign};
pub(crate) use plugin_author::{Bench, New, PluginAuthor, Replay, Test};

/// Records, watches and queries the bridge's telemetry.
#[derive(Debug, Parser)]
#[command(name = "bridge-telemetry", version, about, propagate_version = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Taken by every command.
#[derive(Clone, Debug, Args)]
pub(crate) struct Shared {
    /// The store's directory [default: runtime/data/telemetry_store]
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) data: Option<PathBuf>,
    /// A configuration file: TOML, YAML or JSON
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) config: Option<PathBuf>,
    /// The folder of plugin components
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) plugins: Option<PathBuf>,
    /// Print JSON alone on standard output
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the host until it is interrupted
    Run(Run),
    /// Store one record
    #[command(subcommand)]
    Record(Record),
    /// Aggregate samples
    Get(Get),
    /// List events
    Events(Events),
    /// Show how the host does
    Health,
    /// List alerts; look after deliveries that were given up
    Alerts(Alerts),
    /// Store the records of a file; may be interrupted and called again
    Import(Import),
    /// Look at plugins, install and sign them
    #[command(subcommand)]
    Plugin(Plugin),
    /// Look after the store
    #[command(subcommand)]
    Store(Store),
    /// Look at the configuration
    #[command(subcommand)]
    Config(Config),
    /// Print a shell's completion script
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Address of the HTTP interface; port 0 takes a free one [default: 127.0.0.1:4600]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// Record nothing of this machine
    #[arg(long)]
    pub(crate) no_system: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Record {
    /// Store an event given as a JSON object, or as an array of them
    Event {
        /// The JSON; `-` reads standard input
        // Not `json`: clap would take it for the flag of that name.
        #[arg(value_name = "JSON")]
        event: String,
    },
    /// Store a sample
    Metric {
        /// The metric's name
        name: String,
        /// An integer, a float, or else a text
        #[arg(allow_hyphen_values = true)]
        value: String,
        /// A label, `key=value`; may be repeated
        #[arg(long, value_name = "K=V", value_parser = pair)]
        context: Vec<(String, String)>,
        /// When it was measured, RFC 3339 [default: now]
        #[arg(long, value_name = "T")]
        timestamp: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Get {
    /// Metric names; all when none is given
    pub(crate) names: Vec<String>,
    /// Not before this time, RFC 3339
    #[arg(long, value_name = "T", conflicts_with = "last")]
    pub(crate) from: Option<String>,
    /// Not after this time, RFC 3339
    #[arg(long, value_name = "T")]
    pub(crate) to: Option<String>,
    /// The latest stretch of time, such as 1h or 15m
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(crate) last: Option<std::time::Duration>,
    /// MEAN, SUM, MIN, MAX, COUNT, FIRST, LAST, STDDEV, RATE, P50, P90, P95, P99, APPROX_QUANTILE or a plugin's, such as "percentile(q=0.999)"
    #[arg(long, value_name = "A", default_value = "MEAN")]
    pub(crate) aggregation: String,
    /// One group for each combination of these labels
    #[arg(long, value_name = "K,…", value_delimiter = ',')]
    pub(crate) group_by: Vec<String>,
    /// Only series with this label, `key=value`; may be repeated, any of several values for one key will do
    #[arg(long, value_name = "K=V", value_parser = pair)]
    pub(crate) filter: Vec<(String, String)>,
    /// One point for each step of time, such as 5m
    #[arg(long, value_name = "DURATION")]
    pub(crate) step: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Events {
    /// Only this event type
    #[arg(long = "type", value_name = "T")]
    pub(crate) event_type: Option<String>,
    /// Only this source
    #[arg(long, value_name = "S")]
    pub(crate) source: Option<String>,
    /// Not before this time, RFC 3339
    #[arg(long, value_name = "T")]
    pub(crate) from: Option<String>,
    /// Not after this time, RFC 3339
    #[arg(long, value_name = "T")]
    pub(crate) to: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) limit: usize,
    /// Go on with events as they come; not shown are those whose own time is before the start of following, or more than a
    /// minute before they came
    #[arg(long, conflicts_with = "to")]
    pub(crate) follow: bool,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Alerts {
    /// Which ones
    #[arg(long, value_enum, default_value_t = AlertChoice::All)]
    pub(crate) status: AlertChoice,
    #[command(subcommand)]
    pub(crate) deliveries: Option<Deliveries>,
}

/// Deliveries that were given up.
#[derive(Debug, Subcommand)]
pub(crate) enum Deliveries {
    /// List deliveries that were given up, oldest first
    DeadLetters {
        /// Only those to this receiver
        #[arg(long, value_name = "NAME")]
        receiver: Option<String>,
        /// Only those of this alert
        #[arg(long, value_name = "ID")]
        alert: Option<String>,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: usize,
    },
    /// Send deliveries that were given up on their way again
    Replay {
        /// The receiver they are for
        receiver: String,
        /// Only those of this alert
        #[arg(long, value_name = "ID")]
        alert: Option<String>,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum AlertChoice {
    Firing,
    Resolved,
    All,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The file
    pub(crate) file: PathBuf,
    /// How it is written; by its name when absent
    #[arg(long, value_enum)]
    pub(crate) format: Option<ImportFormat>,
    /// The metric of a CSV file's values [default: the file's name without its ending]; not for JSON lines
    #[arg(long, value_name = "NAME")]
    pub(crate) metric: Option<String>,
    /// A label of every sample that has none of this name itself, `key=value`; may be repeated
    #[arg(long, value_name = "K=V", value_parser = pair)]
    pub(crate) context: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImportFormat {
    /// One JSON object a line: an event, or a sample with metric_name and metric_value
    Jsonl,
    /// A header with `timestamp` and `value`; further columns are labels
    Csv,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Store {
    /// Confirm that the clock is right after it jumped: records expire by it again, and what it makes too old is gone
    AcceptClock,
    /// Copy the whole store, of a running host too, to a directory that is absent or empty
    Backup {
        /// Where the backup goes
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
    /// Check a backup and make the store of --data from it; no host may run there
    Restore {
        /// The backup
        #[arg(value_name = "BACKUP")]
        backup: PathBuf,
        /// Move a store that is there aside, instead of refusing
        #[arg(long)]
        replace: bool,
        /// Check the backup only
        #[arg(long, conflicts_with = "replace")]
        check: bool,
    },
    /// Read the whole store and say what is damaged
    Verify,
    /// Make a sound store of what can be read of a damaged one, and move the damaged one aside; no host may run there
    Repair {
        /// Say what would be kept and lost, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Show partitions, tables, memory and limits
    Stats {
        /// Leave out what must be counted: chunks and rollup rows
        #[arg(long)]
        quick: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Print the JSON Schema of the configuration
    Schema,
    /// Check a configuration file, and what its plugins' own schemas say; faults are shown with line and column
    Check {
        /// The file; the one of --config when absent
        file: Option<PathBuf>,
    },
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("must be key=value".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn negative_values_are_values() {
        let arguments = Arguments::parse_from([
            "bridge-telemetry",
            "record",
            "metric",
            "t",
            "-4.5",
            "--context",
            "a=b=c",
        ]);
        let Command::Record(Record::Metric { value, context, .. }) = arguments.command else { panic!() };
        assert_eq!((value.as_str(), context[0].1.as_str()), ("-4.5", "b=c"));
    }
}
