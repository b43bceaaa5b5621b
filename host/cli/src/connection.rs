//! How a command reaches the telemetry: through the host that runs on the data directory, or by opening the store itself.

use std::ops::ControlFlow;
use std::sync::Arc;

use bridge_telemetry::config::{Config, LogLevel};
use bridge_telemetry::envelope::Envelope;
use bridge_telemetry::logging::LogSetup;
use bridge_telemetry::{Clock, Host, HostBuilder, OpenProgress, SystemClock};

use crate::arguments::{AlertChoice, Shared};
use crate::client::{self, Client};
use crate::exit::Failure;
use crate::live_line::LiveLine;
use crate::{host_file, settings};

/// The way to the telemetry. Both ways answer the same envelopes.
pub(crate) enum Connection {
    /// A running host.
    Remote(Client),
    /// The store, opened for this command.
    Local(Box<Host>),
}

impl Connection {
    /// Reaches the telemetry of the configured data directory.
    pub(crate) fn open(shared: &Shared) -> Result<Self, Failure> {
        let config = settings::config(shared)?;
        match running_host(&config) {
            Some(client) => Ok(Self::Remote(client)),
            None => Ok(Self::Local(Box::new(open_here(shared)?))),
        }
    }

    /// The host that runs on the configured data directory, if one does.
    pub(crate) fn running(shared: &Shared) -> Result<Option<Self>, Failure> {
        Ok(running_host(&settings::config(shared)?).map(Self::Remote))
    }

    /// Reaches the running host, for what only a running host can do.
    pub(crate) fn to_running_host(shared: &Shared) -> Result<Self, Failure> {
        let config = settings::config(shared)?;
        running_host(&config).map(Self::Remote).ok_or_else(|| {
            let directory = config.storage_config.connection_string.display();
            Failure::unreachable(anyhow::anyhow!(
                "no host runs on {directory}; start one with bridge-telemetry run"
            ))
        })
    }

    pub(crate) fn record_event(&self, body: &[u8]) -> Result<Envelope, Failure> {
        match self {
            Self::Remote(client) => client.post("/v1/events", body),
            Self::Local(host) => Ok(host.record_event_json(body)),
        }
    }

    pub(crate) fn record_metric(&self, body: &[u8]) -> Result<Envelope, Failure> {
        match self {
            Self::Remote(client) => client.post("/v1/metrics", body),
            Self::Local(host) => Ok(host.record_metric_json(body)),
        }
    }

    pub(crate) fn import(&self, body: &[u8]) -> Result<Envelope, Failure> {
        match self {
            Self::Remote(client) => client.post("/v1/import", body),
            Self::Local(host) => Ok(host.import_json(body)),
        }
    }

    pub(crate) fn query(&self, body: &[u8]) -> Result<Envelope, Failure> {
        match self {
            Self::Remote(client) => client.post("/v1/query", body),
            Self::Local(host) => Ok(host.query_json(body)),
        }
    }

    pub(crate) fn events(&self, pairs: &[(&str, &str)]) -> Result<Envelope, Failure> {
        match self {
            Self::Remote(client) => client.get("/v1/events", pairs),
            Self::Local(host) => Ok(host.events_json(pairs.iter().copied())),
        }
    }

    pub(crate) fn health(&self) -> Result<Envelope, Failure> {
        match self {
            Self::Remote(client) => client.get("/v1/health", &[]),
            Self::Local(host) => Ok(host.health_json()),
        }
    }

    pub(crate) fn alerts(&self, choice: AlertChoice) -> Result<Envelope, Failure> {
        let status = match choice {
            AlertChoice::Firing => "firing",
            AlertChoice::Resolved => "resolved",
            AlertChoice::All => "all",
        };
        match self {
            Self::Remote(client) => client.get("/v1/alerts", &[("status", status)]),
            Self::Local(host) => Ok(host.alerts_json(status.parse().unwrap_or_default())),
        }
    }

    pub(crate) fn dead_letters(&self, pairs: &[(&str, &str)]) -> Result<Envelope, Failure> {
        match self {
            Self::Remote(client) => client.get("/v1/dead-letters", pairs),
            Self::Local(host) => Ok(host.dead_letters_json(pairs.iter().copied())),
        }
    }

    pub(crate) fn replay_dead_letters(&self, body: &[u8]) -> Result<Envelope, Failure> {
        match self {
            Self::Remote(client) => client.post("/v1/dead-letters/replay", body),
            Self::Local(host) => Ok(host.replay_dead_letters_json(body)),
        }
    }

    pub(crate) fn accept_clock(&self) -> Result<Envelope, Failure> {
        match self {
            Self::Remote(client) => client.post("/v1/clock/accept", b"{}"),
            Self::Local(host) => Ok(host.accept_clock_json(b"{}")),
        }
    }

    pub(crate) fn backup(&self, body: &[u8]) -> Result<Envelope, Failure> {
        match self {
            Self::Remote(client) => client.post_unhurried("/v1/store/backup", body),
            Self::Local(host) => Ok(host.backup_json(body)),
        }
    }

    pub(crate) fn verify(&self) -> Result<Envelope, Failure> {
        match self {
            Self::Remote(client) => client.post_unhurried("/v1/store/verify", b"{}"),
            Self::Local(host) => Ok(host.verify_json(b"{}")),
        }
    }

    pub(crate) fn store_stats(&self, quick: bool) -> Result<Envelope, Failure> {
        let pairs = [("quick", if quick { "true" } else { "false" })];
        match self {
            Self::Remote(client) => client.get_unhurried("/v1/store/stats", &pairs),
            Self::Local(host) => Ok(host.store_stats_json(pairs)),
        }
    }

    pub(crate) fn reload_plugin(&self, name: &str) -> Result<Envelope, Failure> {
        match self {
            Self::Remote(client) => {
                client.post_unhurried(&format!("/v1/plugins/{}/reload", client::segment(name)), b"{}")
            }
            Self::Local(host) => Ok(host.reload_plugin_json(name, b"{}")),
        }
    }

    pub(crate) fn plugin_log(&self, name: &str, pairs: &[(&str, &str)]) -> Result<Envelope, Failure> {
        match self {
            Self::Remote(client) => client.get(&format!("/v1/plugins/{}/logs", client::segment(name)), pairs),
            Self::Local(host) => Ok(host.plugin_log_json(name, pairs.iter().copied())),
        }
    }

    pub(crate) fn plugins(&self) -> Result<Envelope, Failure> {
        match self {
            Self::Remote(client) => client.get("/v1/plugins", &[]),
            Self::Local(host) => Ok(host.plugins_json()),
        }
    }
}

/// Whether a host runs on the configured data directory.
pub(crate) fn is_host_running(shared: &Shared) -> Result<bool, Failure> {
    Ok(running_host(&settings::config(shared)?).is_some())
}

fn running_host(config: &Config) -> Option<Client> {
    host_file::read(&config.storage_config.connection_string).and_then(|host| Client::reach(&host))
}

/// Opens the store for one command, as a visitor: monitors and receivers that only the host's own configuration names keep what
/// they have. The log file is a host's: what there is to say goes to standard error, and only what
/// is out of the ordinary.
fn open_here(shared: &Shared) -> Result<Host, Failure> {
    let (config, faults) = settings::config_of_last_run(shared)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let mut logger = config.logger_config.clone();
    logger.min_log_level = logger.min_log_level.max(LogLevel::Warning);
    let line = LiveLine::new();
    let mut setup = LogSetup::new(&logger, Arc::clone(&clock)).without_file();
    if logger.enable_console {
        setup = setup.console(line.console());
    }
    let log = setup.install().map_err(Failure::usage)?;
    for fault in faults {
        tracing::warn!(source = "Bridge_Telemetry", "{fault}");
    }
    let builder = HostBuilder::new(config).clock(clock).log(log).without_background().as_visitor();
    let tell = move |step: OpenProgress<'_>| {
        line.show_opening(step);
        ControlFlow::Continue(())
    };
    Ok(builder.on_progress(tell).open()?)
}
