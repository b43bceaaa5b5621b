//! What happens after a record is stored: monitors follow the log, alerts change, deliveries go out.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use telemetry_core::{Clock, DeadLetter};
use telemetry_sandbox::Plugin;
use telemetry_store::{Store, StoreError};
use uuid::Uuid;

use crate::alerts::{
    AlertStore, Dispatcher, DispatcherError, FaultReport, HostAlerts, OutboxStatus, Receiver, ReplayError,
    Route, RoutingTable,
};
use crate::config::Config;
use crate::envelope::cause_chain;
use crate::faults::Faults;
use crate::monitors::{LogStore, MonitorRunner, MonitorStatus, RunnerError};
use crate::plugins::LoadedPlugins;

/// Why monitors or deliveries could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WatchError {
    /// The deliveries.
    #[error(transparent)]
    Dispatcher(#[from] DispatcherError),
    /// The monitors.
    #[error(transparent)]
    Runner(#[from] RunnerError),
    /// What the store keeps of them.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A route's condition.
    #[error("a route of alerting.routes cannot be used")]
    Route(#[from] telemetry_core::filter::FilterError),
}

/// Monitors and deliveries of one host.
pub(crate) struct Watch {
    store: Arc<Store>,
    dispatcher: Arc<Dispatcher>,
    runner: MonitorRunner,
    /// Monitors that could not be started, with the reason.
    pub(crate) failed: Vec<(String, String)>,
}

impl Watch {
    pub(crate) fn start(
        config: &Config,
        store: &Arc<Store>,
        plugins: &LoadedPlugins,
        clock: &Arc<dyn Clock>,
        faults: &Arc<Faults>,
        background: bool,
    ) -> Result<Self, WatchError> {
        let faults = Arc::clone(faults) as Arc<dyn FaultReport>;
        let routes = Arc::new(routes(config)?);
        let alert_store = Arc::clone(store) as Arc<dyn AlertStore>;
        let dispatcher = Arc::new(Dispatcher::open(
            Arc::clone(&alert_store),
            Arc::clone(clock),
            Arc::clone(&faults),
            receivers(config, plugins),
        )?);
        let host = Arc::new(HostAlerts::load(
            alert_store,
            Arc::clone(clock),
            Arc::clone(&dispatcher),
            Arc::clone(&routes),
        )?);
        let runner = MonitorRunner::start(
            Arc::clone(store) as Arc<dyn LogStore>,
            Arc::clone(clock),
            Arc::clone(&dispatcher),
            routes,
            host,
            faults,
            background,
        )?;
        let mut watch = Self { store: Arc::clone(store), dispatcher, runner, failed: Vec::new() };
        watch.add_monitors(config, plugins)?;
        if background {
            watch.dispatcher.start()?;
        }
        Ok(watch)
    }

    fn add_monitors(&mut self, config: &Config, plugins: &LoadedPlugins) -> Result<(), WatchError> {
        for plugin in plugins.monitors() {
            let name = plugin.name().to_owned();
            if let Err(error) = self.runner.add(&name, |restored| build(plugin, restored)) {
                let reason = cause_chain(&error);
                tracing::error!(source = "Bridge_Telemetry", plugin = name, "{reason}");
                self.failed.push((name, reason));
            }
        }
        // One that is configured but could not be loaded today keeps its place and its alerts.
        let mut configured: BTreeSet<String> =
            plugins.failed.iter().map(|failed| failed.name.clone()).collect();
        configured.extend(plugins.monitors().map(|plugin| plugin.name().to_owned()));
        let enabled = config.plugins.settings.iter().filter(|(_, settings)| settings.enabled);
        configured.extend(enabled.map(|(name, _)| name.clone()));
        configured.retain(|name| !plugins.disabled.contains(name));
        for name in self.runner.remove_absent(&configured)? {
            tracing::info!(source = "Bridge_Telemetry", monitor = name, "removed; its alerts are resolved");
        }
        Ok(())
    }

    /// Returns when the ticks that are due stand in the log, every monitor has gone through all that is stored now, and
    /// every delivery that is due then was attempted; with threads it waits for them, without it does their work. False
    /// when the time is over before, a monitor pauses after a failure, or the store refuses.
    pub(crate) fn drain(&self, timeout: Duration) -> bool {
        let deadline = Instant::now().checked_add(timeout);
        let ticked = self.runner.tick_due();
        let watched = self.runner.drain(self.store.last_sequence(), timeout);
        let left = deadline.map_or(timeout, |deadline| deadline.saturating_duration_since(Instant::now()));
        let attempted = self.dispatcher.drain(left);
        ticked && watched && attempted
    }

    pub(crate) fn monitors(&self) -> Vec<MonitorStatus> {
        self.runner.status()
    }

    pub(crate) fn outbox(&self) -> OutboxStatus {
        self.dispatcher.status()
    }

    pub(crate) fn dead_letters(&self) -> Result<Vec<DeadLetter>, StoreError> {
        self.dispatcher.dead_letters()
    }

    pub(crate) fn replay(&self, alert_id: Option<Uuid>, receiver: &str) -> Result<usize, ReplayError> {
        self.dispatcher.replay(alert_id, receiver)
    }

    pub(crate) fn stop(&self) {
        self.runner.stop();
        self.dispatcher.stop();
    }
}

fn build(
    plugin: &Arc<Plugin>,
    restored: Option<telemetry_core::extension::SavedState>,
) -> Result<Box<dyn telemetry_core::extension::Monitor>, telemetry_core::extension::PluginFailure> {
    plugin.monitor(restored).unwrap_or_else(|| {
        Err(telemetry_core::extension::PluginFailure {
            plugin: plugin.name().to_owned(),
            reason: telemetry_core::extension::FailureReason::Unsupported("it is no monitor".to_owned()),
        })
    })
}

/// Every configured receiver; one whose sink could not be loaded keeps its deliveries until it can.
fn receivers(config: &Config, plugins: &LoadedPlugins) -> Vec<Receiver> {
    let names = config.alerting.all_receivers().into_keys();
    names
        .map(|name| {
            let sink = plugins.receivers.get(&name).and_then(|plugin| plugin.sink());
            Receiver { name, sink }
        })
        .collect()
}

fn routes(config: &Config) -> Result<RoutingTable, telemetry_core::filter::FilterError> {
    let routes = (config.alerting.routes.iter())
        .map(|route| {
            Ok(Route {
                matches: route.filters()?,
                receivers: route.receivers.clone(),
                proceed: route.goes_on,
            })
        })
        .collect::<Result<Vec<_>, telemetry_core::filter::FilterError>>()?;
    Ok(RoutingTable::new(routes, config.alerting.default_receivers.clone()))
}
