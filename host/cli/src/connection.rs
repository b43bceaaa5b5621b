//! How a command reaches the telemetry: through the host that runs on the data directory, or by opening the store itself.

use bridge_telemetry::config::Config;
use bridge_telemetry::envelope::Envelope;
use bridge_telemetry::{Host, HostBuilder};

use crate::arguments::{AlertChoice, Shared};
use crate::client::Client;
use crate::exit::Failure;
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
        Self::open_with(settings::config(shared)?)
    }

    pub(crate) fn open_with(mut config: Config) -> Result<Self, Failure> {
        let host = host_file::read(&config.storage_config.connection_string);
        if let Some(client) = host.and_then(|host| Client::reach(&host)) {
            return Ok(Self::Remote(client));
        }
        // What a command has to say of itself goes to standard error; the host's log file is the host's.
        config.logger_config.enable_console = false;
        Ok(Self::Local(Box::new(HostBuilder::new(config).without_background().open()?)))
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

    pub(crate) fn plugins(&self) -> Result<Envelope, Failure> {
        match self {
            Self::Remote(client) => client.get("/v1/plugins", &[]),
            Self::Local(host) => Ok(host.plugins_json()),
        }
    }
}
