//! The health report (spec §1, health_check).

use serde::Serialize;
use telemetry_sandbox::PluginState as RuntimeState;
use telemetry_store::StoreStats;

use super::issues::{HealthStatus, Issues};
use crate::alerts::OutboxStatus;
use crate::faults::HostFault;
use crate::host::Host;
use crate::logging::LogStats;
use crate::monitors::{BacklogStatus, MonitorState, MonitorStatus};
use crate::plugins::{Absence, PluginListing, PluginState, ReloadOutcome};
use crate::recording::RecordingCounters;
use crate::rollups::{RollupState, RollupStatus};

/// Records that a monitor may be behind before health says so: a second of a busy bridge.
const LAG_LIMIT: u64 = 100_000;
/// Deliveries that may wait before health says so.
const OUTBOX_LIMIT: usize = 1_000;
/// Percentage of the storage above which health says so.
const STORAGE_LIMIT: f64 = 90.0;

/// How the host does, and why.
#[derive(Clone, Debug, Serialize)]
pub struct Health {
    /// The worst of the reasons in `issues`.
    pub status: HealthStatus,
    /// The host's version.
    pub version: &'static str,
    /// Whole seconds since the host was opened.
    pub uptime_seconds: u64,
    /// Why it is not healthy.
    pub issues: Vec<String>,
    /// Figures.
    pub stats: HealthStats,
    /// Each plugin's state, calls, failures and time used.
    pub plugins: Vec<PluginListing>,
    /// Each monitor's place in the log.
    pub monitors: Vec<MonitorStatus>,
    /// Monitors that recording waits for when they are far behind.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub backlogs: Vec<BacklogStatus>,
    /// Deliveries of alerts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outbox: Option<OutboxStatus>,
    /// Each configured rollup, with what is kept of it and how far it is behind.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rollups: Vec<RollupStatus>,
}

/// Figures since the host was opened, and of the store as it is.
#[derive(Clone, Debug, Serialize)]
pub struct HealthStats {
    /// Counts since the start.
    #[serde(flatten)]
    pub recording: RecordingCounters,
    /// Days that events are kept.
    pub data_retention_days: u32,
    /// Days that metrics are kept.
    pub metrics_retention_days: u32,
    /// Of `storage_config.max_bytes`, or of the file system.
    pub storage_usage_percentage: f64,
    /// Events in the store.
    pub events_total: u64,
    /// Samples in the store.
    pub metrics_total: u64,
    /// Queries that were refused because others held the memory that there is for all of them.
    pub overloaded_queries: u64,
    /// The host's own faults since the start.
    pub host_faults: u64,
    /// The host's own faults by code.
    pub faults: Vec<HostFault>,
    /// Panics of native subscribers.
    pub subscriber_panics: u64,
    /// The JSON-lines log.
    pub log: LogStats,
    /// The store's own figures.
    pub storage: StoreStats,
}

impl Health {
    pub(crate) fn of(host: &Host) -> Self {
        let store = host.services.store.stats();
        let recording = host.recorder.counters();
        let log = host.log.stats();
        let plugins = host.plugins();
        let (monitors, outbox, unstarted) = match &*host.watch.lock() {
            Some(watch) => (watch.monitors(), Some(watch.outbox()), watch.failed()),
            None => (Vec::new(), None, Vec::new()),
        };
        let mut issues = Issues::default();
        judge_store(&store, &mut issues);
        judge_plugins(&plugins, &mut issues);
        host.plugins.read(|live| {
            for absence in live.absent.values() {
                if let Absence::Waiting { reason } = absence {
                    issues.degraded(format!("deliveries wait: {reason}"));
                }
            }
            if let Some(reason) = &live.version_fault {
                issues.degraded(format!("which versions of plugins run is not noted: {reason}"));
            }
        });
        for (monitor, reason) in unstarted {
            issues.degraded(format!("monitor {monitor} could not be started: {reason}"));
        }
        let backlogs = host.backlog.status(&host.services.store);
        for held in backlogs.iter().filter(|backlog| backlog.holding) {
            issues.degraded(format!("recording waits for monitor {}, which is far behind", held.monitor));
        }
        judge_watchers(&monitors, outbox.as_ref(), &mut issues);
        let rollups = host.rollups.statuses(&store.state_rollups);
        judge_rollups(&rollups, &mut issues);
        let faults = host.faults.summary();
        for fault in faults.iter().filter(|fault| fault.recent) {
            let HostFault { code, count, last_seen, message, .. } = fault;
            issues.degraded(format!("{code}, {count} since the start, last at {last_seen}: {message}"));
        }
        if log.failing {
            let failure = log.last_failure.as_deref().unwrap_or_default();
            issues.degraded(format!("the log cannot be written: {failure}"));
        }
        let retention = &host.config.retention_policy;
        Self {
            status: issues.status,
            version: env!("CARGO_PKG_VERSION"),
            uptime_seconds: host.clock.monotonic().saturating_sub(host.started).as_secs(),
            issues: issues.reasons,
            stats: HealthStats {
                recording,
                data_retention_days: retention.events.duration_days,
                metrics_retention_days: retention.metrics.duration_days,
                storage_usage_percentage: (store.usage_percentage * 10.0).round() / 10.0,
                events_total: store.events_total,
                metrics_total: store.metrics_total,
                overloaded_queries: host.services.engine.overloaded(),
                host_faults: host.faults.count(),
                faults,
                subscriber_panics: host.recorder.subscribers.panics(),
                log,
                storage: store,
            },
            plugins,
            monitors,
            backlogs,
            outbox,
            rollups,
        }
    }
}

fn judge_store(store: &StoreStats, issues: &mut Issues) {
    if let Some(reason) = &store.poisoned {
        issues.unhealthy(format!("storage stopped writing until the host is restarted: {reason}"));
    }
    if let Some(reason) = &store.refusing {
        issues.unhealthy(format!("storage refuses records for now: {reason}"));
    }
    if let Some(jump) = &store.clock_jump {
        issues.degraded(format!("expiry is paused: {jump}; if the clock is right, accept it"));
    }
    if store.usage_percentage > STORAGE_LIMIT {
        issues.degraded(format!("storage is {:.1} % full", store.usage_percentage));
    }
    for report in &store.reports {
        issues.degraded(format!("storage: {report}"));
    }
}

fn judge_plugins(plugins: &[PluginListing], issues: &mut Issues) {
    for plugin in plugins {
        if plugin.load == PluginState::Failed {
            let reason = plugin.reason.as_deref().unwrap_or_default();
            issues.degraded(format!("plugin {} could not be loaded: {reason}", plugin.name));
        }
        if let Some(status) = &plugin.status
            && let RuntimeState::Quarantined { .. } = status.state
        {
            let failure = status.last_failure.as_deref().unwrap_or_default();
            issues.degraded(format!("plugin {} is in quarantine: {failure}", plugin.name));
        }
        if let Some(note) = &plugin.history.file_note {
            issues.degraded(format!("plugin {}: {note}", plugin.name));
        }
        // Of one that is not there its own reason is told.
        if plugin.load == PluginState::Loaded
            && let Some(last) = &plugin.history.last_reload
            && let ReloadOutcome::Refused { .. }
            | ReloadOutcome::RolledBack { .. }
            | ReloadOutcome::RollbackFailed { .. } = last.outcome
        {
            issues.degraded(format!("plugin {}: {}", plugin.name, last.outcome));
        }
    }
}

fn judge_rollups(rollups: &[RollupStatus], issues: &mut Issues) {
    for rollup in rollups {
        let reason = rollup.reason.as_deref().unwrap_or_default();
        match rollup.state {
            RollupState::Unavailable => {
                issues.degraded(format!("rollup {} cannot be built: {reason}", rollup.aggregation));
            }
            RollupState::Failing => {
                let lag = rollup.lag_seconds;
                issues.degraded(format!("rollup {} fails, {lag} s behind: {reason}", rollup.aggregation));
            }
            RollupState::Ready | RollupState::Building => {}
        }
    }
}

fn judge_watchers(monitors: &[MonitorStatus], outbox: Option<&OutboxStatus>, issues: &mut Issues) {
    for monitor in monitors {
        if monitor.lag > LAG_LIMIT {
            issues.degraded(format!("monitor {} is {} records behind", monitor.monitor, monitor.lag));
        }
        if matches!(monitor.state, MonitorState::Failing | MonitorState::Quarantined) {
            let error = monitor.last_error.as_deref().unwrap_or_default();
            issues.degraded(format!("monitor {} fails: {error}", monitor.monitor));
        }
        if monitor.gap_records > 0 {
            issues.degraded(format!("monitor {} missed {} records", monitor.monitor, monitor.gap_records));
        }
    }
    if let Some(outbox) = outbox {
        if outbox.pending > OUTBOX_LIMIT {
            issues.degraded(format!("{} deliveries of alerts wait", outbox.pending));
        }
        if outbox.dead_letters > 0 {
            issues.degraded(format!(
                "{} deliveries of alerts were given up; see the dead letters",
                outbox.dead_letters
            ));
        }
    }
}
