//! What happens after a record is stored: monitors follow the log, alerts change, deliveries go out.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use telemetry_core::extension::{FailureReason, Monitor, PluginFailure, SavedState, Sink};
use telemetry_core::{Clock, DeadLetter};
use telemetry_sandbox::Plugin;
use telemetry_store::{Store, StoreError};
use uuid::Uuid;

use crate::alerts::{
    Absent, AlertStore, Dispatcher, DispatcherError, FaultReport, HostAlerts, OutboxStatus, Receiver,
    ReplayError, Route, RoutingTable,
};
use crate::config::{Config, OnBacklog};
use crate::envelope::cause_chain;
use crate::faults::Faults;
use crate::monitors::{
    AddMonitorError, BacklogGate, BacklogPolicy, EndMonitorError, Handover, HandoverError, LogStore,
    MonitorRunner, MonitorStatus, RunnerError, StartSuccessor,
};
use crate::plugins::{Absence, LoadedPlugins};

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
    failed: Mutex<Vec<(String, String)>>,
}

/// What the watchers stand on.
pub(crate) struct WatchBase<'a> {
    pub(crate) store: &'a Arc<Store>,
    pub(crate) clock: &'a Arc<dyn Clock>,
    pub(crate) faults: &'a Arc<Faults>,
    pub(crate) backlog: &'a Arc<BacklogGate>,
    pub(crate) absent: Absent,
    pub(crate) handover_wait: Duration,
}

impl Watch {
    pub(crate) fn start(
        config: &Config,
        base: &WatchBase<'_>,
        plugins: &LoadedPlugins,
        background: bool,
    ) -> Result<Self, WatchError> {
        let WatchBase { store, clock, faults, backlog, absent, handover_wait } = base;
        let faults = Arc::clone(*faults) as Arc<dyn FaultReport>;
        let routes = Arc::new(routes(config)?);
        let alert_store = Arc::clone(*store) as Arc<dyn AlertStore>;
        let dispatcher = Arc::new(Dispatcher::open(
            Arc::clone(&alert_store),
            Arc::clone(*clock),
            Arc::clone(&faults),
            receivers(config, plugins),
            *absent,
        )?);
        let host = Arc::new(HostAlerts::load(
            alert_store,
            Arc::clone(*clock),
            Arc::clone(&dispatcher),
            Arc::clone(&routes),
        )?);
        let runner = MonitorRunner::start(
            Arc::clone(*store) as Arc<dyn LogStore>,
            Arc::clone(*clock),
            Arc::clone(&dispatcher),
            routes,
            host,
            faults,
            background,
        )?
        .with_backlog(Arc::clone(*backlog))
        .with_handover_wait(*handover_wait);
        let watch = Self { store: Arc::clone(*store), dispatcher, runner, failed: Mutex::default() };
        watch.add_monitors(plugins);
        if *absent == Absent::Removed {
            watch.remove_absent(config, plugins)?;
        }
        if background {
            watch.dispatcher.start()?;
        }
        Ok(watch)
    }

    fn add_monitors(&self, plugins: &LoadedPlugins) {
        for plugin in plugins.monitors() {
            // Why not is kept for health.
            let _ = self.add_monitor(plugin);
        }
    }

    /// Ends what the store has of monitors that are not configured any more.
    fn remove_absent(&self, config: &Config, plugins: &LoadedPlugins) -> Result<(), WatchError> {
        // One that is configured but could not be loaded today keeps its place and its alerts.
        let absent = plugins.absent.keys().filter(|name| plugins.has_failed(name));
        let mut configured: BTreeSet<String> = absent.cloned().collect();
        configured.extend(plugins.monitors().map(|plugin| plugin.name().to_owned()));
        let enabled = config.plugins.settings.iter().filter(|(_, settings)| settings.enabled);
        configured.extend(enabled.map(|(name, _)| name.clone()));
        let is_disabled = |name: &String| plugins.absent.get(name) == Some(&Absence::Disabled);
        configured.retain(|name| !is_disabled(name) && !plugins.removed.contains(name));
        for name in self.runner.remove_absent(&configured)? {
            tracing::info!(source = "Bridge_Telemetry", monitor = name, "removed; its alerts are resolved");
        }
        Ok(())
    }

    /// Adds the monitor of a plugin; it goes on where it was.
    pub(crate) fn add_monitor(&self, plugin: &Arc<Plugin>) -> Result<(), AddMonitorError> {
        let name = plugin.name();
        let added = self.runner.add(name, |restored| build(plugin, restored));
        let mut failed = self.failed.lock();
        failed.retain(|(failed, _)| failed != name);
        if let Err(error) = &added {
            let reason = cause_chain(error);
            tracing::error!(source = "Bridge_Telemetry", plugin = name, "{reason}");
            failed.push((name.to_owned(), reason));
        }
        added
    }

    /// Ends the monitor `name`, running or not: it counts as removed.
    pub(crate) fn end_monitor(&self, name: &str) -> Result<(), EndMonitorError> {
        self.runner.end_monitor(name)?;
        self.forget_failed(name);
        tracing::info!(source = "Bridge_Telemetry", monitor = name, "ended; its alerts are resolved");
        Ok(())
    }

    /// Monitors that could not be started, with the reason.
    pub(crate) fn failed(&self) -> Vec<(String, String)> {
        self.failed.lock().clone()
    }

    /// Whether the monitor `name` could not be started.
    pub(crate) fn has_failed(&self, name: &str) -> bool {
        self.failed.lock().iter().any(|(failed, _)| failed == name)
    }

    /// Nobody wants the monitor `name` any more: that it could not be started is no fault.
    pub(crate) fn forget_failed(&self, name: &str) {
        self.failed.lock().retain(|(failed, _)| failed != name);
    }

    /// Lets another monitor take the place of `name` between two records.
    pub(crate) fn replace_monitor(
        &self,
        name: &str,
        start: StartSuccessor,
    ) -> Result<Handover, HandoverError> {
        self.runner.replace(name, start)
    }

    /// Lets `change` put another sink in the place of a receiver's between two deliveries; `None`: no such receiver.
    pub(crate) fn hand_over_sink<R>(
        &self,
        receiver: &str,
        change: impl FnOnce(Option<Box<dyn Sink>>) -> (Option<Box<dyn Sink>>, R),
    ) -> Option<R> {
        self.dispatcher.hand_over(receiver, change)
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

fn build(plugin: &Arc<Plugin>, restored: Option<SavedState>) -> Result<Box<dyn Monitor>, PluginFailure> {
    plugin.monitor(restored).unwrap_or_else(|| {
        let reason = FailureReason::Unsupported("it is no monitor".to_owned());
        Err(PluginFailure { plugin: plugin.name().to_owned(), reason })
    })
}

/// Monitors that recording waits for.
pub(crate) fn backlog_gate(config: &Config) -> BacklogGate {
    let settings =
        config.plugins.settings.iter().filter(|(_, it)| it.enabled && it.on_backlog == OnBacklog::Block);
    let policies = settings.map(|(name, settings)| BacklogPolicy {
        monitor: name.clone(),
        records: settings.max_backlog,
        wait: Duration::from_millis(settings.limits.wait_ms.into()),
    });
    BacklogGate::new(policies.collect())
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
