//! What waits for each plugin.

use std::collections::BTreeMap;

use telemetry_sandbox::{Plugin, PluginKind};

use crate::watch::Watch;

/// Records that wait for monitors, and deliveries that wait for receivers.
#[derive(Debug, Default)]
pub(crate) struct Lags {
    monitors: BTreeMap<String, u64>,
    receivers: BTreeMap<String, u64>,
}

impl Lags {
    pub(crate) fn of(watch: &Watch) -> Self {
        let monitors = watch.monitors().into_iter().map(|monitor| (monitor.monitor, monitor.lag));
        let receivers = watch.outbox().receivers.into_iter();
        let receivers = receivers.map(|receiver| (receiver.receiver, receiver.waiting as u64));
        Self { monitors: monitors.collect(), receivers: receivers.collect() }
    }

    /// What waits for this plugin; `None` where nothing ever does.
    pub(super) fn of_plugin(&self, plugin: &Plugin) -> Option<u64> {
        match plugin.info().kind {
            PluginKind::Monitor => self.monitors.get(plugin.name()).copied(),
            PluginKind::Sink => self.receivers.get(plugin.name()).copied(),
            PluginKind::Validator | PluginKind::Aggregator => None,
        }
    }
}
